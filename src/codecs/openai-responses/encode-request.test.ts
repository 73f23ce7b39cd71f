import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { Losses } from '#ir/extensions.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { again, decode, encode, TRAITS } from './testbed.ts'
import { responsesUpstream } from './translation.ts'

const FULL = {
  model: 'up',
  instructions: '',
  input: [
    { role: 'user', content: 'a' },
    {
      type: 'message',
      role: 'user',
      content: [{ type: 'input_text', text: 'b', prompt_cache_breakpoint: { mode: 'explicit' } }],
    },
    {
      type: 'message',
      role: 'assistant',
      id: 'msg_68',
      status: 'completed',
      phase: 'final_answer',
      content: [{ type: 'output_text', text: 'c', annotations: [], logprobs: [] }],
    },
    { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
    { role: 'user', content: [] },
    {
      type: 'reasoning',
      id: 'rs_68',
      summary: [{ type: 'summary_text', text: 's' }],
      encrypted_content: 'E==',
      content: null,
    },
    {
      type: 'function_call',
      id: 'fc_68',
      call_id: 'c1',
      name: 'f',
      namespace: 'n',
      arguments: '{ }',
      status: 'completed',
    },
    { type: 'function_call_output', id: 'fco_1', call_id: 'c1', output: [{ type: 'input_text', text: 'x' }] },
    { type: 'custom_tool_call', call_id: 'c2', name: 'g', input: '' },
    { type: 'custom_tool_call_output', call_id: 'c2', output: 'y' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'q' } },
    { type: 'brand_new', x: { y: null } },
    {
      role: 'user',
      content: [
        { type: 'input_image', image_url: 'data:image/jpeg;base64,AA==', detail: 'high' },
        { type: 'input_image', file_id: 'file-1', detail: 'auto' },
        { type: 'input_file', filename: 'a.mp3', file_data: 'data:audio/mpeg;base64,BB==' },
        { type: 'input_file', file_data: 'CC==' },
        { type: 'input_file', file_url: 'https://a.example/x' },
        { type: 'input_audio', input_audio: { data: 'DD==', format: 'wav' } },
        { type: 'brand_new_part', z: 1 },
      ],
    },
  ],
  tools: [
    {
      type: 'function',
      name: 'f',
      description: null,
      parameters: { type: 'object' },
      strict: null,
      defer_loading: true,
    },
    {
      type: 'namespace',
      name: 'n',
      description: 'd',
      tools: [
        { type: 'function', name: 'f', parameters: null },
        { type: 'custom', name: 'g' },
      ],
    },
    { type: 'namespace', name: 'm', description: 'e', tools: [{ type: 'function', name: 'h' }] },
    { type: 'custom', name: 'c', description: 'd', format: { type: 'grammar', syntax: 'lark', definition: 'x' } },
    { type: 'web_search', filters: { allowed_domains: [] } },
  ],
  tool_choice: {
    type: 'allowed_tools',
    mode: 'auto',
    tools: [
      { type: 'function', name: 'f' },
      { type: 'custom', name: 'c' },
    ],
  },
  parallel_tool_calls: false,
  temperature: 0,
  top_p: null,
  top_k: 5,
  max_output_tokens: 16,
  text: {
    format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: false, description: 'd' },
    verbosity: 'low',
  },
  reasoning: { effort: 'low', summary: null, context: 'all_turns' },
  include: ['web_search_call.action.sources'],
  top_logprobs: 0,
  truncation: 'auto',
  store: true,
  background: false,
  previous_response_id: 'resp_68ab',
  prompt_cache_key: 'k',
  safety_identifier: 's',
  user: 'u',
  metadata: { a: 'b' },
  service_tier: 'flex',
  max_tool_calls: 0,
  stream: false,
  stream_options: { include_obfuscation: false },
  brand_new_member: [1],
}

test('a request of the same protocol comes out as it went in', () => {
  assert.deepEqual(again(FULL), FULL)
  assert.deepEqual(encode(decode(FULL)).losses, [])
  const text = { model: 'up', input: 'hi', store: false, tools: [] }
  assert.deepEqual(again(text), text)
  const prompt = { model: 'up', prompt: { id: 'pmpt_1' }, store: false }
  assert.deepEqual(again(prompt), prompt)
  const choice = {
    model: 'up',
    input: '',
    store: false,
    tool_choice: { type: 'file_search' },
    text: { format: { type: 'grammar' } },
  }
  assert.deepEqual(again(choice), choice)
})

test('numbers that JavaScript would round stay as they are', () => {
  const body = parseFaithfulJson('{"temperature":0.1000000000000000055,"input":[{"type":"x","n":9007199254740993}]}')
  const encoded = responsesUpstream.encodeRequest(decode(body), TRAITS, new Losses()).body
  assert.match(JSON.stringify(encoded), /"n":9007199254740993}.*"temperature":0\.1000000000000000055/)
})

test('without a word of the client nothing is stored and reasoning can be given back', () => {
  const state = (body: object, traits = {}) => {
    const { store, include } = again({ input: 'hi', ...body }, traits)
    return [store, include]
  }
  assert.deepEqual(state({}), [false, ['reasoning.encrypted_content']])
  assert.deepEqual(state({}, { reasoning: 'none' }), [false, undefined])
  assert.deepEqual(state({ include: ['a'] }), [false, ['a', 'reasoning.encrypted_content']])
  assert.deepEqual(state({ include: ['reasoning.encrypted_content'] }), [false, ['reasoning.encrypted_content']])
  assert.deepEqual(state({ store: false }), [false, undefined])
  assert.deepEqual(state({ store: true, include: [] }), [true, []])
  // What the upstream has to keep is not told to forget.
  assert.deepEqual(state({ background: true }), [undefined, undefined])
  assert.deepEqual(state({ conversation: 'conv_1' }), [undefined, undefined])
  assert.deepEqual(state({ input: [{ type: 'item_reference', id: 'msg_1' }] }), [undefined, undefined])
  assert.deepEqual(state({ input: [{ type: 'reasoning', id: 'rs_1', summary: [] }] }), [undefined, undefined])
})

test('ids that the gateway issued mean nothing to the upstream', () => {
  const ours = (prefix: string) => `${prefix}_01ARZ3NDEKTSV4RRFFQ69G5FAV_3`
  const { body, losses } = encode(
    decode({
      store: false,
      previous_response_id: 'resp_01ARZ3NDEKTSV4RRFFQ69G5FAV',
      input: [
        { type: 'reasoning', id: ours('rs'), summary: [{ type: 'summary_text', text: 'unsigned' }] },
        { type: 'reasoning', id: ours('rs'), summary: [], encrypted_content: 'native' },
        { type: 'message', id: ours('msg'), role: 'assistant', status: 'completed', content: 'a' },
        { type: 'function_call', id: ours('fc'), call_id: 'c', name: 'f', arguments: '', status: 'completed' },
      ],
    }),
  )
  assert.deepEqual(body, {
    model: 'up',
    store: false,
    input: [
      { type: 'reasoning', summary: [], encrypted_content: 'native' },
      { type: 'message', role: 'assistant', content: 'a' },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
    ],
  })
  assert.deepEqual(losses, [{ path: '/input/0', action: 'dropped', reason: 'foreign_reasoning', isSevere: false }])
})

test('tools of other protocols are not strict here unless they say so', () => {
  const tool = { type: 'function', name: 'f', description: null, schema: null, strict: null, path: '/tools/0' } as const
  const { tools } = encode({
    ...BLANK_REQUEST,
    tools: [tool, { ...tool, strict: true, schema: { type: 'object' } }],
  }).body
  assert.deepEqual(tools, [
    { type: 'function', name: 'f', parameters: { type: 'object', properties: {} }, strict: false },
    { type: 'function', name: 'f', parameters: { type: 'object' }, strict: true },
  ])
})

test('sampling that the model or the API does not take is declared', () => {
  const request = {
    ...BLANK_REQUEST,
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 40,
      seed: 0,
      presencePenalty: 0,
      frequencyPenalty: 1,
      logitBias: {},
      minP: 0,
    },
    stopSequences: ['x'],
    candidates: 2,
    paths: { topK: '/top_k' },
  }
  const free = encode(request)
  assert.deepEqual([free.body['temperature'], free.body['top_p'], free.body['top_k']], [0, 1, undefined])
  assert.deepEqual(
    free.losses.map(({ path, isSevere }) => [path, isSevere]),
    [
      ['/top_k', false],
      ['/presencePenalty', false],
      ['/frequencyPenalty', false],
      ['/seed', false],
      ['/logitBias', false],
      ['/minP', false],
      ['/stop', false],
      ['/n', true],
    ],
  )
  const refusing = encode({ ...BLANK_REQUEST, sampling: { temperature: 0.5, topP: 1 } }, { refusesSampling: true })
  assert.deepEqual([refusing.body['temperature'], refusing.body['top_p']], [undefined, undefined])
  assert.deepEqual(
    refusing.losses.map(({ path, reason }) => [path, reason]),
    [['/temperature', 'the model refuses it']],
  )
  assert.deepEqual(encode({ ...BLANK_REQUEST, candidates: 1, stopSequences: [] }).losses, [])
})

test('the output limit is the client’s, narrowed to what the model can', () => {
  const limited = encode({ ...BLANK_REQUEST, outputTokensMax: 9000 }, { outputTokensMax: 4000 })
  assert.equal(limited.body['max_output_tokens'], 4000)
  assert.deepEqual(
    limited.losses.map(({ action }) => action),
    ['narrowed'],
  )
  assert.equal(encode({ ...BLANK_REQUEST, outputTokensMax: 0 }).body['max_output_tokens'], 0)
  assert.equal('max_output_tokens' in encode(BLANK_REQUEST).body, false)
})

test('reasoning of other protocols becomes an effort', () => {
  const control = { enabled: null, effort: null, budgetTokens: null, isAdaptive: false, isShown: null, summary: null }
  const reasoning = (some: object, traits = {}) => {
    const { body, losses } = encode(
      { ...BLANK_REQUEST, outputTokensMax: 10_000, reasoning: { ...control, ...some } },
      traits,
    )
    return [body['reasoning'], body['include'], losses.map(({ action }) => action)]
  }
  const sealed = ['reasoning.encrypted_content']
  assert.deepEqual(reasoning({ effort: 'low' }), [{ effort: 'low' }, sealed, []])
  assert.deepEqual(reasoning({ effort: 'low', isShown: true }), [{ effort: 'low', summary: 'auto' }, sealed, []])
  assert.deepEqual(reasoning({ budgetTokens: 2000 }), [{ effort: 'low', summary: 'auto' }, sealed, ['rewritten']])
  assert.deepEqual(reasoning({ budgetTokens: 5000 }), [{ effort: 'medium', summary: 'auto' }, sealed, ['rewritten']])
  assert.deepEqual(reasoning({ budgetTokens: 9000 }), [{ effort: 'high', summary: 'auto' }, sealed, ['rewritten']])
  assert.deepEqual(reasoning({ isAdaptive: true, isShown: false }), [{ effort: 'medium' }, sealed, ['rewritten']])
  assert.deepEqual(reasoning({ enabled: true }), [{ effort: 'medium', summary: 'auto' }, sealed, ['rewritten']])
  assert.deepEqual(reasoning({ isShown: false }), [undefined, sealed, []])
  assert.deepEqual(reasoning({ isShown: true }), [{ summary: 'auto' }, sealed, []])
  assert.deepEqual(reasoning({ summary: 'detailed' }), [{ summary: 'detailed' }, sealed, []])
  assert.deepEqual(reasoning({ effort: 'none' }), [{ effort: 'none' }, undefined, []])
  assert.deepEqual(reasoning({ budgetTokens: 0 }), [undefined, undefined, ['dropped']])
  assert.deepEqual(reasoning({ enabled: false }), [undefined, undefined, ['dropped']])
  assert.deepEqual(reasoning({ effort: 'low' }, { reasoning: 'none' }), [undefined, undefined, ['dropped']])
  assert.deepEqual(reasoning({ enabled: false }, { reasoning: 'none' }), [undefined, undefined, []])
})

test('formats, probabilities, verbosity and tags', () => {
  const schema = { type: 'schema', name: null, description: null, schema: { type: 'object' }, strict: null } as const
  const { body } = encode({
    ...BLANK_REQUEST,
    format: schema,
    verbosity: 'high',
    logprobs: { enabled: true, top: 2 },
    endUser: 'e',
    metadata: { a: 'b' },
    promptCacheKey: 'k',
    serviceTier: 'standard_only',
    parallelToolCalls: false,
    stream: true,
    instructions: [
      { type: 'text', text: 'one', path: '/system/0' },
      { type: 'text', text: 'two', path: '/system/1' },
    ],
  })
  assert.deepEqual(body, {
    model: 'up',
    input: [],
    instructions: 'one\n\ntwo',
    parallel_tool_calls: false,
    text: { format: { type: 'json_schema', name: 'response', schema: { type: 'object' } }, verbosity: 'high' },
    store: false,
    include: ['message.output_text.logprobs'],
    top_logprobs: 2,
    service_tier: 'default',
    user: 'e',
    metadata: { a: 'b' },
    prompt_cache_key: 'k',
    stream: true,
  })
  assert.deepEqual(encode({ ...BLANK_REQUEST, format: { type: 'json' } }).body['text'], {
    format: { type: 'json_object' },
  })
  assert.deepEqual(encode({ ...BLANK_REQUEST, logprobs: { enabled: false, top: null } }).body['include'], undefined)
  const long = encode({ ...BLANK_REQUEST, endUser: 'x'.repeat(200), serviceTier: 'reserved' })
  assert.match(String(long.body['user']), /^[0-9a-f]{64}$/)
  assert.deepEqual(
    long.losses.map(({ action }) => action),
    ['dropped', 'rewritten'],
  )
})

test('a model without schemas is forced to call a function in the format’s place', () => {
  const format = { type: 'schema', name: 'n', description: null, schema: { type: 'object' }, strict: true } as const
  const forced = encode({ ...BLANK_REQUEST, format }, { hasJsonSchema: false })
  assert.equal(forced.formatTool, 'response')
  assert.deepEqual(forced.body['tools'], [
    { type: 'function', name: 'response', parameters: { type: 'object' }, strict: true },
  ])
  assert.deepEqual(forced.body['tool_choice'], { type: 'function', name: 'response' })
  assert.deepEqual(
    forced.losses.map(({ action, isSevere }) => [action, isSevere]),
    [['emulated', false]],
  )
  const tool = { type: 'function', name: 'f', description: null, schema: {}, strict: null, path: '/tools/0' } as const
  const mixed = encode({ ...BLANK_REQUEST, format, tools: [tool] }, { hasJsonSchema: false })
  assert.deepEqual([mixed.formatTool, mixed.body['text']], [null, { format: { type: 'json_object' } }])
  assert.deepEqual(
    mixed.losses.map(({ isSevere }) => isSevere),
    [true],
  )
})

test('what only other protocols know is declared, each at its place', () => {
  const { losses } = encode({
    ...BLANK_REQUEST,
    ext: { 'anthropic-messages': { container: 'c', 'a/b': 1 } },
    cacheControl: { type: 'ephemeral' },
    instructions: [{ type: 'text', text: 's', path: '/system/0', cacheControl: { type: 'ephemeral' } }],
    toolChoice: { type: 'opaque', value: {} },
    tools: [
      {
        type: 'server',
        name: 'web_search',
        kind: 'web-search',
        issuer: 'anthropic-messages',
        value: {},
        path: '/tools/0',
      },
    ],
  })
  assert.deepEqual(
    losses.map(({ path, isSevere }) => [path, isSevere]),
    [
      ['/cache_control', false],
      ['/container', false],
      ['/a~1b', false],
      ['/system/0/cache_control', false],
      ['/tools/0', true],
      ['/tool_choice', true],
    ],
  )
})
