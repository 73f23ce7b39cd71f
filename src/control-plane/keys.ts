import { z } from 'zod'
import { APP_CHARACTERS_MAX } from '#accounts/key-record.ts'
import { DEFAULT_GROUPS } from '#accounts/keys.ts'
import { type ApiKey, type ContentWish, type KeyRecord, OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { CONTENT_WISH } from './content-wish.ts'
import { changedPolicy, DEMAND_FIELDS } from './key-demands.ts'
import { keyObject } from './key-object.ts'
import { changedLimits, RATE_FIELDS } from './key-limits.ts'
import { isoTime, queryFlag, queryInteger, usdLimit, validate } from './validate.ts'

type KeyAdministrator = KeyActor | MasterActor

export const KEY_NAME_LENGTH_MAX = 100
export const SYSTEM_LENGTH_MAX = 100
/** OpenRouter's page size. */
export const KEYS_PER_PAGE = 100
/** Groups of one key. */
export const GROUPS_MAX = 32
/** How long the old secret of a rotated key may still work: a day unless said otherwise, 30 days at most. */
export const OVERLAP_SECONDS_DEFAULT = 24 * 3600
export const OVERLAP_SECONDS_MAX = 30 * 24 * 3600
const OFFSET_MAX = 1_000_000

const name = z.string().trim().min(1, 'must not be empty').max(KEY_NAME_LENGTH_MAX)
const limitReset = z.enum(['daily', 'weekly', 'monthly']).nullable()

const system = z.string().trim().max(SYSTEM_LENGTH_MAX).nullable().optional()

/** What is written down of its requests (R101, R103). */
const RECORD_FIELDS = {
  app: z.string().trim().max(APP_CHARACTERS_MAX).nullable().optional(),
  content_log: CONTENT_WISH.optional(),
}

const groups = z.array(z.string().min(1)).min(1, 'must name a group').max(GROUPS_MAX)

export const NEW_KEY = z.object({
  name,
  account_id: z.string().min(1).optional(),
  kind: z.enum(['inference', 'management']).optional(),
  limit: usdLimit.nullable().optional(),
  limit_reset: limitReset.optional(),
  expires_at: isoTime.nullable().optional(),
  system,
  ...RECORD_FIELDS,
  ...RATE_FIELDS,
  ...DEMAND_FIELDS,
  groups: groups.optional(),
})

export const KEY_CHANGE = z.object({
  name: name.optional(),
  groups: groups.optional(),
  disabled: z.boolean().optional(),
  limit: usdLimit.nullable().optional(),
  limit_reset: limitReset.optional(),
  expires_at: isoTime.nullable().optional(),
  system,
  ...RECORD_FIELDS,
  ...RATE_FIELDS,
  ...DEMAND_FIELDS,
})

export const KEY_QUERY = z.object({
  offset: queryInteger(0, OFFSET_MAX).optional(),
  include_disabled: queryFlag.optional(),
  account_id: z.string().optional(),
  workspace_id: z.string().optional(),
})

/** `POST /api/v1/keys` -> 201 `{data, key}`; the only answer that ever holds the plaintext (R15). */
export async function createKey(call: Call<KeyAdministrator>): Promise<Answer> {
  const input = validate(NEW_KEY, call.body ?? {})
  checkGlass(call, input.break_glass)
  if (input.kind === 'management' && call.actor.kind !== 'master') {
    throw new GatewayError('permission_denied', 'Only the master key creates management keys.', { param: 'kind' })
  }
  if (typeof input.expires_at === 'number' && input.expires_at <= call.nowMs) {
    throw new GatewayError('invalid_parameter', "Invalid value for 'expires_at': it is in the past.", {
      param: 'expires_at',
    })
  }
  const { key, plaintext } = await call.deps.keys.create({
    name: input.name,
    accountId: accountFor(call.actor, input.account_id),
    kind: input.kind ?? 'inference',
    system: input.system || null,
    record: changedRecord(input, null) ?? null,
    groups: groupsFor(call, input.groups),
    limitNano: input.limit ?? null,
    limitReset: input.limit_reset ?? null,
    expiresMs: input.expires_at ?? null,
    rateLimits: changedLimits(input, null) ?? null,
    policy: changedPolicy(input, null) ?? null,
    environment: input.environment ?? 'production',
  })
  return { status: 201, body: { data: await present(call, key), key: plaintext } }
}

/** `GET /api/v1/keys`: the caller's account; with the master key one account or all. Disabled keys only on request, as OpenRouter does. */
export async function listKeys(call: Call<KeyAdministrator>): Promise<Answer> {
  const query = validate(KEY_QUERY, call.query)
  const wanted = query.account_id ?? query.workspace_id
  const accountId = call.actor.kind === 'master' ? wanted : accountFor(call.actor, wanted)
  const keys = await call.deps.keys.list({
    ...(accountId === undefined ? {} : { accountId }),
    limit: KEYS_PER_PAGE,
    offset: query.offset ?? 0,
    includeDisabled: query.include_disabled ?? false,
  })
  return { body: { data: await Promise.all(keys.map((key) => present(call, key))) } }
}

export async function readKey(call: Call<KeyAdministrator>): Promise<Answer> {
  return { body: { data: await present(call, await ownKey(call)) } }
}

/** `PATCH /api/v1/keys/{hash}`: in force on the next request. */
export async function changeKey(call: Call<KeyAdministrator>): Promise<Answer> {
  const input = validate(KEY_CHANGE, call.body ?? {})
  const key = await ownKey(call)
  checkGlass(call, input.break_glass)
  const rateLimits = changedLimits(input, key.rateLimits)
  const policy = changedPolicy(input, key.policy)
  const record = changedRecord(input, key.record)
  const changed = await call.deps.keys.update(key.hash, {
    ...(input.name === undefined ? {} : { name: input.name }),
    ...(input.groups === undefined ? {} : { groups: groupsFor(call, input.groups) }),
    ...(input.disabled === undefined ? {} : { disabled: input.disabled }),
    ...(input.limit === undefined ? {} : { limitNano: input.limit }),
    ...(input.limit_reset === undefined ? {} : { limitReset: input.limit_reset }),
    ...(input.expires_at === undefined ? {} : { expiresMs: input.expires_at }),
    ...(input.system === undefined ? {} : { system: input.system || null }),
    ...(record === undefined ? {} : { record }),
    ...(rateLimits === undefined ? {} : { rateLimits }),
    ...(policy === undefined ? {} : { policy }),
    ...(input.environment === undefined ? {} : { environment: input.environment }),
  })
  call.deps.keyRing.forget(key.id)
  return { body: { data: await present(call, changed) } }
}

export const ROTATION = z.object({
  overlap_seconds: z
    .number({ error: 'expected a whole number' })
    .int('expected a whole number')
    .min(0, 'must not be negative')
    .max(OVERLAP_SECONDS_MAX, `at most ${OVERLAP_SECONDS_MAX}`)
    .default(OVERLAP_SECONDS_DEFAULT),
})

/**
 * `POST /api/v1/keys/{hash}/rotate` -> 201 `{data, key, previous_expires_at}`: another secret for the same key, with its limits, usage and
 * logs. The old one works until the overlap ends (R15); rotated again before, it ends at once.
 */
export async function rotateKey(call: Call<KeyAdministrator>): Promise<Answer> {
  const { overlap_seconds: overlap } = validate(ROTATION, call.body ?? {})
  const untilMs = call.nowMs + overlap * 1000
  const { key, plaintext } = await call.deps.keys.rotate((await ownKey(call)).hash, untilMs)
  const data = await present(call, key)
  return { status: 201, body: { data, key: plaintext, previous_expires_at: new Date(untilMs).toISOString() } }
}

export async function removeKey(call: Call<KeyAdministrator>): Promise<Answer> {
  const key = await ownKey(call)
  await call.deps.keys.remove(key.hash)
  call.deps.keyRing.forget(key.id)
  return { body: { deleted: true } }
}

/** What is recorded of a key's requests after a change; undefined when it names none of it. */
function changedRecord(
  { app, content_log: content }: { app?: string | null | undefined; content_log?: ContentWish | null | undefined },
  current: KeyRecord | null,
): KeyRecord | undefined {
  if (app === undefined && content === undefined) return undefined
  return {
    app: app === undefined ? (current?.app ?? null) : app || null,
    content: content === undefined ? (current?.content ?? null) : content,
  }
}

/** A management key works for its own account only; the operator's own account is the master key's default. */
export function accountFor(actor: KeyAdministrator, wanted: string | undefined): string {
  if (actor.kind === 'master') return wanted ?? OPERATOR_ACCOUNT_ID
  const own = actor.caller.account.id
  if (wanted !== undefined && wanted !== own) {
    throw new GatewayError('permission_denied', 'A management key works for its own account only.', {
      param: 'account_id',
    })
  }
  return own
}

/** Backends are the operator's to give. Throws 400, 403. */
function checkGlass(
  { actor, deps }: Call<KeyAdministrator>,
  rules: readonly { use: string }[] | null | undefined,
): void {
  if (!rules) return
  const param = 'break_glass'
  if (actor.kind !== 'master')
    throw new GatewayError('permission_denied', 'Only the operator gives keys a break-glass backend.', { param })
  const known = Object.keys(deps.settings.catalog.backends)
  const unknown = rules.find(({ use }) => !known.includes(use))
  if (!unknown) return
  const message = `There is no backend '${unknown.use.slice(0, 64)}'; configured: ${known.join(', ')}.`
  throw new GatewayError('invalid_parameter', message, { param })
}

/**
 * The groups a key gets (R63): configured ones, and those of the management key itself where the operator does not give them, since
 * a group is a permission.
 */
export function groupsFor(
  { actor, deps }: Call<KeyAdministrator>,
  wanted: readonly string[] | undefined,
): readonly string[] {
  const own = actor.kind === 'master' ? null : (actor.caller.key?.groups ?? DEFAULT_GROUPS)
  if (wanted === undefined) return own ?? DEFAULT_GROUPS
  const { current } = deps.catalog
  // The command line works without a catalog.
  const known = new Set(current.groups.size > 0 ? current.groups.keys() : Object.keys(deps.settings.catalog.groups))
  const unknown = wanted.find((group) => !known.has(group))
  if (unknown !== undefined) {
    const message = `There is no group '${unknown.slice(0, 64)}'; configured: ${[...known].join(', ')}.`
    throw new GatewayError('invalid_parameter', message, { param: 'groups' })
  }
  const foreign = own === null ? undefined : wanted.find((group) => !own.includes(group))
  if (foreign === undefined) return wanted
  throw new GatewayError('permission_denied', `This management key is not in the group '${foreign}'.`, {
    param: 'groups',
  })
}

/** Another account's key does not exist for this caller. */
async function ownKey(call: Call<KeyAdministrator>): Promise<ApiKey> {
  const key = await call.deps.keys.get(call.params['hash']!)
  const mayAccess = key && (call.actor.kind === 'master' || key.accountId === call.actor.caller.account.id)
  if (!mayAccess) throw new GatewayError('not_found', 'There is no API key with this hash.')
  return key
}

const present = async (call: Call<KeyAdministrator>, key: ApiKey): Promise<unknown> =>
  keyObject(key, await call.deps.keys.usage(key, call.nowMs))
