import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Route } from '#catalog/types.ts'
import { RAISED_LIMIT_MAX } from '#codecs/raised-limit.ts'
import {
  type Asked,
  backendOf,
  callerOf,
  catalogOf,
  exchangeOf,
  gatewayOf,
  modelOf,
  parsedOf,
  PRICE,
  routeOf,
  selectionOf,
} from '#data-plane/testbed.ts'
import { MEDIA_TOKENS_MAX } from './bound.ts'
import { planTargets } from './plan.ts'

const backend = backendOf('b')

function plan(routes: readonly Route[], asked: Asked = {}, caller = callerOf()) {
  const selection = selectionOf(routes)
  return planTargets(gatewayOf(catalogOf(routes)), caller, parsedOf(asked), selection, exchangeOf())
}

const boundOf = (asked: Asked, model = modelOf('m')) => plan([routeOf(model, backend)], asked).bound!

const refusal = (code: string, routes: readonly Route[], asked: Asked = {}, message = /./) =>
  assert.throws(
    () => plan(routes, asked),
    (error) => error instanceof GatewayError && error.code === code && message.test(error.message),
  )

test("targets are all routes that can be spoken to, those in the client's own protocol first, then by priority (R66)", () => {
  const model = modelOf('m')
  const routes = [
    routeOf(model, backendOf('first')),
    routeOf(model, backendOf('foreign', { protocols: ['anthropic-messages'] })),
    routeOf(model, backendOf('second', { protocols: ['gemini', 'openai-chat'] }), { priority: 5 }),
  ]
  const { targets, group } = plan(routes)
  assert.deepEqual(
    targets.map(({ route, protocol }) => [route.backend.id, protocol]),
    [
      ['first', 'openai-chat'],
      ['second', 'openai-chat'],
      ['foreign', 'anthropic-messages'],
    ],
  )
  assert.equal(group, 'default')
  const turned = plan([routes[1]!, routes[0]!]).targets
  assert.deepEqual(
    turned.map(({ route }) => route.backend.id),
    ['first', 'foreign'],
  )
})

test('the length of the body bounds the prompt, and the context window bounds everything', () => {
  assert.equal(boundOf({ body: 'x'.repeat(1000) }).inputTokensMax, 1000)
  assert.equal(boundOf({ body: 'x'.repeat(1000) }, modelOf('m', { contextWindow: 999 })).inputTokensMax, 999)
})

test('a limit that a translation may raise is held as raised', () => {
  const facts = { outputTokensMax: 100 }
  const bound = (protocol: Protocol) => {
    const route = routeOf(modelOf('m'), backendOf('b', { protocols: [protocol] }))
    return plan([route], { facts }).bound!.outputTokensMax
  }
  assert.equal(bound('openai-chat'), 100)
  assert.equal(bound('gemini'), 100)
  assert.equal(bound('anthropic-messages'), RAISED_LIMIT_MAX)
  assert.equal(bound('bedrock-converse'), RAISED_LIMIT_MAX)
})

test('media that the body only refers to adds an allowance', () => {
  const facts = { unseen: { mediaCount: 3, unbounded: false } }
  assert.equal(boundOf({ body: 'xx', facts }).inputTokensMax, 2 + 3 * MEDIA_TOKENS_MAX)
  assert.equal(boundOf({ body: 'xx', facts }, modelOf('m', { contextWindow: 50 })).inputTokensMax, 50)
})

test('what has no bound of its own takes the whole context window', () => {
  const facts = { unseen: { mediaCount: 0, unbounded: true } }
  assert.equal(boundOf({ facts }, modelOf('m', { contextWindow: 128_000 })).inputTokensMax, 128_000)
})

test("the output limit is the client's, else the model's, else the gateway's", () => {
  const limits = (asked: Asked, maxOutput: number | null) => {
    const { outputTokensMax, outputIsClients } = boundOf(asked, modelOf('m', { maxOutput }))
    return [outputTokensMax, outputIsClients]
  }
  assert.deepEqual(limits({ facts: { outputTokensMax: 7 } }, 100), [7, true])
  assert.deepEqual(limits({ facts: { outputTokensMax: 0 } }, 100), [0, true])
  assert.deepEqual(limits({}, 100), [100, false])
  assert.deepEqual(limits({}, null), [4096, false])
})

test('no answers asked for still is one', () => {
  assert.equal(boundOf({ facts: { candidates: 0 } }).candidates, 1)
  assert.equal(boundOf({ facts: { candidates: 128 } }).candidates, 128)
})

test('an embedding has no output, and counting holds nothing', () => {
  const embedding = modelOf('m', { kind: 'embedding' })
  const routes = [routeOf(embedding, backendOf('b', { protocols: ['openai-embeddings'] }))]
  const asked: Asked = { surface: 'openai-embeddings', operation: 'embed' }
  assert.deepEqual([plan(routes, asked).bound!.outputTokensMax, plan(routes, asked).bound!.outputIsClients], [0, true])
  assert.equal(plan([routeOf(modelOf('m'), backend)], { operation: 'count' }).bound, null)
})

test('the price of the bound is the one that this request costs most at', () => {
  const model = modelOf('m')
  const prompt = { ...PRICE, input: 9_000_000n, output: 9_000_000n }
  const answer = { ...PRICE, input: 1_000_000n, output: 20_000_000n }
  const routes = [routeOf(model, backend, { price: prompt }), routeOf(model, backend, { price: answer })]
  const dearest = (outputTokensMax: number) => plan(routes, { facts: { outputTokensMax } }).bound!.price
  assert.equal(dearest(1), prompt)
  assert.equal(dearest(1000), answer)
})

test('an unpriced request is served only where nothing is billed', () => {
  const model = modelOf('m', { price: null })
  const routes = [routeOf(model, backend), routeOf(model, backend, { price: PRICE })]
  refusal('model_unpriced', routes)
  refusal('model_unpriced', routes.toReversed())
  assert.equal(plan(routes, {}, callerOf('off')).bound!.price, null)
})

test('each kind of model has its own paths', () => {
  refusal('model_not_embedding', [routeOf(modelOf('m'), backend)], { surface: 'openai-embeddings', operation: 'embed' })
  refusal('model_not_chat', [routeOf(modelOf('m', { kind: 'embedding' }), backend)])
})

test('a model of another protocol is refused with the path where it is served', () => {
  const foreign = [routeOf(modelOf('m'), backendOf('b', { protocols: ['openai-embeddings'] }))]
  refusal('translation_not_available', foreign, {}, /\/v1\/embeddings/)
})
