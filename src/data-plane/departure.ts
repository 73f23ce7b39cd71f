/** Tells when the client left before its answer was complete. */
export class Departure {
  gone = false
  private isIgnored = false
  private listener: (() => void) | null = null

  /** Calls back once when the client leaves, at once when it already has. Replaces an earlier listener. */
  onGone(listener: (() => void) | null): void {
    this.listener = listener
    if (this.gone) listener?.()
  }

  /** From now on nobody is to hear of it: the answer is kept for who asks again (M5). */
  ignore(): void {
    this.isIgnored = true
  }

  leave(): void {
    if (this.gone || this.isIgnored) return
    this.gone = true
    this.listener?.()
  }
}
