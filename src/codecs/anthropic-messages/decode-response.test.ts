import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { collect } from '#ir/collect.ts'
import {
  blockDelta,
  blockStart,
  blockStop,
  finish,
  json,
  opaque,
  START,
  started,
  STOP,
  stopped,
  textBlock,
  toolStart,
} from './stream-testbed.ts'
import { frame, readStream } from './testbed.ts'
import { messagesUpstream } from './translation.ts'

const P = 'anthropic-messages'

describe('a stream', () => {
  test('says everything in order, each delta at once', () => {
    const usage = { input_tokens: 5, output_tokens: 1, cache_read_input_tokens: 2 }
    const { events, decoder } = readStream(
      { ...START, message: { ...START.message, usage } },
      { type: 'ping' },
      ...textBlock(0, 'Hel', 'lo'),
      stopped('end_turn', { usage: { output_tokens: 7 } }),
      STOP,
    )
    const before = { input: 5, cacheRead: 2, cacheWrite: null, cacheWrite1h: null, output: 1, reasoning: null }
    assert.deepEqual(events, [
      started,
      { type: 'usage', usage: { ...before, source: 'upstream' }, total: null },
      { type: 'block-start', index: 0, candidate: 0, block: { type: 'text' } },
      { type: 'block-delta', index: 0, text: 'Hel' },
      { type: 'block-delta', index: 0, text: 'lo' },
      { type: 'block-end', index: 0 },
      { type: 'usage', usage: { ...before, output: 7, source: 'upstream' }, total: null },
      finish('stop', 'end_turn'),
    ])
    assert.deepEqual([decoder.complete, decoder.isLast, decoder.failure], [true, true, null])
  })

  test('what a frame says comes out of the same push', () => {
    const decoder = messagesUpstream.openDecoder({ candidates: 1 })
    decoder.push(frame(START))
    decoder.push(frame(blockStart(0, { type: 'text', text: '' })))
    assert.deepEqual(decoder.push(frame(blockDelta(0, { type: 'text_delta', text: '\ud83d' }))), [
      { type: 'block-delta', index: 0, text: '\ud83d' },
    ])
    assert.deepEqual(decoder.push(frame(blockDelta(0, { type: 'text_delta', text: '' }))), [])
  })

  test('line ends and missing names do not matter', () => {
    const frames = [START, ...textBlock(0, 'a'), stopped('end_turn'), STOP]
    const plain = readStream(...frames).events
    const crlf = frames.map((event) => Buffer.from(`data:${JSON.stringify(event)}\r\n\r\n`))
    assert.deepEqual(readStream(...crlf).events, plain)
    const named = frames.map(({ type, ...data }) => Buffer.from(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`))
    assert.deepEqual(readStream(...named).events, plain)
  })

  test('reasoning, signed, hidden and unsigned', () => {
    const { events } = readStream(
      START,
      blockStart(0, { type: 'thinking', thinking: '', signature: '' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'hm', estimated_tokens: 3 }),
      blockDelta(0, { type: 'signature_delta', signature: 'S==' }),
      blockStop(0),
      blockStart(1, { type: 'redacted_thinking', data: 'D==' }),
      blockStop(1),
      blockStart(2, { type: 'thinking', thinking: 'told at once', signature: 'T==' }),
      blockStop(2),
      blockStart(3, { type: 'thinking', thinking: '' }),
      blockStop(3),
      stopped('end_turn'),
      STOP,
    )
    const blocks = collect(events).candidates[0]!.blocks.map(({ head, text, seal }) => [head.type, text, seal])
    assert.deepEqual(blocks, [
      ['reasoning', 'hm', { issuer: P, kind: 'signature', value: 'S==' }],
      ['reasoning', '', { issuer: P, kind: 'encrypted', value: 'D==' }],
      ['reasoning', 'told at once', { issuer: P, kind: 'signature', value: 'T==' }],
      ['reasoning', '', null],
    ])
  })

  test('calls, in pieces, at once and without arguments', () => {
    const { events } = readStream(
      START,
      toolStart(0, { caller: { type: 'direct' } }),
      json(0, ''),
      json(0, '{"a": '),
      json(0, '1}'),
      blockStop(0),
      toolStart(1, { id: 't_2', input: { b: 'x' } }),
      blockStop(1),
      toolStart(2, { id: 't_3' }),
      json(2, ''),
      blockStop(2),
      toolStart(3, { id: 't_4', input: { b: 'x' } }),
      json(3, '{}'),
      blockStop(3),
      stopped('tool_use'),
      STOP,
    )
    assert.deepEqual(events.slice(1, 3), [
      opaque('content_block', { caller: { type: 'direct' } }),
      {
        type: 'block-start',
        index: 0,
        candidate: 0,
        block: { type: 'tool-call', id: 't_1', name: 'f', kind: 'function' },
      },
    ])
    assert.deepEqual(
      collect(events).candidates[0]!.blocks.map(({ text }) => text),
      ['{"a": 1}', '{"b":"x"}', '', '{}'],
    )
    assert.deepEqual(events.at(-1), finish('tool-calls', 'tool_use'))
  })

  test('sources of a text', () => {
    const citation = { type: 'char_location', cited_text: 'q', document_title: 'D', document_index: 0 }
    const { events } = readStream(
      START,
      blockStart(0, { type: 'text', text: 'al', citations: [] }),
      blockDelta(0, { type: 'citations_delta', citation }),
      blockDelta(0, { type: 'text_delta', text: 'so' }),
      stopped('end_turn'),
      STOP,
    )
    assert.deepEqual(events.slice(1, -2), [
      opaque('content_block', { citations: [] }),
      { type: 'block-start', index: 0, candidate: 0, block: { type: 'text' } },
      { type: 'block-delta', index: 0, text: 'al' },
      {
        type: 'block-citation',
        index: 0,
        citation: { title: 'D', citedText: 'q', native: { issuer: P, value: citation } },
      },
      { type: 'block-delta', index: 0, text: 'so' },
    ])
  })

  test('blocks of the provider come whole, with what their deltas said', () => {
    const { events } = readStream(
      START,
      blockStart(0, { type: 'server_tool_use', id: 's_1', name: 'web_search', input: {} }),
      json(0, '{"query":'),
      json(0, '12345678901234567890}'),
      blockStop(0),
      blockStart(1, { type: 'compaction', content: null }),
      blockDelta(1, { type: 'compaction_delta', content: 'short', encrypted_content: 'e' }),
      blockStop(1),
      blockStart(2, { type: 'connector_text', text: 'a', x: 0 }),
      blockDelta(2, { type: 'text_delta', text: 'b' }),
      blockDelta(2, { type: 'citations_delta', citation: 1 }),
      blockStop(2),
      stopped('pause_turn'),
      STOP,
    )
    const values = collect(events).candidates[0]!.blocks.map(({ head }) => (head.type === 'opaque' ? head.value : head))
    assert.equal(
      JSON.stringify(values[0]),
      '{"type":"server_tool_use","id":"s_1","name":"web_search","input":{"query":12345678901234567890}}',
    )
    assert.deepEqual(values.slice(1), [
      { type: 'compaction', content: 'short', encrypted_content: 'e' },
      { type: 'connector_text', text: 'ab', x: 0, citations: [1] },
    ])
    assert.deepEqual(events.at(-1), finish('pause', 'pause_turn'))
  })

  test('members and events that only this API knows', () => {
    const { events } = readStream(
      {
        ...START,
        message: { ...START.message, container: null, usage: { input_tokens: 1, service_tier: 'standard' } },
      },
      { type: 'future_event', x: 1 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'end_turn', stop_sequence: null, stop_details: { a: 1 } },
        usage: { output_tokens: 2, iterations: [] },
        context_management: { applied_edits: [] },
      },
      STOP,
    )
    assert.deepEqual(
      events.filter(({ type }) => type === 'opaque'),
      [
        opaque('message', { container: null, usage: { service_tier: 'standard' } }),
        opaque('event', { type: 'future_event', x: 1 }),
        opaque('message_delta', {
          context_management: { applied_edits: [] },
          usage: { iterations: [] },
          delta: { stop_details: { a: 1 } },
        }),
      ],
    )
  })

  test('a block that is not ended ends with the next one, and with the stream', () => {
    const { events } = readStream(
      START,
      blockStart(0, { type: 'text', text: 'a' }),
      blockStart(1, { type: 'text', text: 'b' }),
      blockStop(0),
      blockDelta(1, { type: 'text_delta', text: 'c' }),
      stopped('end_turn'),
      blockDelta(1, { type: 'text_delta', text: 'd' }),
      STOP,
    )
    assert.deepEqual(
      events.slice(1).map((event) => ('index' in event ? `${event.type} ${event.index}` : event.type)),
      [
        'block-start 0',
        'block-delta 0',
        'block-end 0',
        'block-start 1',
        'block-delta 1',
        'block-delta 1',
        'block-delta 1',
        'block-end 1',
        'finish',
      ],
    )
  })

  test('text without a start gets one', () => {
    const { events } = readStream(
      blockDelta(0, { type: 'text_delta', text: 'a' }),
      blockDelta(0, { type: 'thinking_delta', thinking: 'b' }),
      STOP,
    )
    const blocks = collect(events).candidates[0]!.blocks.map(({ head, text }) => [head.type, text])
    assert.deepEqual(blocks, [
      ['text', 'a'],
      ['reasoning', 'b'],
    ])
    assert.equal(events[0]!.type, 'response-start')
  })

  test('usage that cannot be believed takes back the one before', () => {
    const { events } = readStream(
      { ...START, message: { ...START.message, usage: { input_tokens: 5, output_tokens: 1 } } },
      stopped('end_turn', { usage: { output_tokens: -1 } }),
      STOP,
    )
    const nothing = {
      input: null,
      cacheRead: null,
      cacheWrite: null,
      cacheWrite1h: null,
      output: null,
      reasoning: null,
    }
    assert.deepEqual(collect(events).usage, { ...nothing, source: 'none' })
  })
})
