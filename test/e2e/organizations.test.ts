import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { type Browser, browserAt, person } from './browser.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'

let nowMs = Date.now()

describe('R22: organisations', () => {
  let gateway: TestGateway
  let owner: Browser
  let member: Browser
  let organizationId: string
  before(async () => {
    gateway = await startTestGateway({ now: () => nowMs })
    owner = browserAt(gateway.url)
    member = browserAt(gateway.url)
    await browserAt(gateway.url).auth('/sign-up/email', person('boss@example.com'))
    await owner.auth('/sign-up/email', person('owner@example.com'))
    await member.auth('/sign-up/email', person('member@example.com'))
  })
  after(() => gateway.close())
  beforeEach(() => void (nowMs += ATTEMPT_WINDOW_MS))

  test('R22: an organisation has an account of its own, and its founder owns it', async () => {
    const own = (await owner.ask('GET', '/api/session')).json.account.id
    const made = await owner.auth('/organization/create', { name: 'Acme', slug: 'acme' })
    assert.equal(made.status, 200, made.text)
    organizationId = made.json.id
    await owner.auth('/organization/set-active', { organizationId })
    const session = (await owner.ask('GET', '/api/session')).json
    assert.equal(session.organization_id, organizationId)
    assert.equal(session.account.role, 'owner')
    assert.notEqual(session.account.id, own)
    const key = await owner.ask('POST', '/api/v1/keys', { name: 'team' })
    assert.equal(key.json.data.account_id, session.account.id)
    await owner.auth('/organization/set-active', { organizationId: null })
    assert.equal((await owner.ask('GET', '/api/session')).json.account.id, own)
    assert.equal((await owner.ask('GET', `/api/v1/keys/${key.json.data.hash}`)).status, 404)
  })

  test('S7: who is no member sees nothing of it', async () => {
    const tried = await member.auth('/organization/set-active', { organizationId })
    assert.ok(tried.status >= 400, tried.text)
    assert.equal((await member.ask('GET', '/api/session')).json.organization_id, null)
    const looked = await member.ask(
      'GET',
      `/api/auth/organization/get-full-organization?organizationId=${organizationId}`,
    )
    assert.ok(looked.status >= 400, looked.text)
  })

  test('R22: a member who accepted the invitation looks at keys and changes none', async () => {
    const invited = await owner.auth('/organization/invite-member', {
      email: 'member@example.com',
      role: 'member',
      organizationId,
    })
    assert.equal(invited.status, 200, invited.text)
    const accepted = await member.auth('/organization/accept-invitation', { invitationId: invited.json.id })
    assert.equal(accepted.status, 200, accepted.text)
    await member.auth('/organization/set-active', { organizationId })
    assert.equal((await member.ask('GET', '/api/session')).json.account.role, 'member')
    const { data } = (await member.ask('GET', '/api/v1/keys')).json
    assert.equal(data.length, 1)
    assert.equal((await member.ask('POST', '/api/v1/keys', { name: 'mine' })).status, 403)
    assert.equal((await member.ask('PATCH', `/api/v1/keys/${data[0].hash}`, { disabled: true })).status, 403)
    assert.equal((await member.ask('DELETE', `/api/v1/keys/${data[0].hash}`)).status, 403)
    const raise = { memberId: accepted.json.member.id, role: 'owner', organizationId }
    assert.ok((await member.auth('/organization/update-member-role', raise)).status >= 400)
  })

  test('R22: who was removed is out with the next request', async () => {
    const removal = { memberIdOrEmail: 'member@example.com', organizationId }
    assert.equal((await owner.auth('/organization/remove-member', removal)).status, 200)
    const refused = await member.ask('GET', '/api/v1/keys')
    assert.equal(refused.status, 403, refused.text)
    await member.auth('/organization/set-active', { organizationId: null })
    assert.equal((await member.ask('GET', '/api/v1/keys')).status, 200)
  })
})
