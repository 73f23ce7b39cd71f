import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { rawNumber } from '#base/exact-json.ts'
import { messagesClient } from './translation.ts'
import { decoded } from './testbed.ts'

const P = 'anthropic-messages'

describe('the body', () => {
  test('nothing is invented', () => {
    assert.deepEqual(messagesClient.decodeRequest({ messages: [] }, { stream: true }), {
      instructions: [],
      turns: [],
      tools: [],
      toolChoice: null,
      parallelToolCalls: null,
      sampling: {},
      outputTokensMax: null,
      stopSequences: null,
      candidates: null,
      logprobs: null,
      format: null,
      reasoning: null,
      verbosity: null,
      serviceTier: null,
      endUser: null,
      metadata: null,
      promptCacheKey: null,
      stream: false,
      paths: {},
      ext: { [P]: {} },
    })
  })

  test('null is absent, but 0, false and empty are values', () => {
    const nothing = { temperature: null, top_k: null, stop_sequences: null, stream: null, thinking: null, tools: null }
    assert.deepEqual(decoded({ ...nothing, tool_choice: null, metadata: null, output_config: null }).paths, {
      outputTokensMax: '/max_tokens',
    })
    const request = decoded({
      max_tokens: 0,
      temperature: 0,
      top_p: 0,
      top_k: 0,
      stop_sequences: [],
      stream: false,
      service_tier: '',
      metadata: { user_id: '' },
    })
    assert.equal(request.outputTokensMax, 0)
    assert.deepEqual(request.sampling, { temperature: 0, topP: 0, topK: 0 })
    assert.deepEqual(request.stopSequences, [])
    assert.deepEqual([request.stream, request.serviceTier, request.endUser], [false, '', ''])
    assert.deepEqual(request.paths, {
      outputTokensMax: '/max_tokens',
      temperature: '/temperature',
      topP: '/top_p',
      topK: '/top_k',
      stopSequences: '/stop_sequences',
      stream: '/stream',
      serviceTier: '/service_tier',
      endUser: '/metadata/user_id',
    })
  })

  test('what only this API knows stays as it stood', () => {
    const members = {
      container: 'c_1',
      mcp_servers: [{ type: 'url', url: 'https://mcp.test', name: 'm' }],
      context_management: { edits: [] },
      speed: 'fast',
      future: { x: [null] },
    }
    assert.deepEqual(decoded({ ...members, metadata: { user_id: 'u', more: 1 } }).ext, {
      [P]: { ...members, metadata: { more: 1 } },
    })
  })

  test('the user may be JSON text', () => {
    const user = '{"device_id":"d","session_id":"s"}'
    assert.equal(decoded({ metadata: { user_id: user } }).endUser, user)
  })

  test('cache control of the whole', () => {
    const request = decoded({ cache_control: { type: 'ephemeral', ttl: '1h' } })
    assert.deepEqual(request.cacheControl, { type: 'ephemeral', ttl: '1h' })
    assert.equal(request.paths['cacheControl'], '/cache_control')
  })

  test('a number that JavaScript would round is the client’s own', () => {
    const long = rawNumber('0.30000000000000000001')
    assert.equal(decoded({ temperature: long }).sampling.temperature, long)
  })
})

describe('the system prompt', () => {
  test('a string and blocks', () => {
    assert.deepEqual(decoded({ system: 'Be brief.' }).instructions, [
      { type: 'text', text: 'Be brief.', path: '/system' },
    ])
    const cache = { type: 'ephemeral' }
    const system = [
      { type: 'text', text: 'a', cache_control: cache },
      { type: 'text', text: '', x: 1 },
    ]
    assert.deepEqual(decoded({ system }).instructions, [
      { type: 'text', text: 'a', path: '/system/0', cacheControl: cache },
      { type: 'text', text: '', path: '/system/1', ext: { [P]: { x: 1 } } },
    ])
  })

  test('system turns stay where they stand', () => {
    const { turns, instructions } = decoded({
      messages: [
        { role: 'user', content: 'a' },
        { role: 'system', content: 'b', clear_at: 'never' },
        { role: 'assistant', content: [] },
      ],
    })
    assert.deepEqual(instructions, [])
    assert.deepEqual(turns, [
      { role: 'user', path: '/messages/0', blocks: [{ type: 'text', text: 'a', path: '/messages/0/content' }] },
      {
        role: 'system',
        path: '/messages/1',
        blocks: [{ type: 'text', text: 'b', path: '/messages/1/content' }],
        ext: { [P]: { clear_at: 'never' } },
      },
      { role: 'assistant', path: '/messages/2', blocks: [], ext: { [P]: { content: [] } } },
    ])
  })
})

describe('tools', () => {
  test('functions and tools of the provider', () => {
    const schema = { type: 'object', properties: { 2: {}, 1: {} } }
    const computer = { type: 'computer_20251124', name: 'computer', display_width_px: 800 }
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 0 }
    const mcp = { type: 'mcp_toolset', mcp_server_name: 'm' }
    const tools = [
      { name: 'f', input_schema: schema, description: '', strict: false, defer_loading: true },
      { type: 'custom', name: 'g', cache_control: { type: 'ephemeral' } },
      computer,
      search,
      mcp,
    ]
    const server = { type: 'server', issuer: P }
    assert.deepEqual(decoded({ tools }).tools, [
      {
        type: 'function',
        name: 'f',
        description: '',
        schema,
        strict: false,
        path: '/tools/0',
        ext: { [P]: { defer_loading: true } },
      },
      {
        type: 'function',
        name: 'g',
        description: null,
        schema: null,
        strict: null,
        path: '/tools/1',
        cacheControl: { type: 'ephemeral' },
      },
      { ...server, name: 'computer', kind: 'other', value: computer, path: '/tools/2' },
      { ...server, name: 'web_search', kind: 'web-search', value: search, path: '/tools/3' },
      { ...server, name: 'm', kind: 'mcp', value: mcp, path: '/tools/4' },
    ])
  })

  test('choices, and whether calls may be parallel', () => {
    const choice = (given: unknown) => {
      const { toolChoice, parallelToolCalls, ext } = decoded({ tool_choice: given })
      return [toolChoice, parallelToolCalls, ext[P]]
    }
    assert.deepEqual(choice({ type: 'auto' }), [{ type: 'auto' }, null, {}])
    assert.deepEqual(choice({ type: 'none' }), [{ type: 'none' }, null, {}])
    assert.deepEqual(choice({ type: 'any', disable_parallel_tool_use: true }), [{ type: 'required' }, false, {}])
    assert.deepEqual(choice({ type: 'tool', name: 'f', disable_parallel_tool_use: false }), [
      { type: 'tool', name: 'f' },
      true,
      {},
    ])
    const later = { type: 'best', of: 2 }
    assert.deepEqual(choice(later), [null, null, { tool_choice: later }])
  })
})

describe('reasoning control and formats', () => {
  const nothing = { enabled: null, effort: null, budgetTokens: null, isAdaptive: false, isShown: null, summary: null }
  const control = (body: object) => {
    const { reasoning, paths, ext } = decoded({ ...body })
    return [reasoning, paths['reasoning'], ext[P]]
  }

  test('modes of thinking', () => {
    const enabled = { ...nothing, enabled: true }
    assert.deepEqual(control({ thinking: { type: 'enabled', budget_tokens: 2048 } }), [
      { ...enabled, budgetTokens: 2048 },
      '/thinking',
      {},
    ])
    assert.deepEqual(
      control({ thinking: { type: 'adaptive', display: 'omitted' }, output_config: { effort: 'low' } }),
      [{ ...enabled, isAdaptive: true, isShown: false, effort: 'low' }, '/thinking', {}],
    )
    assert.deepEqual(control({ thinking: { type: 'disabled' } }), [{ ...nothing, enabled: false }, '/thinking', {}])
    assert.deepEqual(control({ output_config: { effort: 'max', task_budget: { total: 1 } } }), [
      { ...nothing, effort: 'max' },
      '/output_config/effort',
      { output_config: { task_budget: { total: 1 } } },
    ])
  })

  test('what the neutral form cannot say of thinking stays whole', () => {
    for (const thinking of [{ type: 'adaptive', display: 'updates' }, { type: 'between_tools' }])
      assert.deepEqual(control({ thinking })[2], { thinking })
  })

  test('formats, old and new', () => {
    const schema = { type: 'object' }
    const format = { type: 'schema', name: null, description: null, schema, strict: null }
    const given = { type: 'json_schema', schema }
    const newer = decoded({ output_config: { format: given } })
    assert.deepEqual([newer.format, newer.paths['format'], newer.ext[P]], [format, '/output_config/format', {}])
    const older = decoded({ output_format: given })
    assert.deepEqual([older.format, older.paths['format'], older.ext[P]], [format, '/output_format', {}])
    const more = { ...given, future: 1 }
    assert.deepEqual(decoded({ output_config: { format: more } }).ext[P], { output_config: { format: more } })
    const other = { type: 'regex', pattern: 'a' }
    assert.deepEqual(
      [decoded({ output_format: other }).format, decoded({ output_format: other }).ext[P]],
      [null, { output_format: other }],
    )
  })
})

describe('wrong shapes', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], 'body'],
    [{}, 'messages'],
    [{ messages: [1] }, 'messages.0'],
    [{ messages: [{ role: 'robot', content: '' }] }, 'messages.0.role'],
    [{ messages: [{ role: 'user', content: 1 }] }, 'messages.0.content'],
    [{ messages: [{ role: 'user', content: ['a'] }] }, 'messages.0.content.0'],
    [{ messages: [{ role: 'user', content: [{}] }] }, 'messages.0.content.0.type'],
    [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages.0.content.0.text'],
    [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, 'messages.0.content.0.source'],
    [{ messages: [], system: {} }, 'system'],
    [{ messages: [], system: [{ type: 'image' }] }, 'system.0'],
    [{ messages: [], tools: {} }, 'tools'],
    [{ messages: [], tools: [{ input_schema: {} }] }, 'tools.0.name'],
    [{ messages: [], tool_choice: 'auto' }, 'tool_choice'],
    [{ messages: [], max_tokens: 1.5 }, 'max_tokens'],
    [{ messages: [], stop_sequences: 'x' }, 'stop_sequences'],
    [{ messages: [], thinking: true }, 'thinking'],
    [{ messages: [], output_config: { effort: 1 } }, 'output_config.effort'],
    [{ messages: [], metadata: 'u' }, 'metadata'],
    [{ messages: [], stream: 1 }, 'stream'],
    [{ messages: [], service_tier: 1 }, 'service_tier'],
  ]
  for (const [body, param] of cases) {
    test(param, () =>
      assert.throws(
        () => messagesClient.decodeRequest(body, { stream: false }),
        (error) => error instanceof GatewayError && error.status === 400 && error.details.param === param,
      ),
    )
  }
})
