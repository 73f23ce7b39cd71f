import type { Migration } from './migrations.ts'
import type { Engine } from './statement.ts'

type Table = (engine: Engine, head: string, columns: readonly string[]) => string

const topupTables = (engine: Engine, table: Table): readonly string[] => [
  'alter table ledger_entries add column payment_ref text',
  'create unique index ledger_entries_payment on ledger_entries (payment_ref) where payment_ref is not null',
  table(engine, 'vouchers', [
    'id text primary key',
    'code_hash text not null unique',
    'amount_nano bigint not null check (amount_nano > 0)',
    'note text',
    'actor text not null',
    'created_ms bigint not null',
    'expires_ms bigint',
    'revoked_ms bigint',
    'redeemed_by text references accounts (id)',
    'redeemed_ms bigint',
  ]),
  table(engine, 'payment_orders', [
    'id text primary key',
    'account_id text not null references accounts (id)',
    'channel text not null',
    `kind text not null check (kind in ('checkout', 'auto'))`,
    `status text not null check (status in ('pending', 'paid', 'failed', 'expired'))`,
    'asked_nano bigint not null check (asked_nano > 0)',
    'currency text not null',
    'channel_ref text',
    'payment_ref text',
    'paid_nano bigint not null default 0 check (paid_nano >= 0)',
    'refunded_nano bigint not null default 0',
    'disputed_nano bigint not null default 0',
    `dispute_status text check (dispute_status in ('open', 'won', 'lost'))`,
    'refund_booked_nano bigint not null default 0',
    'dispute_booked_nano bigint not null default 0',
    'created_ms bigint not null',
    'updated_ms bigint not null',
    'paid_ms bigint',
  ]),
  'create index payment_orders_account on payment_orders (account_id, created_ms)',
  'create unique index payment_orders_ref on payment_orders (channel, channel_ref) where channel_ref is not null',
  'create unique index payment_orders_payment on payment_orders (channel, payment_ref) where payment_ref is not null',
  // One charge at a time, whatever the number of nodes that notice a low balance.
  `create unique index payment_orders_auto on payment_orders (account_id) where kind = 'auto' and status = 'pending'`,
  table(engine, 'payment_events', [
    'channel text not null',
    'event_id text not null',
    'type text not null',
    'payment_ref text',
    'order_id text',
    'fact text',
    'received_ms bigint not null',
    'primary key (channel, event_id)',
  ]),
  `create index payment_events_waiting on payment_events (channel, payment_ref) where order_id is null`,
  table(engine, 'auto_topups', [
    'account_id text primary key references accounts (id)',
    'channel text not null',
    'customer_ref text',
    'enabled bigint not null default 0',
    'threshold_nano bigint not null default 0',
    'amount_nano bigint not null default 0',
    'month_max_nano bigint not null default 0',
    'failures bigint not null default 0',
    'updated_ms bigint not null',
  ]),
]

const budgetTables = (engine: Engine, table: Table): readonly string[] => [
  table(engine, 'budgets', [
    'id text primary key',
    'account_id text not null references accounts (id)',
    `scope text not null check (scope in ('account', 'key', 'system', 'group', 'model'))`,
    'target text not null',
    'max_nano bigint not null check (max_nano >= 0)',
    `period text check (period in ('daily', 'weekly', 'monthly'))`,
    'hard bigint not null',
    `set_by text not null check (set_by in ('operator', 'account'))`,
    'starts_ms bigint not null',
    'created_ms bigint not null',
    'raises bigint not null default 0',
    'held_nano bigint not null default 0',
    'spent_nano bigint not null default 0',
    'period_start_ms bigint not null default 0',
  ]),
  'create index budgets_account on budgets (account_id, id)',
  'alter table holds add column budget_ids text',
]

/** Whose alerts go where, which were raised, and what of them is still to be sent. */
const alertTables = (engine: Engine, table: Table): readonly string[] => [
  table(engine, 'alert_settings', [
    'account_id text primary key references accounts (id)',
    'thresholds text not null',
    'balance_below_nano bigint',
    'webhook_url text',
    'email text',
    'secret_version bigint not null default 0',
    'updated_ms bigint not null',
  ]),
  table(engine, 'alerts', [
    'id text primary key',
    // Whatever raises an alert twice, on however many nodes, makes one row.
    'mark text not null unique',
    'account_id text',
    'kind text not null',
    'payload text not null',
    'created_ms bigint not null',
  ]),
  'create index alerts_account on alerts (account_id, id)',
  table(engine, 'alert_deliveries', [
    'id text primary key',
    'alert_id text not null references alerts (id)',
    'sink text not null',
    'address text not null',
    `state text not null check (state in ('waiting', 'sent', 'failed'))`,
    'attempts bigint not null default 0',
    'next_ms bigint not null',
    'error text',
    'updated_ms bigint not null',
  ]),
  `create index alert_deliveries_waiting on alert_deliveries (next_ms) where state = 'waiting'`,
]

const statementTables = (engine: Engine, table: Table): readonly string[] => [
  table(engine, 'statements', [
    'number text primary key',
    'account_id text not null references accounts (id)',
    'month text not null',
    'body text not null',
    'closed_ms bigint not null',
    'unique (account_id, month)',
  ]),
]

/** The tables of top-ups, budgets, alerts and statements. `table` writes one in the engine's words. */
export const billingMigrations = (table: Table): readonly Migration[] => [
  { id: 30, name: 'top-ups', statements: (engine) => topupTables(engine, table) },
  { id: 31, name: 'budgets', statements: (engine) => budgetTables(engine, table) },
  { id: 32, name: 'alerts', statements: (engine) => alertTables(engine, table) },
  { id: 33, name: 'statements', statements: (engine) => statementTables(engine, table) },
]
