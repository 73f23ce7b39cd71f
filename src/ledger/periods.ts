import type { LimitReset } from '#accounts/types.ts'
import { mondayOf, timeZone } from '#base/time-zones.ts'

const DAY_MS = 86_400_000

/** Since when a day, a week and a month are counted. */
export interface PeriodBegins {
  readonly dayStartMs: number
  readonly weekStartMs: number
  readonly monthStartMs: number
}

/** The day, the week from Monday and the month that hold a time (R97). Each ends where the next one begins. */
export interface PeriodStarts extends PeriodBegins {
  readonly dayEndMs: number
  readonly weekEndMs: number
  readonly monthEndMs: number
}

/** Where a time stands in the periods of one time zone. */
export type PeriodClock = (nowMs: number) => PeriodStarts

/** The periods in UTC. */
export function periodStarts(nowMs: number): PeriodStarts {
  const dayStartMs = Math.floor(nowMs / DAY_MS) * DAY_MS
  const date = new Date(dayStartMs)
  const weekStartMs = mondayOf(dayStartMs)
  return {
    dayStartMs,
    weekStartMs,
    monthStartMs: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1),
    dayEndMs: dayStartMs + DAY_MS,
    weekEndMs: weekStartMs + 7 * DAY_MS,
    monthEndMs: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1),
  }
}

/** The same function for a zone of the IANA database (`BUDGET_TZ`), which computes only when the day has changed: most calls of the hot path fall on one day. */
export function createPeriodClock(zone = 'UTC'): PeriodClock {
  const compute = zone === 'UTC' ? periodStarts : zonedPeriods(zone)
  let starts = NO_PERIODS
  return (nowMs) => {
    if (nowMs >= starts.dayStartMs && nowMs < starts.dayEndMs) return starts
    return (starts = compute(nowMs))
  }
}

/** Holds no time. */
const NO_PERIODS: PeriodStarts = {
  dayStartMs: 0,
  weekStartMs: 0,
  monthStartMs: 0,
  dayEndMs: 0,
  weekEndMs: 0,
  monthEndMs: 0,
}

/** When the period of these starts over; null for a lifetime. */
export function endOf(period: LimitReset | null, { dayEndMs, weekEndMs, monthEndMs }: PeriodStarts): number | null {
  switch (period) {
    case null:
      return null
    case 'daily':
      return dayEndMs
    case 'weekly':
      return weekEndMs
    case 'monthly':
      return monthEndMs
    default:
      return period satisfies never
  }
}

/** Throws RangeError for a zone that is not known. */
function zonedPeriods(zone: string): PeriodClock {
  const { dateOf, beginOf } = timeZone(zone)
  return (nowMs) => {
    const dateMs = dateOf(nowMs)
    const mondayMs = mondayOf(dateMs)
    const date = new Date(dateMs)
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
    return {
      dayStartMs: beginOf(dateMs),
      weekStartMs: beginOf(mondayMs),
      monthStartMs: beginOf(Date.UTC(year, month, 1)),
      dayEndMs: beginOf(dateMs + DAY_MS),
      weekEndMs: beginOf(mondayMs + 7 * DAY_MS),
      monthEndMs: beginOf(Date.UTC(year, month + 1, 1)),
    }
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
export function currentSums(sums: PeriodSums, starts: PeriodBegins): { day: bigint; week: bigint; month: bigint } {
  return {
    day: sums.day_start_ms >= starts.dayStartMs ? sums.day_nano : 0n,
    week: sums.week_start_ms >= starts.weekStartMs ? sums.week_nano : 0n,
    month: sums.month_start_ms >= starts.monthStartMs ? sums.month_nano : 0n,
  }
}

/** The sums after a charge. A later period than ours, written while a clock ran ahead, is kept. */
export function addSpent(sums: PeriodSums, chargedNano: bigint, starts: PeriodBegins): PeriodSums {
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
export function spentInPeriod(sums: PeriodSums, reset: LimitReset | null, starts: PeriodBegins): bigint {
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
