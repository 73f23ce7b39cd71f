import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block, Seal, ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import type { ChatRequest, Turn } from '#ir/chat-request.ts'
import { ANSWER_ID, BUDGET_TARGET, LEVEL_TARGET, sent } from './testbed.ts'

const turn = (role: Turn['role'], blocks: readonly Block[], more: Partial<Turn> = {}): Turn => ({
  role,
  blocks,
  path: '/t',
  ...more,
})
const text = (value: string, more: object = {}): Block => ({ type: 'text', text: value, path: '/x', ...more })
const call = (id: string | null, name: string, args: string, more: Partial<ToolCallBlock> = {}): Block => ({
  type: 'tool-call',
  id,
  name,
  arguments: args,
  kind: 'function',
  path: '/c',
  ...more,
})
const result = (callId: string | null, content: readonly Block[], more: Partial<ToolResultBlock> = {}): Block => ({
  type: 'tool-result',
  callId,
  name: null,
  content,
  isError: null,
  kind: 'function',
  path: '/r',
  ...more,
})
const own: Seal = { issuer: 'gemini', kind: 'signature', value: 'c2ln' }
const foreign: Seal = { issuer: 'anthropic-messages', kind: 'signature', value: 'abc' }
const contentsOf = (turns: readonly Turn[], target = BUDGET_TARGET) => {
  const { body, losses } = sent({ turns }, target)
  return { contents: body['contents'] as { role: string; parts: Record<string, unknown>[] }[], losses }
}
/** The parts of one user's turn that says this block. */
const partsOf = (block: Block, target = BUDGET_TARGET) => {
  const { contents, losses } = contentsOf([turn('user', [block])], target)
  return { parts: contents[0]?.parts ?? [], losses }
}

test('users and models speak in turn; system text stands apart', () => {
  const { body, losses } = sent({
    instructions: [{ type: 'text', text: 'i', path: '/i' }],
    turns: [
      turn('system', [text('s')]),
      turn('user', [text('a')]),
      turn('user', [text('b')]),
      turn('developer', [text('d')], { path: '/mid' }),
      turn('assistant', [text('c')]),
      turn('assistant', [text('')]),
      turn('user', []),
    ],
  })
  assert.deepEqual(body, {
    contents: [
      { role: 'user', parts: [{ text: 'a' }, { text: 'b' }] },
      { role: 'model', parts: [{ text: 'c' }] },
    ],
    systemInstruction: { parts: [{ text: 'i' }, { text: 's' }, { text: 'd' }] },
  })
  assert.deepEqual(losses, ['rewritten /mid'])
})

test('system text alone becomes the turn of the user', () => {
  const { body, losses } = sent({ turns: [turn('system', [text('s')])] })
  assert.deepEqual(body, { contents: [{ role: 'user', parts: [{ text: 's' }] }] })
  assert.deepEqual(losses, ['emulated /t'])
})

test('an empty text is sent where nothing else is said, or where it is signed', () => {
  assert.deepEqual(partsOf(text('')).parts, [{ text: '' }])
  assert.deepEqual(contentsOf([turn('user', [text(''), text('a'), text('', { seal: own })])]).contents[0]!.parts, [
    { text: 'a' },
    { text: '', thoughtSignature: 'c2ln' },
  ])
})

test('seals go back to Gemini byte for byte, and to nobody else', () => {
  const { contents, losses } = contentsOf([
    turn('assistant', [
      { type: 'reasoning', text: 'r', seal: own, id: null, path: '/own' },
      { type: 'reasoning', text: 'r', seal: foreign, id: null, path: '/foreign' },
      { type: 'reasoning', text: 'r', seal: null, id: null, path: '/plain' },
      { type: 'reasoning', text: 'r', seal: null, id: null, path: '/ours', ext: { gemini: { thought: true } } },
      text('a', { seal: own }),
      text('b', { seal: foreign, path: '/text' }),
      call('i', 'f', '{}', { seal: own }),
      call('j', 'f', '{}', { seal: foreign, path: '/call' }),
    ]),
  ])
  assert.deepEqual(contents[0]!.parts, [
    { text: 'r', thought: true, thoughtSignature: 'c2ln' },
    { text: 'r', thought: true },
    { text: 'a', thoughtSignature: 'c2ln' },
    { text: 'b' },
    { functionCall: { id: 'i', name: 'f', args: {} }, thoughtSignature: 'c2ln' },
    { functionCall: { id: 'j', name: 'f', args: {} } },
  ])
  assert.deepEqual(losses, ['dropped /foreign', 'dropped /plain', 'dropped /text', 'dropped /call'])
})

test('arguments become an object; what is none stays whole', () => {
  const args = (value: string, more: Partial<ToolCallBlock> = {}) => {
    const { parts, losses } = partsOf(call('i', 'f', value, more))
    return [(parts[0]!['functionCall'] as Record<string, unknown>)['args'], losses.length]
  }
  assert.deepEqual(args(''), [{}, 0])
  assert.deepEqual(args(' '), [{}, 0])
  assert.deepEqual(args('null'), [{}, 0])
  assert.deepEqual(args('{"a":0}'), [{ a: 0 }, 0])
  for (const odd of ['{"a":', '[1]', '"x"', 'nul', 'x']) assert.deepEqual(args(odd), [{ __invalid_json: odd }, 1])
  assert.deepEqual(args('free text', { kind: 'custom' }), [{ input: 'free text' }, 0])
  const { text: sentText } = sent({ turns: [turn('assistant', [call('i', 'f', '{"n":12345678901234567890}')])] })
  assert.ok(sentText.includes('"n":12345678901234567890'))
})

test('a result is an object with the name of its function', () => {
  const response = (block: Block) => {
    const { contents } = contentsOf([turn('assistant', [call('i', 'f', '{}')]), turn('tool', [block])])
    return contents[1]!.parts[0]!['functionResponse']
  }
  const is = (value: unknown) => ({ id: 'i', name: 'f', response: value })
  assert.deepEqual(response(result('i', [text('plain')])), is({ result: 'plain' }))
  assert.deepEqual(response(result('i', [text('a'), text('b')])), is({ result: 'ab' }))
  assert.deepEqual(response(result('i', [])), is({ result: '' }))
  assert.deepEqual(response(result('i', [text(' {"a":0}')])), is({ a: 0 }))
  assert.deepEqual(response(result('i', [text('[1]')])), is({ result: '[1]' }))
  assert.deepEqual(response(result('i', [text('{"a"')])), is({ result: '{"a"' }))
  assert.deepEqual(response(result('i', [text('no')], { isError: true })), is({ error: 'no' }))
  assert.deepEqual(response(result('i', [text('no')], { isError: false })), is({ result: 'no' }))
  assert.deepEqual(response(result('i', [text('x')], { value: { output: 0 } })), is({ output: 0 }))
  assert.deepEqual(response(result('i', [text('x')], { value: [1] })), is({ result: [1] }))
})

test('names of results come from their calls: by id, by name, by order', () => {
  const { contents } = contentsOf([
    turn('assistant', [call('i', 'f', '{}'), call(null, 'g', '{}'), call(null, 'h', '{}'), call(null, 'g', '{}')]),
    turn('tool', [
      result(null, [], { name: 'h' }),
      result('i', []),
      result(null, []),
      result(null, [], { name: 'g' }),
      result('gone', []),
    ]),
  ])
  assert.deepEqual(
    contents[1]!.parts.map((part) => (part['functionResponse'] as { name: string }).name),
    ['h', 'f', 'g', 'g', 'gone'],
  )
})

test('an id that Gemini never gave is left out of call and result', () => {
  const id = `call_${ANSWER_ID}_3`
  const { contents } = contentsOf([turn('assistant', [call(id, 'f', '{}')]), turn('user', [result(id, [text('x')])])])
  assert.deepEqual(contents, [
    { role: 'model', parts: [{ functionCall: { name: 'f', args: {} } }] },
    { role: 'user', parts: [{ functionResponse: { name: 'f', response: { result: 'x' } } }] },
  ])
})

test('results of several turns stand first', () => {
  const { contents } = contentsOf([
    turn('assistant', [call('i', 'f', '{}')]),
    turn('user', [text('wait')]),
    turn('tool', [result('i', [])]),
  ])
  assert.deepEqual(
    contents[1]!.parts.map((part) => Object.keys(part)[0]),
    ['functionResponse', 'text'],
  )
})

test('media of a result stand inside it from Gemini 3 on, and behind it before', () => {
  const image: Block = {
    type: 'media',
    kind: 'image',
    source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    path: '/m',
  }
  const data = { inlineData: { mimeType: 'image/png', data: 'AA==' } }
  const response = { id: 'i', name: 'i', response: { result: 'x' } }
  const block = result('i', [text('x'), image])
  assert.deepEqual(partsOf(block, LEVEL_TARGET), {
    parts: [{ functionResponse: { ...response, parts: [data] } }],
    losses: [],
  })
  assert.deepEqual(partsOf(block), { parts: [{ functionResponse: response }, data], losses: ['rewritten /r'] })
  const native = result('i', [image], { value: { a: 1 } })
  assert.deepEqual(partsOf(native).parts, [{ functionResponse: { ...response, response: { a: 1 }, parts: [data] } }])
})

test('media by bytes, by address, by file, by text', () => {
  const media = (kind: 'image' | 'document' | 'audio' | 'video', source: unknown, more: object = {}) =>
    partsOf({ type: 'media', kind, source, path: '/m', ...more } as Block)
  const url = (address: string, mimeType: string | null = null) => ({ type: 'url', mimeType, url: address })
  const file = (address: string, mimeType: string) => ({
    parts: [{ fileData: { mimeType, fileUri: address } }],
    losses: [],
  })
  assert.deepEqual(media('image', url('https://x/a.PNG?q')), file('https://x/a.PNG?q', 'image/png'))
  assert.deepEqual(media('image', url('https://x/a')), file('https://x/a', 'image/jpeg'))
  assert.deepEqual(media('document', url('https://x/a')), file('https://x/a', 'application/pdf'))
  assert.deepEqual(media('image', url('https://x/a.png', 'image/webp')), file('https://x/a.png', 'image/webp'))
  const bytes = (mimeType: string | null, data: string) => ({ type: 'base64', mimeType, data })
  const inline = (mimeType: string, data: string) => ({ parts: [{ inlineData: { mimeType, data } }], losses: [] })
  assert.deepEqual(media('audio', bytes('audio/wav', 'AA')), inline('audio/wav', 'AA'))
  assert.deepEqual(media('image', bytes(null, 'R0lGODlh')), inline('image/gif', 'R0lGODlh'))
  assert.deepEqual(media('document', bytes(null, 'AA')), inline('application/pdf', 'AA'))
  assert.deepEqual(media('document', { type: 'text', mimeType: null, text: 'é' }), inline('text/plain', 'w6k='))
  const held = { type: 'file', issuer: 'gemini', id: 'gs://b/a', mimeType: null }
  assert.deepEqual(media('video', held), { parts: [{ fileData: { fileUri: 'gs://b/a' } }], losses: [] })
  assert.deepEqual(media('document', { ...held, issuer: 'openai-chat' }), { parts: [], losses: ['dropped /m!'] })
  assert.deepEqual(media('image', bytes('image/png', 'AA'), { detail: 'low', filename: 'f' }).losses, [
    'dropped /m',
    'dropped /m',
  ])
})

test('what only others know is lost, member by member, and what only Gemini knows is written back', () => {
  const { body, losses } = sent({
    turns: [
      turn('user', [text('a', { ext: { gemini: { partMetadata: { k: 0 } }, 'openai-chat': { odd: 1 } } })], {
        name: 'Ann',
        ext: { 'openai-responses': { id: 'm' } },
      }),
      turn('assistant', [
        { type: 'opaque', issuer: 'gemini', value: { executableCode: { code: '1' } }, path: '/o' },
        { type: 'opaque', issuer: 'anthropic-messages', value: { type: 'server_tool_use' }, path: '/p' },
        { type: 'refusal', text: 'no', path: '/no' },
        text('c', { citations: [{ url: 'u' }], cacheControl: { type: 'ephemeral' } }),
      ]),
    ],
    ext: {
      gemini: { safetySettings: [], generationConfig: { speechConfig: {} } },
      'openai-chat': { 'a/b': 1, store: false },
    },
    sampling: { temperature: 0 },
  })
  assert.deepEqual(body, {
    contents: [
      { role: 'user', parts: [{ text: 'a', partMetadata: { k: 0 } }] },
      { role: 'model', parts: [{ executableCode: { code: '1' } }, { text: 'no' }, { text: 'c' }] },
    ],
    generationConfig: { temperature: 0, speechConfig: {} },
    safetySettings: [],
  })
  assert.deepEqual(losses, [
    'dropped /t/id',
    'dropped /t/name',
    'dropped /x/odd',
    'dropped /p',
    'rewritten /no',
    'dropped /x/cache_control',
    'dropped /x/citations',
    'dropped /a~1b',
    'dropped /store',
  ])
})

test('from Gemini 3 on a call of the current turn is never without a signature', () => {
  const turns = [
    turn('user', [text('1')]),
    turn('assistant', [call('a', 'f', '{}')]),
    turn('tool', [result('a', [])]),
    turn('assistant', [text('done')]),
    turn('user', [text('2')]),
    turn('assistant', [call('b', 'f', '{}', { path: '/b' }), call('c', 'f', '{}')]),
    turn('user', [result('b', []), result('c', []), text('a reminder')]),
    turn('assistant', [call('d', 'f', '{}', { seal: own })]),
    turn('tool', [result('d', [])]),
  ]
  const signatures = (target: typeof BUDGET_TARGET) => {
    const { contents, losses } = contentsOf(turns, target)
    const calls = contents.flatMap(({ parts }) => parts.filter((part) => 'functionCall' in part))
    return [calls.map((part) => part['thoughtSignature']), losses]
  }
  assert.deepEqual(signatures(LEVEL_TARGET), [
    [undefined, 'skip_thought_signature_validator', undefined, 'c2ln'],
    ['emulated /b'],
  ])
  assert.deepEqual(signatures(BUDGET_TARGET), [[undefined, undefined, undefined, 'c2ln'], []])
})

test('settings have their places, and 0, false and empty are values', () => {
  const { body, losses } = sent({
    sampling: { temperature: 0, topP: 0, topK: 0, presencePenalty: 0, frequencyPenalty: 0, seed: 0 },
    outputTokensMax: 0,
    stopSequences: [],
    candidates: 0,
    logprobs: { enabled: false, top: 0 },
    serviceTier: 'flex',
  })
  assert.deepEqual(body, {
    contents: [],
    generationConfig: {
      temperature: 0,
      topP: 0,
      topK: 0,
      presencePenalty: 0,
      frequencyPenalty: 0,
      seed: 0,
      maxOutputTokens: 0,
      stopSequences: [],
      candidateCount: 0,
      responseLogprobs: false,
      logprobs: 0,
    },
    serviceTier: 'flex',
  })
  assert.deepEqual(losses, [])
  assert.deepEqual(sent({}).text, '{"contents":[]}')
})

test('what Gemini cannot be asked is declared at the place of the client', () => {
  const fields: Partial<ChatRequest> = {
    sampling: { logitBias: {}, minP: 0, repetitionPenalty: 1 },
    parallelToolCalls: false,
    verbosity: 'low',
    endUser: 'u',
    metadata: {},
    promptCacheKey: '',
    cacheControl: { type: 'ephemeral' },
    serviceTier: 'scale',
    stopSequences: ['1', '2', '3', '4', '5', '6'],
  }
  const names = ['logitBias', 'minP', 'repetitionPenalty', 'parallelToolCalls', 'verbosity', 'endUser', 'metadata']
  const paths = Object.fromEntries(
    [...names, 'promptCacheKey', 'cacheControl', 'serviceTier', 'stopSequences'].map((name) => [name, `/${name}`]),
  )
  const { body, losses } = sent({ ...fields, paths })
  assert.deepEqual(body, { contents: [], generationConfig: { stopSequences: ['1', '2', '3', '4', '5'] } })
  const dropped = Object.keys(paths).filter((name) => name !== 'stopSequences')
  assert.deepEqual(
    losses.toSorted(),
    [...dropped.map((name) => `dropped /${name}`), 'narrowed /stopSequences'].toSorted(),
  )
  assert.deepEqual(sent({ parallelToolCalls: true, serviceTier: 'auto' }).losses, [])
})

test('a model that refuses sampling values gets none', () => {
  const target = { ...BUDGET_TARGET, refusesSampling: true }
  const { body, losses } = sent({ sampling: { temperature: 0, seed: 1 }, paths: { temperature: '/t' } }, target)
  assert.deepEqual(body['generationConfig'], { seed: 1 })
  assert.deepEqual(losses, ['dropped /t'])
})
