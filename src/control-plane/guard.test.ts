import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { isMasterKey } from './guard.ts'
import type { Guard } from './guard.ts'
import { ROUTES } from './routes.ts'
import { startTestbed, type Testbed } from './testbed.ts'

type Who = 'none' | 'garbage' | 'user' | 'management' | 'master'

/** Null: let in. */
const EXPECTED: Record<Guard, Record<Who, number | null>> = {
  public: { none: null, garbage: null, user: null, management: null, master: null },
  'optional-key': { none: null, garbage: 401, user: null, management: null, master: null },
  'any-key': { none: 401, garbage: 401, user: null, management: null, master: 401 },
  'any-key-or-master': { none: 401, garbage: 401, user: null, management: null, master: null },
  management: { none: 401, garbage: 401, user: 403, management: null, master: null },
  master: { none: 401, garbage: 401, user: 403, management: 403, master: null },
}

describe('guard matrix', () => {
  let bed: Testbed
  const keys: Partial<Record<Who, string>> = { garbage: 'sk-tv-garbage' }
  before(async () => {
    bed = await startTestbed()
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    keys.user = (await bed.keys.create({ name: 'user', accountId: id })).plaintext
    keys.management = (await bed.keys.create({ name: 'manager', accountId: id, kind: 'management' })).plaintext
    keys.master = bed.masterKey
  })
  after(() => bed.close())

  for (const route of ROUTES) {
    test(`${route.method} ${route.path} is ${route.guard}`, async () => {
      const path = route.path.replace(':name', 'page.css').replace(/:\w+/, 'x').replace('*', 'x')
      for (const who of ['none', 'garbage', 'user', 'management', 'master'] as const) {
        const key = keys[who]
        const { status } = await bed.ask(route.method, path, { ...(key === undefined ? {} : { key }), body: undefined })
        const expected = EXPECTED[route.guard][who]
        if (expected === null) assert.ok(status !== 401 && status !== 403, `${who} gets ${status}`)
        else assert.equal(status, expected, who)
      }
    })
  }
})

test('the master key is compared as a whole', () => {
  assert.equal(isMasterKey('abc', 'abc'), true)
  assert.equal(isMasterKey('abcd', 'abc'), false)
  assert.equal(isMasterKey('', ''), false)
})

describe('credentials', () => {
  let bed: Testbed
  let key: string
  before(async () => {
    bed = await startTestbed()
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    key = (await bed.keys.create({ name: 'user', accountId: id })).plaintext
  })
  after(() => bed.close())

  test('every header works', async () => {
    for (const header of ['x-api-key', 'x-goog-api-key', 'authorization']) {
      const value = header === 'authorization' ? `bEaReR  ${key} ` : key
      assert.equal((await bed.ask('GET', '/v1/me', { headers: { [header]: value } })).status, 200, header)
    }
  })

  test('the first credential decides', async () => {
    const { status } = await bed.ask('GET', '/v1/me', { key: 'sk-tv-wrong', headers: { 'x-api-key': key } })
    assert.equal(status, 401)
  })

  test('a key in the query is refused, except on the Gemini surface', async () => {
    const refused = await bed.ask('GET', `/v1/models?key=${key}`)
    assert.equal(refused.status, 400)
    assert.equal(refused.json.error.code, 'api_key_in_query')
    assert.equal((await bed.ask('GET', `/v1beta/models?key=${key}`)).status, 200)
    assert.equal((await bed.ask('GET', '/v1beta/models?key=wrong')).status, 401)
  })

  test('states have their own codes', async () => {
    const { id } = await bed.accounts.create({ email: 'b@example.com', mode: 'prepaid', actor: 'test' })
    const created = await bed.keys.create({ name: 'k', accountId: id })
    const told = async () => (await bed.ask('GET', '/v1/me', { key: created.plaintext })).json.error?.code
    assert.equal(await told(), undefined)
    await bed.keys.update(created.key.hash, { disabled: true })
    assert.equal(await told(), 'key_disabled')
    await bed.keys.update(created.key.hash, { disabled: false })
    await bed.accounts.setStatus(id, 'suspended')
    assert.equal(await told(), 'account_suspended')
    await bed.accounts.setStatus(id, 'active')
    await bed.keys.remove(created.key.hash)
    assert.equal(await told(), 'invalid_api_key')
  })
})

test('without client authentication a key is not needed, but the master key still is', async () => {
  const localCaller = {
    account: { id: 'acc_local', email: 'local@localhost', mode: 'postpaid', status: 'active', tier: 'default' },
    key: null,
    billing: 'off',
  } as const
  const bed = await startTestbed({ localCaller })
  try {
    assert.equal((await bed.ask('GET', '/v1/models')).status, 200)
    const me = await bed.ask('GET', '/v1/me')
    assert.equal(me.status, 200)
    assert.equal(me.json.key, null)
    assert.equal((await bed.ask('GET', '/api/logs')).status, 200)
    assert.equal((await bed.ask('GET', '/api/v1/key')).status, 404)
    assert.equal((await bed.ask('GET', '/api/admin/accounts')).status, 401)
    assert.equal((await bed.ask('GET', '/api/v1/keys')).status, 401)
    assert.equal((await bed.ask('GET', '/api/admin/accounts', { key: bed.masterKey })).status, 200)
  } finally {
    await bed.close()
  }
})
