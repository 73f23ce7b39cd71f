import type { AccountFunds, KeyFunds } from './funds.ts'
import type { Funds } from './statements.ts'

type AccountColumns = Pick<Funds, 'status' | 'mode' | 'balance_nano' | 'held_nano' | 'credit_limit_nano'>

/** What a row of the funds says of its account. */
export const accountFundsOf = (row: AccountColumns): AccountFunds => ({
  status: row.status,
  mode: row.mode,
  balanceNano: row.balance_nano,
  heldNano: row.held_nano,
  creditLimitNano: row.credit_limit_nano,
})

/** And of its key; null: it was asked without one, or there is none. */
export function keyFundsOf(funds: Funds): KeyFunds | null {
  if (funds.key_id === null) return null
  return {
    disabled: funds.disabled !== 0 || funds.removed_ms !== null,
    // Without its counters a key has no limit that could be counted.
    limitNano: funds.total_nano === null ? null : funds.limit_nano,
    limitReset: funds.limit_reset,
    heldNano: funds.key_held_nano ?? 0n,
    sums: {
      total_nano: funds.total_nano ?? 0n,
      day_start_ms: funds.day_start_ms ?? 0,
      day_nano: funds.day_nano ?? 0n,
      week_start_ms: funds.week_start_ms ?? 0,
      week_nano: funds.week_nano ?? 0n,
      month_start_ms: funds.month_start_ms ?? 0,
      month_nano: funds.month_nano ?? 0n,
    },
  }
}
