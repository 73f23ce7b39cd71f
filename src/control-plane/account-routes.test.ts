import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startTestbed, requestRow, type Testbed } from './testbed.ts'

describe('admin accounts', () => {
  let bed: Testbed
  before(async () => {
    bed = await startTestbed()
  })
  after(() => bed.close())
  const master = (method: string, path: string, body?: unknown) =>
    bed.ask(method, path, { key: bed.masterKey, ...(body === undefined ? {} : { body }) })

  test('opens, shows, credits, suspends', async () => {
    const opened = await master('POST', '/api/admin/accounts', {
      email: 'a@example.com',
      mode: 'prepaid',
      credit: '10.00',
    })
    assert.equal(opened.status, 201)
    assert.equal(opened.json.balance, '10')
    const path = `/api/admin/accounts/${opened.json.id}`
    const credited = await master('POST', `${path}/credits`, { amount: '0.000000001', note: 'smallest' })
    assert.equal(credited.status, 201)
    assert.equal(credited.json.amount, '0.000000001')
    assert.equal(credited.json.balance_after, '10.000000001')
    assert.equal(credited.json.actor, 'master')
    const shown = await master('GET', path)
    assert.deepEqual(Object.keys(shown.json), [
      'id',
      'email',
      'mode',
      'status',
      'tier',
      'tier_assigned',
      'lifetime_purchases',
      'balance',
      'held',
      'available',
      'credit_limit',
      'charge_factor',
      'created_at',
    ])
    assert.equal(shown.json.available, '10.000000001')
    assert.equal((await master('PATCH', path, { status: 'suspended' })).json.status, 'suspended')
    assert.equal((await master('PATCH', path, { status: 'gone' })).status, 400)
  })

  test('numbers and text are the same amount', async () => {
    const opened = await master(
      'POST',
      '/api/admin/accounts',
      '{"email":"n@example.com","mode":"prepaid","credit":0.1}',
    )
    const path = `/api/admin/accounts/${opened.json.id}`
    await master('POST', `${path}/credits`, '{"amount":0.2}')
    assert.equal((await master('GET', path)).json.balance, '0.3')
    assert.equal((await master('POST', `${path}/credits`, '{"amount":-0.1}')).status, 400)
    const taken = await master('POST', `${path}/credits`, '{"amount":-0.1,"type":"adjustment"}')
    assert.equal(taken.json.balance_after, '0.2')
    assert.equal(taken.json.amount, '-0.1')
  })

  test('postpaid accounts may have a credit limit', async () => {
    const body = { email: 'p@example.com', mode: 'postpaid', credit_limit: '25' }
    const { json } = await master('POST', '/api/admin/accounts', body)
    assert.equal(json.credit_limit, '25')
    assert.equal(json.available, '25')
  })

  test('400, 404 and 409', async () => {
    assert.equal((await master('POST', '/api/admin/accounts', { email: 'nobody', mode: 'prepaid' })).status, 400)
    assert.equal((await master('POST', '/api/admin/accounts', { email: 'm@example.com', mode: 'free' })).status, 400)
    assert.equal((await master('POST', '/api/admin/accounts')).status, 400)
    assert.equal((await master('GET', '/api/admin/accounts/acc_none')).status, 404)
    assert.equal((await master('POST', '/api/admin/accounts/acc_none/credits', { amount: '1' })).status, 404)
    const twice = { email: 'twice@example.com', mode: 'prepaid' }
    await master('POST', '/api/admin/accounts', twice)
    const conflict = await master('POST', '/api/admin/accounts', twice)
    assert.equal(conflict.status, 409)
    assert.equal(conflict.headers['x-should-retry'], 'false')
    const big = await master('POST', '/api/admin/accounts', { ...twice, note: 'x'.repeat(70_000) })
    assert.equal(big.status, 413)
  })

  test('lists pages and finds by e-mail', async () => {
    const found = await master('GET', '/api/admin/accounts?email=a@example.com')
    assert.equal(found.json.data.length, 1)
    const first = await master('GET', '/api/admin/accounts?limit=2')
    assert.equal(first.json.data.length, 2)
    const next = await master('GET', `/api/admin/accounts?limit=2&cursor=${first.json.next_cursor}`)
    assert.notEqual(next.json.data[0].id, first.json.data[0].id)
    for (const limit of ['0', '501', 'x', '-1']) {
      assert.equal((await master('GET', `/api/admin/accounts?limit=${limit}`)).status, 400, limit)
    }
    assert.equal((await master('GET', '/api/admin/accounts?limit=500')).status, 200)
  })

  test('the ledger has signed amounts, newest first', async () => {
    const { json } = await master('POST', '/api/admin/accounts', {
      email: 'l@example.com',
      mode: 'prepaid',
      credit: '1',
    })
    await master('POST', `/api/admin/accounts/${json.id}/credits`, { amount: '-0.25', type: 'adjustment', note: 'fee' })
    const page = await master('GET', `/api/admin/ledger?account_id=${json.id}&limit=1`)
    assert.deepEqual(
      page.json.data.map((entry: { amount: string; note: string | null }) => [entry.amount, entry.note]),
      [['-0.25', 'fee']],
    )
    const rest = await master('GET', `/api/admin/ledger?account_id=${json.id}&cursor=${page.json.next_cursor}`)
    assert.equal(rest.json.data.length, 1)
    assert.equal(rest.json.data[0].balance_after, '1')
    assert.equal(rest.json.next_cursor, null)
    assert.equal((await master('GET', '/api/admin/ledger?cursor=bogus')).status, 400)
  })

  test('backends are listed without a secret', async () => {
    const { status, text, json } = await master('GET', '/api/admin/backends')
    assert.equal(status, 200)
    const openai = json.data.find((one: { id: string }) => one.id === 'openai')
    assert.equal(openai.credential.state, 'set')
    assert.equal(openai.credential.source, 'OPENAI_API_KEY')
    assert.ok(!text.includes('secret'))
  })
})

describe('what a key knows of itself', () => {
  let bed: Testbed
  let key: string
  let manager: string
  before(async () => {
    bed = await startTestbed()
    const account = await bed.accounts.create({
      email: 'a@example.com',
      mode: 'prepaid',
      creditNano: 1_000_000_000n,
      actor: 'test',
    })
    const created = await bed.keys.create({
      name: 'user',
      accountId: account.id,
      limitNano: 500_000_000n,
      system: 'crm',
    })
    key = created.plaintext
    manager = (await bed.keys.create({ name: 'm', accountId: account.id, kind: 'management' })).plaintext
    const ids = { requestId: 'req_1', accountId: account.id, keyId: created.key.id }
    await bed.ledger.reserve({ ...ids, wantNano: 400_000_000n, floorNano: 400_000_000n })
    const row = requestRow({ request_id: 'req_1', account_id: account.id, key_id: created.key.id })
    await bed.ledger.settle({ requestId: 'req_1', costNano: 300_000_001n, row })
  })
  after(() => bed.close())

  test('GET /v1/me has amounts as text', async () => {
    const { status, json, headers } = await bed.ask('GET', '/v1/me', { key })
    assert.equal(status, 200)
    assert.equal(headers['cache-control'], 'private, no-store')
    assert.match(headers['x-request-id']!, /^req_[0-9A-Z]{26}$/)
    assert.equal(json.balance, '0.699999999')
    assert.equal(json.currency, 'USD')
    assert.equal(json.key.limit, '0.5')
    assert.equal(json.key.limit_used, '0.300000001')
    assert.equal(json.key.system, 'crm')
    assert.equal(json.account.status, 'active')
    assert.ok(Array.isArray(json.groups) && json.groups.length > 0)
    for (const name of ['budget_max', 'budget_spent', 'budget_period', 'budget_reset_at', 'free_requests']) {
      assert.ok(name in json, name)
    }
  })

  test('GET /api/v1/key has exact numbers', async () => {
    const { text, json } = await bed.ask('GET', '/api/v1/key', { key })
    assert.match(text, /"limit":0\.5,"limit_remaining":0\.199999999,/)
    assert.match(text, /"usage":0\.300000001,/)
    assert.equal(json.data.is_management_key, false)
    assert.equal(json.data.is_free_tier, false)
    assert.equal(json.data.rate_limit.requests, -1)
    assert.equal((await bed.ask('GET', '/api/v1/key', { key: manager })).json.data.is_management_key, true)
  })

  test('GET /api/v1/credits: the difference is the balance', async () => {
    for (const who of [key, manager]) {
      const { text } = await bed.ask('GET', '/api/v1/credits', { key: who })
      assert.equal(text, '{"data":{"total_credits":1,"total_usage":0.300000001}}')
    }
    assert.equal((await bed.ask('GET', '/api/v1/credits', { key: bed.masterKey })).status, 200)
  })
})
