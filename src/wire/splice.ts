/** Replaces `[start, end)` by `bytes`. An insertion has start = end. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly bytes: Buffer
}

/** Applies edits that do not overlap, in any order. Returns the source itself when there are none. */
export function applyEdits(source: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return source
  const ordered = edits.length === 1 ? edits : edits.toSorted((left, right) => left.start - right.start)
  const parts: Buffer[] = []
  let at = 0
  for (const edit of ordered) {
    if (edit.start > at) parts.push(source.subarray(at, edit.start))
    parts.push(edit.bytes)
    at = edit.end
  }
  if (at < source.length) parts.push(source.subarray(at))
  return Buffer.concat(parts)
}
