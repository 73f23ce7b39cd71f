import type { Migration } from './migrations.ts'

/** What an account bought, less what was paid back: top-ups, refunds of providers, and disputes, won and lost. */
const PURCHASED = `type = 'topup' or (type = 'refund' and amount_nano < 0) or (type = 'adjustment' and payment_ref is not null)`

/** Tiers by purchases (R22), and credits that expire (R90). */
export const ACCESS_MIGRATIONS: readonly Migration[] = [
  {
    id: 55,
    name: 'purchases and assigned tiers of accounts',
    statements: (engine) => {
      const integer = engine === 'sqlite' ? 'integer' : 'bigint'
      return [
        `alter table accounts add column tier_assigned ${integer} not null default 0`,
        `alter table accounts add column purchased_nano ${integer} not null default 0`,
        // Before, every account had the tier of its beginning or one that somebody gave it.
        `update accounts set tier_assigned = 1 where tier not in ('default', 'free')`,
        `update accounts set purchased_nano = coalesce((select sum(amount_nano) from ledger_entries e
          where e.account_id = accounts.id and (${PURCHASED})), 0)`,
      ]
    },
  },
  {
    id: 56,
    name: 'credits that expire',
    statements: (engine) => {
      const integer = engine === 'sqlite' ? 'integer' : 'bigint'
      return [
        `create table expiring_credits (
          id text primary key,
          account_id text not null references accounts (id),
          amount_nano ${integer} not null check (amount_nano > 0),
          spent_nano ${integer} not null check (spent_nano >= 0 and spent_nano <= amount_nano),
          mark_nano ${integer} not null,
          expires_ms ${integer} not null,
          closed_ms ${integer})${engine === 'sqlite' ? ' strict' : ''}`,
        'create index expiring_credits_due on expiring_credits (expires_ms) where closed_ms is null',
        'create index expiring_credits_account on expiring_credits (account_id) where closed_ms is null',
      ]
    },
  },
]
