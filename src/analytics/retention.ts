import type { Store } from '#store/store.ts'
import { DAY_MS } from './rollup-tables.ts'

/** Deletes request rows that are older than so many days; 0 keeps them. What they add up to stays (R101). */
export function createRetention(store: Store, days: () => number) {
  return {
    async sweep(nowMs: number): Promise<number> {
      let swept = 0
      while (days() > 0) {
        const count = await store.execute('sweepRows', { beforeMs: nowMs - days() * DAY_MS })
        swept += count
        if (count === 0) break
      }
      return swept
    },
  }
}
