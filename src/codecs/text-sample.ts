/** So much text is kept of a stream: about 450 tokens, which tell the tokens of a longer one within a few percent. */
export const SAMPLE_BYTES_MAX = 2048

/**
 * The beginning of a streamed text, for an estimate of its tokens where the upstream reports none (R77, fault M3). Bytes of
 * JSON strings as they came, escapes and all; of a text that does not fit any more the beginning is taken.
 */
export class TextSample {
  /** Whether there is room. */
  isOpen = true
  /** Bytes that were taken. */
  length = 0
  private bytes: Buffer | null = null

  /** Takes the text that stands at `event[from, to)`. */
  add(event: Buffer, from: number, to: number): void {
    let end = to
    if (this.length + to - from > SAMPLE_BYTES_MAX) {
      this.isOpen = false
      end = wholeBefore(event, from, from + SAMPLE_BYTES_MAX - this.length)
    }
    this.bytes ??= Buffer.allocUnsafe(SAMPLE_BYTES_MAX)
    // Texts of a few bytes, as nearly always: a loop is cheaper than a call out of JavaScript.
    for (let at = from; at < end; at++) this.bytes[this.length++] = event[at]!
  }

  /** What the taken strings say. */
  text(): string {
    const raw = this.bytes === null ? '' : this.bytes.toString('utf8', 0, this.length)
    try {
      return JSON.parse(`"${raw}"`) as string
    } catch {
      return raw
    }
  }
}

const BACKSLASH = 0x5c
const ESCAPE_BYTES_MAX = 6

/** Where the text that begins at `from` can be cut at `to` or a little before, outside of an escape and of a letter. */
function wholeBefore(event: Buffer, from: number, to: number): number {
  let end = to
  while (end > from && (event[end]! & 0xc0) === 0x80) end--
  for (let at = end - 1; at >= from && at > end - ESCAPE_BYTES_MAX; at--) if (event[at] === BACKSLASH) return at
  return end
}
