import { AMOUNTS, COUNTS, DIMENSIONS } from '#analytics/rollup-tables.ts'
import type { Engine } from './statement.ts'

/** How migrations make a table. */
interface Tables {
  table(engine: Engine, head: string, columns: readonly string[]): string
  keyedTable(engine: Engine, head: string, columns: readonly string[]): string
}

/** Rows of one step of the first fold on PostgreSQL, when the table was there before its rollups. */
const ROWS_BEFORE = 2_000

/**
 * In which order rows are folded. An SQLite row has its rowid. On PostgreSQL transactions do not commit in the order of any
 * sequence, so a row carries the number of its own, and is folded once no transaction of a lower number is open.
 */
const position: Record<Engine, readonly string[]> = {
  sqlite: [],
  postgres: [
    'alter table requests add column added_tx bigint not null default 0',
    `update requests set added_tx = old.part from (select request_id,
       -1 - (row_number() over (order by ts_start_ms desc)) / ${ROWS_BEFORE} as part from requests) old
       where old.request_id = requests.request_id`,
    'alter table requests alter column added_tx set default (pg_current_xact_id()::text::bigint)',
    'create index requests_added on requests (added_tx)',
  ],
}

const rollupTables = ({ keyedTable }: Tables, engine: Engine): readonly string[] => [
  ...position[engine],
  keyedTable(engine, 'rollup_cursor', ['id bigint primary key', 'position bigint not null', 'last_id text']),
  `insert into rollup_cursor (id, position) values (1, ${engine === 'sqlite' ? 0 : -(10 ** 15)})`,
  keyedTable(engine, 'usage_rollups', [
    'grain_ms bigint not null',
    'start_ms bigint not null',
    ...DIMENSIONS.map((name) => `${name} text not null`),
    ...[...COUNTS, ...AMOUNTS].map((name) => `${name} bigint not null`),
    `primary key (grain_ms, start_ms, ${DIMENSIONS.join(', ')})`,
  ]),
  'create index usage_rollups_account on usage_rollups (account_id, grain_ms, start_ms)',
  keyedTable(engine, 'speed_rollups', [
    'grain_ms bigint not null',
    'start_ms bigint not null',
    'account_id text not null',
    'model_id text not null',
    'backend_id text not null',
    'metric text not null',
    'bucket bigint not null',
    'count bigint not null',
    'primary key (grain_ms, start_ms, account_id, model_id, backend_id, metric, bucket)',
  ]),
]

const SEQUENCE: Record<Engine, string> = {
  sqlite: 'seq integer primary key',
  postgres: 'seq bigint generated always as identity primary key',
}

const auditTables = ({ table }: Tables, engine: Engine): readonly string[] => [
  table(engine, 'audit_entries', [
    SEQUENCE[engine],
    'at_ms bigint not null',
    'actor text not null',
    'action text not null',
    'account_id text',
    'target_id text not null',
    '"before" text',
    '"after" text',
    'request_id text',
  ]),
  'create index audit_entries_account on audit_entries (account_id, seq)',
  'create index audit_entries_target on audit_entries (target_id, seq)',
  ...(engine === 'sqlite'
    ? ['update', 'delete'].map(
        (event) =>
          `create trigger audit_entries_no_${event} before ${event} on audit_entries ` +
          `begin select raise(abort, 'audit entries are append-only'); end`,
      )
    : [
        `create function refuse_audit_change() returns trigger language plpgsql as
          $$ begin raise exception 'audit entries are append-only'; end $$`,
        `create trigger audit_entries_immutable before update or delete or truncate on audit_entries
          for each statement execute function refuse_audit_change()`,
      ]),
]

const priceTables = ({ keyedTable }: Tables, engine: Engine): readonly string[] => [
  keyedTable(engine, 'prices', ['version text primary key', 'numbers text not null', 'first_seen_ms bigint not null']),
]

/** The record of what happened: rollups of request rows, and who changed what. */
export const recordMigrations = (tables: Tables) => [
  { id: 20, name: 'rollups', statements: (engine: Engine) => rollupTables(tables, engine) },
  { id: 21, name: 'audit entries', statements: (engine: Engine) => auditTables(tables, engine) },
  { id: 22, name: 'prices', statements: (engine: Engine) => priceTables(tables, engine) },
]
