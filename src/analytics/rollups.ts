import { sql } from 'kysely'
import type { RequestLog } from '#observe/request-row.ts'
import type { Store } from '#store/store.ts'
import { DAY_MS } from './rollup-tables.ts'

/** How often the rows of requests are folded while nobody asks. */
export const FOLD_INTERVAL_MS = 5_000
/** How long a reader waits for rows that are not folded yet; an answer without them says so. */
export const CATCH_UP_MS_MAX = 300
const PRUNE_INTERVAL_MS = DAY_MS / 24

export interface Rollups {
  /** Folds what waits, for `budgetMs` at most. False: not everything is folded yet. Rejects when the store does. */
  catchUp(budgetMs?: number): Promise<boolean>
  /** Folds and prunes until it is stopped; the stop waits for what is under way. */
  runRegularly(onFailure: (error: unknown) => void): () => Promise<void>
}

/** Keeps the rollups up with the rows. `log` writes its rows first, so that a reader finds the request that has just ended. */
export function createRollups(
  store: Store,
  options: { log?: Pick<RequestLog, 'flush'> | undefined; now?: () => number } = {},
): Rollups {
  const { log, now = Date.now } = options
  let running: Promise<boolean> | undefined

  const fold = async (untilMs: number): Promise<boolean> => {
    await log?.flush()
    if (!(await waits(store))) return true
    do {
      const folded = await store.execute('foldRequests', {})
      if (folded === null) return false
      if (!folded.more) return true
    } while (performance.now() < untilMs)
    return false
  }
  const catchUp = async (budgetMs = CATCH_UP_MS_MAX): Promise<boolean> => {
    // What is under way may have begun before the row that this reader looks for.
    await running?.catch(() => {})
    running ??= fold(performance.now() + budgetMs).finally(() => (running = undefined))
    return running
  }
  return {
    catchUp,
    runRegularly: (onFailure) => runRegularly(store, catchUp, now, onFailure),
  }
}

function runRegularly(
  store: Store,
  catchUp: Rollups['catchUp'],
  now: () => number,
  onFailure: (error: unknown) => void,
): () => Promise<void> {
  const stop = new AbortController()
  let prunedMs = Number.NEGATIVE_INFINITY
  let turning: Promise<void> | undefined
  const turn = async (): Promise<void> => {
    while (!(await catchUp(FOLD_INTERVAL_MS))) {
      if (stop.signal.aborted) return
      await aside()
    }
    if (now() - prunedMs < PRUNE_INTERVAL_MS) return
    prunedMs = now()
    await store.execute('pruneRollups', { nowMs: prunedMs })
  }
  const begin = (): void => {
    turning ??= turn()
      .catch(onFailure)
      .finally(() => (turning = undefined))
  }
  // At once, before new rows come: what a process before left behind, or a restored database, is looked after first.
  begin()
  const timer = setInterval(begin, FOLD_INTERVAL_MS)
  timer.unref()
  return async () => {
    stop.abort()
    clearInterval(timer)
    await turning
  }
}

/** Another node folds; it is asked again a little later. */
const aside = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 100).unref())

/** Whether a row is not folded. A read, because an idle gateway writes nothing; it sees what is on its way to the store. */
async function waits({ read, engine }: Store): Promise<boolean> {
  const cursor = sql`(select position from rollup_cursor where id = 1)`
  // Any difference counts: rows may have been numbered anew, by a VACUUM or a restore.
  const differs =
    engine === 'sqlite'
      ? sql<number>`coalesce((select max(rowid) from requests), 0) <> ${cursor}`
      : sql<number>`case when coalesce((select max(added_tx) from requests), ${cursor}) > ${cursor}
          or pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1 < ${cursor} then 1 else 0 end`
  const { waiting } = await read.selectNoFrom(differs.as('waiting')).executeTakeFirstOrThrow()
  return waiting === 1
}
