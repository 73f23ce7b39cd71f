/** So much text is kept of a stream: about 450 tokens, which tell the tokens of a longer one within a few percent. */
export const SAMPLE_BYTES_MAX = 2048

/**
 * The beginning of a streamed text, for an estimate of its tokens where the upstream reports none (R77, fault M3). Bytes of
 * JSON strings as they came, escapes and all; a text that does not fit any more ends the sample.
 */
export class TextSample {
  /** Whether there is room. */
  isOpen = true
  /** Bytes that were taken. */
  length = 0
  private bytes: Buffer | null = null

  /** Takes the text that stands at `event[from, to)`. */
  add(event: Buffer, from: number, to: number): void {
    if (this.length + to - from > SAMPLE_BYTES_MAX) {
      this.isOpen = false
      return
    }
    this.bytes ??= Buffer.allocUnsafe(SAMPLE_BYTES_MAX)
    // Texts of a few bytes, as nearly always: a loop is cheaper than a call out of JavaScript.
    for (let at = from; at < to; at++) this.bytes[this.length++] = event[at]!
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
