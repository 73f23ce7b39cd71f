import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assertRefused, encoded } from '#codecs/openai-embeddings/testbed.ts'
import { openAiEmbeddings } from '#codecs/openai-embeddings/translation.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import { geminiEmbeddings as codec } from './translation.ts'

const one = (body: unknown) => codec.decodeRequest(body, 'embedContent')
const many = (body: unknown) => codec.decodeRequest(body, 'batchEmbedContents')

const encode = (request: EmbeddingRequest) => encoded(codec, request)

const text = (...texts: string[]) => ({ parts: texts.map((part) => ({ text: part })) })

describe('decode', () => {
  test('embedContent', () => {
    const body = {
      model: 'models/other',
      content: { role: 'user', ...text('héllo 🙂') },
      taskType: 'RETRIEVAL_DOCUMENT',
      title: '',
      outputDimensionality: 0,
    }
    assert.deepEqual(one(body), {
      inputs: [
        {
          content: { type: 'text', texts: ['héllo 🙂'], role: 'user' },
          dimensions: 0,
          taskType: 'RETRIEVAL_DOCUMENT',
          title: '',
          path: '',
          paths: { dimensions: '/outputDimensionality', taskType: '/taskType', title: '/title' },
          ext: {},
        },
      ],
      isBatch: false,
      encoding: 'float',
      endUser: null,
      paths: {},
      ext: {},
    })
  })

  test('batchEmbedContents, with what is unknown in either place', () => {
    const requests = [
      { model: 'models/m', content: text('a'), odd: 1 },
      { content: text('b', 'c'), title: null },
    ]
    const request = many({ model: 'models/other', requests, labels: { a: 'b' } })
    assert.equal(request.isBatch, true)
    assert.deepEqual(request.ext, { gemini: { labels: { a: 'b' } } })
    assert.deepEqual(
      request.inputs.map(({ content, title, path, ext }) => ({ content, title, path, ext })),
      [
        {
          content: { type: 'text', texts: ['a'], role: null },
          title: null,
          path: '/requests/0',
          ext: { gemini: { odd: 1 } },
        },
        { content: { type: 'text', texts: ['b', 'c'], role: null }, title: null, path: '/requests/1', ext: {} },
      ],
    )
  })

  test('snake_case, and one object where a list of one is meant', () => {
    const request = many({
      requests: { content: { parts: { text: 'a' } }, task_type: 'X', output_dimensionality: '256' },
    })
    const [input] = request.inputs
    assert.deepEqual(input?.content, { type: 'text', texts: ['a'], role: null })
    assert.deepEqual([input?.taskType, input?.dimensions], ['X', 256])
    assert.deepEqual(input?.paths, {
      dimensions: '/requests/0/output_dimensionality',
      taskType: '/requests/0/task_type',
    })
  })

  test('embedContentConfig says the same at another place', () => {
    const config = { task_type: 'X', title: 't', outputDimensionality: 8, autoTruncate: false }
    const [input] = one({ content: text('a'), embedContentConfig: config }).inputs
    assert.deepEqual([input?.taskType, input?.title, input?.dimensions], ['X', 't', 8])
    assert.equal(input?.paths['taskType'], '/embedContentConfig/task_type')
    assert.deepEqual(input?.ext, { gemini: { embedContentConfig: { autoTruncate: false } } })
  })

  test('contents that are not only text stay as they stood', () => {
    const contents = [
      { parts: [{ text: 'a' }, { inlineData: { mimeType: 'image/png', data: 'AA==' } }] },
      { parts: [{ text: 'a', thought: false }] },
      { ...text('a'), odd: 1 },
      { parts: 'a' },
      { parts: [1] },
    ]
    for (const value of contents)
      assert.deepEqual(one({ content: value }).inputs[0]?.content, { type: 'opaque', issuer: 'gemini', value })
    const plain = { type: 'text', texts: ['a'], role: null }
    assert.deepEqual(one({ content: { ...text('a'), role: null, odd: null } }).inputs[0]?.content, plain)
    assert.deepEqual(one({ content: {} }).inputs[0]?.content, { type: 'text', texts: [], role: null })
  })

  test('what is no request is refused with the member at fault', () => {
    for (const body of [null, [], 'x']) assertRefused(() => one(body), 'invalid_json')
    for (const content of [undefined, null, 'a', [], 1])
      assertRefused(() => one({ content }), 'invalid_parameter', 'content')
    for (const requests of [undefined, null, [], 'a'])
      assertRefused(() => many({ requests }), 'invalid_request', 'requests')
    assertRefused(() => many({ requests: [{ content: text('a') }, 1] }), 'invalid_parameter', 'requests.1')
    assertRefused(() => many({ requests: [{}] }), 'invalid_parameter', 'requests.0.content')
    assertRefused(() => one({ content: {}, embed_content_config: 1 }), 'invalid_parameter', 'embed_content_config')
  })

  test('what is said twice is refused', () => {
    assertRefused(() => one({ content: {}, taskType: 'A', task_type: 'B' }), 'invalid_request', 'taskType')
    assertRefused(
      () => one({ content: {}, title: 'A', embedContentConfig: { title: 'B' } }),
      'invalid_request',
      'embedContentConfig.title',
    )
  })
})

describe('encode', () => {
  test('embedContent comes back the same, without a model', () => {
    for (const body of [
      { content: text('a') },
      { content: { role: 'user', ...text('a', '') }, outputDimensionality: 0, taskType: 'X', title: '' },
      { content: { parts: [{ inlineData: { mimeType: 'image/png', data: 'AA==' } }] }, odd: null },
      { content: text('a'), embedContentConfig: { autoTruncate: false } },
    ])
      assert.deepEqual(encode(one(body)), { body, action: 'embedContent', losses: [] })
  })

  test('batchEmbedContents comes back the same, with the model in each request', () => {
    const body = {
      requests: [
        { model: 'models/up', content: text('a'), outputDimensionality: 3 },
        { model: 'models/up', content: text('b'), odd: 1 },
      ],
      labels: {},
    }
    assert.deepEqual(encode(many(body)), { body, action: 'batchEmbedContents', losses: [] })
    const single = { requests: body.requests.slice(0, 1) }
    assert.deepEqual(encode(many(single)), { body: single, action: 'batchEmbedContents', losses: [] })
  })

  const openAi = (body: object) => openAiEmbeddings.decodeRequest(body, null)

  test("OpenAI's text is one content, its list a batch", () => {
    assert.deepEqual(encode(openAi({ input: 'a', dimensions: 0 })), {
      body: { content: text('a'), outputDimensionality: 0 },
      action: 'embedContent',
      losses: [],
    })
    assert.deepEqual(encode(openAi({ input: ['a', ''], dimensions: 64, encoding_format: 'base64' })), {
      body: {
        requests: [
          { model: 'models/up', content: text('a'), outputDimensionality: 64 },
          { model: 'models/up', content: text(''), outputDimensionality: 64 },
        ],
      },
      action: 'batchEmbedContents',
      losses: [],
    })
    assert.equal(encode(openAi({ input: ['a'] })).action, 'batchEmbedContents')
  })

  test('more than one input is a batch in any case', () => {
    assert.equal(encode({ ...openAi({ input: ['a', 'b'] }), isBatch: false }).action, 'batchEmbedContents')
  })

  test('the user and what is unknown are declared lost', () => {
    const { body, losses } = encode(openAi({ input: 'a', user: '', input_type: 'query', truncation: null }))
    assert.deepEqual(body, { content: text('a') })
    const dropped = { action: 'dropped', isSevere: false }
    assert.deepEqual(losses, [
      { path: '/user', reason: 'Gemini takes no end user', ...dropped },
      { path: '/input_type', reason: 'Gemini knows no such member', ...dropped },
      { path: '/truncation', reason: 'Gemini knows no such member', ...dropped },
    ])
  })

  test('tokens and foreign forms cannot be asked', () => {
    for (const input of [[1, 2], [[1]], ['a', [1]], [{ content: [] }]])
      assertRefused(() => encode(openAi({ input })), 'invalid_request', 'input')
  })
})
