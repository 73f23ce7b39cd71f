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
  let length = source.length
  for (const edit of ordered) length += edit.bytes.length - (edit.end - edit.start)
  const target = Buffer.allocUnsafe(length)
  let read = 0
  let written = 0
  for (const edit of ordered) {
    written += source.copy(target, written, read, edit.start)
    written += edit.bytes.copy(target, written)
    read = edit.end
  }
  source.copy(target, written, read)
  return target
}
