import { GatewayError } from '#base/errors.ts'
import { id as newId } from '#base/ids.ts'
import { createPeriodClock, currentSums, type PeriodClock, type PeriodStarts, spentInPeriod } from '#ledger/periods.ts'
import { isUnlimited, type LimitSet, NO_LIMITS } from '#limits/types.ts'
import { checkLimit } from '#store/reads.ts'
import { AMOUNT_NANO_MAX } from '#store/request-columns.ts'
import type { ApiKeyTable } from '#store/schema.ts'
import type { Store } from '#store/store.ts'
import type { NewKeyRow } from './commands.ts'
import { createKeyCodes } from './key-codes.ts'
import { keyDigest, keyLabel, newKeyText } from './key-text.ts'
import { policyOf, policyText } from './key-policy.ts'
import { recordOf, recordText } from './key-record.ts'
import type { ApiKey, KeyRing, Keys, KeyUsage, NewKey } from './types.ts'

const NAME_LENGTH_MAX = 100

/** The group of a key that was given none (R63). */
export const DEFAULT_GROUPS: readonly string[] = ['default']

/**
 * Keys over a store (R15). A change counts from the next request on: the ring forgets the key. `heldOfKey` gives what the
 * ledger holds of a key in memory (`RecoverableLedger.heldOfKey`).
 */
export function createKeys(
  store: Store,
  pepper: string,
  keyRing: KeyRing | null = null,
  now: () => number = Date.now,
  heldOfKey: (keyId: string) => bigint = () => 0n,
  periods: PeriodClock = createPeriodClock(),
): Keys {
  const read = store.read
  return {
    ...createKeyCodes(store),
    create: (input) => createKey(store, pepper, input, now()),
    async get(hash) {
      const present = read.selectFrom('api_keys').selectAll().where('removed_ms', 'is', null)
      const row = await present.where('hash', '=', hash).executeTakeFirst()
      return row && keyOf(row)
    },
    async list({ accountId, limit, offset, includeDisabled }) {
      let rows = read.selectFrom('api_keys').selectAll().where('removed_ms', 'is', null)
      if (accountId !== undefined) rows = rows.where('account_id', '=', accountId)
      if (!includeDisabled) rows = rows.where('disabled', '=', 0)
      const found = await rows
        .orderBy('created_ms', 'desc')
        .orderBy('id', 'desc')
        .limit(checkLimit(limit))
        .offset(checkOffset(offset))
        .execute()
      return found.map(keyOf)
    },
    async update(hash, change) {
      const { name, groups, disabled, limitNano, limitReset, rateLimits, policy, environment, expiresMs } = change
      if (name !== undefined) checkName(name)
      if (limitNano !== undefined) checkLimitAmount(limitNano)
      const row = await store.execute('updateKey', {
        hash,
        ...(name === undefined ? {} : { name: name.trim() }),
        ...(groups === undefined ? {} : { groups: groupsText(groups) }),
        ...(disabled === undefined ? {} : { disabled }),
        ...(limitNano === undefined ? {} : { limitNano }),
        ...(limitReset === undefined ? {} : { limitReset }),
        ...(rateLimits === undefined ? {} : { rateLimits: limitsText(rateLimits) }),
        ...(policy === undefined ? {} : { policy: policyText(policy) }),
        ...recordPart(change),
        ...(environment === undefined ? {} : { environment }),
        ...(expiresMs === undefined ? {} : { expiresMs: checkExpiry(expiresMs, now()) }),
        nowMs: now(),
      })
      if (!row) throw missing()
      keyRing?.forget(row.id)
      return keyOf(row)
    },
    async rotate(hash, previousUntilMs) {
      const text = newKeyText()
      const fresh = { newHash: keyDigest(pepper, text), label: keyLabel(text) }
      const row = await store.execute('rotateKey', { hash, ...fresh, previousUntilMs, nowMs: now() })
      if (!row) throw missing()
      keyRing?.forget(row.id)
      return { key: keyOf(row), plaintext: text }
    },
    async remove(hash) {
      if (!(await store.execute('removeKey', { hash, nowMs: now() }))) throw missing()
      keyRing?.forget()
    },
    usage: (key, nowMs) => readUsage(store, key, periods(nowMs), heldOfKey(key.id)),
  }
}

async function readUsage({ read }: Store, key: ApiKey, starts: PeriodStarts, heldNano: bigint): Promise<KeyUsage> {
  const row = await read.selectFrom('key_usage').selectAll().where('key_id', '=', key.id).executeTakeFirst()
  if (!row) throw missing()
  const { day, week, month } = currentSums(row, starts)
  return {
    totalNano: row.total_nano,
    dailyNano: day,
    weeklyNano: week,
    monthlyNano: month,
    limitUsedNano: spentInPeriod(row, key.limitReset, starts) + row.held_nano + heldNano,
  }
}

async function createKey(
  store: Store,
  pepper: string,
  input: NewKey,
  nowMs: number,
): Promise<{ key: ApiKey; plaintext: string }> {
  const { name, accountId, kind = 'inference', system = null, limitNano, limitReset, expiresMs = null } = input
  const { groups = DEFAULT_GROUPS, policy = null, environment = 'production' } = input
  const text = newKeyText()
  const stored: NewKeyRow = {
    id: newId('key'),
    hash: keyDigest(pepper, text),
    label: keyLabel(text),
    account_id: accountId,
    name: checkName(name),
    kind,
    system,
    group_ids: groupsText(groups),
    limit_nano: checkLimitAmount(limitNano ?? null),
    limit_reset: limitReset ?? null,
    rate_limits: limitsText(input.rateLimits ?? null),
    policy: policyText(policy),
    record: recordText(input.record ?? null),
    environment,
    expires_ms: checkExpiry(expiresMs, nowMs),
    created_ms: nowMs,
    updated_ms: nowMs,
  }
  await store.execute('createKey', stored)
  const unrotated = { previous_hash: null, previous_until_ms: null }
  return { key: keyOf({ ...stored, ...unrotated, disabled: 0, removed_ms: null }), plaintext: text }
}

const recordPart = ({ record, system }: Parameters<Keys['update']>[1]) => ({
  ...(record === undefined ? {} : { record: recordText(record) }),
  ...(system === undefined ? {} : { system }),
})

/** A stored row as the ApiKey that the rest of the gateway sees. */
export function keyOf(row: ApiKeyTable): ApiKey {
  return {
    id: row.id,
    hash: row.hash,
    label: row.label,
    accountId: row.account_id,
    name: row.name,
    kind: row.kind,
    system: row.system,
    groups: JSON.parse(row.group_ids) as readonly string[],
    disabled: row.disabled !== 0,
    limitNano: row.limit_nano,
    limitReset: row.limit_reset,
    rateLimits: limitsOf(row.rate_limits),
    policy: policyOf(row.policy),
    record: recordOf(row.record),
    environment: row.environment,
    expiresMs: row.expires_ms,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
  }
}

/** Limits that limit nothing are stored as none. */
const limitsText = (limits: LimitSet | null): string | null =>
  limits === null || isUnlimited(limits) ? null : JSON.stringify(limits)

const limitsOf = (text: string | null): LimitSet | null =>
  text === null ? null : { ...NO_LIMITS, ...(JSON.parse(text) as Partial<LimitSet>) }

const missing = (): GatewayError => new GatewayError('not_found', 'There is no such API key.')

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })

function checkName(name: string): string {
  const trimmed = name.trim()
  if (trimmed.length >= 1 && trimmed.length <= NAME_LENGTH_MAX) return trimmed
  throw invalid('name', `A key's name has 1 to ${NAME_LENGTH_MAX} characters.`)
}

/** Which groups there are is the configuration's to say; here a key only has to be in one. */
function groupsText(groups: readonly string[]): string {
  const distinct = [...new Set(groups)]
  if (distinct.length === 0 || distinct.includes('')) throw invalid('groups', 'A key is in at least one group.')
  return JSON.stringify(distinct)
}

function checkLimitAmount(limitNano: bigint | null): bigint | null {
  if (limitNano === null || (limitNano >= 0n && limitNano <= AMOUNT_NANO_MAX)) return limitNano
  throw invalid('limit', 'A limit is an amount from 0 to a billion USD.')
}

function checkExpiry(expiresMs: number | null, nowMs: number): number | null {
  if (expiresMs === null || (Number.isSafeInteger(expiresMs) && expiresMs > nowMs)) return expiresMs
  throw invalid('expires_at', 'A key must expire in the future.')
}

function checkOffset(offset: number): number {
  if (Number.isSafeInteger(offset) && offset >= 0) return offset
  throw invalid('offset', 'offset must be a whole number that is not negative.')
}
