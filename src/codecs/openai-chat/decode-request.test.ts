import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { decodeChatRequest } from './decode-request.ts'

const read = (body: object): ChatRequest => decodeChatRequest({ messages: [], ...body }, { stream: false })

function assertRefused(body: object, param: string): void {
  assert.throws(
    () => read(body),
    (error) => {
      assert.ok(error instanceof GatewayError, String(error))
      assert.equal(error.status, 400)
      assert.equal(error.details.param, param)
      return true
    },
    JSON.stringify(body),
  )
}

test('what the client did not say is absent', () => {
  assert.deepEqual(read({ model: 'm' }), {
    instructions: [],
    turns: [],
    tools: [],
    toolChoice: null,
    sampling: {},
    parallelToolCalls: null,
    outputTokensMax: null,
    stopSequences: null,
    candidates: null,
    logprobs: null,
    format: null,
    reasoning: null,
    verbosity: null,
    serviceTier: null,
    metadata: null,
    promptCacheKey: null,
    endUser: null,
    stream: false,
    paths: {},
    ext: {},
  })
})

test('zero, false and the empty are values, and null is absent', () => {
  const empty = {
    temperature: 0,
    top_p: 0,
    top_k: 0,
    min_p: 0,
    repetition_penalty: 0,
    presence_penalty: 0,
    frequency_penalty: 0,
    seed: 0,
    logit_bias: {},
    max_tokens: 0,
    n: 0,
    stop: [],
    parallel_tool_calls: false,
    logprobs: false,
    top_logprobs: 0,
    user: '',
    metadata: {},
    stream: false,
    tool_choice: 'none',
    reasoning_effort: '',
    verbosity: '',
    service_tier: '',
    prompt_cache_key: '',
    store: false,
  }
  const request = read(empty)
  assert.deepEqual(request.sampling, {
    temperature: 0,
    topP: 0,
    topK: 0,
    minP: 0,
    repetitionPenalty: 0,
    presencePenalty: 0,
    frequencyPenalty: 0,
    seed: 0,
    logitBias: {},
  })
  assert.equal(request.outputTokensMax, 0)
  assert.equal(request.candidates, 0)
  assert.deepEqual(request.stopSequences, [])
  assert.equal(request.parallelToolCalls, false)
  assert.deepEqual(request.logprobs, { enabled: false, top: 0 })
  assert.equal(request.endUser, '')
  assert.deepEqual(request.metadata, {})
  assert.equal(request.reasoning?.effort, '')
  assert.deepEqual([request.verbosity, request.serviceTier, request.promptCacheKey], ['', '', ''])
  assert.deepEqual(request.ext, { 'openai-chat': { store: false } })
  assert.equal(Object.keys(request.paths).length, Object.keys(empty).length - 2, JSON.stringify(request.paths))
  const nothing = Object.fromEntries(
    [...Object.keys(empty), 'echo', 'response_format', 'reasoning'].map((n) => [n, null]),
  )
  assert.deepEqual(read(nothing), read({}))
})

test('numbers that JavaScript would round stay as they stood', () => {
  const body = parseFaithfulJson('{"messages":[],"seed":9007199254740993,"max_tokens":1000000.0000000000}')
  const request = decodeChatRequest(body, { stream: false })
  assert.equal(JSON.stringify(request.sampling.seed), '9007199254740993')
  assert.equal(request.outputTokensMax, 1000000)
})

test('the places of the fields are told', () => {
  const request = read({ max_tokens: 5, max_completion_tokens: 7, stop: 'x', safety_identifier: 's', stream: true })
  assert.equal(request.outputTokensMax, 7)
  assert.deepEqual(request.stopSequences, ['x'])
  assert.equal(request.endUser, 's')
  assert.deepEqual(request.paths, {
    outputTokensMax: '/max_completion_tokens',
    stopSequences: '/stop',
    endUser: '/safety_identifier',
    stream: '/stream',
  })
  assert.deepEqual(request.ext, {})
})

test('what nobody knows is kept as it stood', () => {
  const request = read({
    models: ['a'],
    provider: { order: ['x'] },
    thinking: { type: 'enabled' },
    enable_thinking: false,
    top_logprobs: 2,
    safety_identifier: 's',
    user: 'u',
    stream_options: { include_usage: true, include_obfuscation: false },
    reasoning: { effort: 'low', verbosity: 'x' },
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {}, origin: 'z' } },
    tool_choice: { type: 'odd' },
  })
  assert.deepEqual(request.ext['openai-chat'], {
    models: ['a'],
    provider: { order: ['x'] },
    thinking: { type: 'enabled' },
    enable_thinking: false,
    top_logprobs: 2,
    safety_identifier: 's',
    stream_options: { include_obfuscation: false },
    reasoning: { verbosity: 'x' },
    response_format: { json_schema: { origin: 'z' } },
    tool_choice: { type: 'odd' },
  })
  assert.equal(request.logprobs, null)
  assert.equal(request.toolChoice, null)
  assert.equal(request.endUser, 'u')
})

test('formats', () => {
  const schema = { type: 'object' }
  const formatOf = (response_format: object) => read({ response_format }).format
  assert.deepEqual(formatOf({ type: 'text' }), { type: 'text' })
  assert.deepEqual(formatOf({ type: 'json_object' }), { type: 'json' })
  assert.deepEqual(formatOf({ type: 'json_schema', json_schema: { name: 'n', strict: false, schema } }), {
    type: 'schema',
    name: 'n',
    description: null,
    schema,
    strict: false,
  })
  const grammar = { type: 'grammar', grammar: 'root ::= "x"' }
  assert.equal(formatOf(grammar), null)
  assert.deepEqual(read({ response_format: grammar }).ext['openai-chat'], { response_format: grammar })
})

test('reasoning in both dialects', () => {
  const control = (body: object) => read(body).reasoning
  const nothing = {
    enabled: null,
    effort: null,
    budgetTokens: null,
    isAdaptive: false,
    isShown: null,
    summary: null,
  }
  assert.deepEqual(control({ reasoning_effort: 'none' }), { ...nothing, effort: 'none' })
  assert.deepEqual(control({ reasoning: {} }), nothing)
  assert.deepEqual(control({ reasoning: { max_tokens: 0, enabled: false, exclude: true, summary: 'auto' } }), {
    ...nothing,
    budgetTokens: 0,
    enabled: false,
    isShown: false,
    summary: 'auto',
  })
  assert.deepEqual(control({ reasoning: { exclude: false }, reasoning_effort: 'high' }), {
    ...nothing,
    effort: 'high',
    isShown: true,
  })
  assert.equal(read({ reasoning: {} }).paths['reasoning'], '/reasoning')
  assert.equal(read({ reasoning_effort: 'low' }).paths['reasoning'], '/reasoning_effort')
})

test('tools and choices, old and new', () => {
  const parameters = { type: 'object' }
  const { tools, toolChoice, paths } = read({
    tools: [
      { type: 'function', function: { name: 'f', description: '', parameters, strict: false, odd: 1 }, eager: true },
      { function: { name: 'g' } },
      { type: 'custom', custom: { name: 'c', format: { type: 'text' } } },
      { type: 'openrouter:web_search', max: 1 },
    ],
    functions: [{ name: 'old', parameters }],
    web_search_options: { search_context_size: 'low' },
    function_call: { name: 'old' },
  })
  const none = { description: null, schema: null, strict: null }
  assert.deepEqual(tools, [
    {
      type: 'function',
      path: '/tools/0',
      name: 'f',
      description: '',
      schema: parameters,
      strict: false,
      ext: { 'openai-chat': { eager: true, function: { odd: 1 } } },
    },
    { type: 'function', path: '/tools/1', name: 'g', ...none },
    { type: 'custom', path: '/tools/2', name: 'c', description: null, format: { type: 'text' } },
    {
      type: 'server',
      path: '/tools/3',
      name: 'openrouter:web_search',
      kind: 'web-search',
      issuer: 'openai-chat',
      value: { type: 'openrouter:web_search', max: 1 },
    },
    { type: 'function', path: '/functions/0', name: 'old', ...none, schema: parameters },
    {
      type: 'server',
      path: '/web_search_options',
      name: 'web_search_options',
      kind: 'web-search',
      issuer: 'openai-chat',
      value: { search_context_size: 'low' },
    },
  ])
  assert.deepEqual(toolChoice, { type: 'tool', name: 'old' })
  assert.equal(paths['toolChoice'], '/function_call')
})

test('every choice of a tool', () => {
  const choice = (tool_choice: unknown) => read({ tool_choice }).toolChoice
  assert.deepEqual(choice('auto'), { type: 'auto' })
  assert.deepEqual(choice('any'), { type: 'required' })
  assert.deepEqual(choice({ type: 'none' }), { type: 'none' })
  assert.deepEqual(choice({ function: { name: 'f' } }), { type: 'tool', name: 'f' })
  assert.deepEqual(choice({ type: 'custom', custom: { name: 'c' } }), { type: 'tool', name: 'c', isCustom: true })
  const tools = [
    { type: 'function', function: { name: 'f' } },
    { type: 'custom', custom: { name: 'c' } },
  ]
  assert.deepEqual(choice({ type: 'allowed_tools', allowed_tools: { mode: 'required', tools } }), {
    type: 'allowed',
    names: ['f', 'c'],
    isRequired: true,
  })
  assert.equal(choice('sometimes'), null)
})

test('wrong shapes are refused by the name of the member', () => {
  assertRefused({ messages: 'hi' }, 'messages')
  assertRefused({ messages: [1] }, 'messages.0')
  assertRefused({ messages: [{ role: 'model' }] }, 'messages.0.role')
  assertRefused({ messages: [{ role: 'user', content: 1 }] }, 'messages.0.content')
  assertRefused({ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages.0.content.0.image_url')
  assertRefused({ messages: [{ role: 'assistant', tool_calls: [{ id: 'a' }] }] }, 'messages.0.tool_calls.0.function')
  assertRefused({ max_tokens: -1 }, 'max_tokens')
  assertRefused({ n: 'two' }, 'n')
  assertRefused({ stop: [1] }, 'stop')
  assertRefused({ tools: {} }, 'tools')
  assertRefused({ tools: [{ type: 'function' }] }, 'tools.0.function')
  assertRefused({ reasoning: 'high' }, 'reasoning')
  assertRefused({ response_format: { type: 'json_schema' } }, 'response_format.json_schema')
})
