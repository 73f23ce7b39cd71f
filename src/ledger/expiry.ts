import type { Store } from '#store/store.ts'

/** How long a credit may be there behind its end, at the most, while the gateway runs. */
export const EXPIRY_INTERVAL_MS = 5_000
/** Accounts of one round; more follow in the next. */
export const EXPIRIES_PER_ROUND_MAX = 500

export interface Expiry {
  /** Ends the credits whose time has come; gives of how many accounts. Several nodes may do it at once: each credit ends once. */
  sweep(nowMs: number): Promise<number>
}

/** Credits that end, over a store (R90). */
export function createExpiry(store: Store): Expiry {
  return {
    async sweep(nowMs) {
      const due = await store.read
        .selectFrom('expiring_credits')
        .select('account_id')
        .distinct()
        .where('closed_ms', 'is', null)
        .where('expires_ms', '<=', nowMs)
        .limit(EXPIRIES_PER_ROUND_MAX)
        .execute()
      for (const { account_id: accountId } of due) await store.execute('expireCredits', { accountId, nowMs })
      return due.length
    },
  }
}
