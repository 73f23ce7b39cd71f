import { deadlines, type Watched } from '#base/deadlines.ts'

/** Which limit was passed. */
export type Expiry = 'firstContent' | 'idle' | 'total'

export interface WatchdogLimits {
  readonly firstContentMs: number
  readonly idleMs: number
  readonly totalMs: number
}

/** Watches one attempt's limits (R76). Arriving bytes only note the time. A limit of 0 is off. */
export class Watchdog implements Watched {
  place = -1
  private readonly limits: WatchdogLimits
  private readonly expire: (what: Expiry) => void
  private readonly startedAt = performance.now()
  private touchedAt = this.startedAt
  private committed = false
  private paused = false

  constructor(limits: WatchdogLimits, expire: (what: Expiry) => void) {
    this.limits = limits
    this.expire = expire
    deadlines.watch(this)
  }

  get deadlineAt(): number {
    return Math.min(this.totalAt, this.phaseAt)
  }

  onExpiry(): void {
    const isTotal = this.totalAt <= this.phaseAt
    this.expire(isTotal ? 'total' : this.committed ? 'idle' : 'firstContent')
  }

  /** Something arrived. */
  touch(): void {
    if (this.committed) this.touchedAt = performance.now()
  }

  /** The first content arrived: from now on silence counts, not the wait for content. */
  commit(): void {
    this.committed = true
    this.touch()
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
    deadlines.unwatch(this)
  }

  private get totalAt(): number {
    return this.limits.totalMs > 0 ? this.startedAt + this.limits.totalMs : Infinity
  }

  private get phaseAt(): number {
    const { firstContentMs, idleMs } = this.limits
    if (!this.committed) return firstContentMs > 0 ? this.startedAt + firstContentMs : Infinity
    return idleMs > 0 && !this.paused ? this.touchedAt + idleMs : Infinity
  }
}
