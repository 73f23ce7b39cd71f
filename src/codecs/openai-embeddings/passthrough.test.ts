import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRefused, factsOf, rewritten } from '#codecs/testbed.ts'
import { embeddingsPassthrough as codec } from './passthrough.ts'

const answer = (body: unknown) => codec.readAnswer(Buffer.from(JSON.stringify(body)))

test('reads the model and nothing that could be an output', () => {
  const facts = factsOf(codec, { model: 'm', input: ['a', 'b'], stream: 'ignored', max_tokens: -1 })
  assert.deepEqual([facts.model, facts.stream, facts.outputTokensMax, facts.candidates], ['m', false, 0, 1])
  assert.equal(factsOf(codec, { model: null }).model, null)
})

test('refuses a model that is none or that is named twice', () => {
  assertRefused(codec, { model: 1 }, 'invalid_parameter', 'model')
  assertRefused(codec, '{"model":"a","\\u006dodel":"b"}', 'invalid_request', 'model')
  assertRefused(codec, 'null', 'invalid_json')
})

test('writes the model and leaves every other byte', () => {
  assert.equal(rewritten(codec, '{"input":[1e0, 2], "model":"a"}', { model: 'b' }), '{"input":[1e0, 2], "model":"b"}')
  assert.equal(rewritten(codec, '{"input":"x"}', { model: 'b' }), '{"model":"b","input":"x"}')
  assert.equal(rewritten(codec, '{}', { model: 'b' }), '{"model":"b"}')
})

test('reads an answer, whose output is never more than nothing', () => {
  const facts = answer({ data: [{ embedding: [0.1] }], model: 'm', usage: { prompt_tokens: 8, total_tokens: 8 } })
  assert.deepEqual([facts.usage?.input, facts.usage?.output, facts.usage?.source], [8, 0, 'upstream'])
  assert.equal(facts.failure, null)
  assert.ok(facts.modelSpan && facts.usageOpen)
  assert.equal(answer({ data: [], usage: { prompt_tokens: 0 } }).usage?.input, 0)
  assert.equal(answer({ data: [] }).usage, null)
  assert.equal(answer({ data: [], usage: { prompt_tokens: 1.5 } }).usage, null)
})

test('a 200 that is no answer is a failure', () => {
  assert.equal(answer({ error: { message: 'no', code: 400 } }).failure?.status, 400)
  assert.equal(answer({ data: null }).failure?.code, 'upstream_bad_response')
  assert.equal(answer([]).failure?.code, 'upstream_bad_response')
})

test('there are no streams of embeddings', () => {
  assert.throws(() => codec.openStream(factsOf(codec, '{}')))
  assert.equal(codec.failureEvents({ status: 502, code: 'x', message: 'x' }), '')
})
