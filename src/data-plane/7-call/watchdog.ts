import { deadlines, type Watched } from '#base/deadlines.ts'

/** Which limit was passed. */
export type Expiry = 'firstContent' | 'idle' | 'total' | 'pace'

export interface WatchdogLimits {
  readonly firstContentMs: number
  readonly idleMs: number
  readonly totalMs: number
  /** Bytes that have to come in each window before the first content (B10); absent or 0: any pace will do. */
  readonly paceBytesMin?: number
}

/** Over how long the pace is measured. */
export const PACE_WINDOW_MS = 5000
/** What a token is in bytes, roughly. */
export const TOKEN_BYTES = 4

const SPACE = 0x20

/** Watches one attempt's limits (R76). Arriving bytes only note the time. A limit of 0 is off. */
export class Watchdog implements Watched {
  place = -1
  private readonly limits: WatchdogLimits
  private readonly expire: (what: Expiry) => void
  private readonly startedAt = performance.now()
  private touchedAt = this.startedAt
  private committed = false
  private paused = false
  private paceAt = Infinity
  private paceBytes = 0

  constructor(limits: WatchdogLimits, expire: (what: Expiry) => void) {
    this.limits = limits
    this.expire = expire
    deadlines.watch(this)
  }

  get deadlineAt(): number {
    return Math.min(this.totalAt, this.phaseAt, this.paceAt)
  }

  onExpiry(): void {
    if (this.paceAt <= this.totalAt && this.paceAt <= this.phaseAt) {
      this.endWindow()
      return
    }
    const isTotal = this.totalAt <= this.phaseAt
    this.expire(isTotal ? 'total' : this.committed ? 'idle' : 'firstContent')
  }

  /** The answer begins: from now on it has to get on. */
  begin(): void {
    if (this.limits.paceBytesMin) this.paceAt = performance.now() + PACE_WINDOW_MS
  }

  /** Part of a whole answer arrived. White space is what some hosts send to be kept waiting for. */
  advance(chunk: Buffer): void {
    if (this.paceAt < Infinity && chunk.some((byte) => byte > SPACE)) this.paceBytes += chunk.length
  }

  private endWindow(): void {
    if (this.paceBytes < this.limits.paceBytesMin!) {
      this.expire('pace')
      return
    }
    this.paceBytes = 0
    this.paceAt += PACE_WINDOW_MS
    deadlines.watch(this)
  }

  /** Something arrived. */
  touch(): void {
    if (this.committed) this.touchedAt = performance.now()
  }

  /** The first content arrived: from now on silence counts, not the wait for content. */
  commit(): void {
    this.committed = true
    this.paceAt = Infinity
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
