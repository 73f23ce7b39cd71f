/** Which limit was passed. */
export type Expiry = 'firstContent' | 'idle' | 'total'

export interface WatchdogLimits {
  readonly firstContentMs: number
  readonly idleMs: number
  readonly totalMs: number
}

/**
 * Watches one attempt with one timer (R76). Arriving bytes only note the time; the timer looks at it when it fires and
 * goes on waiting for the rest, so that a chunk costs no timer work. A limit of 0 is off.
 */
export class Watchdog {
  private readonly limits: WatchdogLimits
  private readonly onExpiry: (what: Expiry) => void
  private readonly startedAt = performance.now()
  private touchedAt = this.startedAt
  private committed = false
  private paused = false
  private timer: NodeJS.Timeout | undefined

  constructor(limits: WatchdogLimits, onExpiry: (what: Expiry) => void) {
    this.limits = limits
    this.onExpiry = onExpiry
    this.arm()
  }

  /** Something arrived. */
  touch(): void {
    this.touchedAt = performance.now()
  }

  /** The first content arrived: from now on silence counts, not the wait for content. */
  commit(): void {
    this.committed = true
    this.touch()
    this.arm()
  }

  /** A client that reads slowly is no fault of the upstream: the silence it causes does not count. */
  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.touch()
  }

  stop(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private arm(): void {
    clearTimeout(this.timer)
    const next = this.next()
    if (next) this.timer = setTimeout(() => this.fire(), Math.max(1, next.at - performance.now()))
  }

  private fire(): void {
    const next = this.next()
    if (next && next.at <= performance.now()) this.onExpiry(next.what)
    else this.arm()
  }

  private next(): { at: number; what: Expiry } | null {
    const { firstContentMs, idleMs, totalMs } = this.limits
    const deadlines: { at: number; what: Expiry }[] = []
    if (totalMs > 0) deadlines.push({ at: this.startedAt + totalMs, what: 'total' })
    if (!this.committed && firstContentMs > 0)
      deadlines.push({ at: this.startedAt + firstContentMs, what: 'firstContent' })
    if (this.committed && idleMs > 0) {
      deadlines.push({ at: (this.paused ? performance.now() : this.touchedAt) + idleMs, what: 'idle' })
    }
    deadlines.sort((left, right) => left.at - right.at)
    return deadlines[0] ?? null
  }
}
