/** Tells when the client left before its answer was complete. */
export class Departure {
  gone = false
  private listener: (() => void) | null = null

  /** Calls back once when the client leaves, at once when it already has. Replaces an earlier listener. */
  onGone(listener: (() => void) | null): void {
    this.listener = listener
    if (this.gone) listener?.()
  }

  leave(): void {
    if (this.gone) return
    this.gone = true
    this.listener?.()
  }
}
