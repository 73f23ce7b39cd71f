import type { Migration } from './migrations.ts'
import type { Engine } from './statement.ts'

/** The text of a reference before its first colon. */
const PREFIX: Record<Engine, string> = {
  sqlite: `substr(e.payment_ref, 1, instr(e.payment_ref, ':') - 1)`,
  postgres: `split_part(e.payment_ref, ':', 1)`,
}

/**
 * Every entry as the transfer that it is: two postings that sum to zero, one of the customer and one of the account of ours that
 * its type and payment name (record 15). Written nowhere, so that a settlement costs what it did.
 */
const postings = (engine: Engine): string => `create view ledger_postings as
  select e.seq, e.type, e.account_id, 'customer:' || e.account_id as account, e.amount_nano, e.created_ms
    from ledger_entries e
  union all
  select e.seq, e.type, e.account_id, case
      when e.type = 'usage' then 'revenue:usage'
      when e.type = 'expiry' then 'revenue:expired'
      when e.type = 'grant' then 'promotions'
      when e.payment_ref like 'order:%' then 'cash:' || coalesce(o.channel, 'unknown')
      when e.payment_ref like 'voucher:%' then 'vouchers'
      when e.payment_ref like '%:%' then 'cash:' || ${PREFIX[engine]}
      when e.type = 'topup' then 'cash:manual'
      when e.type = 'refund' then 'refunds'
      else 'adjustments' end as account, -e.amount_nano as amount_nano, e.created_ms
    from ledger_entries e
    left join payment_orders o on e.payment_ref like 'order:%' and o.id = substr(e.payment_ref, 7)`

/** What the ledger and what is around it needed later. */
export const MONEY_MIGRATIONS: readonly Migration[] = [
  {
    id: 50,
    name: 'when idempotency keys were claimed',
    statements: (engine) => [
      `alter table idempotency_keys add column claimed_ms ${engine === 'sqlite' ? 'integer' : 'bigint'} not null default 0`,
    ],
  },
  { id: 51, name: 'postings of the ledger', statements: (engine) => [postings(engine)] },
]
