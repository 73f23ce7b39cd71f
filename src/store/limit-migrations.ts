import type { Migration } from './migrations.ts'
import type { Engine } from './statement.ts'

type Table = (engine: Engine, head: string, columns: readonly string[]) => string

const whole = (engine: Engine): string => (engine === 'sqlite' ? 'integer' : 'bigint')

/** Budgets and alerts of the configuration file (R97, R98). */
const fileTables = (engine: Engine, table: Table): readonly string[] => [
  'alter table budgets add column file_entry text',
  table(engine, 'file_budgets', [
    'entry text primary key',
    'account text',
    'scope text not null',
    'target text not null',
    'max_nano bigint not null',
    'period text',
    'hard bigint not null',
    'starts_ms bigint not null',
  ]),
  `alter table alert_settings add column key_share_percent ${whole(engine)}`,
  `alter table alert_settings add column spike_times ${whole(engine)}`,
  'alter table alert_deliveries add column signer_id text',
]

/** What of the alerts was seen. */
const bell = (engine: Engine): readonly string[] => [
  `alter table alerts add column read_ms ${whole(engine)}`,
  'create index alerts_unread on alerts (account_id) where read_ms is null',
]

/** Like responses without a reference to accounts. */
const agentSessions = (engine: Engine, table: Table): readonly string[] => [
  table(engine, 'agent_sessions', [
    'id text primary key',
    'account_id text not null',
    'name text not null',
    'key_id text',
    'max_nano bigint',
    'requests_max bigint',
    'ends_ms bigint',
    'created_ms bigint not null',
    'last_ms bigint not null',
    'stopped_ms bigint',
    'held_nano bigint not null default 0',
    'spent_nano bigint not null default 0',
    'requests bigint not null default 0',
  ]),
  'create index agent_sessions_account on agent_sessions (account_id, last_ms)',
  'create index agent_sessions_last on agent_sessions (last_ms)',
]

/** `table` writes a table in the engine's words. */
export const limitMigrations = (table: Table): readonly Migration[] => [
  { id: 60, name: 'budgets and alerts of the file', statements: (engine) => fileTables(engine, table) },
  { id: 61, name: 'read alerts', statements: bell },
  {
    id: 62,
    name: 'charge factors of accounts',
    statements: (engine) => [`alter table accounts add column charge_ppm ${whole(engine)} not null default 1000000`],
  },
  { id: 63, name: 'agent sessions', statements: (engine) => agentSessions(engine, table) },
]
