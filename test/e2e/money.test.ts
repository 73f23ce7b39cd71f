import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic, { APIError } from '@anthropic-ai/sdk'
import { parseUsd } from '#base/money.ts'
import { answerNatively, type Sold } from '#test/upstream/native.ts'
import type { Script } from '#test/upstream/upstream.ts'
import { eventsOf, type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { assertEnvelope, codeOf, NAMES, type Name, SURFACES } from './surfaces.ts'

/** Exact money, the same everywhere it is told: ledger, log row, header, body, generation (R4, R91, R94, R100; invariants 1, 2, 6). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

/** A decimal amount in nano-USD. */
const nano = (amount: string | number): bigint => {
  const parsed = parseUsd(typeof amount === 'number' ? amount.toFixed(9) : amount)
  assert.notEqual(parsed, undefined, `${amount} is no amount`)
  return parsed!
}

const GENERATING = ['chat', 'responses', 'messages', 'gemini', 'openRouter'] as const
/** Surfaces whose body tells the cost. */
const TELLING: readonly Name[] = ['chat', 'responses', 'embeddings', 'openRouter']

const SOLD: Sold = { input: 1000, cacheRead: 5000, cacheWrite: 2000, output: 100, reasoning: 40 }

let answers = 0
/** A native answer with these counts and an id of its own. */
function selling(sold: Sold, id: string): Script {
  return (received) => {
    const native = answerNatively(received, { text: 'Hello there.', sold })!
    const renamed = (text: string) => text.replaceAll(/"(chatcmpl-1|resp_1|msg_1|response-1)"/g, JSON.stringify(id))
    return native.frames
      ? { frames: native.frames.map(renamed) }
      : { body: renamed(JSON.stringify(native.body)), headers: { 'content-type': 'application/json' } }
  }
}

/** USD 3, 15, 0.30 and 3.75 per million, in nano-USD per token. */
function priceOf(name: Name, sold: Sold): bigint {
  if (name === 'embeddings') return BigInt(sold.input) * 100n
  // Responses and Gemini have no count of cache writes: those tokens are uncached input there.
  const keepsWrites = name !== 'responses' && name !== 'gemini'
  const input = sold.input + (keepsWrites ? 0 : sold.cacheWrite)
  const write = keepsWrites ? sold.cacheWrite : 0
  return BigInt(input) * 3000n + BigInt(sold.cacheRead) * 300n + BigInt(write) * 3750n + BigInt(sold.output) * 15_000n
}

function call(name: Name, key: string, streamed = false, change: object = {}): Promise<Told> {
  const { body, path } = SURFACES[name]
  if (name === 'gemini') {
    const target = streamed ? path.replace(':generateContent', ':streamGenerateContent?alt=sse') : path
    return gateway.ask(target, { key, body: { ...body, ...change } })
  }
  const options = streamed && name === 'chat' ? { stream_options: { include_usage: true } } : {}
  return gateway.ask(path, { key, body: { ...body, ...(streamed ? { stream: true } : {}), ...options, ...change } })
}

/** The cost in the body, or null where the protocol has no place for it. */
function costIn(told: Told, streamed: boolean): number | null {
  if (!streamed) return told.json.usage?.cost ?? null
  const costs = eventsOf(told.text).flatMap((event) => {
    const usage = event.usage ?? event.response?.usage
    return usage?.cost === undefined ? [] : [usage.cost]
  })
  assert.ok(costs.length <= 1, 'the cost is told once')
  return costs[0] ?? null
}

describe('one cost everywhere', () => {
  for (const streamed of [false, true]) {
    for (const name of streamed ? GENERATING : [...GENERATING, 'embeddings' as const]) {
      test(`${name}, ${streamed ? 'streamed' : 'whole'}: exact, with cache and reasoning`, async () => {
        const { key, accountId } = await gateway.fund({ credit: '1' })
        const sold = name === 'embeddings' ? { ...SOLD, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 } : SOLD
        const id = `answer-${++answers}`
        gateway.upstream.script(selling(sold, id))
        const told = await call(name, key, streamed)
        assert.equal(told.status, 200, told.text)
        const expected = priceOf(name, sold)
        const requestId = told.headers.get('x-request-id')!

        const [entry, ...others] = await gateway.ledger(accountId)
        assert.equal(others.length, 1, 'one entry besides the grant')
        assert.deepEqual([nano(entry.amount), entry.request_id, entry.type], [-expected, requestId, 'usage'])
        const row = await gateway.log(requestId)
        for (const column of ['charged_cost', 'list_cost', 'metered_cost'])
          assert.equal(nano(row[column]), expected, column)
        assert.deepEqual([row.usage_source, row.absorbed_cost], ['upstream', '0'])
        assert.equal(row.tokens.output, sold.output)
        if (name !== 'embeddings' && name !== 'messages') assert.equal(row.tokens.reasoning, sold.reasoning)
        const account = await gateway.account(accountId)
        assert.deepEqual([nano(account.balance), account.held], [1_000_000_000n - expected, '0'])

        if (!streamed) assert.equal(nano(told.headers.get('x-gateway-cost')!), expected)
        const cost = costIn(told, streamed)
        if (TELLING.includes(name)) assert.equal(nano(cost!), expected)
        else assert.ok(cost === null && !told.text.includes('"cost"'))
        for (const wanted of name === 'embeddings' ? [requestId] : [requestId, id]) {
          const { json } = await gateway.ask(`/api/v1/generation?id=${wanted}`, { key })
          assert.equal(nano(json.data.total_cost), expected)
          assert.equal(json.data.request_id, requestId)
        }
        assert.equal(
          (await gateway.ask(`/api/v1/generation?id=${requestId}`)).status,
          404,
          'another tenant sees nothing',
        )
      })
    }
  }

  test('the example of R91, and half a nano-dollar is rounded up once', async () => {
    assert.equal(priceOf('messages', SOLD), 13_500_000n)
    const { key, accountId } = await gateway.fund({ credit: '1' })
    gateway.upstream.script(selling({ ...SOLD, input: 0, cacheRead: 3, cacheWrite: 0, output: 0 }, 'tiny'))
    const told = await call('messages', key)
    assert.equal(nano(told.headers.get('x-gateway-cost')!), 900n)
    assert.equal(nano((await gateway.ledger(accountId))[0].amount), -900n)
  })

  test('counting is free: no line in the ledger, a row with its tokens', async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    const counted = await call('count', key)
    assert.equal(counted.json.input_tokens, 10)
    const gemini = await gateway.ask(`/v1beta/models/${MODELS.gemini.id}:countTokens`, { key, body: { contents: [] } })
    assert.equal(gemini.json.totalTokens, 10)
    for (const { headers } of [counted, gemini]) {
      assert.equal(headers.get('x-gateway-cost'), null)
      assert.equal((await gateway.log(headers.get('x-request-id')!)).charged_cost ?? '0', '0')
    }
    assert.equal((await gateway.ledger(accountId)).length, 1)
    const { key: empty } = await gateway.fund({ credit: '0' })
    assert.equal((await call('count', empty)).status, 200, 'and needs no balance')
  })

  test('the entry is there when the client has the last byte', async () => {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    for (const name of GENERATING) {
      const { path, body } = SURFACES[name]
      const target = name === 'gemini' ? path.replace(':generateContent', ':streamGenerateContent?alt=sse') : path
      const response = await gateway.open(target, { key, body: name === 'gemini' ? body : { ...body, stream: true } })
      for await (const _ of response.body!);
      const [entry] = await gateway.ledger(accountId)
      assert.equal(entry.request_id, response.headers.get('x-request-id'))
    }
  })
})

describe('not enough money (R94)', () => {
  const refused = async (name: Name, key: string, code: string, change: object = {}): Promise<Told> => {
    const before = gateway.upstream.count()
    const told = await call(name, key, false, change)
    assert.deepEqual([told.status, codeOf(name, told.json)], [402, code], told.text)
    assertEnvelope(name, told)
    assert.equal(gateway.upstream.count(), before, 'no upstream call')
    assert.equal(told.headers.get('x-should-retry'), null, '402 is not repeated by any SDK')
    return told
  }

  test('an empty account is refused on every surface, in its own words', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0' })
    for (const name of NAMES.filter((one) => one !== 'count')) {
      const told = await refused(name, key, 'insufficient_balance')
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual([row.status_code, row.error_code, row.account_id], [402, 'insufficient_balance', accountId])
      if (name === 'messages') assert.equal(told.json.error.type, 'billing_error')
      if (name === 'gemini') assert.equal(told.json.error.status, 'RESOURCE_EXHAUSTED')
    }
    assert.equal((await gateway.ledger(accountId)).length, 0)
    const client = new Anthropic({ apiKey: key, authToken: null, baseURL: gateway.url })
    const ask = { model: MODELS.messages.id, max_tokens: 10, messages: [{ role: 'user' as const, content: 'a' }] }
    await assert.rejects(client.messages.create(ask), (error) => error instanceof APIError && error.status === 402)
  })

  test('a request without a limit gets the largest that the balance pays for, and is told so', async () => {
    const limits: Record<(typeof GENERATING)[number], (fields: Json) => unknown> = {
      chat: (fields) => fields.max_tokens,
      openRouter: (fields) => fields.max_tokens,
      responses: (fields) => fields.max_output_tokens,
      messages: (fields) => fields.max_tokens,
      gemini: (fields) => fields.generationConfig.maxOutputTokens,
    }
    for (const name of GENERATING) {
      // Room for some 600 tokens of output besides the prompt's bound; the model's own limit is 8000.
      const { key } = await gateway.fund({ credit: '0.01' })
      const told = await call(name, key, false, name === 'messages' ? { max_tokens: undefined } : {})
      assert.equal(told.status, 200, told.text)
      const limit = limits[name](gateway.upstream.received.at(-1)!.fields)
      assert.ok(typeof limit === 'number' && limit >= 256 && limit < 700, `${name}: ${limit}`)
      assert.match(
        told.headers.get('x-gateway-warnings')!,
        new RegExp(`param=\\S*max\\w*tokens;action=narrow;reason=lowered to ${limit} `, 'i'),
      )
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.equal(row.warnings.length, 1)
      assert.match(row.warnings[0].reason, new RegExp(`lowered to ${limit} tokens`))
    }
  })

  test('a limit of the client’s own is never lowered, and less than the least limit is refused', async () => {
    const { key } = await gateway.fund({ credit: '0.01' })
    await refused('chat', key, 'insufficient_balance', { max_tokens: 1000 })
    await refused('chat', key, 'insufficient_balance', { n: 3 })
    const told = await call('chat', key, false, { max_tokens: 300 })
    assert.equal(told.status, 200)
    assert.equal(gateway.upstream.received.at(-1)!.fields['max_tokens'], 300)
    assert.equal(told.headers.get('x-gateway-warnings'), null)
    const { key: poor } = await gateway.fund({ credit: '0.002' })
    await refused('chat', poor, 'insufficient_balance')
  })

  test('of 50 at once only as many reach the upstream as the balance covers, and it never goes below zero', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0.01' })
    const before = gateway.upstream.count()
    const gate = Promise.withResolvers<void>()
    gateway.upstream.always({ waitFor: gate.promise })
    let refusals = 0
    const running = Array.from({ length: 50 }, async () => {
      const told = await call('chat', key, false, { max_tokens: 300 })
      if (told.status === 402 && ++refusals === 48) gate.resolve()
      return told.status
    })
    const statuses = await Promise.all(running)
    gateway.upstream.always(undefined)
    assert.equal(statuses.filter((status) => status === 200).length, 2)
    assert.equal(gateway.upstream.count() - before, 2)
    const account = await gateway.account(accountId)
    assert.ok(nano(account.balance) >= 0n)
    assert.equal(account.held, '0')
  })

  test('an upstream that counts more than the bound takes a prepaid account to zero and no further', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0.01' })
    gateway.upstream.script(selling({ ...SOLD, input: 1_000_000 }, 'greedy'))
    const told = await call('chat', key, false, { max_tokens: 300 })
    assert.equal(told.status, 200)
    const account = await gateway.account(accountId)
    assert.deepEqual([account.balance, account.held], ['0', '0'])
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.equal(nano(row.charged_cost), 10_000_000n)
    assert.equal(nano(row.absorbed_cost) + nano(row.charged_cost), nano(row.metered_cost))
    assert.ok(nano(row.absorbed_cost) > 0n)
  })

  test('postpaid goes below zero, down to its credit limit', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0', mode: 'postpaid', creditLimit: '0.01' })
    assert.equal((await call('chat', key, false, { max_tokens: 300 })).status, 200)
    assert.equal((await gateway.account(accountId)).balance, '-0.000105')
    await refused('chat', key, 'credit_limit_exceeded', { max_tokens: 5000 })
    const { key: free, accountId: other } = await gateway.fund({ credit: '0', mode: 'postpaid' })
    assert.equal((await call('chat', free)).status, 200)
    assert.ok(nano((await gateway.account(other)).balance) < 0n)
  })

  test('a key’s own limit', async () => {
    const { key, accountId } = await gateway.fund({ credit: '5', newKey: { limit: 0.005 } })
    assert.equal((await call('chat', key, false, { max_tokens: 100 })).status, 200)
    for (const name of GENERATING)
      await refused(
        name,
        key,
        'key_limit_exceeded',
        name === 'gemini' ? { generationConfig: { maxOutputTokens: 900 } } : limitFor(name),
      )
    assert.equal((await gateway.account(accountId)).held, '0')
  })
})

const limitFor = (name: Name): object => (name === 'responses' ? { max_output_tokens: 900 } : { max_tokens: 900 })
