import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import type { Answer, Call, KeyActor, MasterActor, Nobody } from './call.ts'
import { accountFor, groupsFor, KEY_NAME_LENGTH_MAX } from './keys.ts'
import { isoTime, usdLimit, validate } from './validate.ts'

/** What an application and OpenRouter's SDK write of a challenge (RFC 7636). */
const CHALLENGE_LENGTH_MAX = 128
const URL_LENGTH_MAX = 2048
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Where a browser is sent with the code: over TLS, or to the machine it runs on, at any port. */
const callback = z
  .string()
  .max(URL_LENGTH_MAX)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : null
    return url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.has(url.hostname))
  }, 'expected an https URL, or an http URL of this machine')

const method = z.enum(['S256', 'plain'], 'expected S256 or plain').nullable().optional()

export const NEW_CODE = z.object({
  callback_url: callback.optional(),
  code_challenge: z.string().min(1).max(CHALLENGE_LENGTH_MAX).optional(),
  code_challenge_method: method,
  limit: usdLimit.nullable().optional(),
  usage_limit_type: z.enum(['daily', 'weekly', 'monthly']).nullable().optional(),
  expires_at: isoTime.nullable().optional(),
  key_label: z.string().trim().min(1).max(KEY_NAME_LENGTH_MAX).optional(),
  workspace_id: z.string().min(1).optional(),
})

export const CODE_EXCHANGE = z.object({
  code: z.string().min(1).max(CHALLENGE_LENGTH_MAX),
  code_verifier: z.string().min(1).max(CHALLENGE_LENGTH_MAX).optional(),
  code_challenge_method: method,
})

/** `POST /api/v1/auth/keys/code`: the user allows an application a key -> `{data: {id, app_id, created_at}}`; the id is the code. */
export async function createAuthCode(call: Call<KeyActor | MasterActor>): Promise<Answer> {
  const input = validate(NEW_CODE, call.body ?? {})
  const { code_challenge: text, callback_url: url } = input
  if (text === undefined && url === undefined) {
    const message = 'A flow without a callback_url needs a code_challenge.'
    throw new GatewayError('invalid_parameter', message, { param: 'code_challenge' })
  }
  const app = nameOf(call, url)
  const id = await call.deps.keys.createCode({
    accountId: accountFor(call.actor, input.workspace_id),
    nowMs: call.nowMs,
    challenge: text === undefined ? null : { text, method: input.code_challenge_method ?? 'plain' },
    wish: {
      name: input.key_label ?? app.slice(0, KEY_NAME_LENGTH_MAX),
      system: app.slice(0, KEY_NAME_LENGTH_MAX),
      groups: groupsFor(call, undefined),
      limitNano: input.limit == null ? null : String(input.limit),
      limitReset: input.usage_limit_type ?? null,
      expiresMs: input.expires_at ?? null,
    },
  })
  return { body: { data: { id, app_id: crc32(app), created_at: new Date(call.nowMs).toISOString() } } }
}

/** `POST /api/v1/auth/keys`: the application's half, without a key -> `{key, user_id}`. A code counts once and for ten minutes. */
export async function exchangeAuthCode(call: Call<Nobody>): Promise<Answer> {
  const { code, code_verifier: verifier } = validate(CODE_EXCHANGE, call.body ?? {})
  const { keys } = call.deps
  const found = await keys.takeCode(code, verifier, call.nowMs)
  if (!found)
    throw new GatewayError('permission_denied', 'The code is unknown, used or too old, or its verifier is wrong.')
  const { limitNano: limit, ...wish } = found.wish
  const limitNano = limit === null ? null : BigInt(limit)
  const { plaintext } = await keys.create({ ...wish, accountId: found.accountId, limitNano })
  return { headers: { 'cache-control': 'private, no-store' }, body: { key: plaintext, user_id: found.accountId } }
}

/** What the log and the list of keys call the application: its title, else where it lives. */
function nameOf({ headers }: Call, url: string | undefined): string {
  const title = headers['x-openrouter-title'] ?? headers['x-title']
  if (typeof title === 'string' && title.trim() !== '') return title.trim()
  return url === undefined ? 'application' : new URL(url).host
}
