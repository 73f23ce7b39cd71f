import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MODELS, startTestGateway, type TestGateway } from '#test/e2e/gateway.ts'

const DAY_MS = 86_400_000

const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }], max_tokens: 100 }

const call = (gateway: TestGateway, key: string) => gateway.ask('/v1/chat/completions', { method: 'POST', key, body })

/** A budget as the operator sets it. */
const setBudget = (gateway: TestGateway, accountId: string, budget: object) =>
  gateway.admin('POST', `/api/v1/budgets?account_id=${accountId}`, budget)

test('R97: a budget of a key per day refuses that key and no other, and starts over at midnight', async () => {
  let nowMs = Date.UTC(2026, 10, 20, 12)
  await using gateway = await startTestGateway({ now: () => nowMs })
  const { accountId, key, hash } = await gateway.fund()
  const other = await gateway.admin('POST', '/api/v1/keys', { name: 'other', account_id: accountId })
  const budget = { scope: 'key', target: hash, max_usd: '0.005', period: 'daily' }
  await setBudget(gateway, accountId, budget)
  let refused = await call(gateway, key)
  for (let count = 0; refused.status === 200; count++) {
    assert.ok(count < 100)
    refused = await call(gateway, key)
  }
  assert.equal(refused.status, 402)
  assert.equal(refused.json.error.code, 'budget_exceeded')
  assert.match(refused.json.error.message, /the budget of key .* It starts over at 2026-11-21T00:00:00.000Z/)
  const upstreamCalls = gateway.upstream.received.length
  assert.equal((await call(gateway, key)).status, 402)
  assert.equal(gateway.upstream.received.length, upstreamCalls)
  assert.equal((await call(gateway, other.key)).status, 200)
  const before = (await gateway.ask('/v1/me', { key })).json
  assert.deepEqual([before.budget_max, before.budget_period], ['0.005', 'daily'])
  assert.ok(Number(before.budget_spent) > 0)
  assert.equal(before.budget_reset_at, '2026-11-21T00:00:00.000Z')
  assert.equal((await gateway.ask('/v1/me', { key: other.key })).json.budget_max, null)
  nowMs += DAY_MS
  assert.equal((await gateway.ask('/v1/me', { key })).json.budget_spent, '0')
  assert.equal((await call(gateway, key)).status, 200)
})

test('M14: 500 requests at once on a budget for a few: no upstream call more than it pays for', async () => {
  await using gateway = await startTestGateway()
  const { accountId, key } = await gateway.fund()
  const { id } = await setBudget(gateway, accountId, { scope: 'model', target: MODELS.chat.id, max_usd: '0.02' })
  const told = await Promise.all(Array.from({ length: 500 }, () => call(gateway, key)))
  const statuses = new Set(told.map(({ status }) => status))
  assert.deepEqual(statuses, new Set([200, 402]))
  const { data } = await gateway.admin('GET', `/api/v1/budgets?account_id=${accountId}`)
  assert.equal(data[0].id, id)
  assert.ok(Number(data[0].spent) <= 0.02)
  const charged = (await gateway.ledger(accountId)).filter(({ type }) => type === 'usage')
  const nanos = charged.reduce((sum, { amount }) => sum + Math.round(Number(amount) * -1e9), 0)
  assert.equal(nanos, Math.round(Number(data[0].spent) * 1e9))
  assert.equal(gateway.upstream.received.length, told.filter(({ status }) => status === 200).length)
  await gateway.admin('PATCH', `/api/v1/budgets/${id}?account_id=${accountId}`, { max_usd: '1' })
  assert.equal((await call(gateway, key)).status, 200)
})

test("R97: an account sees the operator's budgets and cannot lift them; its own it may", async () => {
  await using gateway = await startTestGateway()
  const { accountId, key } = await gateway.fund()
  const manager = await gateway.admin('POST', '/api/v1/keys', { name: 'm', account_id: accountId, kind: 'management' })
  const { id } = await setBudget(gateway, accountId, { max_usd: 1, period: 'monthly' })
  const as = (method: string, path: string, body?: object) => gateway.ask(path, { method, key: manager.key, body })
  assert.equal((await as('GET', '/api/v1/budgets')).json.data[0].set_by, 'operator')
  assert.equal((await as('PATCH', `/api/v1/budgets/${id}`, { max_usd: '100' })).status, 403)
  assert.equal((await as('DELETE', `/api/v1/budgets/${id}`)).status, 403)
  const own = await as('POST', '/api/v1/budgets', { scope: 'system', target: 'crm', max_usd: '2', hard: false })
  assert.equal(own.status, 201)
  assert.equal((await as('DELETE', `/api/v1/budgets/${own.json.id}`)).status, 200)
  assert.equal((await gateway.ask('/api/v1/budgets', { key })).status, 403)
  const stranger = await gateway.fund({ newKey: { kind: 'management' } })
  assert.equal((await gateway.ask(`/api/v1/budgets/${id}`, { method: 'DELETE', key: stranger.key })).status, 404)
  for (const bad of [
    { max_usd: '-1' },
    { scope: 'key', max_usd: '1', target: 'nobody' },
    { scope: 'model', max_usd: '1' },
  ]) {
    assert.equal((await as('POST', '/api/v1/budgets', bad)).status, 400)
  }
})
