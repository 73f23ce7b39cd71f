import type { Migration } from './migrations.ts'

/** What the ledger and what is around it needed later. */
export const MONEY_MIGRATIONS: readonly Migration[] = [
  {
    id: 50,
    name: 'when idempotency keys were claimed',
    statements: (engine) => [
      `alter table idempotency_keys add column claimed_ms ${engine === 'sqlite' ? 'integer' : 'bigint'} not null default 0`,
    ],
  },
]
