import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encoded, lost, roundTrip } from './testbed.ts'

describe('the body', () => {
  test('a limit is always told: the client’s, the model’s, or the least that helps', () => {
    const limit = (given: number | null, ofModel: number | null) =>
      encoded({ outputTokensMax: given }, { outputTokensMax: ofModel }).body['max_tokens']
    assert.deepEqual([limit(0, 9), limit(7, 9), limit(null, 9), limit(null, null)], [0, 7, 9, 4096])
  })

  test('nothing else is invented', () => {
    assert.deepEqual(encoded({}), {
      body: { model: 'claude-x', max_tokens: 64_000, messages: [] },
      losses: [],
      emulatedCustomTools: [],
      formatTool: null,
    })
  })

  test('what the API has a parameter for', () => {
    const { body, losses } = encoded({
      stopSequences: ['END'],
      endUser: '{"id":1}',
      serviceTier: 'default',
      cacheControl: { type: 'ephemeral' },
      stream: true,
    })
    assert.deepEqual(losses, [])
    assert.deepEqual(body, {
      model: 'claude-x',
      max_tokens: 64_000,
      messages: [],
      stop_sequences: ['END'],
      metadata: { user_id: '{"id":1}' },
      service_tier: 'standard_only',
      cache_control: { type: 'ephemeral' },
      stream: true,
    })
    assert.equal(encoded({ paths: { stream: '/stream' } }).body['stream'], false)
  })

  test('what it has none for is told, at the client’s own place', () => {
    const result = encoded({
      candidates: 2,
      logprobs: { enabled: true, top: null },
      verbosity: 'low',
      promptCacheKey: 'k',
      metadata: { a: 'b' },
      serviceTier: 'flex',
      stopSequences: ['\n', 'END'],
      sampling: { seed: 0, presencePenalty: 0, frequencyPenalty: 1, logitBias: {}, minP: 0, repetitionPenalty: 1 },
      paths: { candidates: '/n', seed: '/seed', presencePenalty: '/presence_penalty', stopSequences: '/stop' },
      ext: { 'openai-chat': { store: false, 'a/b': 1 } },
    })
    assert.deepEqual(lost(result).sort(), [
      'dropped /a~1b',
      'dropped /frequencyPenalty',
      'dropped /logitBias',
      'dropped /metadata',
      'dropped /minP',
      'dropped /presence_penalty',
      'dropped /promptCacheKey',
      'dropped /repetitionPenalty',
      'dropped /seed',
      'dropped /serviceTier',
      'dropped /stop',
      'dropped /store',
      'dropped /verbosity',
      'dropped! /logprobs',
      'dropped! /n',
    ])
    assert.deepEqual(result.body['stop_sequences'], ['END'])
    assert.deepEqual(lost(encoded({ candidates: 1, logprobs: { enabled: false, top: null } })), [])
    assert.equal(encoded({ stopSequences: ['\n\t'] }).body['stop_sequences'], undefined)
  })

  test('sampling within the API’s bounds', () => {
    const sampling = (values: object, more: object = {}) => {
      const { body, ...rest } = encoded({ sampling: values, ...more })
      return [body['temperature'], body['top_p'], body['top_k'], lost({ body, ...rest })]
    }
    assert.deepEqual(sampling({ temperature: 0, topK: 0 }), [0, undefined, 0, []])
    assert.deepEqual(sampling({ temperature: 1.5 }), [1, undefined, undefined, ['narrowed /temperature']])
    assert.deepEqual(sampling({ topP: 0 }), [undefined, 0, undefined, []])
    assert.deepEqual(sampling({ temperature: 1, topP: 0.9 }), [1, undefined, undefined, ['dropped /topP']])
    const refusing = encoded({ sampling: { temperature: 0, topP: 1, topK: 2 } }, { refusesSampling: true })
    assert.deepEqual(
      [refusing.body['temperature'], lost(refusing)],
      [undefined, ['dropped /temperature', 'dropped /topP', 'dropped /topK']],
    )
  })
})

describe('a client of the same protocol', () => {
  test('gets its own body', () => {
    const cache = { type: 'ephemeral', ttl: '1h' }
    const body = {
      model: 'claude-x',
      max_tokens: 2000,
      system: [{ type: 'text', text: 'a', cache_control: cache }],
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'user', content: [{ type: 'text', text: 'there', citations: null }] },
        { role: 'system', content: 'mid', clear_at: 'never' },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 'S==' },
            { type: 'thinking', thinking: 'unsigned', signature: '' },
            { type: 'redacted_thinking', data: 'D==' },
            { type: 'text', text: 'a', citations: [{ type: 'char_location', cited_text: 'q' }] },
            { type: 'server_tool_use', id: 's_1', name: 'web_search', input: {} },
            { type: 'tool_use', id: 't_1', name: 'f', input: {}, caller: { type: 'direct' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'first', cache_control: cache },
            { type: 'tool_result', tool_use_id: 't_1', content: [], is_error: false },
            { type: 'image', source: { type: 'file', file_id: 'f' }, transformations: {} },
            { type: 'search_result', source: 'https://a.test', title: 'T', content: [{ type: 'text', text: 'x' }] },
            { type: 'document', source: { type: 'content', content: 'c' }, title: 'T', citations: { enabled: true } },
          ],
        },
      ],
      tools: [
        { name: 'f', input_schema: { type: 'object', anyOf: [{}] }, strict: true, defer_loading: true },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 0 },
      ],
      tool_choice: { type: 'any', disable_parallel_tool_use: false },
      temperature: 0.5,
      top_p: 0.5,
      top_k: 0,
      stop_sequences: [],
      thinking: { type: 'enabled', budget_tokens: 1024, display: 'summarized' },
      output_config: { effort: 'low', format: { type: 'json_schema', schema: { minimum: 1 } }, task_budget: {} },
      metadata: { user_id: '{"a":1}', more: 1 },
      service_tier: 'standard_only',
      cache_control: cache,
      stream: false,
      container: 'c_1',
      context_management: { edits: [] },
    }
    const result = roundTrip(body)
    assert.deepEqual(result.body, body)
    assert.deepEqual(result.losses, [])
  })

  test('whatever it says of reasoning', () => {
    for (const thinking of [{ type: 'adaptive', display: 'omitted' }, { type: 'disabled' }, { type: 'between_tools' }])
      assert.deepEqual(roundTrip({ messages: [], thinking }).body['thinking'], thinking)
    assert.deepEqual(roundTrip({ messages: [], output_config: { effort: 'high' } }).body, {
      model: 'claude-x',
      max_tokens: 64_000,
      messages: [],
      output_config: { effort: 'high' },
    })
    const format = { type: 'json_schema', schema: {} }
    assert.deepEqual(roundTrip({ messages: [], output_format: format }).body, {
      model: 'claude-x',
      max_tokens: 64_000,
      messages: [],
      output_format: format,
    })
  })

  test('but never the reasoning of another upstream', () => {
    const body = {
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: 'S==' }] },
      ],
    }
    assert.deepEqual(roundTrip(body).body['messages'], body.messages)
    const envelope = Buffer.from('tv1[["gemini","s","G==","reasoning",null,null]]').toString('base64')
    const foreign = {
      messages: [
        { role: 'user', content: 'hi' },
        { role: 'assistant', content: [{ type: 'thinking', thinking: 'hm', signature: envelope }] },
      ],
    }
    const result = roundTrip(foreign)
    assert.deepEqual(result.body['messages'], foreign.messages.slice(0, 1))
    assert.deepEqual(
      result.losses.map(({ path, reason }) => [path, reason]),
      [['/messages/1/content/0', 'foreign_reasoning']],
    )
  })
})
