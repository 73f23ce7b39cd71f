/**
 * What a failed attempt says of where it was made (R71).
 * - `rate-limited`: this credential has used up its quota for a while
 * - `refused`: this credential is not accepted, which time alone hardly mends
 * - `failed`: the backend does not work, or not in time
 */
export type Trouble = 'rate-limited' | 'refused' | 'failed'

/** `half-open`: the pause is over, and one probe decides whether the next one begins. */
export type CircuitState = 'closed' | 'open' | 'half-open'

/** Consecutive failures that open a circuit. */
export const FAILURES_MAX = 3
/** How long an open circuit lets nothing through. */
export const OPEN_MS = 10_000
/** Pauses after a 429 that names none, one after the other. */
export const RATE_LIMIT_PAUSES_MS: readonly number[] = [5_000, 15_000, 30_000, 60_000]
/**
 * A pause that nobody asked for is probed after this time at the latest, one request at a time: a backend that works again
 * is to be in use within 30 seconds.
 */
export const PROBE_AFTER_MAX_MS = 25_000
/** A longer `Retry-After` is not believed to the end. */
export const RETRY_AFTER_MAX_MS = 15 * 60_000
/** After a refused credential. */
export const REFUSED_MS = 5 * 60_000

/**
 * The passive health of one thing that can fail: counts what happens and says whether to go on. Time is given by the
 * caller, in milliseconds of a monotonic clock. An attempt tells of the time since it began: one that began before a circuit
 * opened neither closes it nor makes its pause longer.
 */
export class Circuit {
  private failures = 0
  private pauses = 0
  private openedAt = 0
  private openUntil = 0
  private probeAt = 0
  private isProbed = false
  private reason: Trouble | null = null
  /** How often it has opened: one that was open for a moment only is told of all the same (R98). */
  openings = 0

  state(now: number): CircuitState {
    if (this.openUntil === 0) return 'closed'
    return now < this.openUntil ? 'open' : 'half-open'
  }

  /** Whether an attempt may be made: always while closed, and one at a time when it is time for a probe. */
  admits(now: number): boolean {
    if (this.openUntil === 0) return true
    return now >= this.probeAt && !this.isProbed
  }

  /** When the pause ends, as far as one request is concerned; 0 while closed. */
  get until(): number {
    return this.probeAt
  }

  get trouble(): Trouble | null {
    return this.reason
  }

  /**
   * An attempt begins; `fail`, `release` or `commit` follows, with what this returns: whether it is the probe. After `commit`
   * an answer may still break off.
   */
  begin(now: number): boolean {
    if (this.isProbed || this.openUntil === 0 || now < this.probeAt) return false
    this.isProbed = true
    return true
  }

  /**
   * It begins to answer, which may take long: others need not wait for its end, and its end, however late, tells nothing of those
   * that begin then. Returns the failures that are forgotten for it.
   */
  commit(isProbe: boolean, begunAt: number): number {
    this.release(isProbe)
    const forgotten = this.failures
    this.failures = 0
    if (this.openUntil === 0 || begunAt < this.openedAt) return forgotten
    this.isProbed = false
    this.pauses = 0
    this.openUntil = 0
    this.probeAt = 0
    this.reason = null
    return forgotten
  }

  /** The attempt ended without a word about health: the client left. */
  release(isProbe: boolean): void {
    if (isProbe) this.isProbed = false
  }

  /** `retryAfterMs` is what the upstream asked for, null when it asked for nothing. */
  fail(isProbe: boolean, trouble: Trouble, retryAfterMs: number | null, now: number): void {
    this.release(isProbe)
    if (trouble === 'failed' && this.openUntil > 0 && !isProbe) return
    const pauseMs = this.pauseOf(isProbe, trouble, retryAfterMs, now)
    if (pauseMs === 0) return
    const isGuess = trouble === 'rate-limited' && retryAfterMs === null
    this.open(trouble, pauseMs, isGuess ? Math.min(pauseMs, PROBE_AFTER_MAX_MS) : pauseMs, now)
  }

  /** It broke in the middle of its answer: what was forgotten for it counts after all. */
  breakOff(forgotten: number, now: number): void {
    if (this.openUntil > 0) return
    this.failures += forgotten + 1
    if (this.failures >= FAILURES_MAX) this.open('failed', OPEN_MS, OPEN_MS, now)
  }

  private open(trouble: Trouble, pauseMs: number, probeMs: number, now: number): void {
    this.openUntil = Math.max(this.openUntil, now + pauseMs)
    this.probeAt = Math.max(this.probeAt, now + probeMs)
    this.openedAt = now
    this.openings++
    this.reason = trouble
  }

  private pauseOf(isProbe: boolean, trouble: Trouble, retryAfterMs: number | null, now: number): number {
    switch (trouble) {
      case 'rate-limited': {
        // Requests that were under way together are refused together: that is one step, not many.
        if (isProbe || this.state(now) !== 'open') this.pauses++
        const step = Math.min(this.pauses, RATE_LIMIT_PAUSES_MS.length) - 1
        return retryAfterMs === null ? RATE_LIMIT_PAUSES_MS[step]! : Math.min(retryAfterMs, RETRY_AFTER_MAX_MS)
      }
      case 'refused':
        return REFUSED_MS
      case 'failed':
        this.failures++
        return this.failures >= FAILURES_MAX ? OPEN_MS : 0
      default: {
        const missed: never = trouble
        throw new Error(`unknown trouble ${String(missed)}`)
      }
    }
  }
}
