import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import type { ReasoningControl } from '#ir/chat-request.ts'
import { encode, OPENAI, OPENROUTER, request, requestOf, told, TRAITS } from './testbed.ts'

const NOTHING: ReasoningControl = {
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
}

test('a body of the same protocol comes back as it stood', () => {
  const body = {
    model: 'up',
    messages: [
      { role: 'system', content: 's' },
      {
        role: 'user',
        name: 'u',
        content: [
          { type: 'text', text: 'a', odd: 1 },
          { type: 'text', text: 'b' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD', detail: 'low', more: 2 } },
          { type: 'video_url', video_url: { url: 'https://x.test/v.mp4' } },
          { type: 'input_audio', input_audio: { data: 'SUQz', format: 'mp3' } },
          { type: 'input_audio', input_audio: 'SUQz' },
          { type: 'file', file: { filename: 'f.pdf', file_data: 'data:application/pdf;base64,JVBE' } },
          { type: 'file', file: { file_id: 'file-1' } },
          { type: 'document_url', document_url: 'https://x.test/z.pdf' },
        ],
      },
      {
        role: 'assistant',
        content: null,
        prefix: false,
        tool_calls: [
          { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1}' }, extra_content: { g: 1 } },
          { id: 'b', type: 'function', function: { name: 'f', arguments: '{}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'b', name: 'f', content: '2' },
      {
        role: 'tool',
        tool_call_id: 'a',
        content: [
          { type: 'text', text: '1' },
          { type: 'text', text: '!' },
        ],
      },
      { role: 'assistant', content: 'x', refusal: 'no' },
      { role: 'assistant', content: 'y' },
    ],
    tools: [
      { type: 'function', function: { name: 'f', description: '', parameters: { type: 'object' }, strict: false } },
      { type: 'openrouter:web_search', max: 1 },
    ],
    tool_choice: { type: 'function', function: { name: 'f' } },
    web_search_options: {},
    parallel_tool_calls: false,
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
    stop: [],
    n: 0,
    logprobs: true,
    top_logprobs: 0,
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: {}, strict: true, odd: 1 } },
    reasoning_effort: 'minimal',
    verbosity: 'low',
    service_tier: 'flex',
    user: '',
    safety_identifier: 's',
    metadata: {},
    prompt_cache_key: 'k',
    store: false,
    thinking: { type: 'enabled' },
    stream: false,
  }
  const { body: written, losses } = encode(requestOf(body))
  assert.deepEqual(written, body)
  assert.deepEqual(losses, [])
})

test('the same in the dialect of OpenRouter', () => {
  const cache_control = { type: 'ephemeral' }
  const body = {
    model: 'up',
    messages: [
      { role: 'system', content: [{ type: 'text', text: 's', cache_control }] },
      { role: 'user', content: [{ type: 'file', file: { filename: 'f', file_data: 'https://x.test/f.pdf' } }] },
      {
        role: 'assistant',
        content: 'x',
        reasoning: 'hm',
        reasoning_details: [
          { type: 'reasoning.text', text: 'hm', signature: 'sig', format: 'anthropic-claude-v1', index: 0 },
        ],
      },
      { role: 'assistant', content: 'y', reasoning_details: [] },
    ],
    tools: [{ type: 'function', function: { name: 'f' }, cache_control }],
    reasoning: { effort: 'high', max_tokens: 5, exclude: true, enabled: false, summary: 'auto', odd: 1 },
    cache_control,
    stream: true,
    stream_options: { include_usage: true },
    provider: { only: ['x'] },
  }
  const { body: written, losses } = encode(requestOf(body), OPENROUTER)
  assert.deepEqual(written, body)
  assert.deepEqual(losses, [])
})

test('a stream tells its usage, and a client that did not say stream is not made to', () => {
  const streamed = requestOf({ stream: true, stream_options: { include_usage: false, include_obfuscation: false } })
  assert.deepEqual(encode(streamed).body['stream_options'], { include_usage: true, include_obfuscation: false })
  assert.equal('stream' in encode(requestOf({})).body, false)
  assert.equal(encode(requestOf({ stream: false })).body['stream'], false)
})

test('OpenAI’s own models: names, roles and refused values', () => {
  const { body, losses } = encode(
    requestOf({
      messages: [{ role: 'developer', content: 'd' }],
      max_tokens: 20_000,
      temperature: 0,
      top_p: 1,
      top_k: 3,
      presence_penalty: 0,
      frequency_penalty: 1,
      logit_bias: {},
      seed: 1,
      stop: ['1', '2', '3', '4', '5'],
      metadata: { a: 'b' },
      user: 'u'.repeat(65),
    }),
    OPENAI,
  )
  assert.deepEqual(body, {
    model: 'up',
    messages: [{ role: 'developer', content: 'd' }],
    max_completion_tokens: 10_000,
    top_p: 1,
    presence_penalty: 0,
    seed: 1,
    stop: ['1', '2', '3', '4'],
    user: body['user'],
  })
  assert.match(String(body['user']), /^[0-9a-f]{64}$/)
  assert.deepEqual(told(losses).toSorted(), [
    '/frequency_penalty: dropped',
    '/logit_bias: dropped',
    '/max_tokens: narrowed',
    '/metadata: dropped',
    '/stop: narrowed',
    '/temperature: dropped',
    '/top_k: dropped',
    '/user: rewritten',
  ])
  const others = encode(requestOf({ messages: [{ role: 'developer', content: 'd' }] }))
  assert.deepEqual(others.body['messages'], [{ role: 'system', content: 'd' }])
})

test('temperature 1 changes nothing and stays', () => {
  assert.equal(encode(requestOf({ temperature: 1 }), OPENAI).body['temperature'], 1)
})

test('reasoning by effort', () => {
  const ask = (control: Partial<ReasoningControl>, some = {}) => {
    const { body, losses } = encode(
      request({ reasoning: { ...NOTHING, ...control }, paths: { reasoning: '/thinking' }, ...some }),
    )
    return [body['reasoning_effort'], ...told(losses)]
  }
  assert.deepEqual(ask({ effort: 'xhigh', isAdaptive: true }), ['xhigh'])
  assert.deepEqual(ask({ enabled: false }), ['none'])
  assert.deepEqual(ask({ enabled: true }), ['medium'])
  assert.deepEqual(ask({}), [undefined])
  assert.deepEqual(ask({ isShown: true }), [undefined])
  assert.deepEqual(ask({ isAdaptive: true }), ['medium', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: -1 }), ['medium', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: 0 }), ['none', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: 2000 }), ['low', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: 2001 }), ['medium', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: 5001 }), ['high', '/thinking: rewritten'])
  assert.deepEqual(ask({ budgetTokens: 2000 }, { outputTokensMax: 4000 }), ['medium', '/thinking: rewritten'])
  assert.deepEqual(ask({ effort: 'low', summary: 'auto' }), ['low', '/thinking/summary: dropped'])
})

test('reasoning where nobody knows the limit, where there is none, and as an object', () => {
  const budget = request({ reasoning: { ...NOTHING, budgetTokens: 16_384 }, paths: { reasoning: '/thinking' } })
  assert.equal(encode(budget, { outputTokensMax: null }).body['reasoning_effort'], 'medium')
  const none = encode(budget, { reasoning: 'none' })
  assert.deepEqual([none.body['reasoning_effort'], told(none.losses)], [undefined, ['/thinking: dropped']])
  const off = request({ reasoning: { ...NOTHING, enabled: false } })
  assert.deepEqual(encode(off, { reasoning: 'none' }).losses, [])
  const shown = request({ reasoning: { ...NOTHING, isAdaptive: true, isShown: false } })
  assert.deepEqual(encode(shown, OPENROUTER).body['reasoning'], { enabled: true, exclude: true })
  assert.deepEqual(encode(budget, OPENROUTER).body['reasoning'], { max_tokens: 16_384 })
})

test('cache breakpoints go to OpenRouter alone', () => {
  const asked = requestOf({
    messages: [{ role: 'user', content: 'a', cache_control: { type: 'e' } }],
    cache_control: {},
  })
  const { body, losses } = encode(asked)
  assert.deepEqual(body['messages'], [{ role: 'user', content: 'a' }])
  assert.deepEqual(told(losses).toSorted(), ['/cache_control: dropped', '/messages/0/content/cache_control: dropped'])
})

test('custom tools are OpenAI’s; a function stands for them elsewhere', () => {
  const format = { type: 'grammar', grammar: { syntax: 'lark', definition: 'x' } }
  const asked = requestOf({
    messages: [
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'sql', input: 'a"b' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: 'ok' },
    ],
    tools: [{ type: 'custom', custom: { name: 'sql', description: 'd', format } }],
    tool_choice: { type: 'custom', custom: { name: 'sql' } },
  })
  const native = encode(asked, OPENAI).body
  assert.deepEqual(native['tools'], [{ type: 'custom', custom: { name: 'sql', description: 'd', format } }])
  assert.deepEqual(native['tool_choice'], { type: 'custom', custom: { name: 'sql' } })
  const { body, losses, emulatedCustomTools } = encode(asked)
  const input = { type: 'string', description: `Must follow this format: ${JSON.stringify(format)}` }
  const parameters = {
    type: 'object',
    properties: { [CUSTOM_TOOL_PARAMETER]: input },
    required: [CUSTOM_TOOL_PARAMETER],
  }
  assert.deepEqual(body['tools'], [{ type: 'function', function: { name: 'sql', description: 'd', parameters } }])
  assert.deepEqual(body['tool_choice'], { type: 'function', function: { name: 'sql' } })
  assert.deepEqual(body['messages'], [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c', type: 'function', function: { name: 'sql', arguments: '{"input":"a\\"b"}' } }],
    },
    { role: 'tool', tool_call_id: 'c', content: 'ok' },
  ])
  assert.deepEqual(emulatedCustomTools, ['sql'])
  assert.deepEqual(told(losses), ['/tools/0: emulated'])
})

test('tools that another provider runs are a severe loss', () => {
  const { body, losses } = encode(
    request({
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
      toolChoice: { type: 'auto' },
      parallelToolCalls: true,
    }),
  )
  assert.deepEqual([body['tools'], body['tool_choice'], body['parallel_tool_calls']], [undefined, undefined, undefined])
  assert.deepEqual(told(losses), ['/tools/0: dropped!'])
})

test('allowed tools are a choice of OpenAI’s and a shorter list elsewhere', () => {
  const tool = (name: string) => ({ type: 'function', function: { name } })
  const allowed_tools = { mode: 'required', tools: [tool('b')] }
  const asked = requestOf({ tools: [tool('a'), tool('b')], tool_choice: { type: 'allowed_tools', allowed_tools } })
  assert.deepEqual(encode(asked, OPENAI).body['tool_choice'], { type: 'allowed_tools', allowed_tools })
  const { body, losses } = encode(asked)
  assert.deepEqual([body['tools'], body['tool_choice']], [[tool('b')], 'required'])
  assert.deepEqual(told(losses), ['/tool_choice: emulated'])
})

test('a schema where the host knows none', () => {
  const schema = { type: 'object', properties: {} }
  const response_format = { type: 'json_schema', json_schema: { name: 'my answer', strict: true, schema } }
  const forced = encode(requestOf({ response_format }), { hasJsonSchema: false })
  const call = { type: 'function', function: { name: 'my_answer' } }
  assert.deepEqual(forced.body, {
    model: 'up',
    messages: [],
    tools: [{ type: 'function', function: { name: 'my_answer', parameters: schema } }],
    tool_choice: call,
  })
  assert.equal(forced.formatTool, 'my_answer')
  assert.deepEqual(told(forced.losses), ['/response_format: emulated'])
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const severe = encode(requestOf({ response_format, tools }), { hasJsonSchema: false })
  assert.deepEqual(told(severe.losses), ['/response_format: dropped!'])
  response_format.json_schema.strict = false
  const inWords = encode(requestOf({ response_format, tools }), { hasJsonSchema: false })
  assert.deepEqual(inWords.body['response_format'], { type: 'json_object' })
  assert.match(JSON.stringify(inWords.body['messages']), /^\[\{"role":"system","content":"Answer with a JSON object/)
  assert.deepEqual(told(inWords.losses), ['/response_format: emulated'])
})

test('a format without a name gets one, and other things of other protocols are told', () => {
  const { body, losses } = encode(
    request({
      format: { type: 'schema', name: null, description: null, schema: {}, strict: null },
      serviceTier: 'standard_only',
      endUser: 'u',
      toolChoice: { type: 'opaque', value: {} },
      ext: { gemini: { safetySettings: [], labels: {} } },
      paths: { serviceTier: '/service_tier', toolChoice: '/toolConfig', endUser: '/metadata/user_id' },
    }),
  )
  assert.deepEqual(body, {
    model: TRAITS.model,
    messages: [],
    response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: {} } },
    service_tier: 'default',
    user: 'u',
  })
  assert.deepEqual(told(losses).toSorted(), [
    '/labels: dropped',
    '/safetySettings: dropped',
    '/service_tier: rewritten',
    '/toolConfig: dropped!',
  ])
})

test('the equivalences of a body that is read and written again', () => {
  const { body } = encode(
    requestOf({
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'a' }], name: null },
        { role: 'assistant', content: [], tool_calls: [] },
        { role: 'assistant', content: '', function_call: { name: 'f', arguments: '' } },
        { role: 'function', name: 'f', content: 'x' },
        { role: 'user', content: [{ type: 'image_url', image_url: 'https://x.test/i.png' }] },
      ],
      tools: [],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      stop: 'x',
      echo: null,
    }),
  )
  assert.deepEqual(body, {
    model: 'up',
    messages: [
      { role: 'user', content: 'a' },
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call_0', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'call_0', name: 'f', content: 'x' },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.test/i.png' } }] },
    ],
    stop: ['x'],
  })
})
