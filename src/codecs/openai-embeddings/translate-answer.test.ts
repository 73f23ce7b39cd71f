import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { EmbeddingAnswer } from '#ir/embedding.ts'
import type { Usage } from '#ir/usage.ts'
import { openAiEmbeddings as codec } from './translation.ts'

const request = (over: object = {}) => codec.decodeRequest({ input: ['a', 'b'], ...over }, null)
const decode = (body: unknown, over: object = {}) => codec.decodeAnswer(body, request(over))
const usageOf = (usage: unknown) =>
  decode({ data: [{ embedding: [1] }, { embedding: [2] }], usage }).answer?.usage ?? null

describe('decode', () => {
  test('vectors are in the order of their indexes', () => {
    const data = [
      { object: 'embedding', index: 1, embedding: [0.2] },
      { object: 'embedding', index: 0, embedding: [0.1] },
    ]
    const { answer, failure } = decode({
      object: 'list',
      data,
      model: 'x',
      usage: { prompt_tokens: 8, total_tokens: 8 },
    })
    assert.equal(failure, null)
    assert.deepEqual(answer, {
      vectors: [[0.1], [0.2]],
      usage: {
        input: 8,
        cacheRead: null,
        cacheWrite: null,
        cacheWrite1h: null,
        output: 0,
        reasoning: null,
        source: 'upstream',
      },
    })
  })

  test('without indexes the order is that of the list', () => {
    const data = [{ embedding: [1] }, { embedding: [2], index: null }]
    assert.deepEqual(decode({ data }).answer?.vectors, [[1], [2]])
  })

  test('packed vectors stay packed for a client that wants them so', () => {
    const data = [{ embedding: 'AACAPw==' }, { embedding: [2] }]
    assert.deepEqual(decode({ data }, { encoding_format: 'base64' }).answer?.vectors, ['AACAPw==', [2]])
    assert.deepEqual(decode({ data }, { encoding_format: 'float' }).answer?.vectors, [[1], [2]])
    assert.deepEqual(decode({ data }).answer?.vectors, [[1], [2]])
  })

  test('usage: absent, only a total, zero, no count', () => {
    assert.equal(usageOf(undefined), null)
    assert.equal(usageOf({}), null)
    assert.equal(usageOf({ total_tokens: 12 })?.input, 12)
    assert.equal(usageOf({ prompt_tokens: null, total_tokens: 12 })?.input, 12)
    assert.equal(usageOf({ prompt_tokens: 0, total_tokens: 0, completion_tokens: 0 })?.input, 0)
    assert.equal(usageOf({ prompt_tokens: 1.5, total_tokens: 12 }), null)
    assert.equal(usageOf({ total_tokens: -1 }), null)
  })

  test('a 200 that is no answer is a failure', () => {
    assert.deepEqual(decode({ error: { message: 'no', code: 400 } }).failure?.status, 400)
    const broken = [
      null,
      [],
      'x',
      { data: null },
      { data: [] },
      { data: [{ embedding: [1] }] },
      { data: [null, null] },
      {
        data: [
          { index: 0, embedding: [1] },
          { index: 0, embedding: [2] },
        ],
      },
      {
        data: [
          { index: 0, embedding: [1] },
          { index: 2, embedding: [2] },
        ],
      },
      { data: [{ index: 1, embedding: [1] }, { embedding: [2] }] },
      {
        data: [
          { index: -1, embedding: [1] },
          { index: 1, embedding: [2] },
        ],
      },
      {
        data: [
          { index: '0', embedding: [1] },
          { index: 1, embedding: [2] },
        ],
      },
      { data: [{ embedding: [1] }, { embedding: [[2]] }] },
    ]
    for (const body of broken) {
      const { answer, failure } = decode(body)
      assert.equal(answer, null, JSON.stringify(body))
      assert.equal(failure.code, 'upstream_bad_response')
    }
  })

  test('an index that is no free place among the inputs is told as such', () => {
    for (const index of [0, 2, 2 ** 31]) {
      const { failure } = decode({
        data: [
          { index: 0, embedding: [1] },
          { index, embedding: [2] },
        ],
      })
      assert.match(failure?.message ?? '', /indexes are not those of the inputs/)
    }
  })
})

describe('encode', () => {
  const usage: Usage = {
    input: 5,
    cacheRead: 2,
    cacheWrite: null,
    cacheWrite1h: null,
    output: 0,
    reasoning: null,
    source: 'upstream',
  }
  const write = (answer: EmbeddingAnswer, over: object = {}, cost: string | null = null) =>
    JSON.stringify(codec.encodeAnswer(answer, { model: 'public', request: request(over), costOf: () => cost }))

  test('a list of numbers, with usage and an exact cost', () => {
    assert.equal(
      write({ vectors: [[0.1, -0.000023], [1e-7]], usage }, {}, '0.000000140'),
      '{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-0.000023]},' +
        '{"object":"embedding","index":1,"embedding":[1e-7]}],"model":"public",' +
        '"usage":{"prompt_tokens":7,"total_tokens":7,"cost":0.000000140}}',
    )
  })

  test('without a price there is no cost, without a report no usage', () => {
    assert.match(write({ vectors: [], usage }), /"usage":\{"prompt_tokens":7,"total_tokens":7\}\}$/)
    assert.equal(write({ vectors: [], usage: null }, {}, '1'), '{"object":"list","data":[],"model":"public"}')
  })

  test('the cost is asked of this usage', () => {
    const asked: Usage[] = []
    const costOf = (of: Usage): string => {
      asked.push(of)
      return '0'
    }
    codec.encodeAnswer({ vectors: [], usage }, { model: 'm', request: request(), costOf })
    assert.deepEqual(asked, [usage])
  })

  test('packs for a client that asked for it, and leaves what is packed', () => {
    const embeddings = (text: string) =>
      (JSON.parse(text) as { data: { embedding: unknown }[] }).data.map(({ embedding }) => embedding)
    const answer = { vectors: [[1, -2], 'AAAA'], usage: null }
    assert.deepEqual(embeddings(write(answer, { encoding_format: 'base64' })), ['AACAPwAAAMA=', 'AAAA'])
    assert.deepEqual(embeddings(write({ vectors: [[1, -2]], usage: null }, { encoding_format: 'float' })), [[1, -2]])
  })
})
