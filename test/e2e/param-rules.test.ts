import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { configFor, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { codeOf } from './surfaces.ts'

/** The operator's rules for parameters, on both ways to an upstream (R81). */

const RULES = [
  { param: 'temperature', when: { not: 1 }, action: 'drop' },
  { param: 'max_tokens', action: 'adapt', to: { name: 'max_completion_tokens' } },
  { param: 'logprobs', when: { equals: true }, action: 'error' },
]

let gateway: TestGateway
before(async () => {
  const { models } = configFor('') as { models: { id: string }[] }
  const ruled = models.map((model) => (model.id === MODELS.chat.id ? { ...model, params: RULES } : model))
  const anthropic = {
    type: 'anthropic',
    api_url: 'http://127.0.0.1:1',
    params: [{ param: 'top_p', action: 'drop' }],
  }
  gateway = await startTestGateway({ config: { models: ruled, backends: { other: anthropic } } })
})
after(() => gateway.close())

const chat = (rest: object, model: string = MODELS.chat.id) =>
  gateway.ask('/v1/chat/completions', { body: { model, messages: [{ role: 'user', content: 'hi' }], ...rest } })
const sent = () => gateway.upstream.received.at(-1)!

test('passthrough: a rule changes its member alone, and the client is told', async () => {
  const told = await chat({ temperature: 0, max_tokens: 5, seed: 7, x: { '2': 1, '1': 2.5 } })
  assert.equal(told.status, 200, told.text)
  const { temperature, max_tokens: older, max_completion_tokens: limit, seed, x } = sent().fields
  assert.deepEqual([temperature, older, limit, seed, x], [undefined, undefined, 5, 7, { '1': 2.5, '2': 1 }])
  const warnings = told.headers.get('x-gateway-warnings')!
  assert.match(warnings, /param=temperature;action=drop/)
  assert.match(warnings, /param=max_tokens;action=rewrite/)
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.equal(row.warnings.length, 2)
})

test('passthrough: what no rule is about keeps its bytes', async () => {
  const body = `{ "model" : "${MODELS.chat.id}", "temperature":1, "messages":[{"role":"user","content":"\\u0068i"}] }`
  await gateway.ask('/v1/chat/completions', { body })
  assert.equal(sent().bytes.toString(), body.replace(MODELS.chat.id, MODELS.chat.upstream))
})

test('a rule may refuse, before anything is sent', async () => {
  const calls = gateway.upstream.count()
  const told = await chat({ logprobs: true })
  assert.deepEqual([told.status, codeOf('chat', told.json)], [400, 'unsupported_parameter'], told.text)
  assert.equal(told.json.error.param, 'logprobs')
  assert.equal(gateway.upstream.count(), calls)
})

test('a translated request follows the same rules, told in the words of its client', async () => {
  const told = await gateway.ask(`/v1beta/models/${MODELS.chat.id}:generateContent`, {
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }], generationConfig: { temperature: 0.5, topP: 0.9 } },
  })
  assert.equal(told.status, 200, told.text)
  assert.deepEqual([sent().fields['temperature'], sent().fields['top_p']], [undefined, 0.9])
  assert.match(told.headers.get('x-gateway-warnings')!, /param=generationConfig\.temperature;action=drop/)
})
