import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic, { RateLimitError as AnthropicRateLimitError } from '@anthropic-ai/sdk'
import OpenAI, { RateLimitError } from 'openai'
import { CONCURRENCY_WAIT_MS } from '#limits/limiter.ts'
import { configFor, type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { assertEnvelope, codeOf, NAMES, type Name, SURFACES } from './surfaces.ts'

/** Limits over time, over real sockets, with a clock that the tests move (R78, R14). */

const MINUTE_MS = 60_000
const clock = { nowMs: Date.UTC(2026, 10, 20, 12) }

let gateway: TestGateway
before(async () => {
  const models = configFor('http://unused')['models'].map((model: Json) =>
    model.id === MODELS.embedding.id ? { ...model, limits: { rpd: 2 } } : model,
  )
  gateway = await startTestGateway({
    now: () => clock.nowMs,
    config: {
      models,
      tiers: [
        { name: 'five', rpm: 5, models: { [MODELS.messages.id]: { rpm: 2 } } },
        { name: 'week', rp7d: 1 },
        { name: 'words', tpm: 1000 },
        { name: 'one', concurrency: 1 },
      ],
    },
  })
})
after(() => gateway.close())

const call = (name: Name, key: string, change: object = {}): Promise<Told> =>
  gateway.ask(SURFACES[name].path, { key, body: { ...SURFACES[name].body, ...change } })

async function inTier(tier: string, newKey: object = {}): Promise<{ key: string; accountId: string }> {
  const { key, accountId } = await gateway.fund({ newKey })
  await gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { tier })
  return { key, accountId }
}

describe('R78: a tier of 5 requests per minute', () => {
  for (const name of NAMES.filter((one) => one !== 'embeddings')) {
    const isAnthropic = name === 'messages' || name === 'count'
    const allowed = isAnthropic ? 2 : 5
    test(`${name}: request ${allowed + 1} of a minute is 429 in its own dialect, calls nobody and costs nothing`, async () => {
      const { key, accountId } = await inTier('five')
      for (let count = 1; count <= allowed; count++) {
        const told = await call(name, key)
        assert.equal(told.status, 200, told.text)
        assert.equal(told.headers.get('x-ratelimit-limit-requests'), String(allowed))
        assert.equal(told.headers.get('x-ratelimit-remaining-requests'), String(allowed - count))
        assert.equal(told.headers.get('x-ratelimit-reset-requests'), '1m0s')
      }
      const [sent, booked] = [gateway.upstream.count(), (await gateway.ledger(accountId)).length]
      const refused = await call(name, key)
      assert.equal(refused.status, 429)
      assertEnvelope(name, refused)
      assert.equal(codeOf(name, refused.json), 'rate_limit_exceeded')
      const wait = Number(refused.headers.get('retry-after'))
      assert.ok(wait > 0 && wait <= 60)
      assert.equal(refused.headers.get('x-should-retry'), null)
      assert.equal(refused.headers.get('x-ratelimit-remaining-requests'), '0')
      assert.equal(refused.headers.get('anthropic-ratelimit-requests-limit'), isAnthropic ? '2' : null)
      assert.equal(
        refused.headers.get('anthropic-ratelimit-requests-reset'),
        isAnthropic ? new Date(clock.nowMs + MINUTE_MS).toISOString() : null,
      )
      assert.equal(gateway.upstream.count(), sent)
      assert.equal((await gateway.ledger(accountId)).length, booked)
      const row = await gateway.log(refused.headers.get('x-request-id')!)
      assert.deepEqual([row.status, row.status_code, row.error_code], ['rejected', 429, 'rate_limit_exceeded'])
      clock.nowMs += MINUTE_MS
      assert.equal((await call(name, key)).status, 200)
    })
  }

  test('a stream carries the headers too, and all keys of an account count together', async () => {
    const { key, accountId } = await inTier('five')
    const other = await gateway.admin('POST', '/api/v1/keys', { name: 'other', account_id: accountId })
    assert.equal((await call('chat', other.key, { stream: true })).headers.get('x-ratelimit-remaining-requests'), '4')
    assert.equal((await call('chat', key)).headers.get('x-ratelimit-remaining-requests'), '3')
  })
})

test('without limits there are no headers', async () => {
  const { headers } = await call('messages', gateway.key)
  assert.deepEqual(
    [...headers.keys()].filter((name) => name.includes('ratelimit')),
    [],
  )
})

test('R14: 3 requests per minute of a key are one on each surface; the fourth, on any, is 429', async () => {
  for (const fourth of ['chat', 'messages', 'gemini'] as const) {
    const { key } = await gateway.fund({ newKey: { rate_limits: { rpm: 3 } } })
    for (const name of ['chat', 'messages', 'gemini'] as const) assert.equal((await call(name, key)).status, 200)
    assert.equal((await call(fourth, key)).status, 429)
  }
})

test('the limits of a key are set, changed and taken away, from the next request on', async () => {
  const { key, hash } = await gateway.fund({ newKey: { rpm: 1, concurrency: 7 } })
  const { data } = await gateway.admin('GET', `/api/v1/keys/${hash}`)
  assert.deepEqual(data.rate_limits, { rpm: 1, tpm: 0, rp5h: 0, rpd: 0, rp7d: 0, concurrency: 7 })
  assert.deepEqual([(await call('chat', key)).status, (await call('chat', key)).status], [200, 429])
  await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { rpm: 3 })
  assert.deepEqual([(await call('chat', key)).status, (await call('chat', key)).status], [200, 200])
  assert.equal((await call('chat', key)).status, 429)
  const { data: freed } = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { rate_limits: null })
  assert.equal(freed.rate_limits, null)
  assert.equal((await call('chat', key)).headers.get('x-ratelimit-limit-requests'), null)
})

test('a limit of a model holds for each account apart', async () => {
  const [one, other] = [await gateway.fund(), await gateway.fund()]
  const statuses = [one, one, one, other].map(async ({ key }) => (await call('embeddings', key)).status)
  assert.deepEqual((await Promise.all(statuses)).toSorted(), [200, 200, 200, 429])
})

describe('a wait that is too long for an SDK', () => {
  test('R11: the libraries of OpenAI and Anthropic reject at once and ask once', async () => {
    const { key, accountId } = await inTier('week')
    assert.equal((await call('chat', key)).status, 200)
    const openai = new OpenAI({ apiKey: key, baseURL: `${gateway.url}/v1` })
    const anthropic = new Anthropic({ apiKey: key, baseURL: gateway.url })
    const body = { max_tokens: 5, messages: [{ role: 'user' as const, content: 'a' }] }
    await assert.rejects(
      openai.chat.completions.create({ ...body, model: MODELS.chat.id }),
      (error) => error instanceof RateLimitError && Number(error.headers.get('retry-after')) > 40_000,
    )
    await assert.rejects(anthropic.messages.create({ ...body, model: MODELS.messages.id }), AnthropicRateLimitError)
    const refused = (await gateway.logs(accountId)).filter((row) => row.status_code === 429)
    assert.equal(refused.length, 2)
    assert.equal((await call('chat', key)).headers.get('x-should-retry'), 'false')
  })
})

describe('tokens per minute', () => {
  test('are charged as estimated and put right by what was used', async () => {
    const { key } = await inTier('words')
    gateway.upstream.script({ usage: { input: 30, output: 20 } })
    const told = await call('chat', key, { max_tokens: 500 })
    assert.equal(told.headers.get('x-ratelimit-limit-tokens'), '1000')
    const left = Number(told.headers.get('x-ratelimit-remaining-tokens'))
    assert.ok(left < 500 && left > 400, `${left} left`)
    gateway.upstream.script({ usage: { input: 900, output: 50 } })
    const next = await call('chat', key, { max_tokens: 500 })
    assert.equal(next.status, 200)
    assert.equal(Number(next.headers.get('x-ratelimit-remaining-tokens')), left - 50)
    const refused = await call('chat', key)
    assert.equal(refused.status, 429)
    assert.match(refused.json.error.message, /1000 tokens per minute/)
    clock.nowMs += MINUTE_MS
    assert.equal((await call('chat', key)).status, 200)
  })
})

describe('requests at the same time', () => {
  test('a place is free again when its request has ended: well, refused by the upstream, or left by its client', async () => {
    const { key } = await inTier('one')
    const held = async (reply: object, signal?: AbortSignal) => {
      const gate = Promise.withResolvers<void>()
      const seen = gateway.upstream.received.length + 1
      gateway.upstream.script({ ...reply, waitFor: gate.promise })
      const body = SURFACES.chat.body
      const running = gateway.ask(SURFACES.chat.path, { key, body, ...(signal && { signal }) })
      running.catch(() => {})
      await gateway.upstream.whenReceived(seen)
      const second = await call('chat', key)
      assert.equal(second.status, 429)
      assert.equal(second.headers.get('retry-after'), String(CONCURRENCY_WAIT_MS / 1000))
      return { gate, running }
    }
    const well = await held({})
    well.gate.resolve()
    assert.equal((await well.running).status, 200)
    const failed = await held({ status: 500, body: {} })
    failed.gate.resolve()
    assert.equal((await failed.running).status, 502)
    const leaving = new AbortController()
    const aborted = gateway.upstream.aborted + 1
    const left = await held({}, leaving.signal)
    leaving.abort()
    await gateway.upstream.whenAborted(aborted)
    await assert.rejects(left.running)
    left.gate.resolve()
    assert.equal((await call('chat', key)).status, 200)
  })
})

test('what the gateway refuses by itself is not counted', async () => {
  const { key } = await gateway.fund({ credit: '0', newKey: { rpm: 1 } })
  for (let count = 0; count < 3; count++) assert.equal((await call('chat', key)).status, 402)
})

test('limits of addresses hold before a key is looked at', async () => {
  await using small = await startTestGateway({ now: () => clock.nowMs, config: { limits: { ip: { rpm: 4 } } } })
  const ask = async (key: string | null) => small.ask(SURFACES.messages.path, { key, body: SURFACES.messages.body })
  assert.equal((await ask(small.key)).headers.get('anthropic-ratelimit-requests-remaining'), '3')
  for (let count = 0; count < 3; count++) assert.equal((await ask('sk-guessed')).status, 401)
  const refused = await ask(small.key)
  assertEnvelope('messages', refused)
  assert.deepEqual([refused.status, codeOf('messages', refused.json)], [429, 'rate_limit_exceeded'])
  clock.nowMs += MINUTE_MS
  assert.equal((await ask(small.key)).status, 200)
})
