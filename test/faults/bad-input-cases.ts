/** M13, S16-S18: requests that must be refused, as data. Every case runs at every door it applies to. */
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { ErrorCode } from '#base/errors.ts'
import type { Dialect } from '#codecs/dialect.ts'
import type { CallOptions } from './client.ts'
import { modelOf, WIRES, type ChatSurface } from './wire.ts'

export interface Door {
  readonly name: string
  readonly surface: ChatSurface
  readonly dialect: Dialect
  readonly prefix: string
}

export const DOORS: readonly Door[] = [
  { name: 'chat', surface: 'openai-chat', dialect: 'openai', prefix: '' },
  { name: 'responses', surface: 'openai-responses', dialect: 'openai', prefix: '' },
  { name: 'messages', surface: 'anthropic-messages', dialect: 'anthropic', prefix: '' },
  { name: 'gemini', surface: 'gemini', dialect: 'gemini', prefix: '' },
  { name: 'openrouter chat', surface: 'openai-chat', dialect: 'openrouter', prefix: '/api' },
]

export interface Keys {
  readonly good: string
  readonly revoked: string
  readonly disabled: string
}

export interface BadCase {
  readonly name: string
  readonly status: number
  readonly code: ErrorCode
  readonly request: (door: Door, keys: Keys) => Partial<CallOptions>
  /** Left out: the good key. Null: no credential in the headers. */
  readonly key?: (keys: Keys) => string | null
  /** Left out: at all doors. */
  readonly doors?: (door: Door) => boolean
  /** Left out: 50 ms. More where the upload or the decoder takes the time. */
  readonly limitMs?: number
}

export const BODY_BYTES_MAX = 32 * 1024 * 1024
export const ANSWER_MS_MAX = 50
const UPLOAD_MS_MAX = 5000
const DECODE_MS_MAX = 1000
const DEPTH_MAX = 128
const STACKED_ENCODINGS = 50

/** The body of a good request, as an object to spoil. */
export function goodBody(door: Door): Record<string, unknown> {
  return WIRES[door.surface].body(modelOf(door.surface), false, 10, 'Hello')
}

export function goodPath(door: Door): string {
  return door.prefix + WIRES[door.surface].path(modelOf(door.surface), false)
}

const withText = (make: (text: string, door: Door) => string | Buffer) => (door: Door) => ({
  body: make(JSON.stringify(goodBody(door)), door),
})
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const withDepth = (depth: number) =>
  // The object itself is one level.
  withText((text) => `${text.slice(0, -1)},"extra":${nested(depth - 1)}}`)
const twice = (member: string) => withText((text) => `{${member},${member},${text.slice(1)}`)
const hasModelInBody = (door: Door): boolean => door.surface !== 'gemini'
const unchanged = (): Partial<CallOptions> => ({})

const OUTPUT_LIMIT: Readonly<Record<ChatSurface, (json: string) => string>> = {
  'openai-chat': (json) => `"max_tokens":${json}`,
  'openai-responses': (json) => `"max_output_tokens":${json}`,
  'anthropic-messages': (json) => `"max_tokens":${json}`,
  gemini: (json) => `"generationConfig":{"maxOutputTokens":${json}}`,
}
/** The good body with another output limit, written as text because JSON.stringify cannot write these numbers. */
const withLimit = (json: string) =>
  withText((text, door) =>
    text.replace(/"(max_tokens|max_output_tokens)":10|"generationConfig":\{[^}]*\}/, () =>
      OUTPUT_LIMIT[door.surface](json),
    ),
  )

const badLimits: readonly BadCase[] = ['-1', '1.5', '"10"', '1e400', '9223372036854775808', '[]', 'true'].map(
  (json) => ({
    name: `output limit ${json}`,
    status: 400,
    code: 'invalid_parameter',
    request: withLimit(json),
  }),
)

const duplicates: readonly BadCase[] = [
  { member: '"model":"x"', doors: hasModelInBody },
  { member: '"stream":false', doors: hasModelInBody },
  { member: '"generationConfig":{}', doors: (door: Door) => door.surface === 'gemini' },
].map(({ member, doors }) => ({
  name: `duplicate ${member}`,
  status: 400,
  code: 'invalid_request',
  request: twice(member),
  doors,
}))

const notJson = (name: string, body: (good: string) => string | Buffer): BadCase => ({
  name,
  status: 400,
  code: 'invalid_json',
  request: withText(body),
})

export const BAD_CASES: readonly BadCase[] = [
  notJson('empty body', () => ''),
  notJson('cut JSON', (good) => good.slice(0, -1)),
  notJson('text behind the object', (good) => `${good}x`),
  notJson('array', () => '[]'),
  notJson('number', () => '1'),
  notJson('trailing comma', (good) => `${good.slice(0, -1)},}`),
  notJson('NaN', (good) => `${good.slice(0, -1)},"extra":NaN}`),
  notJson('raw NUL in a string', (good) => good.replace('Hello', 'Hel\u0000lo')),
  notJson('byte order mark', (good) => `\uFEFF${good}`),
  notJson('bytes that are not UTF-8', (good) => Buffer.from(good.replace('Hello', 'Hell\u00FF'), 'latin1')),
  { name: `depth ${DEPTH_MAX + 1}`, status: 400, code: 'invalid_json', request: withDepth(DEPTH_MAX + 1) },
  { name: 'depth 100000', status: 400, code: 'invalid_json', request: withDepth(100_000) },
  ...duplicates,
  {
    name: 'duplicate output limit',
    status: 400,
    code: 'invalid_request',
    request: (door) => twice(OUTPUT_LIMIT[door.surface]('20'))(door),
  },
  {
    name: 'escaped duplicate of model',
    status: 400,
    code: 'invalid_request',
    request: withText((text) => `{"mo\\u0064el":"x",${text.slice(1)}`),
    doors: hasModelInBody,
  },
  ...badLimits,
  {
    name: 'declared body over the bound',
    status: 413,
    code: 'request_too_large',
    request: () => ({ declaredBytes: BODY_BYTES_MAX + 1, body: '{"model":' }),
  },
  {
    name: 'chunked body over the bound',
    status: 413,
    code: 'request_too_large',
    request: () => ({
      headers: { 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(BODY_BYTES_MAX + 1, 32),
    }),
    limitMs: UPLOAD_MS_MAX,
  },
  {
    name: 'gzip bomb',
    status: 413,
    code: 'request_too_large',
    request: () => ({ headers: { 'content-encoding': 'gzip' }, body: gzipBomb() }),
    limitMs: DECODE_MS_MAX,
  },
  {
    name: 'brotli bomb',
    status: 413,
    code: 'request_too_large',
    request: () => ({ headers: { 'content-encoding': 'br' }, body: brotliBomb() }),
    limitMs: DECODE_MS_MAX,
  },
  {
    name: `${STACKED_ENCODINGS} stacked encodings`,
    status: 415,
    code: 'unsupported_encoding',
    request: (door) => ({
      headers: { 'content-encoding': Array.from({ length: STACKED_ENCODINGS }, () => 'gzip').join(', ') },
      body: JSON.stringify(goodBody(door)),
    }),
  },
  {
    name: 'unknown model',
    status: 404,
    code: 'model_not_found',
    request: (door) => ({
      path: door.prefix + WIRES[door.surface].path('no-such-model', false),
      body: JSON.stringify({ ...goodBody(door), ...(hasModelInBody(door) ? { model: 'no-such-model' } : {}) }),
    }),
  },
  {
    name: 'model with an escaped NUL',
    status: 404,
    code: 'model_not_found',
    request: (door) => ({ body: JSON.stringify({ ...goodBody(door), model: 'no\u0000model' }) }),
    doors: hasModelInBody,
  },
  {
    name: 'no model',
    status: 400,
    code: 'missing_model',
    request: (door) => ({ body: JSON.stringify({ ...goodBody(door), model: undefined }) }),
    doors: hasModelInBody,
  },
  {
    name: 'model that is a number',
    status: 400,
    code: 'invalid_parameter',
    request: (door) => ({ body: JSON.stringify({ ...goodBody(door), model: 5 }) }),
    doors: hasModelInBody,
  },
  { name: 'wrong method', status: 405, code: 'method_not_allowed', request: () => ({ method: 'PUT' }) },
  { name: 'no key', status: 401, code: 'api_key_required', request: unchanged, key: () => null },
  { name: 'garbage key', status: 401, code: 'invalid_api_key', request: unchanged, key: () => 'sk-garbage' },
  {
    name: 'key with a hostile text',
    status: 401,
    code: 'invalid_api_key',
    request: unchanged,
    key: () => `' OR 1=1; --${'x'.repeat(2000)}`,
  },
  { name: 'revoked key', status: 401, code: 'invalid_api_key', request: unchanged, key: (keys) => keys.revoked },
  { name: 'disabled key', status: 403, code: 'key_disabled', request: unchanged, key: (keys) => keys.disabled },
  {
    name: 'key in the query',
    status: 400,
    code: 'api_key_in_query',
    request: (door, keys) => ({ path: `${goodPath(door)}?key=${keys.good}` }),
    key: () => null,
    doors: (door) => door.surface !== 'gemini',
  },
]

/** Odd but legal JSON: accepted and passed on, or refused with 400, and never anything else. */
export const ODD_BODIES: readonly { readonly name: string; readonly body: (good: string) => string }[] = [
  { name: 'lone surrogate', body: (good) => good.replace('Hello', '\\ud800') },
  { name: '__proto__ member', body: (good) => `{"__proto__":{"stream":true,"isAdmin":true},${good.slice(1)}` },
  { name: 'constructor member', body: (good) => `{"constructor":{"prototype":{"isAdmin":true}},${good.slice(1)}` },
  { name: 'escaped NUL in the prompt', body: (good) => good.replace('Hello', 'Hel\\u0000lo') },
  { name: 'depth at the bound', body: (good) => `${good.slice(0, -1)},"extra":${nested(DEPTH_MAX - 1)}}` },
  { name: 'big integer', body: (good) => `${good.slice(0, -1)},"seed":9007199254740993}` },
]

/** A compressed body that is none of the above. */
export const ENCODERS: Readonly<Record<string, (text: string) => Buffer>> = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
}

const BOMB_BYTES = 2 * BODY_BYTES_MAX
let gzip: Buffer | undefined
let brotli: Buffer | undefined

function gzipBomb(): Buffer {
  return (gzip ??= gzipSync(Buffer.alloc(BOMB_BYTES, 32)))
}

function brotliBomb(): Buffer {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 1 }
  return (brotli ??= brotliCompressSync(Buffer.alloc(BOMB_BYTES, 32), { params }))
}
