import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { openAiEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import type { EmbeddingAnswer, EmbeddingRequest } from '#ir/embedding.ts'
import type { Usage } from '#ir/usage.ts'
import { geminiEmbeddings as codec } from './translation.ts'

const content = { parts: [{ text: 'a' }] }
const ONE = codec.decodeRequest({ content }, 'embedContent')
const TWO = codec.decodeRequest({ requests: [{ content }, { content }] }, 'batchEmbedContents')

describe('decode', () => {
  const usage: Usage = {
    input: 11,
    cacheRead: null,
    cacheWrite: null,
    cacheWrite1h: null,
    output: 0,
    reasoning: null,
    source: 'upstream',
  }

  test('one and many, told or not told what was read', () => {
    const usageMetadata = { promptTokenCount: 11, promptTokenDetails: [{ modality: 'TEXT', tokenCount: 11 }] }
    assert.deepEqual(codec.decodeAnswer({ embedding: { values: [0.1, -2e-5] }, usageMetadata }, ONE), {
      answer: { vectors: [[0.1, -2e-5]], usage },
      failure: null,
    })
    assert.deepEqual(codec.decodeAnswer({ embeddings: [{ values: [1] }, { values: [2] }] }, TWO), {
      answer: { vectors: [[1], [2]], usage: null },
      failure: null,
    })
    assert.deepEqual(codec.decodeAnswer({ embeddings: [{ values: [1] }] }, ONE).answer?.vectors, [[1]])
  })

  test('an empty list is left out by Google', () => {
    assert.deepEqual(codec.decodeAnswer({ embedding: {} }, ONE).answer?.vectors, [[]])
  })

  test('a 200 that is no answer is a failure', () => {
    const error = { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'slow' }
    assert.equal(codec.decodeAnswer({ error }, ONE).failure?.status, 429)
    for (const body of [
      null,
      [],
      {},
      { embedding: null },
      { embedding: [1] },
      { embeddings: [] },
      { embeddings: [{ values: [1] }, { values: [2] }] },
      { embeddings: [null] },
      { embedding: { values: ['NaN'] } },
      { embedding: { values: {} } },
    ])
      assert.equal(codec.decodeAnswer(body, ONE).failure?.code, 'upstream_bad_response', JSON.stringify(body))
    assert.match(codec.decodeAnswer({ embedding: { values: [1] } }, TWO).failure?.message ?? '', /1 embeddings for 2/)
  })
})

describe('encode', () => {
  const usage: Usage = {
    input: 3,
    cacheRead: null,
    cacheWrite: null,
    cacheWrite1h: null,
    output: 0,
    reasoning: null,
    source: 'estimated',
  }
  const write = (answer: EmbeddingAnswer, request: EmbeddingRequest) =>
    codec.encodeAnswer(answer, { model: 'public', request, costOf: () => assert.fail('the cost is told in a header') })

  test("the form is that of the client's method", () => {
    assert.deepEqual(write({ vectors: [[0.1]], usage: null }, ONE), { embedding: { values: [0.1] } })
    assert.deepEqual(write({ vectors: [[1], [2]], usage }, TWO), {
      embeddings: [{ values: [1] }, { values: [2] }],
      usageMetadata: { promptTokenCount: 3, totalTokenCount: 3 },
    })
    assert.deepEqual(write({ vectors: [[1]], usage: null }, { ...ONE, isBatch: true }), {
      embeddings: [{ values: [1] }],
    })
  })

  test('packed vectors are unpacked, or no answer', () => {
    assert.deepEqual(write({ vectors: ['AACAPw=='], usage: null }, ONE), { embedding: { values: [1] } })
    assert.throws(
      () => write({ vectors: ['AAAA'], usage: null }, ONE),
      (error) => error instanceof GatewayError && error.code === 'upstream_bad_response',
    )
  })
})

describe('both ways', () => {
  test("an OpenAI client's packed vectors of a Gemini upstream", () => {
    const request = openAiEmbeddings.decodeRequest({ input: ['a', 'b'], encoding_format: 'base64' }, null)
    const { answer } = codec.decodeAnswer({ embeddings: [{ values: [1] }, { values: [-2] }] }, request)
    assert.ok(answer)
    assert.deepEqual(openAiEmbeddings.encodeAnswer(answer, { model: 'm', request, costOf: () => null }), {
      object: 'list',
      data: [
        { object: 'embedding', index: 0, embedding: 'AACAPw==' },
        { object: 'embedding', index: 1, embedding: 'AAAAwA==' },
      ],
      model: 'm',
    })
  })

  test("a Gemini client's numbers of an OpenAI upstream that packs unasked", () => {
    const { answer } = openAiEmbeddings.decodeAnswer({ data: [{ index: 0, embedding: 'AACAPw==' }] }, ONE)
    assert.ok(answer)
    const context = { model: 'm', request: ONE, costOf: () => null }
    assert.deepEqual(codec.encodeAnswer(answer, context), { embedding: { values: [1] } })
  })
})
