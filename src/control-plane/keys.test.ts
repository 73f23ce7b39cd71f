import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import type { Catalog, Group } from '#catalog/types.ts'
import { GROUPS_MAX, KEY_NAME_LENGTH_MAX } from './keys.ts'
import { startTestbed, type Testbed } from './testbed.ts'

const REQUIRED_KEYS = [
  'hash',
  'label',
  'name',
  'disabled',
  'limit',
  'limit_remaining',
  'limit_reset',
  'include_byok_in_limit',
  'usage',
  'usage_daily',
  'usage_weekly',
  'usage_monthly',
  'byok_usage',
  'byok_usage_daily',
  'byok_usage_weekly',
  'byok_usage_monthly',
  'created_at',
  'updated_at',
  'creator_user_id',
  'workspace_id',
]

const group = (id: string): Group => ({
  id,
  public: true,
  allowDefaultBackend: false,
  defaultBackend: null,
  strategy: null,
  vendorPrefixPolicy: null,
  backends: null,
  fallbacks: [],
  regions: [],
  dataPolicy: [],
})
const GROUPS = new Map(['default', 'gold'].map((id) => [id, group(id)]))
const CATALOG: Catalog = { generatedMs: 0, models: new Map(), backends: new Map(), groups: GROUPS, routes: new Map() }

describe('/api/v1/keys', () => {
  let bed: Testbed
  let manager: string
  let accountId: string
  before(async () => {
    bed = await startTestbed({ catalog: { current: CATALOG } })
    accountId = (await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })).id
    manager = (await bed.keys.create({ name: 'manager', accountId, kind: 'management' })).plaintext
  })
  after(() => bed.close())

  const create = (body: unknown, key = manager) => bed.ask('POST', '/api/v1/keys', { key, body })

  test('201 gives the object and the plaintext, which no other answer holds', async () => {
    const created = await create({ name: 'crm', system: 'billing', limit_reset: 'monthly', limit: 5 })
    assert.equal(created.status, 201)
    for (const name of REQUIRED_KEYS) assert.ok(name in created.json.data, name)
    assert.match(created.json.key, /^sk-/)
    assert.equal(created.json.data.account_id, accountId)
    assert.equal(created.json.data.limit_reset, 'monthly')
    const listed = await bed.ask('GET', '/api/v1/keys', { key: manager })
    assert.equal(listed.status, 200)
    assert.ok(!listed.text.includes(created.json.key))
    const read = await bed.ask('GET', `/api/v1/keys/${created.json.data.hash}`, { key: manager })
    assert.deepEqual(read.json.data, created.json.data)
    assert.equal((await bed.ask('GET', '/v1/me', { key: created.json.key })).status, 200)
  })

  test('limits are exact in both directions', async () => {
    for (const [sent, written] of [
      ['0.3', '0.3'],
      ['0.1', '0.1'],
      ['1e-9', '0.000000001'],
      ['123456789.123456789', '123456789.123456789'],
      ['"7.10"', '7.1'],
      ['0', '0'],
      ['null', 'null'],
    ]) {
      const { status, text } = await create(`{"name":"exact","limit":${sent}}`)
      assert.equal(status, 201, text)
      assert.match(text, new RegExp(`"limit":${written!.replaceAll('.', String.raw`\.`)},"limit_remaining":${written}`))
    }
  })

  test('400 names the field at fault', async () => {
    const cases: [string, string][] = [
      ['{"name":"x","limit":0.1234567891}', 'limit'],
      ['{"name":"x","limit":-1}', 'limit'],
      ['{"name":"x","limit":"ten"}', 'limit'],
      ['{"name":"x","limit":true}', 'limit'],
      ['{"limit":1}', 'name'],
      ['{"name":""}', 'name'],
      [JSON.stringify({ name: 'x'.repeat(KEY_NAME_LENGTH_MAX + 1) }), 'name'],
      ['{"name":"x","limit_reset":"hourly"}', 'limit_reset'],
      ['{"name":"x","expires_at":"tomorrow"}', 'expires_at'],
      ['{"name":"x","expires_at":"2020-01-01T00:00:00Z"}', 'expires_at'],
    ]
    for (const [body, param] of cases) {
      const { status, json } = await create(body)
      assert.equal(status, 400, body)
      assert.equal(json.error.code, 400)
      assert.equal(json.error.metadata.code, 'invalid_parameter')
      assert.equal(json.error.metadata.param, param, body)
    }
    assert.equal((await create('{"name":')).json.error.metadata.code, 'invalid_json')
    assert.equal((await create('[]')).status, 400)
    assert.equal((await create({ name: 'x'.repeat(KEY_NAME_LENGTH_MAX), unknown: 1 })).status, 201)
  })

  test('PATCH is in force on the next request', async () => {
    const { json } = await create({ name: 'patched' })
    const path = `/api/v1/keys/${json.data.hash}`
    assert.equal((await bed.ask('GET', '/v1/me', { key: json.key })).status, 200)
    const changed = await bed.ask('PATCH', path, {
      key: manager,
      body: { name: 'renamed', disabled: true, limit: 0.7 },
    })
    assert.equal(changed.status, 200)
    assert.equal(changed.json.data.name, 'renamed')
    assert.match(changed.text, /"limit":0\.7,/)
    const refused = await bed.ask('GET', '/v1/me', { key: json.key })
    assert.equal(refused.status, 403)
    assert.equal(refused.json.error.code, 'key_disabled')
    const names = async (query: string) =>
      (await bed.ask('GET', `/api/v1/keys${query}`, { key: manager })).json.data.map(
        (key: { name: string }) => key.name,
      )
    assert.ok(!(await names('')).includes('renamed'))
    assert.ok((await names('?include_disabled=true')).includes('renamed'))
    await bed.ask('PATCH', path, { key: manager, body: { disabled: false, limit: null } })
    assert.equal((await bed.ask('GET', '/v1/me', { key: json.key })).json.key.limit, null)
  })

  test('groups are configured ones, and a management key gives its own only (R63)', async () => {
    const own = await create({ name: 'own' })
    assert.deepEqual(own.json.data.groups, ['default'])
    assert.deepEqual((await bed.ask('GET', '/v1/me', { key: own.json.key })).json.groups, ['default'])
    const path = `/api/v1/keys/${own.json.data.hash}`
    const change = (groups: unknown, key = bed.masterKey) => bed.ask('PATCH', path, { key, body: { groups } })
    assert.deepEqual((await change(['gold', 'default', 'gold'])).json.data.groups, ['gold', 'default'])
    const me = (await bed.ask('GET', '/v1/me', { key: own.json.key })).json
    assert.deepEqual([me.key.group, me.groups], ['gold', ['gold', 'default']])
    assert.equal((await change(['gold'], manager)).status, 403)
    for (const groups of [['none'], [], [''], 'gold', [7], Array.from({ length: GROUPS_MAX + 1 }, () => 'gold')]) {
      const { status, text } = await change(groups)
      assert.equal(status, 400, JSON.stringify(groups))
      assert.match(text, /group/)
    }
    const gold = await bed.keys.create({ name: 'gold', accountId, kind: 'management', groups: ['gold'] })
    assert.deepEqual((await create({ name: 'heir' }, gold.plaintext)).json.data.groups, ['gold'])
    assert.equal((await create({ name: 'x', groups: ['default'] }, gold.plaintext)).status, 403)
  })

  test('DELETE ends the key at once', async () => {
    const { json } = await create({ name: 'gone' })
    const path = `/api/v1/keys/${json.data.hash}`
    assert.deepEqual((await bed.ask('DELETE', path, { key: manager })).json, { deleted: true })
    assert.equal((await bed.ask('GET', '/v1/me', { key: json.key })).status, 401)
    assert.equal((await bed.ask('GET', path, { key: manager })).status, 404)
    assert.equal((await bed.ask('DELETE', path, { key: manager })).status, 404)
  })

  test('a management key stays inside its account', async () => {
    const other = await bed.accounts.create({ email: 'b@example.com', mode: 'prepaid', actor: 'test' })
    const foreign = await bed.keys.create({ name: 'foreign', accountId: other.id })
    const path = `/api/v1/keys/${foreign.key.hash}`
    for (const method of ['GET', 'DELETE']) {
      assert.equal((await bed.ask(method, path, { key: manager })).status, 404, method)
    }
    assert.equal((await bed.ask('PATCH', path, { key: manager, body: { disabled: true } })).status, 404)
    assert.equal((await create({ name: 'x', account_id: other.id })).status, 403)
    assert.equal((await create({ name: 'x', kind: 'management' })).status, 403)
    const listed = await bed.ask('GET', '/api/v1/keys', { key: manager })
    assert.ok(listed.json.data.every((key: { account_id: string }) => key.account_id === accountId))
    assert.equal((await bed.ask('GET', `/api/v1/keys?account_id=${other.id}`, { key: manager })).status, 403)
  })

  test("the master key works for any account, by default for the operator's", async () => {
    const own = await create({ name: 'own' }, bed.masterKey)
    assert.equal(own.json.data.account_id, OPERATOR_ACCOUNT_ID)
    const given = await create({ name: 'given', account_id: accountId, kind: 'management' }, bed.masterKey)
    assert.equal(given.json.data.account_id, accountId)
    assert.equal(given.json.data.kind, 'management')
    const missing = await create({ name: 'x', account_id: 'acc_none' }, bed.masterKey)
    assert.ok(missing.status >= 400 && missing.status < 500, missing.text)
    const all = await bed.ask('GET', '/api/v1/keys', { key: bed.masterKey })
    assert.ok(new Set(all.json.data.map((key: { account_id: string }) => key.account_id)).size > 1)
  })
})
