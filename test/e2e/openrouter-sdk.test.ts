import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import {
  BadRequestResponseError,
  NotFoundResponseError,
  PaymentRequiredResponseError,
  UnauthorizedResponseError,
} from '@openrouter/sdk/models/errors'
import { parseUsd } from '#base/money.ts'
import { type Json, model, MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'

/** OpenRouter's own SDK, changed in nothing but its server URL, on `/api/v1` (R7; openrouter-api.md section 8). */

const LONG = 'Grüße aus 東京, a longer text 🚀 with many words in it. '.repeat(5).trim()

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { sim: { type: 'simulator' } } } })
})
after(() => gateway.close())

const client = (apiKey = gateway.key): OpenRouter => new OpenRouter({ apiKey, serverURL: `${gateway.url}/api/v1` })
const chat = (model: string, content: string) => ({ model, messages: [{ role: 'user' as const, content }] })

describe('@openrouter/sdk: inference', () => {
  test('chat: text, cost with its details, and the generation that it names', async () => {
    const answer = await client().chat.send({ chatRequest: chat('sim/echo', LONG) })
    assert.ok('choices' in answer)
    assert.equal(answer.choices[0]!.message.content, LONG)
    assert.equal(answer.model, 'sim/echo')
    const { cost, costDetails, promptTokens, completionTokens } = answer.usage!
    assert.ok(cost! > 0)
    assert.ok(costDetails!.upstreamInferenceCompletionsCost! > 0)
    const { data } = await client().generations.getGeneration({ id: answer.id })
    assert.equal(data.totalCost, cost)
    assert.deepEqual([data.tokensPrompt, data.tokensCompletion], [promptTokens, completionTokens])
    const [entry] = await gateway.ledger(gateway.accountId)
    assert.equal(entry.request_id, (await gateway.logs(gateway.accountId))[0].request_id)
    assert.equal(parseUsd(entry.amount), -parseUsd(String(cost))!)
  })

  test('stream: the text in deltas, and usage with its cost on the last chunk without asking', async () => {
    const stream = await client().chat.send({ chatRequest: { ...chat('sim/echo', LONG), stream: true } })
    assert.ok(!('choices' in stream))
    let text = ''
    const costs: unknown[] = []
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      if (chunk.usage) costs.push(chunk.usage.cost)
    }
    assert.equal(text, LONG)
    assert.equal(costs.length, 1)
    const [row] = await gateway.logs(gateway.accountId)
    assert.equal(parseUsd(String(costs[0])), parseUsd(row.charged_cost))
  })

  test('stream: the nulls that OpenAI writes on every chunk do not trip the SDK', async () => {
    const chunk = (delta: object, finish: string | null, usage: object | null = null) =>
      `data: ${JSON.stringify({
        id: 'chatcmpl-9',
        object: 'chat.completion.chunk',
        created: 1,
        model: MODELS.chat.upstream,
        choices: usage ? [] : [{ index: 0, delta, finish_reason: finish }],
        system_fingerprint: null,
        usage,
      })}\n\n`
    const usage = { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 }
    const frames = [chunk({ role: 'assistant', content: 'Hi' }, null), chunk({}, 'stop'), chunk({}, null, usage)]
    gateway.upstream.script({ frames: [...frames, 'data: [DONE]\n\n'] })
    const stream = await client().chat.send({ chatRequest: { ...chat(MODELS.chat.id, 'a'), stream: true } })
    assert.ok(!('choices' in stream))
    const seen = []
    for await (const one of stream) seen.push(one.usage?.totalTokens)
    assert.deepEqual(seen, [undefined, undefined, 9])
  })

  test('responses, whole and streamed; embeddings', async () => {
    const sdk = client()
    const whole = await sdk.beta.responses.send({ responsesRequest: { model: 'sim/echo', input: 'Hello' } })
    assert.ok('output' in whole)
    assert.equal(whole.status, 'completed')
    assert.ok(whole.usage!.cost! > 0)
    const stream = await sdk.beta.responses.send({
      responsesRequest: { model: 'sim/echo', input: LONG, stream: true },
    })
    assert.ok(!('output' in stream))
    const types: string[] = []
    for await (const event of stream) types.push(String(event.type))
    assert.equal(types.at(-1), 'response.completed')
    const embedded = await sdk.embeddings.generate({ requestBody: { model: 'sim/embed', input: ['a', 'b'] } })
    assert.ok(typeof embedded !== 'string')
    assert.equal(embedded.data.length, 2)
    assert.ok(embedded.usage!.cost! > 0)
  })
})

describe('@openrouter/sdk: catalog and account', () => {
  test('models, with and without a key; one model; the count', async () => {
    const listed = await client().models.list({ limit: 1000, outputModalities: 'all' } as object)
    const ids: string[] = []
    for await (const page of listed) ids.push(...page.result.data.map((model) => model.id))
    for (const id of ['gpt-test', 'embed-test', 'sim/echo']) assert.ok(ids.includes(id), id)
    const open = await new OpenRouter({ serverURL: `${gateway.url}/api/v1` }).models.list()
    assert.ok(open)
    const { data } = await client().models.count({ outputModalities: 'all' } as object)
    assert.equal(data.count, ids.length)
    const one = await client().models.get({ author: 'sim', slug: 'echo' })
    assert.equal(one.data.id, 'sim/echo')
    assert.equal(Number(one.data.pricing.prompt) * 1e6, 1)
  })

  test('credits, the key itself, providers', async () => {
    const { accountId, key } = await gateway.fund({ credit: '5', newKey: { limit: 2 } })
    const spent = await client(key).chat.send({ chatRequest: chat('sim/echo', 'a') })
    assert.ok('choices' in spent)
    const cost = spent.usage!.cost!
    const { data: credits } = await client(key).credits.getCredits()
    assert.deepEqual([credits.totalCredits, credits.totalUsage], [5, cost])
    const { data: current } = await client(key).apiKeys.getCurrentKeyMetadata()
    assert.deepEqual([current.limit, current.usage, current.usageDaily], [2, cost, cost])
    assert.equal(parseUsd(String(current.limitRemaining)), 2_000_000_000n - parseUsd(String(cost))!)
    assert.equal((await gateway.ledger(accountId)).length, 2)
    const { data: providers } = await client().providers.list()
    assert.ok(Array.isArray(providers))
  })

  test('a management key makes, changes and deletes keys', async () => {
    const { key } = await gateway.fund({ newKey: { kind: 'management' } })
    const { apiKeys } = client(key)
    const made = await apiKeys.create({ requestBody: { name: 'made by the SDK', limit: 1 } })
    const { hash } = made.data
    const answer = await client(made.key).chat.send({ chatRequest: chat('sim/echo', 'a') })
    assert.ok('choices' in answer)
    assert.ok((await apiKeys.list()).data.some((one) => one.hash === hash))
    const changed = await apiKeys.update({ hash, requestBody: { name: 'changed', disabled: true } })
    assert.deepEqual([changed.data.name, changed.data.disabled], ['changed', true])
    assert.equal((await apiKeys.get({ hash })).data.disabled, true)
    assert.equal((await apiKeys.delete({ hash })).deleted, true)
    await assert.rejects(client(made.key).chat.send({ chatRequest: chat('sim/echo', 'a') }), UnauthorizedResponseError)
  })
})

describe('@openrouter/sdk: typed errors', () => {
  const refused =
    (kind: abstract new (...args: never[]) => Error, status: number, code: string) => (error: unknown) => {
      assert.ok(error instanceof kind, String(error))
      const { error: inner } = JSON.parse((error as unknown as { body: string }).body)
      assert.deepEqual([inner.code, inner.metadata.code], [status, code])
      return true
    }

  test('wrong key, unknown model, no credit, an upstream’s 400', async () => {
    const send = (key: string, model: string = MODELS.chat.id) =>
      client(key).chat.send({ chatRequest: chat(model, 'a') })
    await assert.rejects(send('sk-wrong'), refused(UnauthorizedResponseError, 401, 'invalid_api_key'))
    await assert.rejects(send(gateway.key, 'gpt-tset'), (error) => {
      const { error: inner } = JSON.parse((error as { body: string }).body)
      assert.deepEqual(inner.availability.fallback_models, ['gpt-test'])
      return refused(NotFoundResponseError, 404, 'model_not_found')(error)
    })
    const { key } = await gateway.fund({ credit: '0.0001' })
    const before = gateway.upstream.count()
    await assert.rejects(send(key), refused(PaymentRequiredResponseError, 402, 'insufficient_balance'))
    assert.equal(gateway.upstream.count(), before)
    gateway.upstream.script({ status: 400, body: { error: { message: 'bad', type: 'invalid_request_error' } } })
    await assert.rejects(send(gateway.key), refused(BadRequestResponseError, 400, 'invalid_request'))
  })

  test('what repeating cannot help makes one request only (section 4)', async () => {
    const before = gateway.upstream.count()
    gateway.upstream.always({ status: 401, body: { error: { message: 'no' } } })
    await assert.rejects(client().chat.send({ chatRequest: chat(MODELS.chat.id, 'a') }), NotFoundResponseError)
    gateway.upstream.always(undefined)
    assert.equal(gateway.upstream.count() - before, 1)
  })

  test('an overloaded upstream is worth a repetition, and the SDK succeeds with it', async () => {
    const before = gateway.upstream.count()
    gateway.upstream.script({ status: 503, headers: { 'retry-after': '0' }, body: { error: { message: 'busy' } } })
    const answer = await client().chat.send({ chatRequest: chat(MODELS.chat.id, 'a') })
    assert.ok('choices' in answer)
    assert.equal(gateway.upstream.count() - before, 2)
  })
})

test('R105: a model of two routes has two endpoints, each with its own price', async () => {
  await using two = await startTestGateway({
    config: (upstreamUrl) => ({
      models: [model('gpt-two')] as Json,
      routes: [
        { model: 'gpt-two', backend: 'openai', upstream_model: 'gpt-inner' },
        { model: 'gpt-two', backend: 'mistral', upstream_model: 'gpt-other', price: { input: 1, output: 2 } },
      ] as Json,
      backends: { mistral: { type: 'mistral', api_url: `${upstreamUrl}/v1`, api_key: 'sk-second-0123456789' } },
    }),
  })
  const sdk = new OpenRouter({ apiKey: two.key, serverURL: `${two.url}/api/v1` })
  const { data } = await sdk.endpoints.list({ author: 'openai', slug: 'gpt-two' })
  assert.deepEqual(
    data.endpoints.map(({ providerName, pricing }) => [
      providerName,
      Number(pricing.prompt) * 1e6,
      Number(pricing.completion) * 1e6,
    ]),
    [
      ['OpenAI', PRICE.input, PRICE.output],
      ['Mistral AI', 1, 2],
    ],
  )
  // What the operator calls them is not told.
  assert.ok(!JSON.stringify(data).includes('gpt-inner'))
})
