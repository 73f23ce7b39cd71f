import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { EmbeddingInput, EmbeddingRequest } from '#ir/embedding.ts'
import type { Loss } from '#ir/extensions.ts'
import { assertRefused, encoded } from './testbed.ts'
import { openAiEmbeddings as codec } from './translation.ts'

const decode = (body: unknown): EmbeddingRequest => codec.decodeRequest(body, null)

function encode(request: EmbeddingRequest): { body: unknown; losses: readonly Loss[] } {
  const { body, action, losses } = encoded(codec, request)
  assert.equal(action, null)
  return { body, losses }
}

describe('decode', () => {
  test('one text', () => {
    assert.deepEqual(decode({ model: 'm', input: 'héllo 🙂' }), {
      inputs: [
        {
          content: { type: 'text', texts: ['héllo 🙂'], role: null },
          dimensions: null,
          taskType: null,
          title: null,
          path: '/input',
          paths: {},
          ext: {},
        },
      ],
      isBatch: false,
      encoding: null,
      endUser: null,
      paths: {},
      ext: {},
    })
  })

  test('every member, and where it stood', () => {
    const request = decode({
      model: 'm',
      input: ['a', ''],
      dimensions: 256,
      encoding_format: 'base64',
      user: 'u',
      x: null,
    })
    assert.deepEqual(
      request.inputs.map(({ content, dimensions, path, paths }) => ({ content, dimensions, path, paths })),
      [
        {
          content: { type: 'text', texts: ['a'], role: null },
          dimensions: 256,
          path: '/input/0',
          paths: { dimensions: '/dimensions' },
        },
        {
          content: { type: 'text', texts: [''], role: null },
          dimensions: 256,
          path: '/input/1',
          paths: { dimensions: '/dimensions' },
        },
      ],
    )
    assert.equal(request.isBatch, true)
    assert.equal(request.encoding, 'base64')
    assert.equal(request.endUser, 'u')
    assert.deepEqual(request.paths, { endUser: '/user', encoding: '/encoding_format' })
    assert.deepEqual(request.ext, { 'openai-embeddings': { x: null } })
  })

  test('null is absence, while 0 and the empty string are values', () => {
    const absent = decode({ input: 'a', dimensions: null, encoding_format: null, user: null })
    assert.deepEqual([absent.inputs[0]?.dimensions, absent.encoding, absent.endUser], [null, null, null])
    assert.deepEqual([absent.paths, absent.inputs[0]?.paths], [{}, {}])
    const given = decode({ input: 'a', dimensions: 0, user: '' })
    assert.deepEqual([given.inputs[0]?.dimensions, given.endUser], [0, ''])
  })

  test('tokens: one list is one input, a list of lists is many', () => {
    const one = decode({ input: [15339, 0] })
    assert.deepEqual(
      [one.isBatch, one.inputs.map(({ content }) => content)],
      [false, [{ type: 'tokens', tokens: [15339, 0] }]],
    )
    const many = decode({ input: [[1], [], [2, 3]] })
    assert.equal(many.isBatch, true)
    assert.deepEqual(
      many.inputs.map(({ content }) => content),
      [[1], [], [2, 3]].map((tokens) => ({ type: 'tokens', tokens })),
    )
  })

  test("a host's own form of input stays as it stood", () => {
    const value = { content: [{ type: 'image_url', image_url: { url: 'https://x.test/a.png' } }] }
    assert.deepEqual(decode({ input: [value] }).inputs[0]?.content, {
      type: 'opaque',
      issuer: 'openai-embeddings',
      value,
    })
  })

  test('what is no request is refused with the member at fault', () => {
    for (const body of [null, [], 'x', 1]) assertRefused(() => decode(body), 'invalid_json')
    for (const input of [undefined, null, true, 5, [null], [1, 'a'], ['a', 1], [[1], ['a']]])
      assertRefused(() => decode({ input }), 'invalid_parameter', 'input')
    assertRefused(() => decode({ input: [] }), 'invalid_request', 'input')
    assertRefused(() => decode({ input: 'a', encoding_format: 'int8' }), 'invalid_parameter', 'encoding_format')
    assertRefused(() => decode({ input: 'a', user: 1 }), 'invalid_parameter', 'user')
  })
})

describe('encode', () => {
  test('a body comes back the same but for the model', () => {
    for (const body of [
      '{"input":"a"}',
      '{"input":["a"]}',
      '{"input":["a","","a"],"dimensions":0,"encoding_format":"float","user":""}',
      '{"input":[1,2],"encoding_format":"base64"}',
      '{"input":[[1],[]]}',
      '{"input":[{"content":[{"type":"text","text":"a"}]}],"input_type":"query","provider":{"order":[]},"x":null}',
      '{"input":[9007199254740993,1],"dimensions":1.00000000000000000}',
      String.raw`{"input":"\ud800 \u0000","__proto__":{"a":1}}`,
    ]) {
      const { body: written, losses } = encode(decode(parseFaithfulJson(body)))
      const members = Object.entries(written as object).filter(([name]) => name !== 'model')
      assert.equal((written as { model: string }).model, 'up')
      assert.equal(JSON.stringify(Object.fromEntries(members)), body)
      assert.deepEqual(losses, [])
    }
  })

  const gemini = (over: Partial<EmbeddingInput> = {}, path = ''): EmbeddingInput => ({
    content: { type: 'text', texts: ['a'], role: 'user' },
    dimensions: null,
    taskType: null,
    title: null,
    path,
    paths: {},
    ext: {},
    ...over,
  })
  const asked = (inputs: EmbeddingInput[], over: Partial<EmbeddingRequest> = {}): EmbeddingRequest => ({
    inputs,
    isBatch: inputs.length > 1,
    encoding: 'float',
    endUser: null,
    paths: {},
    ext: {},
    ...over,
  })

  test('a role says nothing, so that losing it is no loss', () => {
    assert.deepEqual(encode(asked([gemini()])), {
      body: { model: 'up', input: 'a', encoding_format: 'float' },
      losses: [],
    })
  })

  test('dimensions are kept; the task, the title and what is unknown are declared lost', () => {
    const settings = {
      dimensions: 64,
      taskType: 'RETRIEVAL_DOCUMENT',
      title: '',
      paths: { taskType: '/requests/0/task_type', title: '/requests/0/title' },
      ext: { gemini: { 'a/b': 1 } },
    }
    const inputs = [gemini(settings, '/requests/0'), gemini({ dimensions: 64 }, '/requests/1')]
    const { body, losses } = encode(asked(inputs, { ext: { gemini: { labels: {} } } }))
    assert.deepEqual(body, { model: 'up', input: ['a', 'a'], dimensions: 64, encoding_format: 'float' })
    const dropped = { action: 'dropped', isSevere: false }
    assert.deepEqual(losses, [
      { path: '/requests/0/task_type', reason: 'OpenAI has no taskType', ...dropped },
      { path: '/requests/0/title', reason: 'OpenAI has no title', ...dropped },
      { path: '/requests/0/a~1b', reason: 'OpenAI knows no such member', ...dropped },
      { path: '/labels', reason: 'OpenAI knows no such member', ...dropped },
    ])
  })

  test('a text in pieces is joined, and that is declared', () => {
    const { body, losses } = encode(asked([gemini({ content: { type: 'text', texts: ['a', 'b'], role: null } })]))
    assert.equal((body as { input: string }).input, 'ab')
    assert.deepEqual(
      losses.map(({ path, action }) => [path, action]),
      [['/content/parts', 'rewritten']],
    )
    assert.deepEqual(encode(asked([gemini({ content: { type: 'text', texts: [], role: null } })])).losses, [])
  })

  test('what cannot be asked is refused', () => {
    const media = gemini({ content: { type: 'opaque', issuer: 'gemini', value: { parts: [{ inlineData: {} }] } } })
    assertRefused(() => encode(asked([media])), 'invalid_request', 'content')
    const other = gemini({ dimensions: 3, paths: { dimensions: '/requests/1/outputDimensionality' } }, '/requests/1')
    assertRefused(
      () => encode(asked([gemini({ dimensions: 2 }, '/requests/0'), other])),
      'invalid_request',
      'requests.1.outputDimensionality',
    )
    assertRefused(
      () => encode(asked([gemini({ dimensions: 2 }, '/requests/0'), gemini({}, '/requests/1')])),
      'invalid_request',
      'requests.1',
    )
  })

  test('lengths that JavaScript would round are the same when their text is', () => {
    const exact = () => (parseFaithfulJson('[9007199254740993]') as unknown[])[0]
    const { body } = encode(asked([gemini({ dimensions: exact() }), gemini({ dimensions: exact() })]))
    assert.match(JSON.stringify(body), /"dimensions":9007199254740993,/)
  })
})
