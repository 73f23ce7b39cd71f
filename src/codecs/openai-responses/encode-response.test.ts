import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { responsesClient } from './translation.ts'
import {
  ANSWER_ID,
  type Body,
  CALL,
  contextOf,
  delta,
  end,
  finish,
  lastOf,
  open,
  readWritten,
  START,
  text,
  USAGE,
  write,
} from './testbed.ts'

test('a text in the official order, with numbers that rise', () => {
  const events = write([START, ...text(0, 'Grü', 'ße'), USAGE, finish('stop', 'end_turn')])
  assert.deepEqual(
    events.map(({ type }) => type),
    [
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ],
  )
  assert.deepEqual(
    events.map(({ data }) => data['sequence_number']),
    [...events.keys()],
  )
  const id = `msg_${ANSWER_ID}_0`
  const place = { item_id: id, output_index: 0, content_index: 0 }
  const part = { type: 'output_text', annotations: [], logprobs: [], text: 'Grüße' }
  const item = { id, type: 'message', status: 'completed', role: 'assistant', content: [part] }
  assert.deepEqual(
    events.slice(2, 9).map(({ data: { type: _type, sequence_number: _number, ...data } }) => data),
    [
      { output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
      { ...place, part: { ...part, text: '' } },
      { ...place, delta: 'Grü', logprobs: [] },
      { ...place, delta: 'ße', logprobs: [] },
      { ...place, text: 'Grüße', logprobs: [] },
      { ...place, part },
      { output_index: 0, item },
    ],
  )
  assert.deepEqual((events.at(-1)!.data['response'] as Body)['output'], [item])
})

test('nothing waits but the end', () => {
  const encoder = responsesClient.openEncoder(contextOf())
  assert.notEqual(encoder.push(START), '')
  assert.notEqual(encoder.push(open(0, { type: 'text' })), '')
  assert.match(encoder.push(delta(0, 'a')), /"delta":"a"/)
  assert.equal(encoder.push(USAGE) + encoder.push(finish('stop')), '')
})

test('the response repeats the request, or what the service does without a word', () => {
  const plain = lastOf([START, finish('stop')])
  assert.deepEqual(plain, {
    id: `resp_${ANSWER_ID}`,
    object: 'response',
    created_at: 1000,
    status: 'completed',
    completed_at: null,
    error: null,
    incomplete_details: null,
    model: 'public',
    output: [],
    background: false,
    frequency_penalty: 0,
    instructions: null,
    max_output_tokens: null,
    max_tool_calls: null,
    metadata: {},
    parallel_tool_calls: true,
    presence_penalty: 0,
    previous_response_id: null,
    prompt_cache_key: null,
    safety_identifier: null,
    service_tier: 'auto',
    store: true,
    temperature: 1,
    tool_choice: 'auto',
    top_logprobs: 0,
    top_p: 1,
    truncation: 'disabled',
    user: null,
    reasoning: { effort: null, summary: null },
    text: { format: { type: 'text' } },
    tools: [],
    usage: null,
  })
  const body = {
    instructions: 'i',
    temperature: 0,
    top_p: null,
    store: false,
    parallel_tool_calls: false,
    max_output_tokens: 0,
    metadata: { a: 'b' },
    previous_response_id: 'resp_0',
    tool_choice: 'none',
    tools: [{ type: 'function', name: 'f' }, { type: 'web_search' }],
    text: { verbosity: 'low' },
    reasoning: { effort: 'low' },
    service_tier: 'flex',
    prompt_cache_key: 'k',
    truncation: 'auto',
  }
  const events = write([START, finish('stop')], contextOf(body))
  for (const { type, data } of events) {
    const response = data['response'] as Body
    for (const name of Object.keys(body).filter((name) => !['top_p', 'text', 'reasoning', 'tools'].includes(name)))
      assert.deepEqual(response[name], body[name as keyof typeof body], name)
    assert.equal(response['top_p'], 1)
    assert.deepEqual(response['text'], { format: { type: 'text' }, verbosity: 'low' })
    assert.deepEqual(response['reasoning'], { effort: 'low', summary: null })
    assert.deepEqual(response['tools'], [{ parameters: null, type: 'function', name: 'f' }, { type: 'web_search' }])
    assert.equal(response['status'], type === 'completed' ? 'completed' : 'in_progress')
  }
})

test('what an upstream of this protocol told of itself is passed on', () => {
  const value = {
    service_tier: 'priority',
    top_p: 0.98,
    temperature: 0.5,
    completed_at: 9,
    reasoning: { effort: 'medium' },
  }
  const events: ChatEvent[] = [START, { type: 'opaque', issuer: 'openai-responses', value }, finish('stop')]
  const response = lastOf(events, contextOf({ service_tier: 'auto', temperature: 1 }, { upstream: 'openai-responses' }))
  const { service_tier, top_p, temperature, completed_at, reasoning } = response as Record<string, unknown>
  assert.deepEqual(
    [service_tier, top_p, temperature, completed_at, reasoning],
    ['priority', 0.98, 1, 9, { effort: 'medium' }],
  )
  const foreign = lastOf([START, { type: 'opaque', issuer: 'gemini', value }, finish('stop')])
  assert.equal(foreign['service_tier'], 'auto')
})

test('how an answer ends', () => {
  const ending = (reason: FinishReason, raw: string | null = null) => {
    const { type, data } = write([START, ...text(0, 'a'), finish(reason, raw)]).at(-1)!
    const { status, incomplete_details: details, error, output } = data['response'] as Body & { output: Body[] }
    return [type, status, details, error, output[0]!['status']]
  }
  for (const reason of ['stop', 'tool-calls'] as const)
    assert.deepEqual(ending(reason), ['completed', 'completed', null, null, 'completed'])
  const limit = { reason: 'max_output_tokens' }
  for (const reason of ['length', 'pause'] as const)
    assert.deepEqual(ending(reason), ['incomplete', 'incomplete', limit, null, 'incomplete'])
  assert.deepEqual(ending('content-filter')[2], { reason: 'content_filter' })
  const message = 'The model ended its answer with MALFORMED_FUNCTION_CALL.'
  assert.deepEqual(ending('error', 'MALFORMED_FUNCTION_CALL').slice(0, 4), [
    'failed',
    'failed',
    null,
    { code: 'server_error', message },
  ])
})

test('usage with its cost, digit for digit', () => {
  const context = contextOf({}, { costOf: ({ output }) => (output === 5 ? '0.000000000123456789' : null) })
  assert.deepEqual(lastOf([START, USAGE, finish('stop')])['usage'], {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 15,
  })
  const encoder = responsesClient.openEncoder(context)
  const written = [START, USAGE, finish('stop')].map((event) => encoder.push(event)).join('') + encoder.end()
  assert.match(written, /"total_tokens":15,"cost":0\.000000000123456789\}/)
  const unknown = {
    input: 1,
    cacheRead: null,
    cacheWrite: null,
    cacheWrite1h: null,
    output: null,
    reasoning: null,
    source: 'upstream',
  } as const
  const bare: ChatEvent = { type: 'usage', usage: unknown, total: null }
  const counts = { input_tokens: 1, output_tokens: 0, total_tokens: 1 }
  assert.deepEqual(lastOf([START, bare, finish('stop')])['usage'], counts)
  assert.deepEqual(lastOf([START, bare, finish('stop')], contextOf({}, { isOpenRouter: true }))['usage'], {
    ...counts,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  })
})

test('a failure at any time ends a legal stream', () => {
  const failure = { status: 502, code: 'upstream_unavailable', message: 'cut' }
  const failed = (...events: ChatEvent[]) => {
    const encoder = responsesClient.openEncoder(contextOf())
    return readWritten(events.map((event) => encoder.push(event)).join('') + encoder.fail(failure))
  }
  for (const events of [[], [START], [START, open(0, { type: 'text' }), delta(0, 'a')]]) {
    const written = failed(...events)
    assert.equal(written[0]!.type, 'created')
    assert.deepEqual(
      written.map(({ data }) => data['sequence_number']),
      [...written.keys()],
    )
    const { type, data } = written.at(-1)!
    const { status, error } = data['response'] as Body
    assert.deepEqual([type, status, error], ['failed', 'failed', { code: 'upstream_unavailable', message: 'cut' }])
  }
  const encoder = responsesClient.openEncoder(contextOf())
  const told = readWritten(encoder.fail({ ...failure, upstreamCode: 'rate_limit_exceeded' })).at(-1)!
  assert.equal(((told.data['response'] as Body)['error'] as Body)['code'], 'rate_limit_exceeded')
})

test('a whole answer is the object that ends its stream', () => {
  const events = [
    START,
    ...text(0, 'a'),
    open(1, CALL),
    delta(1, '{}'),
    end(1),
    ...text(2, 'b'),
    USAGE,
    finish('length'),
  ]
  const body = JSON.parse(JSON.stringify(responsesClient.encodeWhole(events, contextOf()))) as unknown
  assert.deepEqual(body, lastOf(events))
})
