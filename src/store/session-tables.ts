import type { Migration } from './migrations.ts'
import type { Engine } from './statement.ts'

/**
 * Who signs in: the tables of better-auth in our spelling. Times are ISO 8601 texts and flags are 0 or 1 on both engines, so
 * that one set of queries serves both. Tokens stand here as digests (see src/sessions/hashed-tokens.ts).
 */
const TABLES: readonly (readonly [name: string, columns: readonly string[]])[] = [
  [
    'auth_users',
    [
      'name text not null',
      'email text not null unique',
      'email_verified bigint not null',
      'image text',
      'role text not null',
      'account_id text references accounts (id)',
      'two_factor_enabled bigint',
      'created_at text not null',
      'updated_at text not null',
    ],
  ],
  [
    'auth_sessions',
    [
      'token text not null unique',
      'user_id text not null references auth_users (id) on delete cascade',
      'expires_at text not null',
      'ip_address text',
      'user_agent text',
      'active_organization_id text',
      'created_at text not null',
      'updated_at text not null',
    ],
  ],
  [
    'auth_logins',
    [
      'account_id text not null',
      'provider_id text not null',
      'user_id text not null references auth_users (id) on delete cascade',
      'access_token text',
      'refresh_token text',
      'id_token text',
      'access_token_expires_at text',
      'refresh_token_expires_at text',
      'scope text',
      'password text',
      'created_at text not null',
      'updated_at text not null',
      'unique (provider_id, account_id)',
    ],
  ],
  [
    'auth_verifications',
    [
      'identifier text not null',
      'value text not null',
      'expires_at text not null',
      'created_at text not null',
      'updated_at text not null',
    ],
  ],
  [
    'auth_organizations',
    [
      'name text not null',
      'slug text not null unique',
      'logo text',
      'metadata text',
      'account_id text references accounts (id)',
      'created_at text not null',
    ],
  ],
  [
    'auth_members',
    [
      'organization_id text not null references auth_organizations (id) on delete cascade',
      'user_id text not null references auth_users (id) on delete cascade',
      'role text not null',
      'created_at text not null',
      'unique (organization_id, user_id)',
    ],
  ],
  [
    'auth_invitations',
    [
      'organization_id text not null references auth_organizations (id) on delete cascade',
      'email text not null',
      'role text',
      'status text not null',
      'expires_at text not null',
      'inviter_id text not null references auth_users (id) on delete cascade',
      'created_at text not null',
    ],
  ],
  [
    'auth_two_factors',
    [
      'user_id text not null references auth_users (id) on delete cascade',
      'secret text not null',
      'backup_codes text not null',
      'verified bigint',
      'failed_verification_count bigint',
      'locked_until text',
    ],
  ],
  [
    'auth_passkeys',
    [
      'name text',
      'public_key text not null',
      'user_id text not null references auth_users (id) on delete cascade',
      'credential_id text not null unique',
      'counter bigint not null',
      'device_type text not null',
      'backed_up bigint not null',
      'transports text',
      'aaguid text',
      'created_at text',
    ],
  ],
]

const INDEXES = [
  'create index auth_sessions_user on auth_sessions (user_id)',
  'create index auth_sessions_expiry on auth_sessions (expires_at)',
  'create index auth_logins_user on auth_logins (user_id)',
  'create index auth_verifications_identifier on auth_verifications (identifier)',
  'create index auth_verifications_expiry on auth_verifications (expires_at)',
  'create index auth_members_user on auth_members (user_id)',
  'create index auth_invitations_email on auth_invitations (email)',
  'create index auth_two_factors_user on auth_two_factors (user_id)',
  'create index auth_passkeys_user on auth_passkeys (user_id)',
]

function sessionTables(engine: Engine): readonly string[] {
  const created = TABLES.map(([name, columns]) => {
    const body = ['id text primary key', ...columns].join(', ')
    const text = engine === 'sqlite' ? body.replaceAll(' bigint', ' integer') : body
    return `create table ${name} (${text})${engine === 'sqlite' ? ' strict' : ''}`
  })
  return [...created, ...INDEXES]
}

export const SESSION_MIGRATIONS: readonly Migration[] = [
  { id: 40, name: 'users, sessions and organisations', statements: sessionTables },
  {
    id: 41,
    name: 'rotation of keys',
    statements: (engine) => [
      'alter table api_keys add column previous_hash text',
      `alter table api_keys add column previous_until_ms ${engine === 'sqlite' ? 'integer' : 'bigint'}`,
      'create unique index api_keys_previous on api_keys (previous_hash) where previous_hash is not null',
    ],
  },
  {
    id: 42,
    name: 'codes for keys of applications',
    statements: (engine) => [
      `create table key_codes (digest text primary key, account_id text not null references accounts (id), wish text not null,
        challenge text, challenge_method text, expires_ms ${engine === 'sqlite' ? 'integer' : 'bigint'} not null)${engine === 'sqlite' ? ' strict' : ''}`,
      'create index key_codes_expiry on key_codes (expires_ms)',
    ],
  },
]
