import { ACCESS_MIGRATIONS } from './access-migrations.ts'
import { billingMigrations } from './billing-migrations.ts'
import { limitMigrations } from './limit-migrations.ts'
import { MONEY_MIGRATIONS } from './money-migrations.ts'
import { contentMigrations } from './content-migrations.ts'
import { SESSION_MIGRATIONS } from './session-tables.ts'
import { recordMigrations } from './record-migrations.ts'
import type { Engine } from './statement.ts'

/** A forward step of the schema. Once released it is never edited; a change is a new one at the end. */
export interface Migration {
  readonly id: number
  readonly name: string
  statements(engine: Engine): readonly string[]
}

/** Each call runs one text and gives its rows; the two engines differ only in how they wait. */
export type MigrationWork = Generator<{ sql: string; values?: readonly (string | number)[] }, void, readonly unknown[]>

/** Looked for first: who may not create tables serves a database that is up to date all the same (S11). */
const FIND_BOOKKEEPING: Record<Engine, string> = {
  sqlite: "select 1 from sqlite_schema where name = 'schema_migrations'",
  postgres: "select 1 where to_regclass('schema_migrations') is not null",
}
const BOOKKEEPING = `create table if not exists schema_migrations (
  id bigint primary key, name text not null, applied_ms bigint not null)`

/**
 * Brings the schema up to date. The caller holds the engine's migration lock; each migration and its record are one
 * transaction. Throws when the database is newer than this program, or when a migration fails (R124).
 */
export function* migrate(engine: Engine, migrations: readonly Migration[], nowMs: number): MigrationWork {
  if ((yield { sql: FIND_BOOKKEEPING[engine] }).length === 0) yield { sql: BOOKKEEPING }
  const rows = (yield { sql: 'select id, name from schema_migrations order by id' }) as { id: unknown; name: string }[]
  const applied = new Map(rows.map((row) => [Number(row.id), row.name]))
  for (const [id, name] of applied) {
    if (!migrations.some((migration) => migration.id === id && migration.name === name)) {
      throw new Error(
        `The database has migration ${id} (${name}), which this version does not know. ` +
          'It was opened by a newer version; start that one, or restore a backup.',
      )
    }
  }
  for (const migration of migrations) {
    if (applied.has(migration.id)) continue
    try {
      yield { sql: 'begin' }
      for (const sql of migration.statements(engine)) yield { sql }
      const marks = engine === 'postgres' ? '$1, $2, $3' : '?, ?, ?'
      yield {
        sql: `insert into schema_migrations (id, name, applied_ms) values (${marks})`,
        values: [migration.id, migration.name, nowMs],
      }
      yield { sql: 'commit' }
    } catch (cause) {
      yield { sql: 'rollback' }
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new Error(
        `Migration ${migration.id} (${migration.name}) failed: ${reason}. Nothing of it was kept; the gateway does not start.`,
        { cause },
      )
    }
  }
}

const table = (engine: Engine, head: string, columns: readonly string[]): string => {
  // STRICT makes SQLite refuse what PostgreSQL would refuse, such as a fraction in a money column.
  const body = columns.map((column) => (engine === 'sqlite' ? column.replaceAll(' bigint', ' integer') : column))
  return `create table ${head} (${body.join(', ')})${engine === 'sqlite' ? ' strict' : ''}`
}

/** A small hot table: in SQLite the primary key is the table itself, one tree to search and to write instead of two. */
const keyedTable = (engine: Engine, head: string, columns: readonly string[]): string =>
  table(engine, head, columns) + (engine === 'sqlite' ? ', without rowid' : '')

const SEQUENCE: Record<Engine, string> = {
  sqlite: 'seq integer primary key',
  postgres: 'seq bigint generated always as identity primary key',
}

const IMMUTABLE: Record<Engine, readonly string[]> = {
  sqlite: ['update', 'delete'].map(
    (event) =>
      `create trigger ledger_entries_no_${event} before ${event} on ledger_entries ` +
      `begin select raise(abort, 'ledger entries are append-only'); end`,
  ),
  postgres: [
    `create function refuse_ledger_change() returns trigger language plpgsql as
      $$ begin raise exception 'ledger entries are append-only'; end $$`,
    `create trigger ledger_entries_immutable before update or delete or truncate on ledger_entries
      for each statement execute function refuse_ledger_change()`,
  ],
}

const accountTables = (engine: Engine): readonly string[] => [
  keyedTable(engine, 'accounts', [
    'id text primary key',
    'email text not null unique',
    `mode text not null check (mode in ('prepaid', 'postpaid'))`,
    `status text not null check (status in ('active', 'suspended'))`,
    'tier text not null',
    'balance_nano bigint not null default 0',
    'held_nano bigint not null default 0 check (held_nano >= 0)',
    'credited_nano bigint not null default 0',
    'used_nano bigint not null default 0',
    'credit_limit_nano bigint',
    'created_ms bigint not null',
  ]),
  keyedTable(engine, 'api_keys', [
    'id text primary key',
    'hash text not null unique',
    'label text not null',
    'account_id text not null references accounts (id)',
    'name text not null',
    `kind text not null check (kind in ('inference', 'management'))`,
    'system text',
    'disabled bigint not null default 0',
    'limit_nano bigint',
    `limit_reset text check (limit_reset in ('daily', 'weekly', 'monthly'))`,
    'expires_ms bigint',
    'created_ms bigint not null',
    'updated_ms bigint not null',
    'removed_ms bigint',
  ]),
  'create index api_keys_account on api_keys (account_id, created_ms)',
  keyedTable(engine, 'key_usage', [
    'key_id text primary key references api_keys (id)',
    'held_nano bigint not null default 0 check (held_nano >= 0)',
    'total_nano bigint not null default 0',
    'day_start_ms bigint not null default 0',
    'day_nano bigint not null default 0',
    'week_start_ms bigint not null default 0',
    'week_nano bigint not null default 0',
    'month_start_ms bigint not null default 0',
    'month_nano bigint not null default 0',
  ]),
]

/** The commonest first, and no list: of one that is longer SQLite builds a tree at every insert, two fifths of what that costs. */
const isEntryType = ['usage', 'topup', 'grant', 'adjustment', 'refund', 'expiry']
  .map((type) => `type = '${type}'`)
  .join(' or ')

const ledgerTables = (engine: Engine): readonly string[] => [
  keyedTable(engine, 'holds', [
    'request_id text primary key',
    'account_id text not null references accounts (id)',
    'key_id text',
    'amount_nano bigint not null check (amount_nano >= 0)',
    'created_ms bigint not null',
    'expires_ms bigint not null',
  ]),
  table(engine, 'ledger_entries', [
    SEQUENCE[engine],
    'account_id text not null references accounts (id)',
    `type text not null check (${isEntryType})`,
    'amount_nano bigint not null',
    'balance_after_nano bigint not null',
    'request_id text',
    'note text',
    'actor text not null',
    'created_ms bigint not null',
  ]),
  'create index ledger_entries_account on ledger_entries (account_id, seq)',
  `create unique index ledger_entries_usage on ledger_entries (request_id) where type = 'usage'`,
  ...IMMUTABLE[engine],
]

const requestTables = (engine: Engine): readonly string[] => [
  table(engine, 'requests', [
    'request_id text primary key',
    'response_id text',
    'day_key text not null',
    'ts_start_ms bigint not null',
    'ts_end_ms bigint not null',
    'account_id text',
    'key_id text',
    'system text',
    'protocol text not null',
    'model_id text',
    'backend_id text',
    'status text not null',
    'status_code bigint not null',
    'error_code text',
    'latency_ms bigint not null',
    'ttft_ms bigint',
    'tokens_input bigint',
    'tokens_cache_read bigint',
    'tokens_cache_write bigint',
    'tokens_cache_write_1h bigint',
    'tokens_output bigint',
    'tokens_reasoning bigint',
    'list_cost_nano bigint',
    'metered_cost_nano bigint',
    'charged_cost_nano bigint',
    'absorbed_cost_nano bigint',
    'detail text not null',
  ]),
  'create index requests_time on requests (ts_start_ms)',
  'create index requests_account on requests (account_id, ts_start_ms)',
  'create index requests_key on requests (key_id, ts_start_ms)',
  'create index requests_response on requests (response_id) where response_id is not null',
]

/** No reference to accounts: every save would wait for the account's row, which settlements lock. */
const responseTables = (engine: Engine): readonly string[] => [
  table(engine, 'responses', [
    'account_id text not null',
    'id text not null',
    'created_ms bigint not null',
    'expires_ms bigint not null',
    'previous_id text',
    'model text not null',
    'backend_id text',
    'bytes bigint not null',
    'input text not null',
    'response text not null',
    'primary key (account_id, id)',
  ]),
  'create index responses_expiry on responses (expires_ms)',
  'create index responses_previous on responses (account_id, previous_id) where previous_id is not null',
]

/** Like responses without a reference to accounts. */
const toolSealTables = (engine: Engine): readonly string[] => [
  table(engine, 'tool_seals', [
    'account_id text not null',
    'id text not null',
    'expires_ms bigint not null',
    'bytes bigint not null',
    'sealed text not null',
    'primary key (account_id, id)',
  ]),
  'create index tool_seals_expiry on tool_seals (expires_ms)',
]

const idempotencyTables = (engine: Engine): readonly string[] => [
  table(engine, 'idempotency_keys', [
    'account_id text not null',
    'key_digest text not null',
    'body_digest text not null',
    'request_id text not null',
    'expires_ms bigint not null',
    'primary key (account_id, key_digest)',
  ]),
  'create index idempotency_keys_expiry on idempotency_keys (account_id, expires_ms)',
]

export const MIGRATIONS: readonly Migration[] = [
  { id: 1, name: 'accounts and keys', statements: accountTables },
  { id: 2, name: 'holds and ledger', statements: ledgerTables },
  { id: 3, name: 'requests', statements: requestTables },
  {
    id: 4,
    name: 'settings',
    statements: (engine) => [
      table(engine, 'settings', ['name text primary key', 'value text not null', 'updated_ms bigint not null']),
    ],
  },
  { id: 5, name: 'responses', statements: responseTables },
  { id: 6, name: 'tool seals', statements: toolSealTables },
  { id: 7, name: 'rate limits of keys', statements: () => ['alter table api_keys add column rate_limits text'] },
  {
    id: 8,
    name: 'groups of keys',
    statements: () => [`alter table api_keys add column group_ids text not null default '["default"]'`],
  },
  {
    id: 9,
    name: 'demands and environment of keys',
    statements: () => [
      'alter table api_keys add column policy text',
      `alter table api_keys add column environment text not null default 'production'`,
    ],
  },
  {
    id: 10,
    name: 'shared counts of limits',
    statements: (engine) => [
      table(engine, 'limit_counts', [
        'id text primary key',
        'version bigint not null',
        'state text not null',
        'expires_ms bigint not null',
      ]),
      'create index limit_counts_expiry on limit_counts (expires_ms)',
    ],
  },
  { id: 11, name: 'idempotency keys', statements: idempotencyTables },
  ...recordMigrations({ table, keyedTable }),
  ...billingMigrations(table),
  ...SESSION_MIGRATIONS,
  ...MONEY_MIGRATIONS,
  ...ACCESS_MIGRATIONS,
  ...limitMigrations(table),
  ...contentMigrations(table),
]
