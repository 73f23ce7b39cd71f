import { sql } from 'kysely'
import type { LimitHistory } from '#limits/types.ts'
import type { Store } from './store.ts'

/** The past of time-based limits, out of request rows and the ledger. */
export function createLimitHistory(store: Store): LimitHistory {
  return {
    async requests({ accountId, keyId, modelId, freeModelIds }, sinceMs, stepMs) {
      if (freeModelIds?.length === 0) return []
      let rows = store.read
        .selectFrom('requests')
        .where('account_id', '=', accountId)
        .where('ts_start_ms', '>=', sinceMs)
        // What the gateway refused by itself was never counted.
        .where('status', '!=', 'rejected')
      if (keyId !== undefined) rows = rows.where('key_id', '=', keyId)
      if (modelId !== undefined) rows = rows.where('model_id', '=', modelId)
      if (freeModelIds) {
        // Counting tokens is free everywhere and charged nowhere.
        rows = rows.where('model_id', 'in', [...freeModelIds]).where('charged_cost_nano', '=', 0n)
      }
      const step = sql`ts_start_ms / cast(${Math.ceil(stepMs)} as bigint)`
      const found = await rows
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('ts_start_ms').as('last_ms')])
        .groupBy(step)
        .orderBy(({ fn }) => fn.max('ts_start_ms'))
        .execute()
      return found.map(({ count, last_ms }) => ({ count: Number(count), lastMs: Number(last_ms) }))
    },
    async purchased(accountId) {
      const row = await store.read
        .selectFrom('accounts')
        .select('purchased_nano')
        .where('id', '=', accountId)
        .executeTakeFirst()
      return row?.purchased_nano ?? 0n
    },
  }
}
