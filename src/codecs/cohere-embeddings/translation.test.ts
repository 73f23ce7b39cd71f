import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAiEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import { Losses } from '#ir/extensions.ts'
import { COHERE_TEXTS_MAX } from './bodies.ts'
import { cohereEmbeddings } from './translation.ts'

const MODEL = 'embed-v4.0'
const openAi = (body: object) => openAiEmbeddings.decodeRequest(body, null)

test('texts, what they are for, and the length of the vectors', () => {
  const losses = new Losses()
  const request = openAi({ input: ['a', 'b'], dimensions: 512, input_type: 'search_query', user: 'u', odd: 1 })
  assert.deepEqual(cohereEmbeddings.encodeRequest(request, { model: MODEL }, losses).body, {
    model: MODEL,
    embedding_types: ['float'],
    texts: ['a', 'b'],
    input_type: 'search_query',
    truncate: 'NONE',
    output_dimension: 512,
  })
  assert.deepEqual(
    losses.list.map(({ path }) => path),
    ['/user', '/odd'],
  )
})

test('more texts than one call takes become several, and their answers are one', () => {
  const input = Array.from({ length: COHERE_TEXTS_MAX + 1 }, (_, index) => `t${index}`)
  const { bodies } = cohereEmbeddings.encodeRequest(openAi({ input }), { model: MODEL }, new Losses())
  assert.deepEqual(
    (bodies as { texts: string[] }[]).map(({ texts }) => texts.length),
    [COHERE_TEXTS_MAX, 1],
  )
  const answer = (value: number, input_tokens: number) => ({
    embeddings: { float: [[value]] },
    meta: { billed_units: { input_tokens } },
  })
  const decoded = cohereEmbeddings.decodeAnswer([answer(1, 2), answer(3, 5)], openAi({ input: ['a', 'b'] }))
  assert.deepEqual(decoded.answer?.vectors, [[1], [3]])
  assert.equal(decoded.answer?.usage?.input, 7)
})

test('a 200 that is no answer is a failure', () => {
  for (const body of [null, {}, { embeddings: { int8: [[1]] } }, { embeddings: { float: [] } }])
    assert.ok(cohereEmbeddings.decodeAnswer(body, openAi({ input: 'a' })).failure, JSON.stringify(body))
  assert.equal(cohereEmbeddings.decodeAnswer({ message: 'no' }, openAi({ input: 'a' })).failure?.message, 'no')
})
