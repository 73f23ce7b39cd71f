/** Retries that one request pays for: so that a storm of failures is not made a quarter larger by us (fault R4). */
export const RETRY_SHARE = 0.2
/** Retries per second that are always allowed: a quiet gateway must be able to fail over too. */
export const RETRIES_PER_SECOND = 10
/** What may be saved up in quiet times. */
export const RETRIES_SAVED_MAX = 1000
/** What a new gateway begins with. */
const RETRIES_AT_START = 50

/** How many second attempts the gateway as a whole may still make. Time in milliseconds of a monotonic clock. */
export class RetryBudget {
  private left = RETRIES_AT_START
  private seenAt: number | null = null

  /** A request came in. */
  offered(now: number): void {
    this.refill(now)
    this.left = Math.min(RETRIES_SAVED_MAX, this.left + RETRY_SHARE)
  }

  /** Takes one retry out of the budget; false when there is none. */
  take(now: number): boolean {
    this.refill(now)
    if (this.left < 1) return false
    this.left--
    return true
  }

  private refill(now: number): void {
    const since = this.seenAt === null ? 0 : now - this.seenAt
    this.seenAt = now
    // The steady part is not saved up beyond what a start has: that is what the share is for.
    if (this.left < RETRIES_AT_START)
      this.left = Math.min(RETRIES_AT_START, this.left + (since * RETRIES_PER_SECOND) / 1000)
  }
}
