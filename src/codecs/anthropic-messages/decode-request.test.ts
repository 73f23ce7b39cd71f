import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import { sealEnvelope } from '#codecs/seal-envelope.ts'
import type { Block } from '#ir/blocks.ts'
import { messagesClient } from './translation.ts'
import { decoded } from './testbed.ts'

const P = 'anthropic-messages'

function blocksOf(content: unknown, role = 'user'): readonly Block[] {
  return decoded({ messages: [{ role, content }] }).turns[0]!.blocks
}

/** The only block of a content that holds this one. */
function blockOf(block: unknown, role = 'user'): Block {
  const [only, ...others] = blocksOf([block], role)
  assert.deepEqual(others, [])
  return only!
}

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
    const long = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON('0.30000000000000000001')
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

describe('blocks', () => {
  const path = '/messages/0/content/0'

  test('text with sources', () => {
    const web = {
      type: 'web_search_result_location',
      url: 'https://a.test',
      title: 'A',
      cited_text: 'q',
      encrypted_index: 'e',
    }
    const page = {
      type: 'page_location',
      document_title: 'D',
      cited_text: 'p',
      document_index: 0,
      start_page_number: 1,
    }
    const found = { type: 'search_result_location', source: 'https://b.test', title: null, cited_text: 'r' }
    assert.deepEqual(blockOf({ type: 'text', text: 't', citations: [web, page, found] }), {
      type: 'text',
      text: 't',
      path,
      citations: [
        { url: 'https://a.test', title: 'A', citedText: 'q', native: { issuer: P, value: web } },
        { title: 'D', citedText: 'p', native: { issuer: P, value: page } },
        { url: 'https://b.test', citedText: 'r', native: { issuer: P, value: found } },
      ],
    })
    assert.deepEqual(blockOf({ type: 'text', text: '', citations: null }), {
      type: 'text',
      text: '',
      path,
      ext: { [P]: { citations: null } },
    })
  })

  test('images by bytes, address and file', () => {
    const image = (source: unknown, more = {}) => blockOf({ type: 'image', source, ...more })
    const media = { type: 'media', kind: 'image', path }
    assert.deepEqual(image({ type: 'base64', media_type: 'image/png', data: 'AA==' }), {
      ...media,
      source: { type: 'base64', mimeType: 'image/png', data: 'AA==' },
    })
    assert.deepEqual(image({ type: 'url', url: 'https://a.test/x' }, { cache_control: { type: 'ephemeral' } }), {
      ...media,
      source: { type: 'url', mimeType: null, url: 'https://a.test/x' },
      cacheControl: { type: 'ephemeral' },
    })
    assert.deepEqual(image({ type: 'file', file_id: 'f_1' }, { transformations: {} }), {
      ...media,
      source: { type: 'file', issuer: P, id: 'f_1', mimeType: null },
      ext: { [P]: { transformations: {} } },
    })
    const later = { type: 'image', source: { type: 'hologram', data: 'x' } }
    assert.deepEqual(blockOf(later), { type: 'opaque', issuer: P, value: later, path })
  })

  test('documents of every kind of source', () => {
    const document = (source: unknown, more = {}) => blockOf({ type: 'document', source, ...more })
    const media = { type: 'media', kind: 'document', path }
    assert.deepEqual(document({ type: 'base64', media_type: 'application/pdf', data: 'JVBE' }, { title: 'T' }), {
      ...media,
      source: { type: 'base64', mimeType: 'application/pdf', data: 'JVBE' },
      title: 'T',
    })
    const told = { context: 'c', citations: { enabled: true } }
    assert.deepEqual(document({ type: 'text', media_type: 'text/plain', data: 'words' }, told), {
      ...media,
      source: { type: 'text', mimeType: 'text/plain', text: 'words' },
      ext: { [P]: told },
    })
    const content = {
      type: 'content',
      content: [
        { type: 'text', text: 'a' },
        { type: 'text', text: 'b' },
      ],
    }
    assert.deepEqual(document(content), {
      ...media,
      source: { type: 'text', mimeType: 'text/plain', text: 'a\nb' },
      ext: { [P]: { source: content } },
    })
  })

  test('calls keep their arguments as text', () => {
    const caller = { type: 'direct' }
    assert.deepEqual(blockOf({ type: 'tool_use', id: 't_1', name: 'f', input: { a: [1] }, caller }, 'assistant'), {
      type: 'tool-call',
      id: 't_1',
      name: 'f',
      arguments: '{"a":[1]}',
      kind: 'function',
      path,
      ext: { [P]: { caller } },
    })
    const stoodIn = { type: 'tool_use', id: 't_1', name: 'f', input: { __invalid_json: '{"a":' } }
    const call = blockOf(stoodIn, 'assistant')
    assert.equal(call.type === 'tool-call' && call.arguments, '{"a":')
  })

  test('results of text, blocks and nothing', () => {
    const result = (members: object) => blockOf({ type: 'tool_result', tool_use_id: 't_1', ...members })
    const base = { type: 'tool-result', callId: 't_1', name: null, kind: 'function', path }
    const inside = `${path}/content`
    assert.deepEqual(result({}), { ...base, content: [], isError: null })
    assert.deepEqual(result({ content: [], is_error: false }), {
      ...base,
      content: [],
      isError: false,
      ext: { [P]: { content: [] } },
    })
    assert.deepEqual(result({ content: '', is_error: true, cache_control: { type: 'ephemeral' } }), {
      ...base,
      content: [{ type: 'text', text: '', path: inside }],
      isError: true,
      cacheControl: { type: 'ephemeral' },
    })
    const found = {
      type: 'search_result',
      source: 'https://a.test',
      title: 'A',
      content: [{ type: 'text', text: 'x' }],
      citations: { enabled: true },
    }
    const reference = { type: 'tool_reference', tool_name: 'g' }
    const { title, ...rest } = found
    assert.deepEqual(result({ content: [found, reference] }), {
      ...base,
      isError: null,
      content: [
        {
          type: 'media',
          kind: 'document',
          source: { type: 'text', mimeType: 'text/plain', text: 'x' },
          title,
          path: `${inside}/0`,
          ext: { [P]: rest },
        },
        { type: 'opaque', issuer: P, value: reference, path: `${inside}/1` },
      ],
    })
  })

  test('what the provider ran, and what nobody knows, is its own', () => {
    for (const type of ['server_tool_use', 'web_search_tool_result', 'mcp_tool_use', 'compaction', 'never_heard_of']) {
      const value = { type, id: 's_1', content: null }
      assert.deepEqual(blockOf(value, 'assistant'), { type: 'opaque', issuer: P, value, path })
    }
  })
})

describe('reasoning and seals', () => {
  const path = '/messages/0/content/0'

  test('the API’s own signatures', () => {
    assert.deepEqual(blockOf({ type: 'thinking', thinking: 'hm', signature: 'S==' }, 'assistant'), {
      type: 'reasoning',
      text: 'hm',
      seal: { issuer: P, kind: 'signature', value: 'S==' },
      id: null,
      path,
    })
    assert.deepEqual(blockOf({ type: 'redacted_thinking', data: 'D==' }, 'assistant'), {
      type: 'reasoning',
      text: '',
      seal: { issuer: P, kind: 'encrypted', value: 'D==' },
      id: null,
      path,
    })
  })

  test('unsigned reasoning keeps its text, and how it was unsigned', () => {
    const unsigned = { type: 'reasoning', text: 'hm', seal: null, id: null, path }
    const thinking = { type: 'thinking', thinking: 'hm' }
    assert.deepEqual(blockOf(thinking), { ...unsigned, ext: { [P]: {} } })
    assert.deepEqual(blockOf({ ...thinking, signature: '' }), { ...unsigned, ext: { [P]: { signature: '' } } })
    assert.deepEqual(blockOf({ ...thinking, signature: null }), { ...unsigned, ext: { [P]: { signature: null } } })
  })

  test('foreign seals come back to where they were', () => {
    const reasoning = { issuer: 'openai-responses', kind: 'encrypted', value: 'E' } as const
    const call = { issuer: 'gemini', kind: 'signature', value: 'C' } as const
    const text = { issuer: 'gemini', kind: 'signature', value: 'T' } as const
    const redacted = (entry: Parameters<typeof sealEnvelope>[0][number]) => ({
      type: 'redacted_thinking',
      data: sealEnvelope([entry]),
    })
    const blocks = blocksOf(
      [
        {
          type: 'thinking',
          thinking: 'seen',
          signature: sealEnvelope([{ seal: reasoning, place: 'reasoning', id: 'rs_1' }]),
        },
        redacted({ seal: reasoning, place: 'reasoning', text: 'unseen' }),
        { type: 'text', text: 'hi' },
        redacted({ seal: text, place: 'text' }),
        redacted({ seal: text, place: 'text', text: '' }),
        redacted({ seal: call, place: 'tool-call' }),
        { type: 'tool_use', id: 't_1', name: 'f', input: {} },
      ],
      'assistant',
    )
    const at = (index: number) => `/messages/0/content/${index}`
    assert.deepEqual(blocks, [
      { type: 'reasoning', text: 'seen', seal: reasoning, id: 'rs_1', path: at(0) },
      { type: 'reasoning', text: 'unseen', seal: reasoning, id: null, path: at(1) },
      { type: 'text', text: 'hi', seal: text, path: at(2) },
      { type: 'text', text: '', seal: text, path: at(4) },
      { type: 'tool-call', id: 't_1', name: 'f', arguments: '{}', kind: 'function', seal: call, path: at(6) },
    ])
  })

  test('the seal of a call that is gone is not', () => {
    const seal = { issuer: 'gemini', kind: 'signature', value: 'C' } as const
    const data = sealEnvelope([{ seal, place: 'tool-call' }])
    assert.deepEqual(blocksOf([{ type: 'redacted_thinking', data }], 'assistant'), [
      { type: 'reasoning', text: '', id: null, seal, path },
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
      ...[computer, search, mcp],
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
