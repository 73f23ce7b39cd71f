import type { NanoUsd } from '#base/money.ts'
import type { Store } from '#store/store.ts'
import { type Credit, spread } from './expiring-credits.ts'

/** How long a credit may be there behind its end, at the most, while the gateway runs. */
export const EXPIRY_INTERVAL_MS = 5_000
/** Accounts of one round; more follow in the next. */
export const EXPIRIES_PER_ROUND_MAX = 500

export interface Expiry {
  /** Ends the credits whose time has come; gives of how many accounts. Several nodes may do it at once: each credit ends once. */
  sweep(nowMs: number): Promise<number>
}

export interface CreditLeft {
  readonly leftNano: NanoUsd
  readonly expiresMs: number
}

/** What an account has left of credits that end, the first end in front; a request that is under way has used nothing yet. */
export async function creditsLeft({ read }: Store, accountId: string, nowMs: number): Promise<CreditLeft[]> {
  const rows = await read
    .selectFrom('expiring_credits as c')
    .innerJoin('accounts as a', 'a.id', 'c.account_id')
    .selectAll('c')
    .select('a.used_nano')
    .where('c.account_id', '=', accountId)
    .where('c.closed_ms', 'is', null)
    .orderBy('c.expires_ms')
    .orderBy('c.id')
    .execute()
  const credits = rows.map((row): Credit => ({ ...row }))
  spread(credits, rows[0]?.used_nano ?? 0n)
  return credits
    .map((credit) => ({ leftNano: credit.amount_nano - credit.spent_nano, expiresMs: credit.expires_ms }))
    .filter(({ leftNano, expiresMs }) => leftNano > 0n && expiresMs > nowMs)
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
