import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '#main'
import { type Script, startUpstream, type Upstream, type UpstreamOptions } from '#test/upstream/upstream.ts'

/** A whole gateway in this process, in front of the scriptable upstream, administered through its own API only. */

// The tests look into bodies of every route.
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any

export interface Ask {
  readonly method?: string
  /** Sent as `Authorization: Bearer`; null sends none. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface Told {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Json
}

export interface Funded {
  readonly accountId: string
  readonly key: string
  readonly hash: string
}

export interface Wish {
  /** Decimal USD. */
  readonly credit?: string
  readonly mode?: 'prepaid' | 'postpaid'
  readonly creditLimit?: string | null
  /** Members of `POST /api/v1/keys` besides name and account. */
  readonly newKey?: object
}

export interface TestGateway {
  readonly url: string
  readonly upstream: Upstream
  readonly masterKey: string
  /** A key of an account with USD 100. */
  readonly key: string
  readonly accountId: string
  /** The configuration file; a change of it is a change of the configuration. */
  readonly configFile: string
  readonly running: RunningGateway
  /** One request, read to its end. */
  ask(path: string, options?: Ask): Promise<Told>
  /** One request whose body is left to the caller. */
  open(path: string, options?: Ask): Promise<Response>
  /** One call with the master key. Throws on a status of 400 and above. */
  admin(method: string, path: string, body?: unknown): Promise<Json>
  fund(wish?: Wish): Promise<Funded>
  account(accountId: string): Promise<Json>
  /** Entries of an account, newest first, at most 500. */
  ledger(accountId: string): Promise<Json[]>
  /** Log rows of an account or of everybody, newest first, at most 500. */
  logs(accountId?: string): Promise<Json[]>
  log(requestId: string): Promise<Json>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Credentials of the upstream; no answer, header or log row may ever show one. */
export const UPSTREAM_KEYS = {
  openai: 'sk-upstreamOpenai0123456789abcdef',
  anthropic: 'sk-ant-upstreamAnthropic0123456789',
  gemini: 'AIzaUpstreamGemini0123456789abcdef',
} as const

/** Public id -> the upstream's own name, per surface. They differ, so that every rename is seen. */
export const MODELS = {
  chat: { id: 'gpt-test', upstream: 'gpt-upstream-2026' },
  messages: { id: 'claude-test', upstream: 'claude-upstream@2026' },
  gemini: { id: 'gemini-test', upstream: 'gemini-upstream-001' },
  embedding: { id: 'embed-test', upstream: 'embed-upstream' },
  geminiEmbedding: { id: 'gemini-embed-test', upstream: 'gemini-embed-upstream' },
} as const

/** USD per million tokens: input 3, output 15, cache read 0.30, cache write 3.75 and 6. */
export const PRICE = { input: 3, output: 15, cache_read: 0.3, cache_write: 3.75, cache_write_1h: 6 }

/** A chat model of a configuration, with `rest` laid over it. */
export const model = (id: string, rest: object = {}) => ({
  id,
  vendor: 'openai',
  context_window: 100_000,
  max_output: 1000,
  price: PRICE,
  ...rest,
})

const CHAT = { context_window: 100_000, max_output: 8000, capabilities: ['streaming', 'tools'], price: PRICE }
const EMBEDDING = { context_window: 8192, capabilities: ['embeddings'], price: { input: 0.1 } }

/** Three vendors behind one scriptable upstream; `sim` is the built-in simulator. */
export function configFor(upstreamUrl: string, change: Record<string, object> = {}): Record<string, Json> {
  const route = ({ id, upstream }: { id: string; upstream: string }, backend: string) => ({
    model: id,
    backend,
    upstream_model: upstream,
  })
  return {
    logging: { level: 'silent' },
    // One upstream call per request; what follows a failure has tests of its own (failover.test.ts).
    failure_handling: { enabled: false },
    models: [
      { id: MODELS.chat.id, vendor: 'openai', ...CHAT },
      { id: MODELS.messages.id, vendor: 'anthropic', ...CHAT },
      { id: MODELS.gemini.id, vendor: 'google', ...CHAT },
      { id: MODELS.embedding.id, vendor: 'openai', ...EMBEDDING },
      { id: MODELS.geminiEmbedding.id, vendor: 'google', ...EMBEDDING },
    ],
    routes: [
      route(MODELS.chat, 'openai'),
      route(MODELS.messages, 'anthropic'),
      route(MODELS.gemini, 'gemini'),
      route(MODELS.embedding, 'openai'),
      { ...route(MODELS.geminiEmbedding, 'gemini'), protocols: ['gemini'] },
    ],
    ...change,
    backends: {
      openai: { type: 'openai', api_url: `${upstreamUrl}/v1`, api_key_env: 'OPENAI_API_KEY' },
      anthropic: { type: 'anthropic', api_url: upstreamUrl, api_key_env: 'ANTHROPIC_API_KEY' },
      gemini: { type: 'gemini', api_url: upstreamUrl, api_key_env: 'GEMINI_API_KEY' },
      ...change['backends'],
    },
  }
}

export interface TestGatewayOptions {
  /** Top-level members that replace those of `configFor`; members of `backends` are added. */
  readonly config?: Record<string, object> | ((upstreamUrl: string) => Record<string, object>)
  readonly flags?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  /** Answers of the upstream from the very start. */
  readonly always?: Script
  readonly upstream?: UpstreamOptions
  /** The clock of limits over time. */
  readonly now?: () => number
  readonly alertIntervalMs?: number
}

/** The environment of the gateway under test: nothing of the machine's own, so that no real key is ever found. */
export const ENVIRONMENT = {
  OPENAI_API_KEY: UPSTREAM_KEYS.openai,
  ANTHROPIC_API_KEY: UPSTREAM_KEYS.anthropic,
  GEMINI_API_KEY: UPSTREAM_KEYS.gemini,
} as const

export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const upstream = await startUpstream(options.upstream)
  upstream.always(options.always)
  const folder = mkdtempSync(join(tmpdir(), 'trivium-e2e-'))
  const configFile = join(folder, 'config.yaml')
  const config = typeof options.config === 'function' ? options.config(upstream.url) : options.config
  writeFileSync(configFile, JSON.stringify(configFor(upstream.url, config)))
  const masterKey = `mk-${randomBytes(16).toString('hex')}`
  const running = await startGateway({
    flags: { port: 0, ...options.flags },
    env: { ...ENVIRONMENT, GATEWAY_MASTER_KEY: masterKey, ...options.env },
    cwd: folder,
    ...(options.now && { now: options.now }),
    ...(options.alertIntervalMs && { alertIntervalMs: options.alertIntervalMs }),
  })
  const api = administer(running.url, masterKey)
  const { key, accountId } = await api.fund()
  const close = async (): Promise<void> => {
    await running.close()
    await upstream.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
  const base = { url: running.url, upstream, masterKey, key, accountId, configFile, running }
  return {
    ...base,
    ...api,
    open: (path, ask = {}) => open(running.url, path, { key, ...ask }),
    ask: async (path, ask = {}) => read(await open(running.url, path, { key, ...ask })),
    close,
    [Symbol.asyncDispose]: close,
  }
}

type Administration = Pick<TestGateway, 'admin' | 'fund' | 'account' | 'ledger' | 'logs' | 'log'>

/** The management API of a gateway anywhere. */
export function administer(url: string, masterKey: string): Administration {
  let accounts = 0
  const admin = async (method: string, path: string, body?: unknown): Promise<Json> => {
    const { status, text, json } = await read(await open(url, path, { method, key: masterKey, body }))
    if (status >= 400) throw new Error(`${method} ${path}: ${status} ${text.slice(0, 500)}`)
    return json
  }
  const about = (accountId?: string) => (accountId === undefined ? '' : `&account_id=${accountId}`)
  return {
    admin,
    async fund({ credit = '100', mode = 'prepaid', creditLimit, newKey }: Wish = {}) {
      const email = `account-${++accounts}-${randomBytes(4).toString('hex')}@example.com`
      const limit = creditLimit === undefined ? {} : { credit_limit: creditLimit }
      const account = await admin('POST', '/api/admin/accounts', { email, mode, credit, ...limit })
      const made = await admin('POST', '/api/v1/keys', { name: email, account_id: account.id, ...newKey })
      return { accountId: account.id, key: made.key, hash: made.data.hash }
    },
    account: (accountId) => admin('GET', `/api/admin/accounts/${accountId}`),
    ledger: async (accountId) => (await admin('GET', `/api/admin/ledger?limit=500${about(accountId)}`)).data,
    logs: async (accountId) => (await admin('GET', `/api/logs?limit=500${about(accountId)}`)).data,
    log: (requestId) => admin('GET', `/api/logs/${requestId}`),
  }
}

async function open(url: string, path: string, ask: Ask): Promise<Response> {
  const { key, body, signal } = ask
  return fetch(url + path, {
    method: ask.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...ask.headers,
    },
    ...(body === undefined
      ? {}
      : { body: typeof body === 'string' || Buffer.isBuffer(body) ? (body as string) : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  })
}

async function read(response: Response): Promise<Told> {
  const text = await response.text()
  const isJson = (response.headers.get('content-type') ?? '').includes('json') && text !== ''
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}

/** The `data:` values of a stream, in order, `[DONE]` left out. */
export function eventsOf(text: string): Json[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:') && !line.includes('[DONE]'))
    .map((line) => JSON.parse(line.slice('data:'.length)))
}
