import { sql } from 'kysely'
import type { SelectQueryBuilder } from 'kysely'
import type { NanoUsd } from '#base/money.ts'
import type { Database } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import { hourOf, weekdayOf } from './time-parts.ts'
import { AMOUNTS, COUNTS, DAY_MS, HOUR_MS } from './rollup-tables.ts'
import type { Amount, Count, Dimension, UsageRollupTable } from './rollup-tables.ts'

/** Groups of one answer at most; the dearest are kept, and the answer says that there are more. */
export const USAGE_GROUPS_MAX = 10_000

export type Period = 'hour' | 'day' | 'week' | 'month'

export interface UsageQuery {
  /** Milliseconds: from inclusive, to exclusive. Both are widened to whole hours. */
  readonly fromMs: number
  readonly toMs: number
  /** One period at most. */
  readonly groupBy: readonly (Dimension | Period)[]
  readonly filter: Readonly<Partial<Record<Dimension, string>>>
  /** UTC. */
  readonly hourOfDay?: number
  /** UTC; 0 is Sunday. */
  readonly dayOfWeek?: number
}

export type UsageSums = Record<Count, number> & Record<Amount, NanoUsd>

export interface UsageGroup extends UsageSums {
  /** Null: the requests had none. */
  readonly dimensions: Readonly<Partial<Record<Dimension, string | null>>>
  /** Begin of the period; null when there is none in the query. */
  readonly startMs: number | null
}

export interface UsageReport {
  /** In the order of time, then the dearest first. */
  readonly groups: readonly UsageGroup[]
  readonly truncated: boolean
  /** Over all groups, counted on its own. */
  readonly total: UsageSums
  readonly fromMs: number
  readonly toMs: number
}

/** A stretch of one grain. */
interface Piece {
  readonly grainMs: number
  readonly fromMs: number
  readonly toMs: number
}

/** Sums over the rollups: whole days where the range has some, hours at its ends (R106). */
export async function readUsage(store: Store, query: UsageQuery): Promise<UsageReport> {
  const fromMs = Math.floor(query.fromMs / HOUR_MS) * HOUR_MS
  const toMs = Math.max(fromMs, Math.ceil(query.toMs / HOUR_MS) * HOUR_MS)
  const byHour = query.groupBy.includes('hour') || query.hourOfDay !== undefined
  const pieces = piecesOf(fromMs, toMs, byHour)
  const [groups, totals] = await Promise.all([
    query.groupBy.length === 0 ? [] : readGroups(store, query, pieces),
    readGroups(store, { ...query, groupBy: [] }, pieces),
  ])
  return {
    groups: groups.slice(0, USAGE_GROUPS_MAX).sort(inOrder),
    truncated: groups.length > USAGE_GROUPS_MAX,
    total: totals[0] ?? emptySums(),
    fromMs,
    toMs,
  }
}

function piecesOf(fromMs: number, toMs: number, byHour: boolean): Piece[] {
  const firstDay = Math.ceil(fromMs / DAY_MS) * DAY_MS
  const lastDay = Math.floor(toMs / DAY_MS) * DAY_MS
  if (byHour || firstDay >= lastDay) return [{ grainMs: HOUR_MS, fromMs, toMs }]
  return [
    { grainMs: HOUR_MS, fromMs, toMs: firstDay },
    { grainMs: DAY_MS, fromMs: firstDay, toMs: lastDay },
    { grainMs: HOUR_MS, fromMs: lastDay, toMs },
  ].filter((piece) => piece.fromMs < piece.toMs)
}

type PieceRows = SelectQueryBuilder<Database, 'usage_rollups', UsageRollupTable>

async function readGroups(store: Store, query: UsageQuery, pieces: readonly Piece[]): Promise<UsageGroup[]> {
  if (pieces.length === 0) return []
  const dimensions = query.groupBy.filter(isDimension)
  const period = query.groupBy.find((name): name is Period => !isDimension(name))
  // One piece after another, so that each is a range of the primary key.
  const united = pieces.map((piece) => pieceOf(store, query, piece)).reduce((all, next) => all.unionAll(next))
  const sums = [
    ...COUNTS.map((name) => sql<number>`coalesce(cast(sum(${sql.ref(name)}) as bigint), 0)`.as(name)),
    ...AMOUNTS.map((name) => sql<bigint>`coalesce(cast(sum(${sql.ref(name)}) as bigint), 0)`.as(name)),
  ]
  let rows = store.read.selectFrom(united.as('pieces')).select(sums)
  for (const name of dimensions) rows = rows.select(name as never).groupBy(name as never)
  if (period) rows = rows.select(startOf(period).as('period_ms') as never).groupBy(startOf(period) as never)
  if (query.groupBy.length > 0) {
    const dearest = sql`sum(list_nano)`
    rows = rows.orderBy(dearest as never, 'desc').limit(USAGE_GROUPS_MAX + 1)
  }
  const found = (await rows.execute()) as unknown as (UsageSums & Record<string, unknown>)[]
  const groups = found
    .filter((row) => row.requests > 0)
    .map((row) => ({
      ...sumsOf(row),
      dimensions: Object.fromEntries(dimensions.map((name) => [name, (row[name] as string) || null])),
      startMs: period ? (row['period_ms'] as number) : null,
    }))
  return period === 'month' ? byMonth(groups) : groups
}

function pieceOf(
  { read }: Store,
  { filter, hourOfDay, dayOfWeek }: UsageQuery,
  { grainMs, fromMs, toMs }: Piece,
): PieceRows {
  let rows = read
    .selectFrom('usage_rollups')
    .selectAll()
    .where('grain_ms', '=', grainMs)
    .where('start_ms', '>=', fromMs)
    .where('start_ms', '<', toMs)
  for (const [name, value] of Object.entries(filter) as [Dimension, string][]) rows = rows.where(name, '=', value)
  if (hourOfDay !== undefined) rows = rows.where(hourOf('start_ms'), '=', hourOfDay)
  if (dayOfWeek !== undefined) rows = rows.where(weekdayOf('start_ms'), '=', dayOfWeek)
  return rows
}

/** Monday, the fifth of January 1970, is the first of all weeks. */
const FIRST_MONDAY_MS = 4 * DAY_MS

/** A month is put together of its days. */
function startOf(period: Period) {
  const unitMs = { hour: HOUR_MS, day: DAY_MS, month: DAY_MS, week: 7 * DAY_MS }[period]
  const offsetMs = period === 'week' ? FIRST_MONDAY_MS : 0
  const [unit, offset] = [sql.lit(unitMs), sql.lit(offsetMs)]
  return sql<number>`start_ms - (start_ms - ${offset}) % ${unit}`
}

function byMonth(days: readonly UsageGroup[]): UsageGroup[] {
  const months = new Map<string, UsageGroup>()
  for (const day of days) {
    const date = new Date(day.startMs!)
    const startMs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
    const name = JSON.stringify([startMs, day.dimensions])
    const known = months.get(name)
    months.set(name, { ...day, ...(known ? addSums(known, day) : {}), startMs })
  }
  return [...months.values()]
}

const isDimension = (name: Dimension | Period): name is Dimension =>
  name !== 'hour' && name !== 'day' && name !== 'week' && name !== 'month'

const SUMS = [...COUNTS, ...AMOUNTS] as const

const sumsOf = (row: UsageSums): UsageSums =>
  Object.fromEntries(SUMS.map((name) => [name, row[name]])) as unknown as UsageSums

const addSums = (a: UsageSums, b: UsageSums): UsageSums =>
  Object.fromEntries(SUMS.map((name) => [name, (a[name] as number) + (b[name] as number)])) as unknown as UsageSums

const emptySums = (): UsageSums =>
  Object.fromEntries([...COUNTS.map((name) => [name, 0]), ...AMOUNTS.map((name) => [name, 0n])]) as unknown as UsageSums

const inOrder = (a: UsageGroup, b: UsageGroup): number =>
  (a.startMs ?? 0) - (b.startMs ?? 0) || Number(b.list_nano - a.list_nano) || b.requests - a.requests
