import type { PastRequests } from './types.ts'

/** Parts of a window that are told apart: memory is bounded, and a count lasts at most a part longer than it must. */
export const PARTS_MAX = 64

/** An amount that was counted, until it leaves its window. */
export interface Counted {
  readonly firstMs: number
  lastMs: number
  amount: number
  hasLeft: boolean
}

/** A count as it is written down: `[firstMs, lastMs, amount]`. */
export type Part = readonly [firstMs: number, lastMs: number, amount: number]

/** What was used of a limit within its time. Times are milliseconds and should not go back; if they do, nothing is forgotten early. */
export interface Window {
  used(nowMs: number): number
  /** Until `amount` fits under `limit`; 0 is now. More than the whole limit fits once nothing else is counted. */
  waitMs(amount: number, limit: number, nowMs: number): number
  /** Until nothing of what is counted is left. */
  resetMs(nowMs: number): number
  add(amount: number, nowMs: number): Counted
  /** Changes what was counted, as long as it is. Never below 0. */
  adjust(counted: Counted, delta: number, nowMs: number): void
  /** Puts the past in, oldest first, before anything is counted. */
  load(past: readonly PastRequests[]): void
  /** All that is counted, oldest first; `restore` puts it back into an empty window. */
  parts(nowMs: number): readonly Part[]
  restore(parts: readonly Part[]): void
  /** What was counted in the part that began then; undefined when it has left. */
  find(firstMs: number): Counted | undefined
}

/**
 * Counts what happened in the last `windowMs`. Amounts that lie within a part of the window share a place and leave
 * together with the latest of them: never more than the limit is let through in any window, and one that waits is told
 * at most a part too long.
 */
export class SlidingWindow implements Window {
  private readonly windowMs: number
  private readonly counted: Counted[] = []
  private total = 0

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  /** Places in use, for the test of the bound. */
  get places(): number {
    return this.counted.length
  }

  used(nowMs: number): number {
    this.expire(nowMs)
    return this.total
  }

  waitMs(amount: number, limit: number, nowMs: number): number {
    this.expire(nowMs)
    let excess = this.total + Math.min(amount, limit) - limit
    if (excess <= 0) return 0
    for (const one of this.counted) {
      excess -= one.amount
      if (excess <= 0) return one.lastMs + this.windowMs - nowMs
    }
    return this.resetMs(nowMs)
  }

  resetMs(nowMs: number): number {
    this.expire(nowMs)
    const last = this.counted.at(-1)
    return last ? last.lastMs + this.windowMs - nowMs : 0
  }

  add(amount: number, nowMs: number): Counted {
    this.expire(nowMs)
    let last = this.counted.at(-1)
    if (!last || nowMs - last.firstMs >= this.windowMs / PARTS_MAX) {
      last = { firstMs: nowMs, lastMs: nowMs, amount: 0, hasLeft: false }
      this.counted.push(last)
    }
    last.lastMs = Math.max(last.lastMs, nowMs)
    last.amount += amount
    this.total += amount
    return last
  }

  adjust(counted: Counted, delta: number, nowMs: number): void {
    this.expire(nowMs)
    if (counted.hasLeft) return
    const change = Math.max(delta, -counted.amount)
    counted.amount += change
    this.total += change
  }

  load(past: readonly PastRequests[]): void {
    for (const { count, lastMs } of past) this.add(count, lastMs)
  }

  parts(nowMs: number): readonly Part[] {
    this.expire(nowMs)
    return this.counted.map(({ firstMs, lastMs, amount }) => [firstMs, lastMs, amount])
  }

  restore(parts: readonly Part[]): void {
    for (const [firstMs, lastMs, amount] of parts) {
      this.counted.push({ firstMs, lastMs, amount, hasLeft: false })
      this.total += amount
    }
  }

  find(firstMs: number): Counted | undefined {
    return this.counted.find((one) => one.firstMs === firstMs)
  }

  private expire(nowMs: number): void {
    for (let first = this.counted[0]; first && first.lastMs + this.windowMs <= nowMs; first = this.counted[0]) {
      this.counted.shift()
      this.total -= first.amount
      first.hasLeft = true
    }
  }
}

export const DAY_MS = 86_400_000

/** Counts what happened since 00:00 UTC. */
export class UtcDay implements Window {
  private day: Counted = { firstMs: 0, lastMs: 0, amount: 0, hasLeft: false }

  used(nowMs: number): number {
    return this.today(nowMs).amount
  }

  waitMs(amount: number, limit: number, nowMs: number): number {
    const { amount: used } = this.today(nowMs)
    return used + Math.min(amount, limit) <= limit ? 0 : this.resetMs(nowMs)
  }

  /** Midnight is the reset, whatever was used. */
  resetMs(nowMs: number): number {
    return this.today(nowMs).firstMs + DAY_MS - nowMs
  }

  add(amount: number, nowMs: number): Counted {
    const day = this.today(nowMs)
    day.amount += amount
    day.lastMs = nowMs
    return day
  }

  adjust(counted: Counted, delta: number, nowMs: number): void {
    this.today(nowMs)
    if (!counted.hasLeft) counted.amount += Math.max(delta, -counted.amount)
  }

  load(past: readonly PastRequests[]): void {
    for (const { count, lastMs } of past) this.add(count, lastMs)
  }

  parts(nowMs: number): readonly Part[] {
    const { firstMs, lastMs, amount } = this.today(nowMs)
    return amount === 0 ? [] : [[firstMs, lastMs, amount]]
  }

  restore([part]: readonly Part[]): void {
    if (part) this.day = { firstMs: part[0], lastMs: part[1], amount: part[2], hasLeft: false }
  }

  find(firstMs: number): Counted | undefined {
    return this.day.firstMs === firstMs ? this.day : undefined
  }

  private today(nowMs: number): Counted {
    const firstMs = nowMs - (nowMs % DAY_MS)
    if (firstMs > this.day.firstMs) {
      this.day.hasLeft = true
      this.day = { firstMs, lastMs: nowMs, amount: 0, hasLeft: false }
    }
    return this.day
  }
}
