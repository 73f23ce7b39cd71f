import type { LimitReset } from '#accounts/types.ts'

const DAY_MS = 86_400_000
/** 1970-01-01 was a Thursday; four days later is the first Monday. */
const FIRST_MONDAY_MS = 4 * DAY_MS

export interface PeriodStarts {
  readonly dayStartMs: number
  readonly weekStartMs: number
  readonly monthStartMs: number
}

/** The starts of the UTC day, the week from Monday and the month that hold this time (R97). */
export function periodStarts(nowMs: number): PeriodStarts {
  const dayStartMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const date = new Date(dayStartMs)
  return {
    dayStartMs,
    weekStartMs: dayStartMs - (((((dayStartMs - FIRST_MONDAY_MS) / DAY_MS) % 7) + 7) % 7) * DAY_MS,
    monthStartMs: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
  }
}

/** The same function, which computes only when the day has changed: for the hot path, where most calls fall on one day. */
export function createPeriodClock(): (nowMs: number) => PeriodStarts {
  let starts = periodStarts(0)
  return (nowMs) => {
    const sinceMs = nowMs - starts.dayStartMs
    if (sinceMs < 0 || sinceMs >= DAY_MS) starts = periodStarts(nowMs)
    return starts
  }
}

/** When a key's limit starts over; null for a lifetime limit. */
export function nextResetMs(reset: LimitReset | null, nowMs: number): number | null {
  const { dayStartMs, weekStartMs, monthStartMs } = periodStarts(nowMs)
  const month = new Date(monthStartMs)
  switch (reset) {
    case null:
      return null
    case 'daily':
      return dayStartMs + DAY_MS
    case 'weekly':
      return weekStartMs + 7 * DAY_MS
    case 'monthly':
      return Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 1)
    default:
      return reset satisfies never
  }
}

export interface PeriodSums {
  readonly total_nano: bigint
  readonly day_start_ms: number
  readonly day_nano: bigint
  readonly week_start_ms: number
  readonly week_nano: bigint
  readonly month_start_ms: number
  readonly month_nano: bigint
}

/** A key that has spent nothing yet. */
export const NO_SUMS: PeriodSums = {
  total_nano: 0n,
  day_start_ms: 0,
  day_nano: 0n,
  week_start_ms: 0,
  week_nano: 0n,
  month_start_ms: 0,
  month_nano: 0n,
}

/** What was spent in the current day, week and month: a sum whose period has passed counts as nothing. */
export function currentSums(sums: PeriodSums, starts: PeriodStarts): { day: bigint; week: bigint; month: bigint } {
  return {
    day: sums.day_start_ms >= starts.dayStartMs ? sums.day_nano : 0n,
    week: sums.week_start_ms >= starts.weekStartMs ? sums.week_nano : 0n,
    month: sums.month_start_ms >= starts.monthStartMs ? sums.month_nano : 0n,
  }
}

/** The sums after a charge. A later period than ours, written while a clock ran ahead, is kept. */
export function addSpent(sums: PeriodSums, chargedNano: bigint, starts: PeriodStarts): PeriodSums {
  const { day, week, month } = currentSums(sums, starts)
  return {
    total_nano: sums.total_nano + chargedNano,
    day_start_ms: Math.max(sums.day_start_ms, starts.dayStartMs),
    day_nano: day + chargedNano,
    week_start_ms: Math.max(sums.week_start_ms, starts.weekStartMs),
    week_nano: week + chargedNano,
    month_start_ms: Math.max(sums.month_start_ms, starts.monthStartMs),
    month_nano: month + chargedNano,
  }
}

/** What was spent in the period that a key's limit counts. */
export function spentInPeriod(sums: PeriodSums, reset: LimitReset | null, starts: PeriodStarts): bigint {
  const current = currentSums(sums, starts)
  switch (reset) {
    case null:
      return sums.total_nano
    case 'daily':
      return current.day
    case 'weekly':
      return current.week
    case 'monthly':
      return current.month
    default:
      return reset satisfies never
  }
}
