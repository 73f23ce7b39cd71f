import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { geminiEmbeddings } from '#codecs/gemini-embeddings/translation.ts'
import { openAiEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import { Losses } from '#ir/extensions.ts'
import { COHERE_TEXTS_MAX } from '#codecs/cohere-embeddings/bodies.ts'
import { bedrockEmbeddings } from './translation.ts'

const TITAN = 'amazon.titan-embed-text-v2:0'
const COHERE = 'us.cohere.embed-v4:0'
const openAi = (body: object): EmbeddingRequest => openAiEmbeddings.decodeRequest(body, null)

function encode(request: EmbeddingRequest, model: string) {
  const losses = new Losses()
  const { body, bodies } = bedrockEmbeddings.encodeRequest(request, { model }, losses)
  return { body, bodies, losses: losses.list.map(({ path, reason }) => [path, reason]) }
}

describe('Titan', () => {
  test('one text a body', () => {
    const one = encode(openAi({ input: 'a', dimensions: 256, user: 'u' }), TITAN)
    assert.deepEqual(one, {
      body: { inputText: 'a', dimensions: 256 },
      bodies: undefined,
      losses: [['/user', 'Bedrock takes no end user']],
    })
    assert.deepEqual(encode(openAi({ input: ['a', 'b'] }), TITAN).bodies, [{ inputText: 'a' }, { inputText: 'b' }])
  })

  test('the answers of all bodies are one answer, in their order', () => {
    const request = openAi({ input: ['a', 'b'] })
    const { answer } = bedrockEmbeddings.decodeAnswer(
      [
        { embedding: [1, 2], inputTextTokenCount: 3 },
        { embedding: [3, 4], inputTextTokenCount: 5 },
      ],
      request,
    )
    assert.deepEqual(answer?.vectors, [
      [1, 2],
      [3, 4],
    ])
    assert.equal(answer?.usage?.input, 8)
  })

  test('tokens are refused, and what it cannot say is told', () => {
    assert.throws(
      () => encode(openAi({ input: [1, 2, 3] }), TITAN),
      (error) => error instanceof GatewayError && error.status === 400 && error.details.param === 'input',
    )
    const gemini = geminiEmbeddings.decodeRequest(
      { content: { parts: [{ text: 'a' }, { text: 'b' }] }, taskType: 'RETRIEVAL_QUERY', odd: 1 },
      'embedContent',
    )
    const { body, losses } = encode(gemini, TITAN)
    assert.deepEqual(body, { inputText: 'a\nb' })
    assert.deepEqual(losses, [
      ['/taskType', 'this model has no taskType'],
      ['/odd', 'Bedrock knows no such member'],
    ])
  })
})

describe('Cohere', () => {
  test('a list of texts with what they are for', () => {
    assert.deepEqual(
      encode(openAi({ input: ['a', 'b'], dimensions: 512, input_type: 'search_query', odd: 1 }), COHERE),
      {
        body: { texts: ['a', 'b'], input_type: 'search_query', truncate: 'NONE', output_dimension: 512 },
        bodies: undefined,
        losses: [['/odd', 'Bedrock knows no such member']],
      },
    )
    const gemini = geminiEmbeddings.decodeRequest(
      { content: { parts: [{ text: 'a' }] }, taskType: 'CLUSTERING' },
      'embedContent',
    )
    assert.deepEqual(encode(gemini, COHERE).body, { texts: ['a'], input_type: 'clustering', truncate: 'NONE' })
    const third = encode(openAi({ input: 'a', dimensions: 512 }), 'cohere.embed-english-v3')
    assert.deepEqual(third.body, { texts: ['a'], input_type: 'search_document', truncate: 'NONE' })
    assert.deepEqual(third.losses, [['/dimensions', 'this model has one length']])
  })

  test('more texts than one call takes become several', () => {
    const texts = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)
    assert.equal(encode(openAi({ input: texts(COHERE_TEXTS_MAX) }), COHERE).bodies, undefined)
    const bodies = encode(openAi({ input: texts(COHERE_TEXTS_MAX + 1) }), COHERE).bodies as { texts: string[] }[]
    assert.deepEqual(
      bodies.map((body) => body.texts.length),
      [COHERE_TEXTS_MAX, 1],
    )
    assert.deepEqual(bodies[1]!.texts, [`t${COHERE_TEXTS_MAX}`])
  })

  test('vectors by type and without', () => {
    const request = openAi({ input: ['a', 'b'] })
    for (const embeddings of [[[1], [2]], { float: [[1], [2]] }])
      assert.deepEqual(bedrockEmbeddings.decodeAnswer({ embeddings }, request).answer?.vectors, [[1], [2]])
  })
})

test('a 200 that is no answer is a failure', () => {
  const request = openAi({ input: ['a', 'b'] })
  for (const body of [null, {}, { embedding: [1] }, { embeddings: [[1]] }, [{ embedding: ['x'] }, { embedding: [1] }]])
    assert.equal(
      bedrockEmbeddings.decodeAnswer(body, request).failure?.code,
      'upstream_bad_response',
      JSON.stringify(body),
    )
  assert.equal(bedrockEmbeddings.decodeAnswer({ message: 'no' }, request).failure?.message, 'no')
})
