import { FirstOutputs } from './first-outputs.ts'
import { type RecentSpeed, RecentSpeeds } from './recent-speeds.ts'

/** How fast a target is, as it was lately; null: not measured. */
export interface Speed {
  readonly ttftMs: number | null
  readonly tokensPerSecond: number | null
}

/** The share of a new measurement in the mean: about the last ten count. */
const SHARE = 0.2
/** Targets that are remembered; the oldest go first. */
export const SPEEDS_MAX = 10_000

/** An older measurement is forgotten: what was slow once is asked again, or it would be slow for ever. */
export const SPEED_AGE_MAX_MS = 10 * 60_000

const UNMEASURED: Speed = { ttftMs: null, tokensPerSecond: null }

interface Measured extends Speed {
  readonly at: number
}

/** Moving means of first content and throughput per target, and whose turn it is, in memory of this process (R66). */
export class TargetSpeeds {
  private readonly speeds = new Map<string, Measured>()
  /** Of whole models, for those that are hedged. */
  readonly firstOutputs = new FirstOutputs()
  private readonly recents = new RecentSpeeds()
  private readonly used = new Map<string, number>()
  private readonly turns = new Map<string, number>()
  private clock = 0
  private readonly now: () => number

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  /** A streamed answer has ended well. `tokensPerSecond` is null when it was too short to tell. */
  measured(target: string, ttftMs: number, tokensPerSecond: number | null): void {
    const now = this.now()
    this.recents.noted(target, { at: now, ttftMs, tokensPerSecond })
    const last = this.fresh(target, now)
    const mean = (before: number | null | undefined, value: number): number =>
      before === null || before === undefined ? value : before + SHARE * (value - before)
    keep(this.speeds, target, {
      ttftMs: mean(last?.ttftMs, ttftMs),
      tokensPerSecond:
        tokensPerSecond === null ? (last?.tokensPerSecond ?? null) : mean(last?.tokensPerSecond, tokensPerSecond),
      at: now,
    })
  }

  speedOf(target: string): Speed {
    return this.fresh(target, this.now()) ?? UNMEASURED
  }

  recentSpeedOf(target: string): RecentSpeed {
    return this.recents.of(target, this.now())
  }

  private fresh(target: string, now: number): Speed | undefined {
    const speed = this.speeds.get(target)
    return speed && now - speed.at <= SPEED_AGE_MAX_MS ? speed : undefined
  }

  /** The target was picked. */
  picked(target: string): void {
    keep(this.used, target, ++this.clock)
  }

  lastUsed(target: string): number {
    return this.used.get(target) ?? 0
  }

  /** What `turn` gives next. */
  nextTurn(name: string): number {
    return this.turns.get(name) ?? 0
  }

  /** Counts up under a name, from 0. */
  turn(name: string): number {
    const next = this.turns.get(name) ?? 0
    keep(this.turns, name, next + 1)
    return next
  }
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value)
  if (map.size > SPEEDS_MAX) map.delete(map.keys().next().value!)
}
