import type { Store } from '#store/store.ts'
import type { Figure } from './histogram.ts'
import { type LatencyQuery, readLatencies } from './latencies.ts'
import type { Rollups } from './rollups.ts'
import { readTargetStats, type StatsSnapshot } from './target-stats.ts'
import { readUsage, type UsageQuery, type UsageReport } from './usage.ts'

/** How old figures of targets may be: everybody may ask for them, so they are not computed for each. */
export const STATS_AGE_MS_MAX = 10_000

/** What is known of the requests so far. Everything rejects with GatewayError('store_unavailable') when the store does. */
export interface Analytics {
  /** `complete` is false while rows wait to be counted, for example after the start of a newer version. */
  usage(query: UsageQuery): Promise<UsageReport & { readonly complete: boolean }>
  latencies(query: LatencyQuery): Promise<Figure | null>
  /** At most STATS_AGE_MS_MAX old; the same object until it is read again. */
  targets(): Promise<StatsSnapshot>
}

export function createAnalytics(store: Store, rollups: Rollups, now: () => number = Date.now): Analytics {
  let snapshot: Promise<StatsSnapshot> | undefined
  let readAtMs = 0
  const readStats = async (): Promise<StatsSnapshot> => {
    await rollups.catchUp()
    return readTargetStats(store, now())
  }
  return {
    async usage(query) {
      const complete = await rollups.catchUp()
      return { ...(await readUsage(store, query)), complete }
    },
    async latencies(query) {
      await rollups.catchUp()
      return readLatencies(store, query)
    },
    targets() {
      const nowMs = now()
      if (snapshot && nowMs - readAtMs < STATS_AGE_MS_MAX) return snapshot
      readAtMs = nowMs
      const reading = readStats()
      snapshot = reading
      reading.catch(() => {
        if (snapshot === reading) snapshot = undefined
      })
      return reading
    },
  }
}
