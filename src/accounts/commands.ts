/** The writes of accounts and keys, as they run inside the store's transactions. */
import { GatewayError } from '#base/errors.ts'
import { insertFileBudgets } from '#ledger/budget-statements.ts'
import { postEntry } from '#ledger/commands.ts'
import { NO_SUMS } from '#ledger/periods.ts'
import type { Command } from '#store/command.ts'
import type { AccountTable, ApiKeyTable } from '#store/schema.ts'
import { run, runAll, statement, step } from '#store/statement.ts'

const insertAccount = statement<'id' | 'email' | 'mode' | 'tier' | 'assigned' | 'limit' | 'now'>()((db, param) =>
  db
    .insertInto('accounts')
    .values({
      id: param('id'),
      email: param('email'),
      mode: param('mode'),
      status: 'active',
      tier: param('tier'),
      tier_assigned: param('assigned'),
      purchased_nano: 0n,
      balance_nano: 0n,
      held_nano: 0n,
      credited_nano: 0n,
      used_nano: 0n,
      credit_limit_nano: param('limit'),
      charge_ppm: 1_000_000,
      created_ms: param('now'),
      content_log: null,
    })
    .onConflict((conflict) => conflict.doNothing()),
)

const updateStatus = statement<'id' | 'status'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ status: param('status') })
    .where('id', '=', param('id')),
)

const updateTier = statement<'id' | 'tier' | 'assigned'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ tier: param('tier'), tier_assigned: param('assigned') })
    .where('id', '=', param('id')),
)

const updateChargeFactor = statement<'id' | 'factor'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ charge_ppm: param('factor') })
    .where('id', '=', param('id')),
)

const updateContentLog = statement<'id' | 'wish'>()((db, param) =>
  db
    .updateTable('accounts')
    .set({ content_log: param('wish') })
    .where('id', '=', param('id')),
)

const findOwner = statement<'id'>()((db, param) => db.selectFrom('accounts').select('id').where('id', '=', param('id')))

type KeyColumn =
  | 'id'
  | 'hash'
  | 'label'
  | 'account'
  | 'name'
  | 'kind'
  | 'system'
  | 'groups'
  | 'limit'
  | 'reset'
  | 'expires'
  | 'rates'
  | 'policy'
  | 'record'
  | 'environment'
  | 'now'

const insertKey = statement<KeyColumn>()((db, param) =>
  db.insertInto('api_keys').values({
    id: param('id'),
    hash: param('hash'),
    label: param('label'),
    account_id: param('account'),
    name: param('name'),
    kind: param('kind'),
    system: param('system'),
    group_ids: param('groups'),
    disabled: 0,
    limit_nano: param('limit'),
    limit_reset: param('reset'),
    expires_ms: param('expires'),
    created_ms: param('now'),
    updated_ms: param('now'),
    removed_ms: null,
    rate_limits: param('rates'),
    policy: param('policy'),
    record: param('record'),
    environment: param('environment'),
    previous_hash: null,
    previous_until_ms: null,
  }),
)

const insertKeyUsage = statement<'id'>()((db, param) =>
  db.insertInto('key_usage').values({
    key_id: param('id'),
    held_nano: 0n,
    ...NO_SUMS,
  }),
)

const findKey = statement<'hash'>()((db, param) =>
  db.selectFrom('api_keys').selectAll().where('hash', '=', param('hash')).where('removed_ms', 'is', null),
)

type ChangedColumn =
  | 'hash'
  | 'name'
  | 'groups'
  | 'disabled'
  | 'limit'
  | 'reset'
  | 'rates'
  | 'policy'
  | 'record'
  | 'environment'
  | 'expires'
  | 'system'
  | 'now'

const changeKey = statement<ChangedColumn>()((db, param) =>
  db
    .updateTable('api_keys')
    .set({
      name: param('name'),
      group_ids: param('groups'),
      disabled: param('disabled'),
      limit_nano: param('limit'),
      limit_reset: param('reset'),
      rate_limits: param('rates'),
      policy: param('policy'),
      record: param('record'),
      environment: param('environment'),
      expires_ms: param('expires'),
      system: param('system'),
      updated_ms: param('now'),
    })
    .where('hash', '=', param('hash')),
)

const markRemoved = statement<'hash' | 'now'>()((db, param) =>
  db
    .updateTable('api_keys')
    .set({ removed_ms: param('now'), updated_ms: param('now') })
    .where('hash', '=', param('hash'))
    .where('removed_ms', 'is', null),
)

export interface NewAccountArgs {
  readonly id: string
  readonly email: string
  readonly mode: AccountTable['mode']
  readonly tier: string
  /** Whether somebody gave it this tier, whatever it buys. */
  readonly tierAssigned: boolean
  readonly creditLimitNano: bigint | null
  readonly creditNano: bigint
  readonly actor: string
  readonly nowMs: number
}

/** Creates an account with the budgets of the configuration file, and posts its first credit as a grant. False when the id or the e-mail address is taken. */
export const createAccount: Command<NewAccountArgs, boolean> = {
  *work(args) {
    const { id, email, mode, tier, creditLimitNano: limit, creditNano, actor, nowMs } = args
    const assigned = Number(args.tierAssigned)
    const { changes } = yield* run(insertAccount, { id, email, mode, tier, assigned, limit, now: nowMs })
    if (changes === 0) return false
    yield* run(insertFileBudgets, { account: id, email, now: nowMs })
    if (creditNano !== 0n) {
      const amountNano = creditNano
      yield* postEntry({ accountId: id, type: 'grant', amountNano, note: 'initial credit', actor, nowMs })
    }
    return true
  },
  accounts: () => [],
  repeatable: false,
}

/** False when there is no such account. */
export const setAccountStatus: Command<{ id: string; status: AccountTable['status'] }, boolean> = {
  *work({ id, status }) {
    const { changes } = yield* run(updateStatus, { id, status })
    return changes > 0
  },
  accounts: ({ id }) => [id],
  repeatable: true,
}

/** False when there is no such account. */
export const setAccountTier: Command<{ id: string; tier: string; assigned: boolean }, boolean> = {
  *work({ id, tier, assigned }) {
    const { changes } = yield* run(updateTier, { id, tier, assigned: Number(assigned) })
    return changes > 0
  },
  accounts: ({ id }) => [id],
  repeatable: true,
}

/** False when there is no such account. */
export const setChargeFactor: Command<{ id: string; factorPpm: number }, boolean> = {
  *work({ id, factorPpm: factor }) {
    const { changes } = yield* run(updateChargeFactor, { id, factor })
    return changes > 0
  },
  accounts: ({ id }) => [id],
  repeatable: true,
}

/** False when there is no such account. */
export const setContentLog: Command<{ id: string; wish: string | null }, boolean> = {
  *work({ id, wish }) {
    const { changes } = yield* run(updateContentLog, { id, wish })
    return changes > 0
  },
  accounts: ({ id }) => [id],
  repeatable: true,
}

/** What a new key says of itself; it is neither disabled, removed nor rotated. */
export type NewKeyRow = Omit<ApiKeyTable, 'disabled' | 'removed_ms' | 'previous_hash' | 'previous_until_ms'>

export const createKey: Command<NewKeyRow, void> = {
  *work(key) {
    const { rows: owners } = yield* run(findOwner, { id: key.account_id })
    if (owners.length === 0) throw new GatewayError('not_found', `There is no account ${key.account_id}.`)
    const { id, hash, label, name, kind, system, account_id: account, limit_nano: limit, limit_reset: reset } = key
    const { group_ids: groups, expires_ms: expires, created_ms: now, rate_limits: rates } = key
    const { policy, record, environment } = key
    const own = { id, hash, label, account, name, kind, system, groups, limit, reset, expires, rates, now }
    yield* runAll([step(insertKey, { ...own, policy, record, environment }), step(insertKeyUsage, { id })])
  },
  accounts: (key) => [key.account_id],
  repeatable: false,
}

export interface KeyChange {
  readonly hash: string
  readonly name?: string
  readonly groups?: string
  readonly disabled?: boolean
  readonly limitNano?: bigint | null
  readonly limitReset?: ApiKeyTable['limit_reset']
  readonly rateLimits?: ApiKeyTable['rate_limits']
  readonly policy?: ApiKeyTable['policy']
  readonly record?: ApiKeyTable['record']
  readonly environment?: ApiKeyTable['environment']
  readonly expiresMs?: number | null
  readonly system?: string | null
  readonly nowMs: number
}

/** Changes what is named and keeps the rest. Undefined when there is no such key. */
export const updateKey: Command<KeyChange, ApiKeyTable | undefined> = {
  *work({
    hash,
    name,
    groups,
    disabled,
    limitNano,
    limitReset,
    rateLimits,
    policy,
    record,
    environment,
    expiresMs,
    system,
    nowMs,
  }) {
    const { rows } = yield* run(findKey, { hash })
    const key = rows[0]
    if (!key) return undefined
    const next: ApiKeyTable = {
      ...key,
      name: name ?? key.name,
      group_ids: groups ?? key.group_ids,
      disabled: disabled === undefined ? key.disabled : Number(disabled),
      limit_nano: limitNano === undefined ? key.limit_nano : limitNano,
      limit_reset: limitReset === undefined ? key.limit_reset : limitReset,
      rate_limits: rateLimits === undefined ? key.rate_limits : rateLimits,
      policy: policy === undefined ? key.policy : policy,
      record: record === undefined ? key.record : record,
      environment: environment ?? key.environment,
      expires_ms: expiresMs === undefined ? key.expires_ms : expiresMs,
      system: system === undefined ? key.system : system,
      updated_ms: nowMs,
    }
    const { name: text, group_ids: inGroups, disabled: isOff } = next
    const { limit_nano: limit, limit_reset: reset, rate_limits: rates } = next
    const changed = { hash, name: text, groups: inGroups, disabled: isOff, limit, reset, rates, now: nowMs }
    yield* run(changeKey, {
      ...changed,
      policy: next.policy,
      record: next.record,
      environment: next.environment,
      expires: next.expires_ms,
      system: next.system,
    })
    return next
  },
  accounts: () => [],
  repeatable: true,
}

/** False when there is no such key. */
export const removeKey: Command<{ hash: string; nowMs: number }, boolean> = {
  *work({ hash, nowMs }) {
    const { changes } = yield* run(markRemoved, { hash, now: nowMs })
    return changes > 0
  },
  accounts: () => [],
  repeatable: true,
}

const replaceSecret = statement<'hash' | 'newHash' | 'label' | 'until' | 'now'>()((db, param) =>
  db
    .updateTable('api_keys')
    .set({
      hash: param('newHash'),
      label: param('label'),
      previous_hash: param('hash'),
      previous_until_ms: param('until'),
      updated_ms: param('now'),
    })
    .where('hash', '=', param('hash'))
    .where('removed_ms', 'is', null),
)

export interface Rotation {
  readonly hash: string
  readonly newHash: string
  readonly label: string
  readonly previousUntilMs: number
  readonly nowMs: number
}

/** The key with its new secret; undefined when there is no such key. Of older secrets only the last one stays. */
export const rotateKey: Command<Rotation, ApiKeyTable | undefined> = {
  *work({ hash, newHash, label, previousUntilMs: until, nowMs: now }) {
    yield* run(replaceSecret, { hash, newHash, label, until, now })
    const { rows } = yield* run(findKey, { hash: newHash })
    return rows[0]
  },
  accounts: () => [],
  repeatable: false,
}
