import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { ALERT_DEFAULTS } from '#billing/alert-settings.ts'
import { raiseBackendAlerts, raiseCreditAlerts, raiseFreeTierAlerts } from '#billing/backend-alerts.ts'
import { buildCatalog } from '#catalog/catalog.ts'
import { loadConfig } from '#config/load.ts'
import { startTestbed, type Testbed } from '#control-plane/testbed.ts'
import { TargetHealth } from '#health/target-health.ts'
import { FREE_REFUSERS_MAX, RateLimits } from '#limits/rate-limits.ts'
import { Outbound } from '#outbound/outbound.ts'
import { fetchCredits } from '#providers/fetch-credits.ts'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, MODELS, startTestGateway } from './gateway.ts'
import { startReceiver } from './webhook-receiver.ts'

/** What the operator is told of (R98), and the bell. */

const NOW_MS = Date.UTC(2026, 10, 20, 12)
const DAY_MS = 86_400_000
const USD = 1_000_000_000n
const WAIT_MS = 5000

const kinds = async (bed: Testbed): Promise<string[]> =>
  (await bed.ask('GET', '/api/alerts', { key: bed.masterKey })).json.data.map(({ type }: Json) => type)

test('R98: a circuit that has closed again between two looks is told of, once a day, and so is a probe that finds nobody', async () => {
  await using bed = await disposable()
  const { alerts } = bed.billing
  const health = new TargetHealth(() => NOW_MS)
  const backend = { id: 'b', credentials: ['one'] }
  const target = { backend, upstreamModel: 'm' } as never
  const look = (nowMs: number, seen: Map<string, number>) => {
    const openings = health.openingsOf(backend as never)
    return raiseBackendAlerts(alerts, [{ id: 'b', state: 'closed', credentials: [], openings }], nowMs, seen)
  }
  const seen = new Map<string, number>()
  assert.equal(await look(NOW_MS, seen), 0)
  for (let failure = 0; failure < 3; failure++) health.begin(target).fail('failed', null)
  assert.equal(await look(NOW_MS, seen), 1)
  assert.equal(await look(NOW_MS, seen), 0)
  assert.equal(await look(NOW_MS + DAY_MS, seen), 0, 'it opened yesterday')
  const down = [{ id: 'dead', state: 'closed', is_down: true, credentials: [] }] as const
  assert.equal(await raiseBackendAlerts(alerts, down, NOW_MS), 1)
  assert.equal(await raiseBackendAlerts(alerts, down, NOW_MS), 0)
  assert.deepEqual(await kinds(bed), ['backend_open', 'backend_open'])
})

test('R98: the credit at OpenRouter is asked for with each key, and told of once until more is bought', async () => {
  await using bed = await disposable()
  const asked: string[] = []
  const account = { credits: 100.5, usage: 96.25 }
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    if (request.headers.authorization === 'Bearer sk-or-bad') response.writeHead(403)
    response.end(JSON.stringify({ data: { total_credits: account.credits, total_usage: account.usage } }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`
  try {
    const { alerts } = bed.billing
    const look = async (keys: string): Promise<number> => {
      const credits = await fetchCredits(openrouterAt(apiUrl, keys))
      return raiseCreditAlerts(
        alerts,
        credits.map((credit) => ({ ...credit, backend: 'openrouter' })),
        5n * USD,
      )
    }
    assert.equal(await look('sk-or-one'), 1)
    assert.equal(await look('sk-or-one'), 0)
    account.credits = 200
    assert.equal(await look('sk-or-one'), 0)
    account.usage = 195.000000001
    assert.equal(await look('sk-or-one'), 1)
    assert.equal(asked[0], 'GET /api/v1/credits Bearer sk-or-one')
    const { data } = (await bed.ask('GET', '/api/alerts', { key: bed.masterKey })).json
    assert.deepEqual(
      data.map(({ type, left, below }: Json) => [type, left, below]),
      [
        ['upstream_credits_low', '4.999999999', '5'],
        ['upstream_credits_low', '4.25', '5'],
      ],
    )
    await assert.rejects(look('sk-or-bad'), /status 403/)
    assert.ok(!JSON.stringify(data).includes('sk-or'))
  } finally {
    server.close()
  }
})

function openrouterAt(apiUrl: string, key: string) {
  const env = { OPENROUTER_API_KEY: key, OPENROUTER_API_URL: apiUrl }
  const { settings } = loadConfig({ flags: {}, env, cwd: '/nonexistent' })
  const backend = buildCatalog(settings, { simulatorUrl: null, nowMs: NOW_MS }).backends.get('openrouter')!
  return { ...backend, apiUrl }
}

test('R98: an account that keeps asking for free models beyond its limit is told of', async () => {
  await using gateway = await startTestGateway({
    now: () => NOW_MS,
    alertIntervalMs: 50,
    config: (url) => ({
      free_tier: { rpm: 2 },
      alerts: { free_tier_refusals: 3 },
      models: [{ id: MODELS.chat.id, vendor: 'openai', context_window: 1000, max_output: 10, free: true }],
      routes: [{ model: MODELS.chat.id, backend: 'openai', upstream_model: 'm' }],
      backends: { openai: { type: 'openai', api_url: `${url}/v1`, api_key_env: 'OPENAI_API_KEY' } },
    }),
  })
  const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }], max_tokens: 5 }
  for (let request = 0; request < 5; request++) {
    assert.equal((await gateway.ask('/v1/chat/completions', { body })).status, request < 2 ? 200 : 429)
  }
  const told = () => gateway.admin('GET', '/api/alerts')
  const [alert] = await eventually('it is told of', WAIT_MS, async () => {
    const { data } = await told()
    return data.length > 0 ? data : undefined
  })
  assert.deepEqual([alert.type, alert.account, alert.refused], ['free_tier_abuse', gateway.accountId, 3])
})

test('R98: refusals of the free tier are told of from the number on that the operator names, once a day, and counted for so many accounts', async () => {
  await using bed = await disposable()
  let nowMs = NOW_MS
  const limits = new RateLimits({
    settings: () => loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' }).settings.rateLimits,
    history: { requests: async () => [], purchased: async () => 0n },
    freeModelIds: () => [],
    now: () => nowMs,
  })
  for (let refusal = 0; refusal < 3; refusal++) limits.noteFreeRefusal('acc_1')
  const look = (atLeast: number) => raiseFreeTierAlerts(bed.billing.alerts, limits.freeRefusals(), atLeast)
  assert.equal(await look(4), 0)
  assert.equal(await look(0), 0, 'switched off')
  assert.equal(await look(3), 1)
  assert.equal(await look(3), 0)
  nowMs += DAY_MS
  limits.noteFreeRefusal('acc_1')
  assert.deepEqual(
    limits.freeRefusals().map(({ count }) => count),
    [1],
    'a new day begins at nothing',
  )
  for (let account = 0; account < FREE_REFUSERS_MAX; account++) limits.noteFreeRefusal(`acc_${account}x`)
  assert.equal(limits.freeRefusals().length, FREE_REFUSERS_MAX)
})

test('R98: rules and sinks of the file hold where an account names none, and its own win', async () => {
  const hook = await startReceiver()
  const outbound = new Outbound({ allowPrivate: () => ['127.0.0.0/8'] })
  const alertDefaults = () => ({ ...ALERT_DEFAULTS, balanceBelowNano: 5n * USD, webhookUrl: hook.url })
  await using bed = await disposable({ outbound, alertDefaults, now: () => NOW_MS })
  try {
    const { alerts } = bed.billing
    const make = (email: string, creditNano: bigint) =>
      bed.accounts.create({ email, mode: 'prepaid', creditNano, actor: 'test' })
    const [poor, own, rich] = [await make('p@x.org', USD), await make('o@x.org', USD), await make('r@x.org', 9n * USD)]
    await make('never@x.org', 0n)
    await alerts.change(own.id, { balanceBelowNano: 0n }, false)
    await alerts.evaluate()
    await alerts.deliver()
    assert.deepEqual(
      hook.got.map(({ json }) => [json.type, json.account_id, json.below]),
      [['balance_low', poor.id, '5']],
    )
    const secret = (await bed.ask('GET', '/api/v1/alert-settings', { key: bed.masterKey })).json.webhook_secret
    assert.ok(hook.isGenuine(hook.got[0]!, secret, NOW_MS), "a sink of the file is signed with the operator's secret")
    const { plaintext: key } = await bed.keys.create({ name: 'm', accountId: rich.id, kind: 'management' })
    const set = (body: object) => bed.ask('PATCH', '/api/v1/alert-settings', { key, body })
    assert.deepEqual((await set({ thresholds: [10] })).json.thresholds, [10])
    assert.deepEqual((await set({ key_share: 50, spend_spike: 3 })).json.thresholds, [10])
    const back = (await set({ thresholds: null, balance_below: null })).json
    assert.deepEqual(
      [back.thresholds, back.balance_below, back.key_share, back.spend_spike],
      [[50, 80, 100], '5', 50, 3],
    )
    assert.equal((await set({ key_share: 101 })).status, 400)
    assert.equal((await set({ spend_spike: 1.5 })).status, 400)
  } finally {
    hook.close()
  }
})

test('R98: the bell: unread alerts of the account alone, acknowledged one by one or all at once, by whoever manages it', async () => {
  await using bed = await disposable({ alertDefaults: () => ({ ...ALERT_DEFAULTS, balanceBelowNano: USD }) })
  const account = await bed.accounts.create({ email: 'a@x.org', mode: 'prepaid', creditNano: 1n, actor: 'test' })
  const stranger = await bed.accounts.create({ email: 'b@x.org', mode: 'prepaid', creditNano: 1n, actor: 'test' })
  const keyOf = async (accountId: string, kind: 'management' | 'inference') =>
    (await bed.keys.create({ name: kind, accountId, kind })).plaintext
  const [manager, user] = [await keyOf(account.id, 'management'), await keyOf(account.id, 'inference')]
  const other = await keyOf(stranger.id, 'management')
  await bed.billing.alerts.evaluate()
  await bed.accounts.credit(account.id, { amountNano: 1n, actor: 'test' })
  await bed.billing.alerts.evaluate()
  const bell = async (key: string, query = '') => (await bed.ask('GET', `/api/alerts${query}`, { key })).json
  const { data, unread } = await bell(user)
  assert.deepEqual([unread, data.length, data.every(({ read_at }: Json) => read_at === null)], [2, 2, true])
  const path = `/api/alerts/${data[0].id}/acknowledge`
  assert.equal((await bed.ask('POST', path, { key: user })).status, 403, 'a key that only asks models hides nothing')
  assert.equal((await bed.ask('POST', path, { key: other })).status, 404)
  assert.equal((await bed.ask('POST', path)).status, 401)
  assert.deepEqual((await bed.ask('POST', path, { key: manager })).json, { acknowledged: 1, unread: 1 })
  assert.deepEqual((await bed.ask('POST', path, { key: manager })).json, { acknowledged: 0, unread: 1 })
  assert.deepEqual(
    (await bell(user, '?unread=true')).data.map(({ id }: Json) => id),
    [data[1].id],
  )
  assert.notEqual((await bell(user)).data[0].read_at, null)
  assert.deepEqual((await bed.ask('POST', '/api/alerts/acknowledge', { key: manager })).json, {
    acknowledged: 1,
    unread: 0,
  })
  assert.equal((await bell(other)).unread, 1, "a stranger's stay as they are")
  assert.equal((await bell(bed.masterKey)).unread, 0)
  assert.equal((await bell(bed.masterKey, `?account_id=${stranger.id}`)).unread, 1)
})

async function disposable(change: Parameters<typeof startTestbed>[1] = {}): Promise<Testbed & AsyncDisposable> {
  const bed = await startTestbed({}, change)
  return { ...bed, [Symbol.asyncDispose]: () => bed.close() }
}
