import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startGateway } from '#main'
import { startUpstream } from '#test/upstream/upstream.ts'
import {
  administer,
  configFor,
  ENVIRONMENT,
  type Json,
  MODELS,
  startTestGateway,
  type TestGateway,
  type Told,
} from './gateway.ts'
import { assertEnvelope, codeOf, type Name, SURFACES } from './surfaces.ts'

/** The free tier (R96), over real sockets, with a clock that the tests move. */

const NOON_MS = Date.UTC(2026, 10, 20, 12)
const MIDNIGHT_MS = Date.UTC(2026, 10, 21)
const clock = { nowMs: NOON_MS }

const FREE: readonly string[] = [MODELS.messages.id, MODELS.gemini.id]

/** Claude and Gemini cost nothing; the chat model does. */
function freeModels(): Json[] {
  return configFor('http://unused')['models'].map((model: Json) =>
    FREE.includes(model.id) ? { ...model, free: true, price: undefined } : model,
  )
}

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({
    now: () => clock.nowMs,
    config: {
      models: freeModels(),
      tiers: [{ name: 'generous', free_rpd: 70 }],
    },
  })
})
after(() => gateway.close())

const call = (name: Name, key: string): Promise<Told> =>
  gateway.ask(SURFACES[name].path, { key, body: SURFACES[name].body })

/** 20 in one minute are the other limit. */
async function use(key: string, times: number): Promise<void> {
  for (let count = 0; count < times; count++) {
    if (count % 20 === 0) clock.nowMs += 60_000
    const told = await call(count % 2 ? 'messages' : 'gemini', key)
    assert.equal(told.status, 200, told.text)
  }
}

describe('R96: a new account without a balance', () => {
  test('R96: has 50 free requests, over all free models and keys, until 00:00 UTC; what costs money is 402', async () => {
    clock.nowMs = NOON_MS
    const { key, accountId } = await gateway.fund({ credit: '0' })
    const { key: other } = await gateway.admin('POST', '/api/v1/keys', { name: 'other', account_id: accountId })
    await use(key, 50)
    const rows = await gateway.logs(accountId)
    assert.equal(rows.length, 50)
    for (const row of rows) assert.equal(row.charged_cost, '0')
    for (const name of ['messages', 'gemini'] as const) {
      const sent = gateway.upstream.count()
      const refused = await call(name, other)
      assert.equal(refused.status, 429)
      assertEnvelope(name, refused)
      assert.equal(codeOf(name, refused.json), 'free_tier_daily_limit')
      assert.equal(refused.headers.get('retry-after'), String((MIDNIGHT_MS - clock.nowMs) / 1000))
      assert.equal(refused.headers.get('x-should-retry'), 'false')
      assert.equal(refused.headers.get('x-ratelimit-limit'), '50')
      assert.equal(refused.headers.get('x-ratelimit-remaining'), '0')
      assert.equal(refused.headers.get('x-ratelimit-reset'), String(MIDNIGHT_MS))
      assert.equal(gateway.upstream.count(), sent)
    }
    assert.equal((await call('chat', key)).status, 402)
    clock.nowMs = MIDNIGHT_MS
    assert.equal((await call('messages', key)).status, 200)
    assert.equal((await call('chat', key)).status, 402)
  })

  test('R96: the 21st request of a minute is 429 rate_limit_exceeded', async () => {
    const { key } = await gateway.fund({ credit: '0' })
    await use(key, 20)
    const refused = await call('messages', key)
    assert.deepEqual([refused.status, codeOf('messages', refused.json)], [429, 'rate_limit_exceeded'])
    assert.equal(refused.headers.get('x-should-retry'), null)
  })

  test('sees what is left of the day', async () => {
    clock.nowMs = NOON_MS
    const { key } = await gateway.fund({ credit: '0' })
    await use(key, 3)
    const { json: me } = await gateway.ask('/v1/me', { key })
    assert.deepEqual(me.free_requests, { limit: 50, used: 3, remaining: 47, reset_at: '2026-11-21T00:00:00.000Z' })
    const { json: own } = await gateway.ask('/api/v1/key', { key })
    assert.deepEqual(own.data.free_model_daily_requests, { limit: 50, used: 3, remaining: 47 })
  })

  test('may say that it means the free variant', async () => {
    clock.nowMs = NOON_MS
    const { key } = await gateway.fund({ credit: '0' })
    const { path, body } = SURFACES.messages
    const told = await gateway.ask(path, { key, body: { ...body, model: `${MODELS.messages.id}:free` } })
    assert.deepEqual([told.status, told.headers.get('x-ratelimit-remaining')], [200, '49'], told.text)
  })

  test('a tier may have a day of its own', async () => {
    clock.nowMs = NOON_MS
    const { key, accountId } = await gateway.fund({ credit: '0' })
    await gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { tier: 'generous' })
    assert.equal((await call('messages', key)).headers.get('x-ratelimit-limit'), '70')
    const { json: me } = await gateway.ask('/v1/me', { key })
    assert.deepEqual([me.free_requests.limit, me.free_requests.used], [70, 1])
  })
})

test('R96: whoever bought 10 or more has 1000 a day; what was given counts nothing', async () => {
  const { key, accountId } = await gateway.fund({ credit: '100' })
  const limit = async () => (await call('messages', key)).headers.get('x-ratelimit-limit')
  assert.equal(await limit(), '50')
  const buy = (amount: string) => gateway.admin('POST', `/api/admin/accounts/${accountId}/credits`, { amount })
  await buy('9.99')
  clock.nowMs += 10_000
  assert.equal(await limit(), '50')
  await buy('0.01')
  clock.nowMs += 10_000
  assert.equal(await limit(), '1000')
})

describe('R96: a model that is free in the group of that name', () => {
  const nothing = { input: 0, output: 0 }
  const CHAT = MODELS.chat.id
  const config = () => ({
    groups: { default: {}, free: {} } as object,
    models: configFor('')['models'].map((model: Json) =>
      model.id === MODELS.gemini.id ? { ...model, free: true, price: undefined, free_tier: { rpm: 3, rpd: 5 } } : model,
    ),
    routes: [
      ...configFor('')['routes'],
      { model: CHAT, backend: 'openai', upstream_model: MODELS.chat.upstream, group: 'free', price: nothing },
      { model: MODELS.messages.id, backend: 'anthropic', group: 'free' },
    ] as unknown as object,
  })

  test('R96: the variant costs nothing and is limited, the model itself and what has a price there are not free', async () => {
    await using own = await startTestGateway({ now: () => clock.nowMs, config })
    const { key, accountId } = await own.fund({ credit: '0', newKey: { groups: ['default', 'free'] } })
    const ask = (model: string) => own.ask('/v1/chat/completions', { key, body: { model, messages: [] } })
    for (let count = 1; count <= 20; count++) {
      const told = await ask(`${CHAT}:free`)
      assert.deepEqual([told.status, told.headers.get('x-ratelimit-remaining')], [200, String(50 - count)], told.text)
    }
    assert.deepEqual(codeOf('chat', (await ask(`${CHAT}:free`)).json), 'rate_limit_exceeded')
    assert.equal((await ask(CHAT)).status, 402)
    assert.equal((await ask(`${MODELS.messages.id}:free`)).status, 402)
    const rows: Json[] = await own.logs(accountId)
    assert.equal(rows.filter((row) => row.charged_cost === '0').length, 20)
    assert.equal((await own.ask('/v1/me', { key })).json.free_requests.used, 20)
  })

  test('R96: a model may have limits of its own, beside those of all', async () => {
    await using own = await startTestGateway({ now: () => clock.nowMs, config })
    const { key } = await own.fund({ credit: '0' })
    const { path, body } = SURFACES.gemini
    const ask = () => own.ask(path, { key, body })
    for (let count = 1; count <= 3; count++) assert.equal((await ask()).status, 200)
    assert.equal(codeOf('gemini', (await ask()).json), 'rate_limit_exceeded')
    clock.nowMs += 60_000
    for (let count = 1; count <= 2; count++) assert.equal((await ask()).headers.get('x-ratelimit-limit'), '5')
    const refused = await ask()
    assert.deepEqual([refused.status, codeOf('gemini', refused.json)], [429, 'free_tier_daily_limit'])
    assert.equal((await own.ask('/v1/me', { key })).json.free_requests.used, 5)
  })
})

test('counting tokens is no request, and a model that costs money has no free tier', async () => {
  const { key } = await gateway.fund()
  assert.equal((await call('count', key)).headers.get('x-ratelimit-limit'), null)
  assert.equal((await call('chat', key)).headers.get('x-ratelimit-limit'), null)
})

test('R96: an attempt that reached no upstream does not count, one that an upstream refused does', async () => {
  clock.nowMs += 60_000
  const { key } = await gateway.fund({ credit: '0' })
  const used = async () => (await gateway.ask('/v1/me', { key })).json.free_requests.used
  gateway.upstream.script({ status: 500, body: {} })
  assert.equal((await call('messages', key)).status, 502)
  assert.equal(await used(), 1)
  gateway.upstream.script({ cutAfterBytes: 0 })
  const cut = await call('messages', key)
  assert.equal(cut.status, 502, cut.text)
  assert.equal(await used(), 1)
})

test('the day outlives a restart', async () => {
  const upstream = await startUpstream()
  const folder = mkdtempSync(join(tmpdir(), 'trivium-free-'))
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(configFor(upstream.url, { models: freeModels() })))
  const masterKey = 'mk-of-the-restart-test'
  const env = { ...ENVIRONMENT, GATEWAY_MASTER_KEY: masterKey }
  const start = () => startGateway({ flags: { port: 0 }, env, cwd: folder })
  const ask = async (url: string, key: string): Promise<string | null> => {
    const { path, body } = SURFACES.messages
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    await response.arrayBuffer()
    assert.equal(response.status, 200)
    return response.headers.get('x-ratelimit-remaining')
  }
  try {
    const first = await start()
    const { key } = await administer(first.url, masterKey).fund({ credit: '0' })
    assert.deepEqual([await ask(first.url, key), await ask(first.url, key)], ['49', '48'])
    await first.close()
    const second = await start()
    assert.equal(await ask(second.url, key), '47')
    await second.close()
  } finally {
    await upstream.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
})
