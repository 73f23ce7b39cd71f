import assert from 'node:assert/strict'
import { eventually } from '#test/faults/gateway.ts'
import { after, before, describe, test } from 'node:test'
import { ROUTES } from '#control-plane/routes.ts'
import { FIXED_PATHS, GEMINI_PREFIXES } from '#data-plane/1-receive/operations.ts'
import { type Browser, browserAt, person } from './browser.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { startStripe } from '#test/payments/stripe.ts'

/** Who may do what, made of the gateway's own description of itself: a new route is tried without a word here. */

interface Operation {
  readonly method: string
  readonly path: string
  readonly guard: string
  readonly body: Json
}

/** What is open to everybody has no owner; a statement is named by its month, and is everybody's own. */
const OPEN_OBJECTS = /^\/assets\/|\/models?\/\{rest\}$|^\/api\/auth\/|\/statements\/\{name\}$/

const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }

/** Valid for every route, so that it is the object that is refused and not the body. */
const BODY = { max_usd: '1' }

let gateway: TestGateway
let closeStripe: () => unknown
let operations: Operation[]
let user: Browser
/** Values of `{hash}` and `{id}` per path, of the account of `owner`. */
let objects: (path: string) => string | undefined
let owner: { accountId: string; key: string; administration: string }
let other: { accountId: string; key: string; administration: string }

async function people(): Promise<typeof owner> {
  const { accountId, key } = await gateway.fund()
  const made = await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  return { accountId, key, administration: made.key }
}

before(async () => {
  const stripe = await startStripe()
  const secrets = { STRIPE_SECRET_KEY: 'sk_test', STRIPE_WEBHOOK_SECRET: 'whsec_test', STRIPE_API_URL: stripe.url }
  gateway = await startTestGateway({ env: secrets, alertIntervalMs: 50 })
  closeStripe = stripe.close
  const { json } = await gateway.ask('/api/openapi.json', { key: null })
  operations = Object.entries(json.paths as Record<string, Record<string, Json>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({
      method: method.toUpperCase(),
      path,
      guard: one['x-guard'],
      body: one.requestBody?.content['application/json'].schema,
    })),
  )
  owner = await people()
  other = await people()
  await browserAt(gateway.url).auth('/sign-up/email', person('admin@example.com'))
  user = browserAt(gateway.url)
  await user.auth('/sign-up/email', person('user@example.com'))
  const hash = (await gateway.admin('GET', `/api/v1/keys?account_id=${owner.accountId}`)).data[0].hash
  // Its content is an object too.
  await gateway.admin('PATCH', `/api/v1/content-log?account_id=${owner.accountId}`, { content_log: { mode: 'full' } })
  const headers = { 'x-session-id': 'an-agent' }
  const answered = await gateway.ask('/v1/chat/completions', { key: owner.key, body: chat, headers })
  const request = answered.headers.get('x-request-id')!
  const session = (await gateway.ask('/api/sessions', { key: owner.key })).json.data[0].id
  const stored = await gateway.ask('/v1/responses', {
    key: owner.key,
    body: { model: MODELS.messages.id, input: 'hi' },
  })
  const order = await gateway.ask('/v1/me/checkout', { key: owner.administration, body: { amount: '5' } })
  const budget = await gateway.admin('POST', `/api/v1/budgets?account_id=${owner.accountId}`, {
    scope: 'account',
    max_usd: '100',
    period: 'daily',
  })
  const vouchers = await gateway.admin('POST', '/api/admin/vouchers', { amount: '5' })
  const route = await gateway.admin('POST', '/api/admin/routes', { model: MODELS.chat.id, backend: 'anthropic' })
  await gateway.ask('/api/v1/alert-settings', {
    method: 'PATCH',
    key: owner.administration,
    body: { balance_below: '1000' },
  })
  const alert = await eventually('the owner is told of the balance', 5000, async () => {
    const { json } = await gateway.ask('/api/alerts', { key: owner.key })
    return json.data[0]?.id
  })
  const found = new Map<string, string>([
    ['alerts', alert],
    ['sessions', session],
    ['keys', hash],
    ['responses', stored.json.id],
    ['logs', request],
    ['accounts', owner.accountId],
    ['orders', order.json.id],
    ['budgets', budget.id],
    ['vouchers', vouchers.data[0].id],
    ['routes', route.id],
  ])
  objects = (path) => [...found].find(([name]) => path.includes(`/${name}/{`))?.[1]
})
after(async () => {
  await gateway.close()
  await closeStripe()
})

const filled = (path: string): string => path.replace(/\{\w+\}/g, () => objects(path) ?? 'x')

const call = ({ method, path }: Operation, key: string | null, body?: unknown) =>
  gateway.ask(filled(path), {
    method,
    key,
    ...(method === 'GET' || method === 'OPTIONS' ? {} : { body: body ?? BODY }),
  })

test('the description names every route with its guard, and the schemas that validate', () => {
  const described = operations.map(({ method, path }) => `${method} ${path}`)
  const registered = ROUTES.map(
    ({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}').replace('*', '{rest}')}`,
  )
  assert.deepEqual(described.toSorted(), [...new Set(registered)].toSorted())
  const newKey = operations.find(({ method, path }) => method === 'POST' && path === '/api/v1/keys')!
  assert.deepEqual(newKey.body.required, ['name'])
  assert.ok('ip_allow' in newKey.body.properties)
})

test('S9: what takes the master key or a management key takes nothing less', async () => {
  const guarded = operations.filter(({ guard }) => guard === 'master' || guard === 'management')
  assert.ok(guarded.length >= 12)
  for (const operation of guarded) {
    const wrong = [null, owner.key, 'sk-tv-nonsense', gateway.masterKey.slice(0, -1)]
    if (operation.guard === 'master') wrong.push(owner.administration)
    for (const key of wrong) {
      const { status } = await call(operation, key)
      assert.ok(status === 401 || status === 403, `${operation.method} ${operation.path}: ${status}`)
    }
  }
  for (const { method, path } of guarded.filter(({ guard }) => guard === 'master')) {
    const { status } = await user.ask(method, filled(path), method === 'GET' ? undefined : BODY)
    assert.equal(status, 403, `${method} ${path} with a user's session`)
  }
})

test('S7: an object of another account is not there, whatever is done to it', async () => {
  const routes = operations.filter(({ path }) => path.includes('{') && !OPEN_OBJECTS.test(path))
  assert.ok(routes.length >= 15)
  for (const operation of routes) {
    const { method, path, guard } = operation
    assert.ok(objects(path), `${path} has no object in this test: add one`)
    if (guard === 'master') continue
    const foreign = guard === 'management' ? other.administration : other.key
    const nobody = path.replace(/\{\w+\}/g, 'nothing-like-this')
    const [there, nowhere] = [
      await call(operation, foreign),
      await gateway.ask(nobody, { method, key: foreign, ...(method === 'GET' ? {} : { body: BODY }) }),
    ]
    // Cancelling is refused to everybody alike, without a look at the object.
    const refusal = path.endsWith('/cancel') ? 400 : 404
    assert.equal(there.status, refusal, `${method} ${path}`)
    assert.equal(nowhere.status, refusal, `${method} ${nobody}`)
    const session = await user.ask(method, filled(path), method === 'GET' ? undefined : BODY)
    assert.equal(session.status, refusal, `${method} ${path} with the session of another account`)
    assert.equal((await call(operation, null)).status, 401, `${method} ${path} without a key`)
    if (method !== 'GET') continue
    const own = await call(operation, guard === 'management' ? owner.administration : owner.key)
    assert.equal(own.status, 200, `${method} ${path} by its owner`)
  }
})

test('S8: members that nobody may write change nothing', async () => {
  const evil = {
    id: 'x',
    hash: 'x',
    account_id: other.accountId,
    workspace_id: other.accountId,
    kind: 'management',
    label: 'x',
    role: 'admin',
    is_admin: true,
    balance: '1000',
    credits: 1000,
    usage: -5,
    tier: 'gold',
    mode: 'postpaid',
    price: 0,
    previous_hash: 'x',
    org_id: 'x',
    allowed_routes: ['*'],
  }
  const writes = operations.filter(({ method, guard, body }) => body && guard === 'management' && method === 'PATCH')
  assert.ok(writes.length > 0)
  for (const operation of writes) {
    const path = filled(operation.path)
    const read = async () => {
      const told: Json = await gateway.admin('GET', path)
      return told.data ?? told
    }
    const { updated_at: _first, ...before } = await read()
    await call(operation, owner.administration, evil)
    const { updated_at: _second, ...behind } = await read()
    assert.deepEqual(behind, before, path)
  }
  const escalations = [{ kind: 'management' }, { account_id: other.accountId }, { groups: ['no-such-group'] }]
  for (const wish of escalations) {
    const { status } = await gateway.ask('/api/v1/keys', { key: owner.administration, body: { name: 'x', ...wish } })
    assert.ok(status === 400 || status === 403, JSON.stringify(wish))
  }
  const balance = (await gateway.account(owner.accountId)).balance
  await gateway.ask('/api/v1/keys', {
    key: owner.administration,
    body: { name: 'x', ...evil, kind: 'inference', account_id: owner.accountId, workspace_id: owner.accountId },
  })
  assert.equal((await gateway.account(owner.accountId)).balance, balance)
})

test('M15: no path reaches an upstream without a key, and none that costs without money', async () => {
  const poor = await gateway.fund({ credit: '0' })
  const gemini = GEMINI_PREFIXES.flatMap((prefix) =>
    ['generateContent', 'streamGenerateContent', 'embedContent', 'batchEmbedContents'].map((action) => {
      const isEmbedding = action.includes('mbed')
      return `${prefix}${isEmbedding ? MODELS.geminiEmbedding.id : MODELS.gemini.id}:${action}`
    }),
  )
  const content = { parts: [{ text: 'hi' }] }
  const bodies: Record<string, Json> = {
    'openai-chat': chat,
    'openai-responses': { model: MODELS.chat.id, input: 'hi' },
    'openai-embeddings': { model: MODELS.embedding.id, input: 'hi' },
    'anthropic-messages': { model: MODELS.messages.id, max_tokens: 9, messages: chat.messages },
  }
  const tried = [
    ...[...FIXED_PATHS].map(([path, { surface, operation }]) => ({
      path,
      body: bodies[surface],
      counts: operation === 'count',
    })),
    ...gemini.map((path) => ({
      path,
      counts: false,
      body: path.endsWith('batchEmbedContents')
        ? { requests: [{ model: `models/${MODELS.geminiEmbedding.id}`, content }] }
        : { contents: [content], content },
    })),
  ]
  assert.ok(tried.length >= 30)
  const before = gateway.upstream.count()
  for (const { path, body, counts } of tried) {
    for (const key of [null, 'sk-tv-nonsense']) assert.equal((await gateway.ask(path, { key, body })).status, 401, path)
    assert.equal(
      (await gateway.ask(path, { key: owner.administration, body })).status,
      403,
      `${path} with a management key`,
    )
    // Counting tokens costs nothing, also at the upstream.
    if (counts) continue
    const { status, text } = await gateway.ask(path, { key: poor.key, body })
    assert.equal(status, 402, `${path}: ${text.slice(0, 200)}`)
  }
  assert.equal(gateway.upstream.count(), before)
})

test('S33: no answer to a key is kept by a cache, and none opens itself to a page of a stranger', async () => {
  for (const operation of operations.filter(({ guard, method }) => guard !== 'public' && method === 'GET')) {
    const key =
      operation.guard === 'master'
        ? gateway.masterKey
        : operation.guard === 'management'
          ? owner.administration
          : owner.key
    const { headers } = await gateway.ask(filled(operation.path), { key, headers: { origin: 'https://evil.example' } })
    assert.equal(headers.get('cache-control'), 'private, no-store', operation.path)
    assert.match(headers.get('vary') ?? '', /Authorization/, operation.path)
    assert.equal(headers.get('access-control-allow-origin'), null, operation.path)
  }
})

describe('S30: error hygiene', () => {
  test('S30: no error of any route shows a stack, SQL, a host or a part of a key', async () => {
    const nonsense = [
      '{',
      '[]',
      'null',
      '{"name":{}}',
      JSON.stringify({ name: "'; drop table accounts; --", limit: '1e400' }),
    ]
    for (const operation of operations.filter(({ method }) => method !== 'GET' && method !== 'OPTIONS')) {
      const key = operation.guard === 'master' || operation.guard === 'management' ? gateway.masterKey : owner.key
      for (const body of nonsense) {
        const { status, text } = await call(
          { ...operation, path: operation.path.replace('/api/auth/{rest}', '/api/auth/ok') },
          key,
          body,
        )
        assert.ok(status < 500, `${operation.method} ${operation.path} ${body}: ${status}`)
        assert.doesNotMatch(text, /node_modules|\bat \w+ \(|\bselect \w|\binsert into|sqlite|\/src\/|127\.0\.0\.1:\d+/i)
        if (status >= 400) assert.ok(!text.includes(key.slice(8, 20)), operation.path)
      }
    }
  })
})
