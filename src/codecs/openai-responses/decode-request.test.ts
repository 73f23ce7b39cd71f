import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { Losses } from '#ir/extensions.ts'
import { decode, plain } from './testbed.ts'

test('tools of every kind, and those within a namespace', () => {
  const parameters = { type: 'object' }
  const { tools } = decode({
    tools: [
      { type: 'function', name: 'f', description: 'd', parameters, strict: false, defer_loading: true },
      { type: 'function', name: 'g' },
      { type: 'custom', name: 'c', format: { type: 'text' } },
      {
        type: 'namespace',
        name: 'n',
        description: 'about',
        tools: [
          { type: 'function', name: 'a' },
          { type: 'custom', name: 'b' },
        ],
      },
      { type: 'web_search_preview_2025_03_11', search_context_size: 'low' },
      { type: 'local_shell' },
    ],
  })
  assert.deepEqual(plain(tools), [
    {
      type: 'function',
      name: 'f',
      description: 'd',
      schema: parameters,
      strict: false,
      path: '/tools/0',
      ext: { 'openai-responses': { defer_loading: true } },
    },
    { type: 'function', name: 'g', description: null, schema: null, strict: null, path: '/tools/1' },
    { type: 'custom', name: 'c', description: null, format: { type: 'text' }, path: '/tools/2' },
    {
      type: 'function',
      name: 'a',
      description: null,
      schema: null,
      strict: null,
      path: '/tools/3/tools/0',
      namespace: 'n',
      ext: { 'openai-responses': { namespace: { description: 'about' } } },
    },
    { type: 'custom', name: 'b', description: null, format: null, path: '/tools/3/tools/1', namespace: 'n' },
    {
      type: 'server',
      name: 'web_search_preview_2025_03_11',
      kind: 'web-search',
      issuer: 'openai-responses',
      value: { type: 'web_search_preview_2025_03_11', search_context_size: 'low' },
      path: '/tools/4',
    },
    {
      type: 'server',
      name: 'local_shell',
      kind: 'other',
      issuer: 'openai-responses',
      value: { type: 'local_shell' },
      path: '/tools/5',
    },
  ])
})

test('tool choices', () => {
  const choice = (tool_choice: unknown) => decode({ tool_choice }).toolChoice
  assert.deepEqual(choice('auto'), { type: 'auto' })
  assert.deepEqual(choice('none'), { type: 'none' })
  assert.deepEqual(choice('required'), { type: 'required' })
  assert.deepEqual(choice({ type: 'function', name: 'f' }), { type: 'tool', name: 'f' })
  assert.deepEqual(choice({ type: 'custom', name: 'f' }), { type: 'tool', name: 'f', isCustom: true })
  const tools = [
    { type: 'function', name: 'f' },
    { type: 'custom', name: 'g' },
  ]
  assert.deepEqual(choice({ type: 'allowed_tools', mode: 'required', tools }), {
    type: 'allowed',
    names: ['f', 'g'],
    isRequired: true,
  })
  const hosted = { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'mcp', server_label: 'x' }] }
  assert.deepEqual(choice(hosted), { type: 'opaque', value: hosted })
  assert.deepEqual(choice({ type: 'file_search' }), { type: 'opaque', value: { type: 'file_search' } })
  assert.equal(choice(null), null)
})

test('0, false and empty values are values, null is absent', () => {
  const said = decode({
    instructions: '',
    temperature: 0,
    top_p: 0,
    max_output_tokens: 0,
    parallel_tool_calls: false,
    stream: false,
    tools: [],
    metadata: {},
    prompt_cache_key: '',
    top_logprobs: 0,
  })
  assert.deepEqual(said.instructions, [{ type: 'text', text: '', path: '/instructions' }])
  assert.deepEqual(said.sampling, { temperature: 0, topP: 0 })
  assert.deepEqual(
    [said.outputTokensMax, said.parallelToolCalls, said.metadata, said.promptCacheKey],
    [0, false, {}, ''],
  )
  assert.deepEqual(said.logprobs, { enabled: false, top: 0 })
  assert.deepEqual(Object.keys(said.paths).toSorted(), [
    'logprobs',
    'metadata',
    'outputTokensMax',
    'parallelToolCalls',
    'promptCacheKey',
    'stream',
    'temperature',
    'tools',
    'topP',
  ])
  const nulls = decode({ temperature: null, reasoning: null, text: null, tools: null, stream: null, user: null })
  assert.deepEqual(nulls.paths, {})
  assert.deepEqual(
    [nulls.sampling, nulls.reasoning, nulls.format, nulls.tools, nulls.endUser],
    [{}, null, null, [], null],
  )
})

test('formats, reasoning, probabilities and tags have neutral names', () => {
  const request = decode({
    text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: false }, verbosity: 'low' },
    reasoning: { effort: 'high', summary: 'auto', mode: 'pro' },
    include: ['message.output_text.logprobs'],
    top_logprobs: 3,
    service_tier: 'flex',
    user: 'old',
    safety_identifier: 'new',
  })
  assert.deepEqual(request.format, {
    type: 'schema',
    name: 'n',
    description: null,
    schema: { type: 'object' },
    strict: false,
  })
  assert.deepEqual(request.reasoning, {
    enabled: null,
    effort: 'high',
    budgetTokens: null,
    isAdaptive: false,
    isShown: true,
    summary: 'auto',
  })
  assert.deepEqual(request.logprobs, { enabled: true, top: 3 })
  assert.deepEqual([request.verbosity, request.serviceTier, request.endUser], ['low', 'flex', 'new'])
  assert.deepEqual(request.paths['endUser'], '/safety_identifier')
  assert.deepEqual(plain(request.ext), { 'openai-responses': { reasoning: { mode: 'pro' }, user: 'old' } })
  assert.equal(decode({ reasoning: { effort: 'none' } }).reasoning?.enabled, false)
  assert.equal(decode({ reasoning: {} }).reasoning, null)
  assert.deepEqual(decode({ text: { format: { type: 'json_object' } } }).format, { type: 'json' })
  const grammar = { type: 'grammar', syntax: 'lark' }
  const unknown = decode({ text: { format: grammar } })
  assert.equal(unknown.format, null)
  assert.deepEqual(unknown.ext, { 'openai-responses': { text: { format: grammar } } })
})

test('another target loses what it does not know, and nothing that the gateway sees to', () => {
  const { ext, turns } = decode({
    store: false,
    include: ['reasoning.encrypted_content'],
    previous_response_id: 'resp_1',
    truncation: 'disabled',
    temperature: null,
    max_tool_calls: 0,
    truncation_extra: 'x',
    input: [
      {
        type: 'message',
        id: 'msg_1',
        status: 'completed',
        role: 'user',
        content: [{ type: 'input_text', text: 'a', logprobs: [] }],
      },
    ],
  })
  const losses = new Losses()
  losses.unknown('', ext['openai-responses'], 'r')
  losses.unknown('/input/0', turns[0]!.ext?.['openai-responses'], 'r')
  losses.unknown('/input/0/content/0', turns[0]!.blocks[0]!.ext?.['openai-responses'], 'r')
  assert.deepEqual(
    losses.list.map(({ path }) => path),
    ['/max_tool_calls', '/truncation_extra'],
  )
})

test('what has the wrong shape is refused in the client’s own terms', () => {
  const refused = (body: unknown, param: string | undefined) =>
    assert.throws(
      () => decode(body),
      (error) => {
        assert.ok(error instanceof GatewayError, String(error))
        assert.deepEqual([error.code, error.status, error.details.param], ['invalid_request', 400, param])
        return true
      },
    )
  refused([], undefined)
  refused({ input: 5 }, 'input')
  refused({ input: ['x'] }, 'input[0]')
  refused({ input: [{ role: 'robot', content: '' }] }, 'input[0].role')
  refused({ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text')
  refused({ input: [{ type: 'function_call', call_id: 'c' }] }, 'input[0].name')
  refused({ tools: {} }, 'tools')
  refused({ tools: [{ type: 'namespace', name: 'n', tools: [{ type: 'function' }] }] }, 'tools[0].tools[0].name')
  refused({ tool_choice: 5 }, 'tool_choice')
  refused({ max_output_tokens: -1 }, 'max_output_tokens')
  refused({ max_output_tokens: 1.5 }, 'max_output_tokens')
  refused({ parallel_tool_calls: 'no' }, 'parallel_tool_calls')
  refused({ text: 'json' }, 'text')
  refused({ reasoning: { effort: 3 } }, 'reasoning.effort')
})
