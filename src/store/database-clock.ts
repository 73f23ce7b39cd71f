import { sql } from 'kysely'
import type { Store } from './store.ts'

/**
 * The time that all nodes of a database agree on: the database's own, carried on by this process's monotonic clock. Nobody's wall
 * clock has a part in it, so that one that jumps ends no lease early and starts no period over (M14, M17).
 */
export interface DatabaseClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Asks the database again. Throws store_unavailable, and goes on with what it knew. */
  sync(): Promise<void>
}

/** The database is asked so often at once; the quickest answer tells its time best. */
const SAMPLES = 3

/** The clock of a database; to be synced before it is used. `monotonic` gives milliseconds since any moment. */
export function createDatabaseClock(
  read: Store['read'],
  monotonic: () => number = () => performance.now(),
): DatabaseClock {
  let offsetMs = 0
  return {
    now: () => Math.floor(monotonic() + offsetMs),
    async sync() {
      let quickestMs = Number.POSITIVE_INFINITY
      let found = offsetMs
      for (let sample = 0; sample < SAMPLES; sample++) {
        const askedMs = monotonic()
        const { now_ms: nowMs } = await read
          .selectNoFrom(sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`.as('now_ms'))
          .executeTakeFirstOrThrow()
        const toldMs = monotonic()
        if (toldMs - askedMs >= quickestMs) continue
        quickestMs = toldMs - askedMs
        // The answer is as old as the way back.
        found = nowMs - (askedMs + toldMs) / 2
      }
      offsetMs = found
    },
  }
}
