/** The shapes of the rollups, for the schema, for what folds into them and for what reads them. */

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** What usage is grouped and filtered by. In the table `''` is "none": a primary key has no null. */
export const DIMENSIONS = [
  'account_id',
  'key_id',
  'system',
  'model_id',
  'vendor',
  'backend_id',
  'protocol',
  'app',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** What is added up. Token classes are disjoint, reasoning is part of output; latency is that of requests that went well. */
export const COUNTS = [
  'requests',
  'errors',
  'cancelled',
  'latency_count',
  'latency_ms',
  'tokens_input',
  'tokens_cache_read',
  'tokens_cache_write',
  'tokens_output',
  'tokens_reasoning',
] as const
export type Count = (typeof COUNTS)[number]

export const AMOUNTS = ['list_nano', 'metered_nano', 'charged_nano', 'absorbed_nano'] as const
export type Amount = (typeof AMOUNTS)[number]

/** How much happened in one stretch of time: an hour or a day that begins at `start_ms`. */
export type UsageRollupTable = { grain_ms: number; start_ms: number } & Record<Dimension, string> &
  Record<Count, number> &
  Record<Amount, bigint>

/** What is measured of a target (R104). `up` and `down` count attempts, the others requests. */
export type Metric = 'latency' | 'ttft' | 'throughput' | 'up' | 'down'

/**
 * How often a measurement fell into a bucket, in a minute, an hour or a day. `bucket` is its lower bound: milliseconds, for
 * throughput tenths of a token per second, 0 for `up` and `down`. The account stands in the rows of days only, `''` in the others.
 */
export interface SpeedRollupTable {
  grain_ms: number
  start_ms: number
  account_id: string
  model_id: string
  backend_id: string
  metric: Metric
  bucket: number
  count: number
}

/** One row: up to where requests were folded. */
export interface RollupCursorTable {
  id: number
  /** SQLite: a rowid. PostgreSQL: the number of a transaction. */
  position: number
  /** SQLite: the row at the position, by which it is found again when a VACUUM has numbered all rows anew. */
  last_id: string | null
}
