import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** Budgets that the configuration file sets, and where their days begin (R97). */

const WAIT_MS = 5000
/** What one call of these tests holds at most: a hundred tokens at 15 and a short prompt at 3.75 per million. */
const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }], max_tokens: 100 }

const call = (gateway: TestGateway, key: string) => gateway.ask('/v1/chat/completions', { key, body })

/** Rewrites the gateway's file as editors do. */
function rewrite(file: string, change: (config: Json) => void): void {
  const config = JSON.parse(readFileSync(file, 'utf8'))
  change(config)
  writeFileSync(`${file}.new`, JSON.stringify(config))
  renameSync(`${file}.new`, file)
}

const list = async (gateway: TestGateway, accountId: string): Promise<Json[]> =>
  (await gateway.admin('GET', `/api/v1/budgets?account_id=${accountId}`)).data

test('R97: budgets of the file refuse, are shown as such, cannot be changed over the API, and follow the file', async () => {
  const budgets = [{ max_usd: '0.001' }, { scope: 'model', target: MODELS.messages.id, max_usd: 5, hard: false }]
  await using gateway = await startTestGateway({ config: { budgets } })
  const { accountId, key } = await gateway.fund()
  const management = await gateway.admin('POST', '/api/v1/keys', {
    name: 'm',
    account_id: accountId,
    kind: 'management',
  })
  const refused = await call(gateway, key)
  assert.equal(refused.status, 402, refused.text)
  assert.equal(refused.json.error.code, 'budget_exceeded')
  assert.equal(gateway.upstream.received.length, 0)
  const found = await list(gateway, accountId)
  const [own, soft] = found.toSorted((left, right) => left.scope.localeCompare(right.scope))
  assert.deepEqual(
    [own, soft].map((one) => [one.set_by, one.scope, one.target, one.max_usd, one.hard]),
    [
      ['file', 'account', null, '0.001', true],
      ['file', 'model', MODELS.messages.id, '5', false],
    ],
  )
  for (const presented of [management.key, gateway.masterKey]) {
    for (const { id } of [own, soft]) {
      const path = `/api/v1/budgets/${id}?account_id=${accountId}`
      const change = { key: presented, method: 'PATCH', body: { max_usd: '9' } }
      assert.equal((await gateway.ask(path, change)).status, 403)
      assert.equal((await gateway.ask(path, { key: presented, method: 'DELETE' })).status, 403)
    }
  }
  rewrite(gateway.configFile, (config) => (config.budgets = [{ max_usd: '0.5' }]))
  await eventually(
    'the file is in force',
    WAIT_MS,
    async () => (await list(gateway, accountId)).length === 1 || undefined,
  )
  assert.equal((await call(gateway, key)).status, 200)
  const [raised] = await list(gateway, accountId)
  assert.deepEqual([raised.id, raised.max_usd], [own.id, '0.5'])
  assert.ok(Number(raised.spent) > 0)
  rewrite(gateway.configFile, (config) => (config.budgets = []))
  await eventually('it names none', WAIT_MS, async () => (await list(gateway, accountId)).length === 0 || undefined)
})

test('R97: BUDGET_TZ: the day of a budget ends at midnight of the zone, and a key says so', async () => {
  let nowMs = Date.UTC(2026, 10, 20, 12)
  await using gateway = await startTestGateway({
    now: () => nowMs,
    env: { BUDGET_TZ: 'America/New_York' },
    config: { budgets: [{ max_usd: '0.005', period: 'daily' }] },
  })
  const { key } = await gateway.fund()
  let refused = await call(gateway, key)
  for (let count = 0; refused.status === 200; count++) {
    assert.ok(count < 100)
    refused = await call(gateway, key)
  }
  assert.match(refused.json.error.message, /It starts over at 2026-11-21T05:00:00.000Z/)
  nowMs = Date.UTC(2026, 10, 21, 4, 59, 59)
  assert.equal((await call(gateway, key)).status, 402)
  assert.equal((await gateway.ask('/v1/me', { key })).json.budget_reset_at, '2026-11-21T05:00:00.000Z')
  nowMs = Date.UTC(2026, 10, 21, 5)
  assert.equal((await gateway.ask('/v1/me', { key })).json.budget_spent, '0')
  assert.equal((await call(gateway, key)).status, 200)
})
