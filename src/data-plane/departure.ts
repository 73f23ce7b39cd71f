/** Tells when the client left before its answer was complete. */
export class Departure {
  gone = false
  /** Monotonic time of it. */
  goneAt = 0
  /** Whether an answer may be read on after it, for its usage (R77). Not where several attempts race. */
  readonly mayDrain: boolean
  private isIgnored = false
  private listener: (() => void) | null = null

  constructor(mayDrain = false) {
    this.mayDrain = mayDrain
  }

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
    this.goneAt = performance.now()
    this.listener?.()
  }
}
