import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { startStripe } from '#test/payments/stripe.ts'
import { type Browser, browserAt, person } from './browser.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { eventually } from '#test/faults/gateway.ts'
import { type Operation, operationsOf } from './operations.ts'

/**
 * S7 over organisations: each route of an object x {owner, admin, member, another organisation, nobody, a revoked key, a deleted
 * object}, made of the gateway's own description; a new route is tried without a word here.
 */

type Role = 'owner' | 'admin' | 'member' | 'outsider' | 'former'

/** A statement is named by its month, and is everybody's own; models and pages have no owner. */
const OPEN_OBJECTS = /^\/assets\/|\/models?\/\{rest\}$|^\/api\/auth\/|\/statements\/\{name\}$/

/** Valid for every route, so that it is the object or the role that is refused and not the body. */
const BODY = { max_usd: '1' }

let nowMs = Date.now()
let gateway: TestGateway
let closeStripe: () => unknown
let operations: Operation[]
let accountId: string
let userKey: string
let agents = 0
const browsers = new Map<Role, Browser>()

const as = (role: Role): Browser => browsers.get(role)!

async function signUp(role: Role): Promise<Browser> {
  nowMs += ATTEMPT_WINDOW_MS
  const browser = browserAt(gateway.url)
  await browser.auth('/sign-up/email', person(`${role}@example.com`))
  browsers.set(role, browser)
  return browser
}

async function join(role: 'admin' | 'member' | 'former', organizationId: string): Promise<void> {
  const browser = await signUp(role)
  const wanted = role === 'former' ? 'member' : role
  const invitation = { email: `${role}@example.com`, role: wanted, organizationId }
  const { json } = await as('owner').auth('/organization/invite-member', invitation)
  const accepted = await browser.auth('/organization/accept-invitation', { invitationId: json.id })
  assert.equal(accepted.status, 200, accepted.text)
  await browser.auth('/organization/set-active', { organizationId })
}

before(async () => {
  const stripe = await startStripe()
  closeStripe = stripe.close
  const env = { STRIPE_SECRET_KEY: 'sk_test', STRIPE_WEBHOOK_SECRET: 'whsec_test', STRIPE_API_URL: stripe.url }
  gateway = await startTestGateway({ env, now: () => nowMs, alertIntervalMs: 50 })
  operations = (await operationsOf(gateway)).filter(
    ({ path, guard }) => path.includes('{') && !OPEN_OBJECTS.test(path) && guard !== 'master',
  )
  await browserAt(gateway.url).auth('/sign-up/email', person('operator@example.com'))
  const owner = await signUp('owner')
  const organization = (await owner.auth('/organization/create', { name: 'Acme', slug: 'acme' })).json
  await owner.auth('/organization/set-active', { organizationId: organization.id })
  for (const role of ['admin', 'member', 'former'] as const) await join(role, organization.id)
  const removal = { memberIdOrEmail: 'former@example.com', organizationId: organization.id }
  assert.equal((await owner.auth('/organization/remove-member', removal)).status, 200)
  const outsider = await signUp('outsider')
  const other = (await outsider.auth('/organization/create', { name: 'Globex', slug: 'globex' })).json
  await outsider.auth('/organization/set-active', { organizationId: other.id })
  accountId = (await owner.ask('GET', '/api/session')).json.account.id
  await gateway.admin('POST', `/api/admin/accounts/${accountId}/credits`, { amount: '50' })
  userKey = (await owner.ask('POST', '/api/v1/keys', { name: 'team' })).json.key
  // What requests leave behind is an object too, and so is an alert.
  await owner.ask('PATCH', '/api/v1/content-log', { content_log: { mode: 'full' } })
  await owner.ask('PATCH', '/api/v1/alert-settings', { balance_below: '1000' })
})
after(async () => {
  await gateway.close()
  await closeStripe()
})

/** A fresh object of the organisation for each try, because some tries delete it. */
async function objectFor(path: string): Promise<string> {
  const [, kind] = /\/(\w+)\/\{/.exec(path)!
  const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
  const made: Record<string, () => Promise<string>> = {
    keys: async () => (await as('owner').ask('POST', '/api/v1/keys', { name: 'k' })).json.data.hash,
    budgets: async () => (await as('owner').ask('POST', '/api/v1/budgets', { max_usd: '1000' })).json.id,
    orders: async () => (await as('owner').ask('POST', '/v1/me/checkout', { amount: '5' })).json.id,
    logs: async () =>
      (await gateway.ask('/v1/chat/completions', { key: userKey, body: chat })).headers.get('x-request-id')!,
    sessions: async () => {
      const name = `an-agent-${++agents}`
      await gateway.ask('/v1/chat/completions', { key: userKey, body: chat, headers: { 'x-session-id': name } })
      const { data } = (await as('owner').ask('GET', '/api/sessions')).json
      return data.find((session: Json) => session.session_id === name).id
    },
    alerts: async () =>
      eventually('the account is told of its balance', 5000, async () => {
        const { json } = await as('owner').ask('GET', '/api/alerts')
        return json.data[0]?.id
      }),
    responses: async () =>
      (await gateway.ask('/v1/responses', { key: userKey, body: { model: MODELS.messages.id, input: 'hi' } })).json.id,
  }
  assert.ok(made[kind!], `${path} has no object in this test: add one`)
  return made[kind!]!()
}

const filled = (path: string, id: string): string => path.replace(/\{\w+\}/, id)
const bodyOf = (method: string) => (method === 'GET' ? undefined : BODY)

/** Cancelling is refused to everybody alike, without a look at the object. */
const isRefusedToAll = (path: string): boolean => path.endsWith('/cancel')

test('S7: an object of an organisation is open to its roles, and is not there for anybody else', async () => {
  assert.ok(operations.length >= 12)
  for (const { method, path, guard } of operations) {
    if (isRefusedToAll(path)) continue
    for (const role of ['outsider', 'former', 'member', 'admin', 'owner'] as const) {
      const id = await objectFor(path)
      const { status, text } = await as(role).ask(method, filled(path, id), bodyOf(method))
      const what = `${method} ${path} as ${role}: ${status} ${text.slice(0, 200)}`
      if (role === 'outsider') assert.equal(status, 404, what)
      // Whoever was removed has an organisation active that is not theirs any more.
      else if (role === 'former') assert.equal(status, 403, what)
      // What others have asked is not for members, who change nothing either.
      else if (role === 'member' && (path.endsWith('/content') || (guard === 'management' && method !== 'GET')))
        assert.equal(status, 403, what)
      else assert.ok(status >= 200 && status < 300, what)
    }
    assert.equal(
      (await gateway.ask(filled(path, 'x'), { method, key: null, ...(method !== 'GET' && { body: BODY }) })).status,
      401,
    )
  }
})

test('S7: a revoked, a disabled and an expired key open no object, their own account’s neither', async () => {
  const make = async (rest: object = {}) => {
    const body = { name: 'm', account_id: accountId, kind: 'management', ...rest }
    return gateway.admin('POST', '/api/v1/keys', body)
  }
  const [revoked, disabled, expiring] = [
    await make(),
    await make(),
    await make({ expires_at: new Date(Date.now() + 3_600_000).toISOString() }),
  ]
  await gateway.admin('DELETE', `/api/v1/keys/${revoked.data.hash}`)
  await gateway.admin('PATCH', `/api/v1/keys/${disabled.data.hash}`, { disabled: true })
  const objects = new Map<string, string>()
  for (const { path } of operations) objects.set(path, await objectFor(path))

  nowMs += 2 * 3_600_000
  for (const { method, path } of operations) {
    for (const [{ key }, wanted] of [
      [revoked, 401],
      [disabled, 403],
      [expiring, 403],
    ] as const) {
      const told = await gateway.ask(filled(path, objects.get(path)!), {
        method,
        key,
        ...(method !== 'GET' && { body: BODY }),
      })
      assert.equal(told.status, wanted, `${method} ${path}: ${told.text}`)
    }
  }
})

test('S7: a deleted object is as unknown as one that never was, to its owner and to the operator', async () => {
  const removable = operations.filter(({ method }) => method === 'DELETE')
  assert.ok(removable.length >= 4)
  for (const { path } of removable) {
    const id = await objectFor(path)
    assert.equal((await as('owner').ask('DELETE', filled(path, id), BODY)).status, 200, path)
    for (const { method, path: same } of operations.filter(({ path: one }) => one.startsWith(path))) {
      if (isRefusedToAll(same)) continue
      const gone = await as('owner').ask(method, filled(same, id), bodyOf(method))
      const never = await as('owner').ask(method, filled(same, 'nothing-like-this'), bodyOf(method))
      assert.equal(gone.status, 404, `${method} ${same}: ${gone.text}`)
      const text = (json: { error: { message: string } }, named: string) => json.error.message.replaceAll(named, '*')
      assert.equal(text(gone.json, id), text(never.json, 'nothing-like-this'), same)
    }
  }
})

test('S7: ids are not to be guessed: no two are neighbours', async () => {
  // An alert is told once: there are no two of one kind.
  const several = operations.filter(({ path }) => !path.includes('/alerts/'))
  for (const path of new Set(several.map((operation) => operation.path))) {
    const ids = [await objectFor(path), await objectFor(path)] as const
    const [one, two] = ids.map((id) => id.replace(/^\w+_/, ''))
    let shared = 0
    while (shared < one!.length && one![shared] === two![shared]) shared++
    // A ULID begins with its time; what follows has 80 random bits, a hash and an order's id more.
    assert.ok(one!.length - shared >= 12, `${path}: ${ids.join(' ')}`)
  }
})
