import { sql } from 'kysely'
import type { Store } from '#store/store.ts'
import { type Figure, figureOf } from './histogram.ts'
import { DAY_MS } from './rollup-tables.ts'

export interface LatencyQuery {
  readonly fromMs: number
  readonly toMs: number
  readonly filter: Readonly<{ account_id?: string; model_id?: string; backend_id?: string }>
}

/** Latency of requests that went well, over the whole UTC days that the range touches (R102). */
export async function readLatencies({ read }: Store, { fromMs, toMs, filter }: LatencyQuery): Promise<Figure | null> {
  let rows = read
    .selectFrom('speed_rollups')
    .select(['bucket', sql<number>`cast(sum(count) as bigint)`.as('count')])
    .where('grain_ms', '=', DAY_MS)
    .where('start_ms', '>', fromMs - DAY_MS)
    .where('start_ms', '<', toMs)
    .where('metric', '=', 'latency')
    .groupBy('bucket')
  for (const name of ['account_id', 'model_id', 'backend_id'] as const) {
    const value = filter[name]
    if (value !== undefined) rows = rows.where(name, '=', value)
  }
  const found = await rows.execute()
  return figureOf(new Map(found.map(({ bucket, count }) => [bucket, count])))
}
