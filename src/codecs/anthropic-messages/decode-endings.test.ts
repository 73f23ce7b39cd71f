import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collect } from '#ir/collect.ts'
import {
  blockDelta,
  blockStart,
  blockStop,
  finish,
  json,
  START,
  started,
  STOP,
  stopped,
  textBlock,
  toolStart,
} from './stream-testbed.ts'
import { type Frame, frame, readStream } from './testbed.ts'
import { messagesUpstream } from './translation.ts'

/** The finish that this end gives. */
function finishOf(delta: object, ...blocks: readonly object[]): unknown {
  const { events } = readStream(START, ...(blocks as Frame[]), { type: 'message_delta', delta }, STOP)
  return events.at(-1)
}

describe('the end', () => {
  const reasons: readonly (readonly [string | null, string])[] = [
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['refusal', 'content-filter'],
    ['pause_turn', 'pause'],
    ['compaction', 'pause'],
    ['tool_use', 'stop'],
    ['never_heard_of', 'stop'],
    [null, 'stop'],
  ]
  for (const [raw, reason] of reasons) {
    test(String(raw), () => assert.deepEqual(finishOf({ stop_reason: raw }), finish(reason, raw)))
  }

  test('calls make an ordinary end one that waits, and no other', () => {
    assert.deepEqual(finishOf({ stop_reason: 'end_turn' }, toolStart(0)), finish('tool-calls', 'end_turn'))
    assert.deepEqual(finishOf({ stop_reason: 'max_tokens' }, toolStart(0)), finish('length', 'max_tokens'))
  })

  test('the sequence that stopped it', () => {
    const delta = { stop_reason: 'stop_sequence', stop_sequence: '' }
    assert.deepEqual(finishOf(delta), finish('stop', 'stop_sequence', ''))
  })

  test('a stream that just ends is not complete, and did not stop in order', () => {
    const { events, decoder } = readStream(START, blockStart(0, { type: 'text', text: 'a' }))
    assert.equal(decoder.complete, false)
    assert.deepEqual(events.slice(-2), [{ type: 'block-end', index: 0 }, finish('error', null)])
    assert.deepEqual(readStream().events, [])
  })

  test('the end is told once, and nothing comes after it', () => {
    const { events } = readStream(START, stopped('end_turn'), STOP, ...textBlock(0, 'late'), STOP)
    assert.deepEqual(events, [started, finish('stop', 'end_turn')])
  })

  test('a terminator of another protocol is none', () => {
    const { decoder } = readStream(START, stopped('end_turn'), Buffer.from('event: data\ndata: [DONE]\n\n'))
    assert.deepEqual([decoder.failure, decoder.complete], [null, false])
  })
})

describe('failures', () => {
  const failureOf = (...frames: readonly Frame[]) => readStream(...frames).decoder.failure

  test('an error event', () => {
    const error = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    const { events, decoder } = readStream(START, ...textBlock(0, 'a'), error, STOP)
    const { failure } = decoder
    assert.deepEqual(
      [failure?.status, failure?.message, failure?.upstreamType],
      [529, 'Overloaded', 'overloaded_error'],
    )
    assert.deepEqual([decoder.isLast, decoder.complete, events.length], [true, false, 4])
    assert.equal(failureOf(Buffer.from('data: {"error":{"message":"no"}}\n\n'))?.message, 'no')
  })

  test('what is no event of this API', () => {
    const bad = (text: string) => failureOf(frame(START), Buffer.from(text))?.code
    assert.equal(bad('data: {"type":"content_bl\n\n'), 'upstream_bad_response')
    assert.equal(bad('data: []\n\n'), 'upstream_bad_response')
    assert.equal(bad('<html>\n<body>502</body>\n\n'), 'upstream_bad_response')
    assert.equal(failureOf(Buffer.from('{"type":"error","error":{"type":"api_error","message":"x"}}\n\n'))?.status, 500)
    for (const noise of [': comment\n\n', '\n', 'event: ping\n\n', 'data:\n\n', 'id: 1\nretry: 5\n\n'])
      assert.equal(bad(noise), undefined, JSON.stringify(noise))
  })

  test('arguments of a call that was never started', () => {
    assert.equal(failureOf(START, json(0, '{"a"'))?.code, 'upstream_bad_response')
    assert.equal(failureOf(START, json(0, '')), null)
    assert.equal(failureOf(START, ...textBlock(0, 'a'), json(0, '{}'))?.code, 'upstream_bad_response')
  })
})

describe('a whole answer', () => {
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', stop_sequence: null }

  test('is the stream of the same', () => {
    const usage = { input_tokens: 3, output_tokens: 9, output_tokens_details: { thinking_tokens: 4 } }
    const content = [
      { type: 'thinking', thinking: 'hm', signature: 'S==' },
      { type: 'redacted_thinking', data: 'D==' },
      { type: 'text', text: 'hi' },
      { type: 'server_tool_use', id: 's_1', name: 'web_search', input: { query: 'q' } },
      { type: 'tool_use', id: 't_1', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 't_2', name: 'g', input: {} },
    ]
    const whole = messagesUpstream.decodeWhole(
      { ...message, content, stop_reason: 'tool_use', usage },
      { candidates: 1 },
    )
    assert.equal(whole.failure, null)
    const { events } = readStream(
      { ...START, message: { ...START.message, usage } },
      blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'hm' }),
      blockDelta(0, { type: 'signature_delta', signature: 'S==' }),
      blockStop(0),
      blockStart(1, content[1]!),
      blockStop(1),
      ...textBlock(2, 'hi'),
      blockStart(3, { ...content[3], input: {} }),
      json(3, '{"query":"q"}'),
      blockStop(3),
      toolStart(4),
      json(4, '{"a":1}'),
      blockStop(4),
      toolStart(5, { id: 't_2', name: 'g' }),
      blockStop(5),
      stopped('tool_use', { usage }),
      STOP,
    )
    assert.deepEqual(collect(whole.events), collect(events))
    assert.deepEqual(collect(events).usage, {
      input: 3,
      cacheRead: null,
      cacheWrite: null,
      cacheWrite1h: null,
      output: 9,
      reasoning: 4,
      source: 'upstream',
    })
  })

  test('a 200 that is no answer', () => {
    const failureOf = (body: unknown) => messagesUpstream.decodeWhole(body, { candidates: 1 }).failure
    assert.equal(failureOf({ type: 'error', error: { type: 'rate_limit_error', message: 'slow' } })?.status, 429)
    assert.equal(failureOf({ error: { message: 'x' } })?.message, 'x')
    assert.equal(failureOf({ ...message, content: 'text' })?.code, 'upstream_bad_response')
    assert.equal(failureOf([])?.code, 'upstream_bad_response')
    assert.equal(failureOf(null)?.code, 'upstream_bad_response')
  })

  test('nothing said is an answer', () => {
    const { events } = messagesUpstream.decodeWhole(
      { ...message, content: [], stop_reason: 'end_turn' },
      { candidates: 1 },
    )
    assert.deepEqual(events, [started, finish('stop', 'end_turn')])
  })
})
