import { sql } from 'kysely'
import type { Store } from '#store/store.ts'
import { type Figure, figureOf, type Share, shareOf } from './histogram.ts'
import { DAY_MS, HOUR_MS, type Metric, MINUTE_MS } from './rollup-tables.ts'

/** Fewer measurements than these in half an hour tell little: those of a day are shown instead, and labelled so (R104). */
export const SAMPLES_MIN = 20

export type StatsWindow = '30m' | '1d'

/** What is known of a model or of one backend that serves it. Null: no data. */
export interface TargetStats {
  readonly window: StatsWindow
  /** Requests that went well in the window. */
  readonly samples: number
  /** Milliseconds of whole requests. */
  readonly latency: Figure | null
  /** Milliseconds to the first content of a stream. */
  readonly ttft: Figure | null
  /** Tokens per second of streams, from the first content on. */
  readonly throughput: Figure | null
  /** Attempts that went well; what clients did wrong or broke off does not count. */
  readonly uptime: Readonly<Record<'last5m' | 'last30m' | 'last1d', Share | null>>
}

export interface StatsSnapshot {
  /** Undefined: no traffic within a day. Without a window half an hour counts, or the day where that tells too little. */
  ofModel(modelId: string, window?: StatsWindow): TargetStats | undefined
  ofTarget(modelId: string, backendId: string, window?: StatsWindow): TargetStats | undefined
}

type Buckets = Map<number, number>

interface Kept {
  readonly [Window: string]: Record<Metric, Buckets>
}

const WINDOWS = ['5m', '30m', '1d'] as const
type Window = (typeof WINDOWS)[number]

/** Everything measured within a day, by model and backend (R104, R105, B20). */
export async function readTargetStats(store: Store, nowMs: number): Promise<StatsSnapshot> {
  const minutes = await readBuckets(store, MINUTE_MS, nowMs - 30 * MINUTE_MS, nowMs - 5 * MINUTE_MS)
  const hours = await readBuckets(store, HOUR_MS, nowMs - DAY_MS, Infinity)
  const kept = new Map<string, Kept>()
  const add = (name: string, window: Window, metric: Metric, bucket: number, count: number): void => {
    let one = kept.get(name)
    if (!one) kept.set(name, (one = emptyKept()))
    const buckets = one[window]![metric]
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + count)
  }
  const addAll = (rows: readonly BucketRow[], windowsOf: (row: BucketRow) => readonly Window[]): void => {
    for (const row of rows)
      for (const window of windowsOf(row))
        for (const name of [row.model_id, targetName(row.model_id, row.backend_id)])
          add(name, window, row.metric, row.bucket, row.count)
  }
  addAll(minutes, ({ recent }) => (recent === 1 ? ['5m', '30m'] : ['30m']))
  addAll(hours, () => ['1d'])
  const find = (name: string, window?: StatsWindow): TargetStats | undefined => {
    const one = kept.get(name)
    return one && statsOf(one, window)
  }
  return {
    ofModel: (modelId, window) => find(modelId, window),
    ofTarget: (modelId, backendId, window) => find(targetName(modelId, backendId), window),
  }
}

const targetName = (modelId: string, backendId: string): string => JSON.stringify([modelId, backendId])

const emptyKept = (): Kept =>
  Object.fromEntries(
    WINDOWS.map((window) => [
      window,
      { latency: new Map(), ttft: new Map(), throughput: new Map(), up: new Map(), down: new Map() },
    ]),
  )

interface BucketRow {
  readonly model_id: string
  readonly backend_id: string
  readonly metric: Metric
  readonly bucket: number
  readonly recent: number
  readonly count: number
}

/** Stretches that began after `sinceMs`; of those after `recentMs` it is said. */
async function readBuckets({ read }: Store, grainMs: number, sinceMs: number, recentMs: number): Promise<BucketRow[]> {
  const recent = sql<number>`case when start_ms > ${sql.lit(Math.min(recentMs, Number.MAX_SAFE_INTEGER))} then 1 else 0 end`
  return read
    .selectFrom('speed_rollups')
    .select(['model_id', 'backend_id', 'metric', 'bucket', recent.as('recent')])
    .select(sql<number>`cast(sum(count) as bigint)`.as('count'))
    .where('grain_ms', '=', grainMs)
    .where('start_ms', '>', sinceMs - grainMs)
    .groupBy(['model_id', 'backend_id', 'metric', 'bucket', recent])
    .execute()
}

function statsOf(kept: Kept, wanted: StatsWindow | undefined): TargetStats {
  const enough = countOf(kept['30m']!.latency) >= SAMPLES_MIN
  const window = wanted ?? (enough ? '30m' : '1d')
  const { latency, ttft, throughput } = kept[window]!
  const uptime = (name: Window): Share | null => {
    const { up, down } = kept[name]!
    return shareOf(countOf(up), countOf(up) + countOf(down))
  }
  return {
    window,
    samples: countOf(latency),
    latency: figureOf(latency),
    ttft: figureOf(ttft),
    // Kept in tenths of a token per second.
    throughput: figureOf(throughput, 0.1),
    uptime: { last5m: uptime('5m'), last30m: uptime('30m'), last1d: uptime('1d') },
  }
}

const countOf = (buckets: Buckets): number => [...buckets.values()].reduce((sum, count) => sum + count, 0)
