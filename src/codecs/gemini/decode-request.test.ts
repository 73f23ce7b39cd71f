import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { assertInvalid, blocksOf, decoded } from './testbed.ts'
import { geminiClient } from './translation.ts'

test('what is absent stays absent', () => {
  assert.deepEqual(decoded({}), BLANK_REQUEST)
  assert.deepEqual(
    decoded({ generationConfig: null, toolConfig: null, tools: null, safetySettings: null }),
    BLANK_REQUEST,
  )
  assert.equal(decoded({}, true).stream, true)
})

test('a body that is no request is refused', () => {
  assertInvalid({}, 'contents')
  assertInvalid({ contents: null }, 'contents')
  assertInvalid({ contents: 'hi' }, 'contents')
  assertInvalid({ contents: [], generationConfig: 7 }, 'generationConfig')
  assertInvalid({ contents: [], generation_config: {}, generationConfig: {} }, 'generationConfig', 'invalid_request')
  assert.throws(() => geminiClient.decodeRequest([], { stream: false }), { code: 'invalid_json' })
})

test('contents are turns, in their own order and never joined', () => {
  const { turns } = decoded({
    contents: [
      { parts: [{ text: 'a' }] },
      { role: 'user', parts: { text: 'b' } },
      { role: 'model', parts: [] },
      { role: 'function', parts: null },
    ],
  })
  assert.deepEqual(turns, [
    { role: 'user', blocks: [{ type: 'text', text: 'a', path: '/contents/0/parts/0' }], path: '/contents/0' },
    { role: 'user', blocks: [{ type: 'text', text: 'b', path: '/contents/1/parts' }], path: '/contents/1' },
    { role: 'assistant', blocks: [], path: '/contents/2' },
    { role: 'user', blocks: [], path: '/contents/3' },
  ])
  assert.deepEqual(decoded({ contents: { parts: [{ text: '' }] } }).turns, [
    { role: 'user', blocks: [{ type: 'text', text: '', path: '/contents/parts/0' }], path: '/contents' },
  ])
  assertInvalid({ contents: [{ role: 'assistant', parts: [] }] }, 'contents.0.role')
  assertInvalid({ contents: [{ parts: ['hi'] }] }, 'contents.0.parts.0')
})

test('texts and thoughts keep their signatures, wherever they stand', () => {
  const seal = { issuer: 'gemini', kind: 'signature', value: 'c2ln' }
  const path = (index: number) => `/contents/0/parts/${index}`
  assert.deepEqual(
    blocksOf(
      { text: 'a', thoughtSignature: 'c2ln' },
      { text: '', thought_signature: 'c2ln' },
      { text: 't', thought: true, thoughtSignature: 'c2ln' },
      { text: 't', thought: true },
      { text: 'b', thought: false, thoughtSignature: '' },
      { thoughtSignature: 'c2ln' },
    ),
    [
      { type: 'text', text: 'a', path: path(0), seal },
      { type: 'text', text: '', path: path(1), seal },
      { type: 'reasoning', text: 't', seal, id: null, path: path(2) },
      { type: 'reasoning', text: 't', seal: null, id: null, path: path(3), ext: { gemini: { thought: true } } },
      { type: 'text', text: 'b', path: path(4) },
      { type: 'text', text: '', path: path(5), seal },
    ],
  )
})

test('data and files, in both spellings', () => {
  const path = (index: number) => `/contents/0/parts/${index}`
  const files = 'https://generativelanguage.googleapis.com/v1beta/files/x'
  assert.deepEqual(
    blocksOf(
      { inlineData: { mimeType: 'image/png', data: 'iVBO+/==' } },
      { inline_data: { mime_type: 'application/pdf', data: 'a-_b' } },
      { inlineData: { data: '', displayName: 'd' }, videoMetadata: { fps: 0 } },
      { fileData: { fileUri: 'https://x.test/a.mp3?b=c.png' } },
      { file_data: { file_uri: 'gs://bucket/v', mime_type: 'video/mp4' } },
      { fileData: { fileUri: files } },
      { fileData: { fileUri: 'https://youtu.be/x' } },
    ),
    [
      media(0, 'image', { type: 'base64', mimeType: 'image/png', data: 'iVBO+/==' }),
      media(1, 'document', { type: 'base64', mimeType: 'application/pdf', data: 'a+/b' }),
      {
        ...media(2, 'document', { type: 'base64', mimeType: null, data: '' }),
        ext: { gemini: { videoMetadata: { fps: 0 }, inlineData: { displayName: 'd' } } },
      },
      media(3, 'audio', { type: 'url', mimeType: null, url: 'https://x.test/a.mp3?b=c.png' }),
      media(4, 'video', { type: 'file', issuer: 'gemini', id: 'gs://bucket/v', mimeType: 'video/mp4' }),
      media(5, 'document', { type: 'file', issuer: 'gemini', id: files, mimeType: null }),
      media(6, 'video', { type: 'url', mimeType: null, url: 'https://youtu.be/x' }),
    ],
  )
  function media(index: number, kind: string, source: unknown) {
    return { type: 'media', kind, source, path: path(index) }
  }
  assertInvalid({ contents: [{ parts: [{ fileData: {} }] }] }, 'contents.0.parts.0.fileData.fileUri')
})

test('what only Gemini knows is kept whole', () => {
  const parts = [
    { executableCode: { language: 'PYTHON', code: '1' }, thoughtSignature: 'x' },
    { codeExecutionResult: { outcome: 'OUTCOME_OK' } },
    { toolCall: { toolType: 'GOOGLE_SEARCH_WEB', id: 'i' } },
    { something_new: null },
    {},
  ]
  assert.deepEqual(
    blocksOf(...parts),
    parts.map((value, index) => ({ type: 'opaque', issuer: 'gemini', value, path: `/contents/0/parts/${index}` })),
  )
})

test('calls keep id, name and arguments', () => {
  const call = (functionCall: unknown) => (blocksOf({ functionCall }) as Record<string, unknown>[])[0]!
  const path = '/contents/0/parts/0'
  const base = { type: 'tool-call', name: 'f', kind: 'function', path }
  assert.deepEqual(call({ name: 'f' }), { ...base, id: null, arguments: '' })
  assert.deepEqual(call({ name: 'f', args: {}, id: 'i' }), { ...base, id: 'i', arguments: '{}' })
  assert.deepEqual(call({ name: 'f', args: { a: 0, b: '' } }), { ...base, id: null, arguments: '{"a":0,"b":""}' })
  const big = parseFaithfulJson('{"name":"f","args":{"n":12345678901234567890}}')
  assert.equal(call(big)['arguments'], '{"n":12345678901234567890}')
  assert.deepEqual(call({ name: 'f', args: {}, something: 1 })['ext'], { gemini: { functionCall: { something: 1 } } })
  assertInvalid(
    { contents: [{ parts: [{ functionCall: { name: 'f', args: [] } }] }] },
    'contents.0.parts.0.functionCall.args',
  )
})

test('a call whose arguments came in pieces has the whole of them', () => {
  const [first, ...others] = blocksOf(
    { functionCall: { name: 'f', willContinue: true }, thoughtSignature: 's' },
    { functionCall: { partialArgs: [{ jsonPath: '$.a', stringValue: 'x', willContinue: true }], willContinue: true } },
    { functionCall: { partialArgs: [{ jsonPath: '$.a', stringValue: 'y' }] } },
    { functionCall: {} },
    { text: 'z' },
  ) as Record<string, unknown>[]
  assert.equal(first!['arguments'], '{"a":"xy"}')
  assert.deepEqual(first!['ext'], { gemini: { functionCall: { willContinue: true } } })
  assert.deepEqual(
    others.map(({ type }) => type),
    ['opaque', 'opaque', 'opaque', 'text'],
  )
})

test('results keep their object, and have a text for others', () => {
  const result = (response: unknown, more: object = {}) =>
    (
      blocksOf({
        functionResponse: { name: 'f', id: 'i', ...more, ...(response === undefined ? {} : { response }) },
      }) as {
        content: { text?: string }[]
        value?: unknown
        isError: boolean | null
      }[]
    )[0]!
  const textOf = (response: unknown) => result(response).content[0]?.text
  assert.equal(textOf({ result: 'plain' }), 'plain')
  assert.equal(textOf({ output: { a: 1 } }), '{"a":1}')
  assert.equal(textOf({ result: 0 }), '0')
  assert.equal(textOf({ result: null }), '{"result":null}')
  assert.equal(textOf({ result: 'x', more: 1 }), '{"result":"x","more":1}')
  assert.equal(textOf({ temperature: 7 }), '{"temperature":7}')
  assert.equal(textOf({}), '{}')
  assert.equal(textOf(undefined), undefined)
  assert.deepEqual(result({ error: 'no' }).isError, true)
  assert.deepEqual(result({ error: 'no', result: 1 }).isError, null)
  assert.deepEqual(result({ result: 'x' }).value, { result: 'x' })
})

test('a result may hold media', () => {
  const [block] = blocksOf({
    functionResponse: {
      name: 'f',
      response: {},
      parts: [
        { inline_data: { mime_type: 'image/png', data: 'AA' } },
        { fileData: { fileUri: 'https://x/a.pdf' } },
        { z: 1 },
      ],
      scheduling: 'SILENT',
    },
  }) as [{ content: unknown[]; ext: unknown }]
  const path = (index: number) => `/contents/0/parts/0/functionResponse/parts/${index}`
  assert.deepEqual(block.content.slice(1), [
    { type: 'media', kind: 'image', source: { type: 'base64', mimeType: 'image/png', data: 'AA' }, path: path(0) },
    { type: 'media', kind: 'document', source: { type: 'url', mimeType: null, url: 'https://x/a.pdf' }, path: path(1) },
    { type: 'opaque', issuer: 'gemini', value: { z: 1 }, path: path(2) },
  ])
  assert.deepEqual(block.ext, { gemini: { functionResponse: { scheduling: 'SILENT' } } })
})

test('a result whose id no call has is paired by its name', () => {
  const { turns } = decoded({
    contents: [
      { role: 'model', parts: [{ functionCall: { name: 'f' } }, { functionCall: { name: 'g', id: 'known' } }] },
      {
        role: 'user',
        parts: [
          { functionResponse: { name: 'f', id: 'other', response: {} } },
          { functionResponse: { name: 'g', id: 'known', response: {} } },
        ],
      },
    ],
  })
  const [unknown, known] = turns[1]!.blocks as unknown as Record<string, unknown>[]
  assert.deepEqual(
    [unknown!['callId'], unknown!['name'], unknown!['ext']],
    [null, 'f', { gemini: { functionResponse: { id: 'other' } } }],
  )
  assert.deepEqual([known!['callId'], known!['ext']], ['known', undefined])
})

test('system instructions in every form', () => {
  const texts = (value: unknown) => decoded({ system_instruction: value }).instructions
  const at = (path: string) => [{ type: 'text', text: 's', path: `/system_instruction${path}` }]
  assert.deepEqual(texts('s'), at(''))
  assert.deepEqual(texts({ text: 's' }), at(''))
  assert.deepEqual(texts({ parts: { text: 's' }, role: 'user' }), at('/parts'))
  assert.deepEqual(texts({ parts: [{ text: 's' }] }), at('/parts/0'))
  assert.deepEqual(texts({ role: 'system' }), [])
  assertInvalid(
    { contents: [], systemInstruction: { parts: [{ inlineData: { data: '' } }] } },
    'systemInstruction.parts.0',
  )
})

test('every setting is read, and 0, false and empty are values', () => {
  const request = decoded({
    generationConfig: {
      temperature: 0,
      topP: 0,
      topK: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      seed: 0,
      maxOutputTokens: 0,
      stopSequences: [],
      candidateCount: 1,
      responseLogprobs: false,
      logprobs: 0,
      responseMimeType: 'text/plain',
      speechConfig: { a: 1 },
    },
    labels: {},
    serviceTier: 'flex',
  })
  assert.deepEqual(request.sampling, {
    temperature: 0,
    topP: 0,
    topK: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 0,
  })
  assert.deepEqual(
    [request.outputTokensMax, request.stopSequences, request.candidates, request.logprobs, request.format],
    [0, [], 1, { enabled: false, top: 0 }, { type: 'text' }],
  )
  assert.equal(request.serviceTier, 'flex')
  assert.deepEqual(request.ext, { gemini: { labels: {}, generationConfig: { speechConfig: { a: 1 } } } })
  assert.equal(request.paths['temperature'], '/generationConfig/temperature')
  assert.equal(request.paths['outputTokensMax'], '/generationConfig/maxOutputTokens')
  assert.equal(request.paths['candidates'], '/generationConfig/candidateCount')
  assert.equal(request.paths['serviceTier'], '/serviceTier')
  assert.equal(request.paths['reasoning'], undefined)
})

test('paths tell the spelling of the client', () => {
  const { paths } = decoded({
    generation_config: { max_output_tokens: 5, top_k: 1, thinking_config: {} },
    tool_config: { function_calling_config: { mode: 'none' } },
  })
  assert.deepEqual(paths, {
    outputTokensMax: '/generation_config/max_output_tokens',
    topK: '/generation_config/top_k',
    reasoning: '/generation_config/thinking_config',
    toolChoice: '/tool_config/function_calling_config',
  })
})

test('a number that JavaScript would round stays as it is', () => {
  const body = parseFaithfulJson('{"contents":[],"generationConfig":{"seed":9007199254740993}}')
  const { sampling } = geminiClient.decodeRequest(body, { stream: false })
  assert.equal(JSON.stringify(sampling), '{"seed":9007199254740993}')
})

test('settings of the wrong type are refused', () => {
  for (const value of [-1, 1.5, '5', true, 2 ** 31])
    assertInvalid({ contents: [], generationConfig: { maxOutputTokens: value } }, 'generationConfig.maxOutputTokens')
  assertInvalid({ contents: [], generationConfig: { candidateCount: 129 } }, 'generationConfig.candidateCount')
  assertInvalid({ contents: [], generationConfig: { stopSequences: [1] } }, 'generationConfig.stopSequences.0')
  assertInvalid(
    { contents: [], generationConfig: { thinkingConfig: { includeThoughts: 1 } } },
    'generationConfig.thinkingConfig.includeThoughts',
  )
})

test('formats: JSON, a schema in either language, and a type of Gemini alone', () => {
  const format = (config: object) => decoded({ generationConfig: config }).format
  const schema = (value: unknown) => ({ type: 'schema', name: null, description: null, schema: value, strict: null })
  assert.deepEqual(format({ responseMimeType: 'application/json' }), { type: 'json' })
  assert.deepEqual(format({ responseSchema: { type: 'OBJECT' } }), schema({ type: 'object' }))
  assert.deepEqual(format({ responseJsonSchema: { type: 'object', $defs: {} } }), schema({ type: 'object', $defs: {} }))
  const choices = decoded({
    generationConfig: { responseMimeType: 'text/x.enum', responseSchema: { type: 'STRING', enum: ['a'] } },
  })
  assert.deepEqual(choices.format, schema({ type: 'string', enum: ['a'] }))
  assert.deepEqual(choices.ext, { gemini: { generationConfig: { responseMimeType: 'text/x.enum' } } })
})

test('what is said of thinking', () => {
  const control = (thinkingConfig: object) => decoded({ generationConfig: { thinkingConfig } }).reasoning
  const silent = { enabled: null, effort: null, budgetTokens: null, isAdaptive: false, isShown: false, summary: null }
  assert.deepEqual(control({}), silent)
  assert.deepEqual(control({ thinkingBudget: 0 }), { ...silent, enabled: false, budgetTokens: 0 })
  assert.deepEqual(control({ thinkingBudget: -1 }), { ...silent, isAdaptive: true })
  assert.deepEqual(control({ thinkingBudget: 9, includeThoughts: true }), { ...silent, budgetTokens: 9, isShown: true })
  assert.deepEqual(control({ thinkingLevel: 'HIGH' }), { ...silent, effort: 'high' })
  assert.deepEqual(control({ thinkingLevel: 'THINKING_LEVEL_UNSPECIFIED' }), silent)
  assert.deepEqual(control({ includeThoughts: true }), { ...silent, enabled: true, isShown: true })
  assert.deepEqual(control({ includeThoughts: false }), silent)
})
