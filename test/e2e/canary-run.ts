import assert from 'node:assert/strict'
import { Gateway } from '#test/faults/gateway.ts'
import { paidSession, signEvent, type TestStripe } from '#test/payments/stripe.ts'
import type { Upstream } from '#test/upstream/upstream.ts'
import { browserAt, PASSWORD, person } from './browser.ts'
import { administer, configFor, type Json, MODELS, UPSTREAM_KEYS } from './gateway.ts'

/** A whole day of a gateway in a minute, with texts that nobody may find again afterwards (S13). */

export const PROMPT = 'canary-prompt-5f1c9a'
/** A stream cuts what it says in two: each half is one. */
export const COMPLETION = 'canary-said-77b0e2'
const CARD = 'card_1CanaryVisa4242Ff00'
const STRIPE = { STRIPE_SECRET_KEY: 'sk_test_canary77aa01bb', STRIPE_WEBHOOK_SECRET: 'whsec_canary99cc02dd' }

const messages = [{ role: 'user', content: PROMPT }]
const chat = { model: MODELS.chat.id, messages }
const contents = [{ parts: [{ text: PROMPT }] }]
const gemini = `/v1beta/models/${MODELS.gemini.id}`
const claude = { model: MODELS.messages.id, max_tokens: 9, messages }

/** Every surface, whole and streamed, the upstream's protocol and another one. */
const CALLS: readonly (readonly [string, object])[] = [
  ['/v1/chat/completions', chat],
  ['/v1/chat/completions', { ...chat, stream: true, stream_options: { include_usage: true } }],
  ['/v1/chat/completions', { ...chat, model: MODELS.messages.id, stream: true }],
  ['/v1/responses', { model: MODELS.chat.id, input: PROMPT, store: false }],
  ['/v1/responses', { model: MODELS.chat.id, input: PROMPT, store: false, stream: true }],
  ['/v1/messages', claude],
  ['/v1/messages', { ...claude, stream: true }],
  ['/v1/messages', { ...claude, model: MODELS.gemini.id }],
  ['/v1/messages/count_tokens', { model: MODELS.messages.id, messages }],
  [`${gemini}:generateContent`, { contents }],
  [`${gemini}:streamGenerateContent?alt=sse`, { contents }],
  [`${gemini}:streamGenerateContent`, { contents }],
  ['/v1/embeddings', { model: MODELS.embedding.id, input: PROMPT }],
  ['/api/v1/chat/completions', { ...chat, stream: true }],
  ['/api/v1/chat/completions', { ...chat, temperature: 9, logit_bias: { 7: 1 }, model: MODELS.messages.id }],
]

/** What an operator or an owner looks at afterwards, and what a support case would be given. */
const VIEWS = [
  '/api/logs?limit=500',
  '/api/audit?limit=500',
  '/api/usage?group_by=key,day',
  '/api/usage?group_by=app',
  '/api/usage/summary',
  '/api/usage/export?format=csv',
  '/api/usage/export?format=jsonl',
  '/v1/usage/stats',
  '/v1/usage/recent?limit=1000',
  '/v1/usage/export',
  '/api/stats/models',
  '/api/insights/costs',
  '/api/v1/activity',
  '/v1/diagnostics',
  '/api/admin/accounts',
  '/api/admin/backends',
  '/api/admin/alerts',
  '/api/admin/ledger?limit=500',
  '/api/admin/vouchers',
  '/api/admin/receipts/verify',
  '/api/v1/keys?include_disabled=true',
  '/catalog/models',
  '/api/openapi.json',
  '/metrics',
  '/health',
]

export interface CanaryRun {
  /** Whose texts must not be found anywhere. */
  readonly secrets: Readonly<Record<string, string>>
  /** Every error and every view, as it was told. */
  readonly told: readonly string[]
  /** The addresses of the views that there are. */
  readonly seen: readonly string[]
}

/** A process of its own that writes down all that it can. The caller stops it. */
export function startCanaryGateway(
  folder: string,
  upstream: Upstream,
  stripe: TestStripe,
  env: Readonly<Record<string, string>>,
): Promise<Gateway> {
  const logging = { level: 'trace', file: `${folder}/gateway.log`, capture_file: `${folder}/capture.jsonl` }
  return Gateway.start({
    config: configFor(upstream.url, { logging }),
    folder,
    env: {
      OPENAI_API_KEY: UPSTREAM_KEYS.openai,
      ANTHROPIC_API_KEY: UPSTREAM_KEYS.anthropic,
      GEMINI_API_KEY: UPSTREAM_KEYS.gemini,
      STRIPE_API_URL: stripe.url,
      ...STRIPE,
      ...env,
    },
  })
}

/** Plays it, kills the gateway within a stream, and starts it again. */
export async function playCanaries(gateway: Gateway, upstream: Upstream): Promise<CanaryRun> {
  const told: string[] = []
  const ask = askerAt(gateway.baseUrl)
  const { admin } = administer(gateway.baseUrl, gateway.masterKey)
  const owner = await gateway.fund('canary-owner@example.com', '50')
  const manager: Json = await admin('POST', '/api/v1/keys', {
    name: 'm',
    kind: 'management',
    account_id: owner.accountId,
  })
  const browser = browserAt(gateway.baseUrl)
  await browser.auth('/sign-up/email', person('canary@example.com'))
  const cookie = decodeURIComponent(browser.cookies.get('trivium.session_token')!)
  const voucher: Json = await admin('POST', '/api/admin/vouchers', { amount: '5' })

  for (const [at, [path, body]] of CALLS.entries()) {
    const answer = await ask('POST', path, owner.key, body, { 'x-title': 'app', 'idempotency-key': `call-${at}` })
    // The run is real: the client got what nobody else may have.
    if (!/count_tokens|embeddings/.test(path)) assert.ok(answer.includes(COMPLETION), `${path}: ${answer}`)
  }
  await provoke(ask, upstream, { owner, manager: manager.key, cookie, voucher: voucher.data[0].code }, told)
  await pay(ask, manager.key, told)
  const rotated: Json = await admin('POST', `/api/v1/keys/${owner.hash}/rotate`)

  // In the middle of a stream and of a request that was not answered yet.
  const arrived = upstream.received.length
  const half = `data: {"choices":[{"index":0,"delta":{"content":"${COMPLETION}"}}]}\n\n`
  upstream.script({ frames: [half, half], stallAfterFrames: 1 }, { hang: true })
  const open = [CALLS[1]!, CALLS[5]!].map(([path, body]) => ask('POST', path, rotated.key, body).catch(() => 'cut'))
  await upstream.whenReceived(arrived + 2)
  await gateway.kill('SIGKILL')
  await Promise.all(open)
  await gateway.run()

  const seen: string[] = []
  for (const path of VIEWS) {
    const response = await fetch(gateway.baseUrl + path, { headers: { authorization: `Bearer ${gateway.masterKey}` } })
    told.push(await response.text())
    if (response.ok) seen.push(path)
  }
  for (const path of ['/api/logs', '/v1/me', '/api/v1/key', '/api/v1/credits', '/v1/me/orders', '/api/usage/export'])
    told.push(await ask('GET', path, rotated.key))
  const people = {
    key: owner.key,
    manager: manager.key,
    rotated: rotated.key,
    master: gateway.masterKey,
    cookie,
    PASSWORD,
  }
  const secrets = { ...people, voucher: voucher.data[0].code, CARD, PROMPT, COMPLETION, ...STRIPE, ...UPSTREAM_KEYS }
  return { secrets, told, seen }
}

type Asker = (method: string, path: string, key: string | null, body?: unknown, headers?: object) => Promise<string>

/** One request, told by its body. */
function askerAt(root: string): Asker {
  return async (method, path, key, body, headers = {}) => {
    const response = await fetch(root + path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return response.text()
  }
}

interface Canaries {
  readonly owner: { readonly key: string; readonly hash: string }
  readonly manager: string
  readonly cookie: string
  readonly voucher: string
}

/** Every kind of error: of upstreams that repeat what they were sent, of keys, of bodies, of management. */
async function provoke(
  ask: Asker,
  upstream: Upstream,
  { owner, manager, cookie, voucher }: Canaries,
  told: string[],
): Promise<void> {
  const fail = async (...given: Parameters<typeof ask>): Promise<void> => void told.push(await ask(...given))
  for (const status of [400, 401, 404, 429, 500]) {
    for (const [path, body] of [CALLS[0]!, CALLS[1]!, CALLS[5]!, CALLS[9]!]) {
      // Some providers repeat what they were sent.
      const message = `refused ${Object.values(UPSTREAM_KEYS).join(' ')} for ${PROMPT}`
      upstream.script({ status, body: { error: { message, type: 'x', code: 'x' } } })
      // What the client sent may come back to the client, and to nobody else: it is not among what was told.
      const answer = await ask('POST', path, owner.key, body)
      told.push(answer.replaceAll(PROMPT, ''))
    }
  }
  await fail('POST', CALLS[0]![0], owner.key, `{"model":"${MODELS.chat.id}","messages":["${PROMPT}"`)
  await fail('POST', CALLS[0]![0], `${owner.key.slice(0, -1)}!`, chat)
  await fail('POST', CALLS[0]![0], manager, chat)
  await fail('POST', `${CALLS[0]![0]}?key=${owner.key}`, null, chat)
  await fail('POST', CALLS[0]![0], null, chat, {
    'x-api-key': `${owner.key}x`,
    cookie: `trivium.session_token=${cookie}`,
  })
  await fail('POST', '/api/admin/accounts', owner.key, {})
  await fail('PATCH', `/api/v1/keys/${owner.hash}`, manager, { limit: PROMPT, name: { x: manager } })
  await fail('GET', `/api/logs/${owner.key}`, owner.key)
  await fail('GET', `/no/such/path/${owner.key}`, owner.key)
  await fail('POST', '/v1/me/vouchers', owner.key, { code: `${voucher}x` })
  await fail('POST', '/v1/me/vouchers', owner.key, { code: voucher })
  await fail('POST', '/api/auth/sign-in/email', null, { email: 'canary@example.com', password: `${PASSWORD}x` })
}

/** A checkout that is paid with a card, as the provider tells it; once with a signature that is wrong. */
async function pay(ask: Asker, key: string, told: string[]): Promise<void> {
  const order = JSON.parse(await ask('POST', '/v1/me/checkout', key, { amount: '10' }))
  const card = { id: CARD, brand: 'visa', last4: '4242', fingerprint: CARD }
  const event = paidSession({
    sessionId: `cs_${order.id}`,
    orderId: order.id,
    cents: 1000,
    change: { payment_method: CARD, payment_method_details: { card } },
  })
  for (const secret of ['whsec_wrong', STRIPE.STRIPE_WEBHOOK_SECRET]) {
    const headers = { 'stripe-signature': signEvent(event, secret) }
    told.push(await ask('POST', '/api/webhooks/stripe', null, event, headers))
  }
}
