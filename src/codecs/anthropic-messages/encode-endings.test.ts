import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import { block, blocksOf, call, closed, contentOf, finish, opened, said, START, text } from './answer-testbed.ts'
import { contextOf, streamData, wholeBody } from './testbed.ts'
import { messagesClient } from './translation.ts'

const P = 'anthropic-messages'

describe('an answer of the same protocol', () => {
  const upstream = P
  const kept = (at: string, members: object): ChatEvent => ({ type: 'opaque', issuer: P, value: { at, members } })

  test('keeps what only this protocol knows', () => {
    const citation = { type: 'char_location', cited_text: 'q' }
    const cite: ChatEvent = { type: 'block-citation', index: 0, citation: { native: { issuer: P, value: citation } } }
    const events: ChatEvent[] = [
      kept('message', { container: null, usage: { service_tier: 'standard' } }),
      ...block(0, { type: 'text' }, ['a'], { more: [cite] }),
      kept('content_block', { caller: { type: 'direct' } }),
      ...call(1, ['{}']),
      ...text(2),
      kept('message_delta', { context_management: {}, usage: { iterations: [] }, delta: { stop_details: null } }),
      finish('tool-calls', 'tool_use'),
    ]
    const data = streamData([START, ...events], { upstream })
    const { message } = data[0] as { message: Record<string, Record<string, unknown>> }
    assert.equal(message['container'], null)
    assert.equal(message['usage']!['service_tier'], 'standard')
    assert.deepEqual(data.slice(1, -2), [
      opened(0, { type: 'text', text: '' }),
      said(0, { type: 'text_delta', text: 'a' }),
      said(0, { type: 'citations_delta', citation }),
      closed(0),
      opened(1, { type: 'tool_use', id: 't_1', name: 'f', input: {}, caller: { type: 'direct' } }),
      said(1, { type: 'input_json_delta', partial_json: '{}' }),
      closed(1),
      opened(2, { type: 'text', text: '' }),
      closed(2),
    ])
    const delta = data.at(-2)!
    assert.deepEqual(delta['delta'], { stop_reason: 'tool_use', stop_sequence: null, stop_details: null })
    assert.deepEqual(delta['context_management'], {})
    assert.deepEqual((delta['usage'] as Record<string, unknown>)['iterations'], [])
    const whole = wholeBody([START, ...events], { upstream })
    assert.deepEqual(whole['content'], [
      { type: 'text', text: 'a', citations: [citation] },
      { type: 'tool_use', id: 't_1', name: 'f', input: {}, caller: { type: 'direct' } },
      { type: 'text', text: '' },
    ])
    assert.deepEqual([whole['container'], whole['stop_details'], whole['context_management']], [null, null, {}])
  })

  test('streams the blocks of the provider again, and unknown events', () => {
    const search = { type: 'server_tool_use', id: 's_1', name: 'web_search', input: { query: 'q' } }
    const compaction = { type: 'compaction', content: 'short' }
    const found = { type: 'web_search_tool_result', tool_use_id: 's_1', content: [] }
    const own = (value: unknown): BlockHead => ({ type: 'opaque', issuer: P, value })
    const events = [
      ...block(0, own(search)),
      ...block(1, own(found)),
      kept('event', { type: 'future_event', x: 1 }),
      ...block(2, own(compaction)),
      finish('stop', 'end_turn'),
    ]
    assert.deepEqual(blocksOf(events, { upstream }), [
      opened(0, { ...search, input: {} }),
      said(0, { type: 'input_json_delta', partial_json: '{"query":"q"}' }),
      closed(0),
      opened(1, found),
      closed(1),
      { type: 'future_event', x: 1 },
      opened(2, { type: 'compaction', content: null }),
      said(2, { type: 'compaction_delta', content: 'short' }),
      closed(2),
    ])
    assert.deepEqual(contentOf(events, { upstream }), [search, found, compaction])
  })
})

describe('the end', () => {
  const reasonOf = (events: readonly ChatEvent[], context = {}) => {
    const streamed = streamData([START, ...events], context).at(-2)!['delta'] as Record<string, unknown>
    const whole = wholeBody([START, ...events], context)
    assert.deepEqual(
      [whole['stop_reason'], whole['stop_sequence']],
      [streamed['stop_reason'], streamed['stop_sequence']],
    )
    return streamed['stop_reason']
  }

  test('in the words of the API', () => {
    assert.equal(reasonOf([finish('stop', 'STOP')]), 'end_turn')
    assert.equal(reasonOf([]), 'end_turn')
    assert.equal(reasonOf([finish('stop', 'stop', 'END')]), 'stop_sequence')
    assert.equal(reasonOf([finish('length', 'length')]), 'max_tokens')
    const other = { type: 'finish', candidate: 1, reason: 'stop', raw: null, stopSequence: null } as const
    assert.equal(reasonOf([finish('length', 'length'), other]), 'max_tokens')
    assert.equal(reasonOf([...call(0, []), finish('tool-calls', 'stop')]), 'tool_use')
    assert.equal(reasonOf([...call(0, []), finish('stop', 'stop')]), 'tool_use')
    assert.equal(reasonOf([finish('tool-calls', 'tool_calls')]), 'end_turn')
    assert.equal(reasonOf([finish('content-filter', 'SAFETY')]), 'refusal')
    assert.equal(reasonOf([finish('pause', null)]), 'pause_turn')
    assert.equal(reasonOf([...call(0, []), finish('error', 'UNEXPECTED_TOOL_CALL')]), 'tool_use')
  })

  test('an upstream’s own word stays where it is one of the API’s', () => {
    const bedrock = { upstream: 'bedrock-converse' as const }
    assert.equal(
      reasonOf([finish('length', 'model_context_window_exceeded')], bedrock),
      'model_context_window_exceeded',
    )
    assert.equal(reasonOf([...call(0, []), finish('tool-calls', 'end_turn')], bedrock), 'tool_use')
    assert.equal(reasonOf([finish('stop', 'future_reason')], { upstream: P }), 'future_reason')
  })

  test('a refusal is text, and the reason', () => {
    const events = [...block(0, { type: 'refusal' }, ['No.']), finish('stop', 'stop')]
    assert.equal(reasonOf(events), 'refusal')
    assert.deepEqual(contentOf(events), [{ type: 'text', text: 'No.' }])
    assert.deepEqual(blocksOf(events).slice(0, 2), [
      opened(0, { type: 'text', text: '' }),
      said(0, { type: 'text_delta', text: 'No.' }),
    ])
  })

  test('an answer that its model broke off is an error', () => {
    const error = { type: 'api_error', message: "The model's answer ended with MALFORMED_FUNCTION_CALL." }
    const events = [START, ...text(0, 'a'), finish('error', 'MALFORMED_FUNCTION_CALL')]
    assert.deepEqual(streamData(events).at(-1), { type: 'error', error })
    assert.deepEqual(wholeBody(events), { type: 'error', error })
  })
})

describe('failures', () => {
  const failed = (status: number, upstreamType?: string) => {
    const encoder = messagesClient.openEncoder(contextOf())
    const more = upstreamType === undefined ? {} : { upstreamType }
    return encoder.fail({ status, message: 'It broke.', code: 'upstream_error', ...more })
  }

  test('an error event of its own type by status', () => {
    const types: readonly (readonly [number, string])[] = [
      [400, 'invalid_request_error'],
      [422, 'invalid_request_error'],
      [401, 'authentication_error'],
      [402, 'billing_error'],
      [403, 'permission_error'],
      [404, 'not_found_error'],
      [408, 'timeout_error'],
      [413, 'request_too_large'],
      [429, 'rate_limit_error'],
      [500, 'api_error'],
      [502, 'api_error'],
      [503, 'overloaded_error'],
      [529, 'overloaded_error'],
    ]
    for (const [status, type] of types)
      assert.equal(
        failed(status),
        `event: error\ndata: {"type":"error","error":{"type":"${type}","message":"It broke."}}\n\n`,
      )
  })

  test('a provider’s type stays where it is one of the API’s vocabulary', () => {
    assert.match(failed(400, 'overloaded_error'), /"type":"overloaded_error"/)
    assert.match(failed(429, 'RESOURCE_EXHAUSTED'), /"type":"rate_limit_error"/)
  })
})
