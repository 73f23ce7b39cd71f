import type { Engine } from './statement.ts'

type MakeTable = (engine: Engine, head: string, columns: readonly string[]) => string

/** No reference to accounts, like responses: a save would wait for the account's row, which settlements lock. */
const contentTables = (table: MakeTable, engine: Engine): readonly string[] => [
  table(engine, 'request_contents', [
    'request_id text primary key',
    'account_id text not null',
    'key_id text',
    `mode text not null check (mode in ('metadata', 'full'))`,
    'created_ms bigint not null',
    'expires_ms bigint not null',
    'request_bytes bigint not null',
    'response_bytes bigint not null',
    'request_cut bigint not null',
    'response_cut bigint not null',
    'request_digest text not null',
    'response_digest text not null',
    'sealed text',
  ]),
  'create index request_contents_account on request_contents (account_id, key_id)',
  'create index request_contents_expiry on request_contents (expires_ms)',
  'alter table accounts add column content_log text',
  'alter table api_keys add column record text',
]

/** What is kept of what was asked and answered, and who wants it (R101, R103). */
export const contentMigrations = (table: MakeTable) => [
  { id: 65, name: 'contents of requests', statements: (engine: Engine) => contentTables(table, engine) },
]
