import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXPIRY_INTERVAL_MS } from '#ledger/expiry.ts'
import { eventually } from '#test/faults/gateway.ts'
import { MODELS, startTestGateway } from './gateway.ts'

test('R90: a grant with an end leaves the balance by itself; the ledger, /v1/me and the credits tell the same', async () => {
  await using gateway = await startTestGateway()
  const { accountId, key } = await gateway.fund({ credit: '1' })
  const credits = (body: object) =>
    gateway.ask(`/api/admin/accounts/${accountId}/credits`, { method: 'POST', key: gateway.masterKey, body })
  const expires_at = new Date(Date.now() + 3000).toISOString()
  const granted = await credits({ amount: '5', type: 'grant', note: 'welcome', expires_at })
  assert.deepEqual([granted.status, granted.json.expires_at, granted.json.balance_after], [201, expires_at, '6'])
  for (const body of [
    { amount: '5', expires_at: new Date(Date.now() - 1000).toISOString() },
    { amount: '5', type: 'refund', expires_at },
    { amount: '5', type: 'expiry' },
    { amount: '5', expires_at: 'tomorrow' },
  ]) {
    assert.equal((await credits(body)).status, 400, JSON.stringify(body))
  }
  const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
  const told = await gateway.ask('/v1/chat/completions', { key, body })
  const cost = told.json.usage.cost
  assert.equal(cost, 0.000105)

  const { expiring_credits: left } = (await gateway.ask('/v1/me', { key })).json
  assert.deepEqual(left, [{ left: '4.999895', expires_at }])

  const entry = await eventually('the grant ends', 3000 + 3 * EXPIRY_INTERVAL_MS, async () =>
    (await gateway.ledger(accountId)).find(({ type }) => type === 'expiry'),
  )
  assert.deepEqual([entry.amount, entry.balance_after, entry.actor], ['-4.999895', '1', 'gateway'])
  assert.match(entry.payment_ref, /^expiry:crd_/)
  const me = (await gateway.ask('/v1/me', { key })).json
  assert.deepEqual([me.balance, me.expiring_credits], ['1', []])
  const { data } = (await gateway.ask('/api/v1/credits', { key })).json
  assert.deepEqual([data.total_credits, data.total_usage], [1.000105, 0.000105])
  const next = await gateway.ask('/v1/chat/completions', { key, body })
  assert.equal(next.status, 200)
  assert.equal((await gateway.account(accountId)).balance, '0.999895')
})
