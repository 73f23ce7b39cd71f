import { createHash } from 'node:crypto'
import { z } from 'zod'
import { DAY_MS } from '#analytics/rollup-tables.ts'
import type { UsageGroup } from '#analytics/usage.ts'
import { usdNumber } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import { findPreset } from '#providers/presets.ts'
import type { Answer, Call } from './call.ts'
import { analyticsOf, ownAccount, type Reader } from './reader.ts'
import { validate } from './validate.ts'

/** Completed UTC days that OpenRouter tells of. */
export const ACTIVITY_DAYS = 30

const text = z.string().min(1).optional()
const ACTIVITY_QUERY = z.object({
  date: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a day such as 2026-01-31')
    .refine((day) => !Number.isNaN(Date.parse(day)), 'expected a day such as 2026-01-31')
    .optional(),
  api_key_hash: text,
  user_id: text,
  workspace_id: text,
  account_id: text,
  group_by: z.literal('workspace').optional(),
})

/** `GET /api/v1/activity` in OpenRouter's form: per day, model and endpoint, newest first (openrouter-api.md section 7). */
export async function readActivity(call: Call<Reader>): Promise<Answer> {
  const query = validate(ACTIVITY_QUERY, call.query)
  const today = Math.floor(call.nowMs / DAY_MS) * DAY_MS
  const days = daysOf(today, query.date)
  const keyId = query.api_key_hash === undefined ? undefined : await keyIdOf(call, query.api_key_hash)
  const wanted = query.workspace_id ?? query.account_id ?? query.user_id
  const own = ownAccount(call.actor)
  if (own !== undefined && wanted !== undefined && wanted !== own) {
    throw new GatewayError('permission_denied', 'A management key reads the activity of its own account only.')
  }
  const accountId = own ?? wanted
  const filter = {
    ...(accountId === undefined ? {} : { account_id: accountId }),
    ...(keyId === undefined ? {} : { key_id: keyId }),
  }
  const { groups } = await analyticsOf(call).usage({
    fromMs: days.at(-1)!,
    toMs: days[0]! + DAY_MS,
    groupBy: ['day', 'model_id', 'backend_id', ...(query.group_by === 'workspace' ? (['account_id'] as const) : [])],
    filter,
  })
  const data = groups.filter(({ dimensions }) => dimensions.model_id).map((group) => activityItem(call, group))
  return { body: { data: data.toReversed() } }
}

/** Newest first; only days that are over. */
function daysOf(today: number, date: string | undefined): number[] {
  const all = Array.from({ length: ACTIVITY_DAYS }, (_, at) => today - (at + 1) * DAY_MS)
  if (date === undefined) return all
  const wanted = Date.parse(date)
  if (all.includes(wanted)) return [wanted]
  const message = `Date must be within the last ${ACTIVITY_DAYS} (completed) UTC days.`
  throw new GatewayError('invalid_parameter', message, { param: 'date' })
}

/** Another account's key does not exist for this caller. */
async function keyIdOf(call: Call<Reader>, hash: string): Promise<string> {
  const key = await call.deps.keys.get(hash)
  const own = ownAccount(call.actor)
  if (!key || (own !== undefined && key.accountId !== own)) {
    throw new GatewayError('not_found', 'There is no API key with this hash.', { param: 'api_key_hash' })
  }
  return key.id
}

function activityItem(call: Call<Reader>, group: UsageGroup): Record<string, unknown> {
  const { model_id: model, backend_id: backend, account_id: account } = group.dimensions
  const billingOff = call.deps.settings.billingMode === 'off'
  return {
    date: new Date(group.startMs!).toISOString().slice(0, 10),
    model,
    model_permaslug: model,
    endpoint_id: endpointId(model ?? '', backend ?? ''),
    provider_name: providerName(call, backend ?? null),
    usage: usdNumber(billingOff ? group.list_nano : group.charged_nano),
    byok_usage_inference: 0,
    byok_requests: 0,
    requests: group.requests,
    prompt_tokens: group.tokens_input + group.tokens_cache_read + group.tokens_cache_write,
    completion_tokens: group.tokens_output,
    reasoning_tokens: group.tokens_reasoning,
    ...(account === undefined ? {} : { workspace_id: account }),
  }
}

/** Stable, and tells nothing of how the operator named the backend. */
export function endpointId(model: string, backend: string): string {
  const hex = createHash('sha256').update(`${backend}\n${model}`).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

/** The public label; a backend that is no longer configured is not known by more. */
function providerName(call: Call, backendId: string | null): string {
  const type = backendId === null ? undefined : call.deps.catalog.current.backends.get(backendId)?.type
  if (type === undefined) return 'unknown'
  return findPreset(type)?.label ?? type
}
