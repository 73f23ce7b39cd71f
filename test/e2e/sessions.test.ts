import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { type Browser, browserAt, PASSWORD, person } from './browser.ts'
import { MODELS, startTestGateway, type TestGateway } from './gateway.ts'

let nowMs = Date.now()
const now = (): number => nowMs

const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }

describe('R22: accounts and sessions', () => {
  let gateway: TestGateway
  let ada: Browser
  let bob: Browser
  before(async () => {
    gateway = await startTestGateway({ now })
    ada = browserAt(gateway.url)
    bob = browserAt(gateway.url)
  })
  after(() => gateway.close())
  beforeEach(() => void (nowMs += ATTEMPT_WINDOW_MS))

  test('R22: who signs up first is the administrator, whoever comes later is not', async () => {
    assert.equal((await ada.auth('/sign-up/email', person('ada@example.com'))).status, 200)
    assert.equal((await bob.auth('/sign-up/email', person('bob@example.com'))).status, 200)
    const [first, second] = [await ada.ask('GET', '/api/session'), await bob.ask('GET', '/api/session')]
    assert.deepEqual([first.json.user.role, second.json.user.role], ['admin', 'user'])
    assert.deepEqual([first.json.account.tier, second.json.account.tier], ['free', 'free'])
    assert.equal((await ada.ask('GET', '/api/admin/accounts')).status, 200)
    assert.equal((await bob.ask('GET', '/api/admin/accounts')).status, 403)
    assert.equal((await browserAt(gateway.url).ask('GET', '/api/admin/accounts')).status, 401)
  })

  test('R15: a session makes keys of its own account, and they call models once there is credit', async () => {
    const made = await bob.ask('POST', '/api/v1/keys', { name: 'laptop' })
    assert.equal(made.status, 201, made.text)
    const { account } = (await bob.ask('GET', '/api/session')).json
    assert.equal(made.json.data.account_id, account.id)
    const call = () => gateway.ask('/v1/chat/completions', { key: made.json.key, body: chat })
    assert.equal((await call()).status, 402)
    const credit = await ada.ask('POST', `/api/admin/accounts/${account.id}/credits`, { amount: '5' })
    assert.equal(credit.json.actor, 'ada@example.com')
    assert.equal((await call()).status, 200)
    assert.equal((await ada.ask('GET', `/api/v1/keys/${made.json.data.hash}`)).status, 404)
    assert.deepEqual((await bob.ask('GET', '/v1/me')).json.account.id, account.id)
  })

  test('R20: a session never opens a model endpoint', async () => {
    assert.equal((await bob.ask('POST', '/v1/chat/completions', chat)).status, 401)
  })

  test('S23: a cookie changes nothing from the page of a stranger', async () => {
    const before = (await bob.ask('GET', '/api/v1/keys')).json.data.length
    for (const origin of ['https://evil.example', 'null', '']) {
      const forged = await bob.ask('POST', '/api/v1/keys', { name: 'x' }, { origin })
      assert.equal(forged.status, 403, origin)
      assert.equal((await bob.ask('POST', '/api/auth/sign-out', {}, { origin })).status, 403, origin)
    }
    assert.equal((await bob.ask('GET', '/api/v1/keys')).json.data.length, before)
    assert.equal((await bob.ask('GET', '/api/session')).headers.get('access-control-allow-origin'), null)
  })

  test('S33: what a session reads is kept by nobody', async () => {
    for (const path of ['/api/session', '/api/auth/get-session', '/api/v1/keys', '/v1/me']) {
      const { status, headers } = await bob.ask('GET', path)
      assert.equal(status, 200, path)
      assert.equal(headers.get('cache-control'), 'private, no-store', path)
      assert.match(headers.get('vary') ?? '', /authorization/i, path)
      assert.match(headers.get('vary') ?? '', /cookie/i, path)
    }
  })

  test('R22: signing out ends the session at once, everywhere', async () => {
    const other = browserAt(gateway.url)
    assert.equal((await other.auth('/sign-in/email', person('bob@example.com'))).status, 200)
    const kept = new Map(other.cookies)
    assert.equal((await other.auth('/sign-out')).status, 200)
    for (const [name, value] of kept) other.cookies.set(name, value)
    assert.equal((await other.ask('GET', '/api/session')).status, 401)
    assert.equal((await bob.ask('GET', '/api/session')).status, 200)
    assert.equal((await bob.auth('/revoke-sessions')).status, 200)
    assert.equal((await bob.ask('GET', '/api/session')).status, 401)
  })

  test('R19: the sessions of a suspended account open nothing', async () => {
    assert.equal((await bob.auth('/sign-in/email', person('bob@example.com'))).status, 200)
    const { account } = (await bob.ask('GET', '/api/session')).json
    await ada.ask('PATCH', `/api/admin/accounts/${account.id}`, { status: 'suspended' })
    const refused = await bob.ask('GET', '/api/session')
    assert.deepEqual([refused.status, refused.json.error.metadata.code], [403, 'account_suspended'])
  })

  test('S8: nobody signs up or changes into an administrator, or into another account', async () => {
    const eve = browserAt(gateway.url)
    const wish = { role: 'admin', accountId: gateway.accountId, emailVerified: true }
    const tried = await eve.auth('/sign-up/email', { ...person('eve@example.com'), ...wish })
    if (tried.status !== 200) await eve.auth('/sign-up/email', person('eve@example.com'))
    await eve.auth('/update-user', wish)
    const { user, account } = (await eve.ask('GET', '/api/session')).json
    assert.equal(user.role, 'user')
    assert.notEqual(account.id, gateway.accountId)
    assert.equal((await eve.ask('GET', '/api/auth/get-session')).json.user.emailVerified, false)
  })

  test('R22: an unproved address never gets the account of its owner', async () => {
    const account = await gateway.admin('POST', '/api/admin/accounts', {
      email: 'rich@example.com',
      mode: 'prepaid',
      credit: '9',
    })
    const thief = browserAt(gateway.url)
    assert.equal((await thief.auth('/sign-up/email', person('rich@example.com'))).status, 200)
    const refused = await thief.ask('POST', '/api/v1/keys', { name: 'x' })
    assert.deepEqual([refused.status, refused.json.error.metadata.code], [403, 'permission_denied'])
    assert.equal((await gateway.account(account.id)).balance, '9')
  })
})

test('R22: sign-up can be switched off, or wait for an administrator', async () => {
  await using closed = await startTestGateway({ config: { portal: { sign_up: 'off' } } })
  const nobody = browserAt(closed.url)
  assert.equal((await nobody.auth('/sign-up/email', person('x@example.com'))).status, 400)
  assert.equal((await nobody.auth('/sign-in/email', person('x@example.com'))).status, 401)
  await using careful = await startTestGateway({ config: { portal: { sign_up: 'approval' } } })
  const [boss, guest] = [browserAt(careful.url), browserAt(careful.url)]
  await boss.auth('/sign-up/email', person('boss@example.com'))
  await guest.auth('/sign-up/email', person('guest@example.com'))
  assert.equal((await guest.ask('GET', '/api/session')).json.error.metadata.code, 'account_suspended')
  const { data } = (await boss.ask('GET', '/api/admin/accounts?email=guest@example.com')).json
  await boss.ask('PATCH', `/api/admin/accounts/${data[0].id}`, { status: 'active' })
  assert.equal((await guest.ask('GET', '/api/session')).status, 200)
})

test('C40: in single-user mode nobody signs in, and nobody has to', async () => {
  await using local = await startTestGateway({ flags: { disableAuth: true } })
  const anyone = browserAt(local.url)
  assert.equal((await anyone.auth('/sign-up/email', person('x@example.com'))).status, 404)
  assert.equal((await anyone.ask('GET', '/v1/me')).status, 200)
  assert.equal((await anyone.ask('POST', '/v1/chat/completions', chat)).status, 200)
})

test('R22: passwords shorter or longer than their bounds are refused', async () => {
  await using gateway = await startTestGateway()
  const anyone = browserAt(gateway.url)
  for (const password of ['x'.repeat(9), 'x'.repeat(129)]) {
    assert.equal((await anyone.auth('/sign-up/email', { ...person('p@example.com'), password })).status, 400)
  }
  const longest = { ...person('p@example.com'), password: 'x'.repeat(128) }
  assert.equal((await anyone.auth('/sign-up/email', longest)).status, 200)
  assert.notEqual(PASSWORD, longest.password)
})
