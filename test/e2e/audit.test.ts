import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startStripe } from '#test/payments/stripe.ts'
import { type Browser, browserAt, person } from './browser.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { type Operation, operationsOf } from './operations.ts'

/** R17: whatever changes something through the control plane leaves a row in the audit log, and the row tells no secret. */

/** Changes nothing, or is no administration: each with its reason. */
const EXEMPT: Readonly<Record<string, string>> = {
  'POST /v1/route/explain': 'only explains',
  'POST /api/route/explain': 'only explains',
  'POST /api/auth/{rest}': "better-auth's; sessions are rows of their own",
  'POST /api/v1/credits/coinbase': 'is refused to everybody',
  'POST /api/admin/reconciliations': 'only compares; what it finds is an alert',
  'POST /api/alerts/acknowledge': 'notes what was read',
  'POST /api/alerts/{id}/acknowledge': 'notes what was read',
  ...Object.fromEntries(
    ['/v1', '/api/v1'].flatMap((prefix) => [
      [`DELETE ${prefix}/responses/{id}`, 'traffic: what a request left behind'],
      [`POST ${prefix}/responses/{id}/cancel`, 'is refused to everybody'],
    ]),
  ),
}

const CHAT = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }

let gateway: TestGateway
let closeStripe: () => unknown
let operations: Operation[]
let administration: string
let hash: string
let admin: Browser

/** A write that works: its path and its body, made when it is its turn. */
type Trial = () => Promise<{ path: string; body?: object; key?: string }>

const of = (path: string) => `${path}?account_id=${gateway.accountId}`
const made = async (method: string, path: string, body: object): Promise<Json> => gateway.admin(method, path, body)
const budget = async () =>
  (await made('POST', of('/api/v1/budgets'), { scope: 'account', max_usd: '100', period: 'daily' })).id
const route = async () => (await made('POST', '/api/admin/routes', { model: MODELS.chat.id, backend: 'anthropic' })).id
const voucher = async () => (await made('POST', '/api/admin/vouchers', { amount: '5' })).data[0]
const key = async () => (await made('POST', '/api/v1/keys', { name: 'x', account_id: gateway.accountId })).data.hash

const TRIALS: Readonly<Record<string, Trial>> = {
  'POST /api/v1/keys': async () => ({ path: '/api/v1/keys', body: { name: 'n', account_id: gateway.accountId } }),
  'PATCH /api/v1/keys/{hash}': async () => ({ path: `/api/v1/keys/${hash}`, body: { name: 'renamed' } }),
  'POST /api/v1/keys/{hash}/rotate': async () => ({ path: `/api/v1/keys/${await key()}/rotate`, body: {} }),
  'DELETE /api/v1/keys/{hash}': async () => ({ path: `/api/v1/keys/${await key()}` }),
  'POST /api/v1/auth/keys/code': async () => ({
    path: '/api/v1/auth/keys/code',
    body: { code_challenge: 'plain-challenge' },
    key: administration,
  }),
  'POST /api/v1/auth/keys': async () => {
    const { json } = await gateway.ask('/api/v1/auth/keys/code', {
      key: administration,
      body: { code_challenge: 'abc' },
    })
    return { path: '/api/v1/auth/keys', body: { code: json.data.id, code_verifier: 'abc' } }
  },
  'POST /v1/me/vouchers': async () => ({
    path: '/v1/me/vouchers',
    body: { code: (await voucher()).code },
    key: gateway.key,
  }),
  'POST /v1/me/checkout': async () => ({ path: '/v1/me/checkout', body: { amount: '5' }, key: gateway.key }),
  'PATCH /api/v1/auto-topup': async () => ({ path: of('/api/v1/auto-topup'), body: { enabled: false } }),
  'POST /api/admin/vouchers': async () => ({ path: '/api/admin/vouchers', body: { amount: '5', count: 2 } }),
  'DELETE /api/admin/vouchers/{id}': async () => ({ path: `/api/admin/vouchers/${(await voucher()).id}` }),
  'POST /api/v1/budgets': async () => ({ path: of('/api/v1/budgets'), body: { max_usd: '7' } }),
  'PATCH /api/v1/budgets/{id}': async () => ({ path: of(`/api/v1/budgets/${await budget()}`), body: { max_usd: '8' } }),
  'DELETE /api/v1/budgets/{id}': async () => ({ path: of(`/api/v1/budgets/${await budget()}`) }),
  'PATCH /api/v1/alert-settings': async () => ({
    path: of('/api/v1/alert-settings'),
    body: { thresholds: [60], rotate_secret: true },
  }),
  'PATCH /api/v1/content-log': async () => ({
    path: of('/api/v1/content-log'),
    body: { content_log: { mode: 'full', retention_days: 1 } },
  }),
  'DELETE /api/logs/{id}/content': async () => {
    await made('PATCH', of('/api/v1/content-log'), { content_log: { mode: 'full' } })
    const answered = await gateway.ask('/v1/chat/completions', { key: gateway.key, body: CHAT })
    return { path: `/api/logs/${answered.headers.get('x-request-id')}/content`, key: administration }
  },
  'DELETE /api/logs/content': async () => ({ path: of('/api/logs/content') }),
  'POST /api/sessions/{id}/stop': async () => {
    const headers = { 'x-session-id': 'an-agent' }
    await gateway.ask('/v1/chat/completions', { key: gateway.key, body: CHAT, headers })
    const { data } = (await gateway.ask('/api/sessions', { key: gateway.key })).json
    return { path: of(`/api/sessions/${data[0].id}/stop`), body: {} }
  },
  'POST /api/admin/accounts': async () => ({
    path: '/api/admin/accounts',
    body: { email: 'new@example.com', mode: 'prepaid' },
  }),
  'PATCH /api/admin/accounts/{id}': async () => ({
    path: `/api/admin/accounts/${gateway.accountId}`,
    body: { tier: 'gold' },
  }),
  'POST /api/admin/accounts/{id}/credits': async () => ({
    path: `/api/admin/accounts/${gateway.accountId}/credits`,
    body: { amount: '1' },
  }),
  'POST /api/admin/routes': async () => ({
    path: '/api/admin/routes',
    body: { model: MODELS.chat.id, backend: 'anthropic' },
  }),
  'PATCH /api/admin/routes/{id}': async () => ({ path: `/api/admin/routes/${await route()}`, body: { priority: -3 } }),
  'DELETE /api/admin/routes/{id}': async () => ({ path: `/api/admin/routes/${await route()}` }),
}

const entries = async (query = ''): Promise<Json[]> => (await gateway.admin('GET', `/api/audit?limit=500${query}`)).data

async function entryOf(told: Told): Promise<Json> {
  const requestId = told.headers.get('x-request-id')
  return (await entries()).find((entry) => entry.request_id === requestId)
}

before(async () => {
  const stripe = await startStripe()
  closeStripe = stripe.close
  const env = { STRIPE_SECRET_KEY: 'sk_test', STRIPE_WEBHOOK_SECRET: 'whsec_test', STRIPE_API_URL: stripe.url }
  gateway = await startTestGateway({ env })
  operations = (await operationsOf(gateway)).filter(({ method }) => method !== 'GET' && method !== 'OPTIONS')
  administration = (
    await made('POST', '/api/v1/keys', { name: 'm', account_id: gateway.accountId, kind: 'management' })
  ).key
  hash = await key()
  admin = browserAt(gateway.url)
  await admin.auth('/sign-up/email', person('admin@example.com'))
})
after(async () => {
  await gateway.close()
  await closeStripe()
})

test('R17: every operation that writes leaves a row that names who, what and whose, and holds no secret', async () => {
  assert.ok(operations.length >= 20)
  for (const { method, path } of operations) {
    const name = `${method} ${path}`
    if (EXEMPT[name]) continue
    const trial = TRIALS[name]
    assert.ok(trial, `${name} writes: give it a trial here, and an audit row in routes.ts`)
    const { path: at, body, key: own } = await trial()
    const told = await gateway.ask(at, { method, key: own ?? gateway.masterKey, ...(body && { body }) })
    assert.ok(told.status < 300, `${name}: ${told.status} ${told.text}`)
    const entry = await entryOf(told)
    assert.ok(entry, `${name} left no row`)
    assert.match(entry.action, /^[a-z_]+\.[a-z]+$/)
    assert.ok(entry.target_id, name)
    assert.equal(entry.after === null, method === 'DELETE', name)
    if (method === 'PATCH' && !path.includes('auto-topup')) {
      assert.ok(entry.before, `${name} tells what was`)
      assert.notDeepEqual(entry.after, entry.before, name)
    }
    if (own) assert.match(entry.actor, /^key_/, name)
    else if (path !== '/api/v1/auth/keys') assert.equal(entry.actor, 'master', name)
    const text = JSON.stringify(entry)
    const secrets = [gateway.key, administration, gateway.masterKey, told.json?.key, told.json?.webhook_secret]
    secrets.push(...(Array.isArray(told.json?.data) ? told.json.data.map((one: Json) => one.code) : [told.json?.code]))
    if (body && 'code' in body) secrets.push(body.code)
    for (const secret of secrets) if (secret) assert.ok(!text.includes(secret), `${name}: ${secret}`)
    assert.doesNotMatch(text, /sk-tv-\w{20}|TV-\w{5}-|whsec_\w/, name)
  }
})

test('R17: a refused write leaves none', async () => {
  const before = (await entries()).length
  for (const { method, path } of operations) {
    await gateway.ask(path.replace(/\{\w+\}/g, 'nothing'), { method, key: gateway.key, body: {} })
    await gateway.ask(path.replace(/\{\w+\}/g, 'nothing'), { method, key: gateway.masterKey, body: { nonsense: 1 } })
  }
  const after = await entries()
  // A checkout of the usual amount, settings that name nothing and the removal of nothing are no refusals.
  const valid = /^(order\.create|alert_settings\.update|content\.delete)$/
  const own = after.slice(0, after.length - before).filter(({ action }: Json) => !valid.test(action))
  assert.deepEqual(
    own.map(({ action }: Json) => action),
    [],
  )
})

test('R17: a person is named, not the key that the person never had', async () => {
  const changed = await admin.ask('POST', '/api/admin/accounts', { email: 'by-hand@example.com', mode: 'prepaid' })
  assert.equal(changed.status, 201, changed.text)
  const [account] = await entries('&action=account.create')
  assert.equal(account.actor, 'admin@example.com')
  const user = browserAt(gateway.url)
  await user.auth('/sign-up/email', person('user@example.com'))
  assert.equal((await user.ask('POST', '/api/v1/keys', { name: 'mine' })).status, 201)
  const [created] = await entries('&action=key.create')
  assert.deepEqual([created.actor, created.after.name], ['user@example.com', 'mine'])
  const own = (await user.ask('GET', '/api/audit')).json.data
  assert.deepEqual(new Set(own.map(({ account_id: id }: Json) => id)), new Set([created.account_id]))
})
