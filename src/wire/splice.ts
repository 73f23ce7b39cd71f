/** Replaces `[start, end)` by `bytes`. An insertion has start = end. */
export interface Edit {
  readonly start: number
  readonly end: number
  /** A string stands for bytes as well: it is ASCII. */
  readonly bytes: Buffer | string
}

/** Applies edits that do not overlap, in any order. Returns the source itself when there are none. */
export function applyEdits(source: Buffer, edits: readonly Edit[]): Buffer {
  if (edits.length === 0) return source
  const ordered = inOrder(edits)
  let length = source.length
  for (const edit of ordered) length += edit.bytes.length - (edit.end - edit.start)
  const target = Buffer.allocUnsafe(length)
  let read = 0
  let written = 0
  for (const { start, end, bytes } of ordered) {
    written += source.copy(target, written, read, start)
    written += typeof bytes === 'string' ? target.write(bytes, written, 'latin1') : bytes.copy(target, written)
    read = end
  }
  source.copy(target, written, read)
  return target
}

/** The same as text, one character for each byte: what is written together with other text is copied once less. */
export function editedText(source: Buffer, edits: readonly Edit[]): string {
  if (edits.length === 0) return source.toString('latin1')
  let text = ''
  let read = 0
  for (const { start, end, bytes } of inOrder(edits)) {
    text += source.toString('latin1', read, start)
    text += typeof bytes === 'string' ? bytes : bytes.toString('latin1')
    read = end
  }
  return text + source.toString('latin1', read)
}

const inOrder = (edits: readonly Edit[]): readonly Edit[] =>
  edits.length === 1 ? edits : edits.toSorted((left, right) => left.start - right.start)
