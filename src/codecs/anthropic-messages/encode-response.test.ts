import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openEnvelope, sealEnvelope } from '#codecs/seal-envelope.ts'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import {
  block,
  blocksOf,
  call,
  closed,
  contentOf,
  finish,
  FOREIGN,
  GEMINI,
  opened,
  OWN,
  reasoning,
  said,
  START,
  text,
  USAGE,
  usage,
} from './answer-testbed.ts'
import { ANSWER_ID, contextOf, requestOf, streamData, streamText, wholeBody } from './testbed.ts'
import { messagesClient } from './translation.ts'

const P = 'anthropic-messages'

describe('a stream', () => {
  test('every event under its name, ready to write', () => {
    const events = [START, usage, ...text(0, 'Hel', 'lo "'), finish('stop'), usage]
    assert.equal(
      streamText(events),
      [
        'event: message_start',
        `data: {"type":"message_start","message":{"id":"msg_${ANSWER_ID}","type":"message","role":"assistant","model":"public-model","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":2,"cache_read_input_tokens":0,"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}}`,
        '',
        'event: content_block_start',
        'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '',
        'event: content_block_delta',
        'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}',
        '',
        'event: content_block_delta',
        String.raw`data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo \""}}`,
        '',
        'event: content_block_stop',
        'data: {"type":"content_block_stop","index":0}',
        '',
        'event: message_delta',
        'data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":5,"cache_creation_input_tokens":2,"cache_read_input_tokens":0,"output_tokens":7,"output_tokens_details":{"thinking_tokens":3}}}',
        '',
        'event: message_stop',
        'data: {"type":"message_stop"}',
        '',
        '',
      ].join('\n'),
    )
  })

  test('each delta goes out with its event; the end waits', () => {
    const encoder = messagesClient.openEncoder(contextOf())
    assert.equal(encoder.push(START), '')
    assert.equal(encoder.push({ type: 'block-start', index: 0, candidate: 0, block: { type: 'text' } }), '')
    assert.match(
      encoder.push({ type: 'block-delta', index: 0, text: 'a' }),
      /^event: message_start[^]*"text":"a"\}\}\n\n$/,
    )
    assert.match(
      encoder.push({ type: 'block-delta', index: 0, text: 'b' }),
      /^event: content_block_delta\n.*"b"\}\}\n\n$/,
    )
    assert.equal(encoder.push(finish('stop')), '')
    assert.equal(encoder.push(usage), '')
    assert.match(encoder.end(), /^event: content_block_stop[^]*event: message_delta[^]*event: message_stop/)
  })

  test('input_tokens is a number even while nobody told it; the end tells it', () => {
    const data = streamData([START, ...text(0, 'a'), usage, finish('stop')])
    const [start, end] = [data[0], data.at(-2)]
    const untold = {
      input_tokens: 0,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      output_tokens: 0,
    }
    assert.deepEqual((start as { message: { usage: unknown } }).message.usage, untold)
    assert.deepEqual(end!['usage'], {
      input_tokens: 5,
      cache_creation_input_tokens: 2,
      cache_read_input_tokens: 0,
      output_tokens: 7,
      output_tokens_details: { thinking_tokens: 3 },
    })
  })

  test('the one-hour cache is told apart', () => {
    const event: ChatEvent = { type: 'usage', usage: { ...USAGE, cacheWrite1h: 4 }, total: null }
    const { usage: told } = wholeBody([START, event, finish('stop')]) as { usage: Record<string, unknown> }
    assert.equal(told['cache_creation_input_tokens'], 6)
    assert.deepEqual(told['cache_creation'], { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 4 })
  })

  test('characters come out as they are', () => {
    const odd = '\ud83d\ude00 \u2028 \u0000 "\\ \ud83d'
    const [, delta] = blocksOf([...text(0, odd), finish('stop')]) as { delta: { text: string } }[]
    assert.equal(delta!.delta.text, odd)
  })

  test('what the API has no place for is left out, and the blocks stay dense', () => {
    const image: BlockHead = { type: 'media', kind: 'image', mimeType: 'image/png', data: 'AA==' }
    const foreign: BlockHead = { type: 'opaque', issuer: 'openai-responses', value: { type: 'web_search_call' } }
    const source: ChatEvent = { type: 'block-citation', index: 4, citation: { url: 'https://a.test' } }
    const logprobs: ChatEvent = { type: 'block-logprobs', index: 4, tokens: [{ token: 'a' }] }
    const events = [
      ...block(0, image),
      ...block(1, foreign),
      ...text(2),
      ...reasoning(3, []),
      ...block(4, { type: 'text' }, ['a'], { more: [source, logprobs] }),
      ...block(5, { type: 'text' }, ['other answer'], { candidate: 1 }),
      { type: 'opaque', issuer: 'gemini', value: { safetyRatings: [] } } as const,
      finish('stop'),
    ]
    assert.deepEqual(blocksOf(events), [
      opened(0, { type: 'text', text: '' }),
      said(0, { type: 'text_delta', text: 'a' }),
      closed(0),
    ])
    assert.deepEqual(contentOf(events), [{ type: 'text', text: 'a' }])
  })

  test('parts of a summary are set apart', () => {
    const more: ChatEvent = { type: 'block-delta', index: 0, text: 'two', startsPart: true }
    const first: ChatEvent = { type: 'block-delta', index: 0, text: 'one', startsPart: true }
    const events = [
      ...block(0, { type: 'reasoning', id: null, isSummary: true }, [], { more: [first, more] }),
      finish('stop'),
    ]
    assert.deepEqual(blocksOf(events).slice(1, 3), [
      said(0, { type: 'thinking_delta', thinking: 'one' }),
      said(0, { type: 'thinking_delta', thinking: '\n\ntwo' }),
    ])
    assert.deepEqual(contentOf(events), [{ type: 'thinking', thinking: 'one\n\ntwo', signature: sealEnvelope([]) }])
  })
})

describe('calls', () => {
  test('arguments as they came, an object where none came', () => {
    const events = [...call(0, ['{"a": ', '1}']), ...call(1, [], { id: 't_2' }), finish('tool-calls')]
    assert.deepEqual(blocksOf(events), [
      opened(0, { type: 'tool_use', id: 't_1', name: 'f', input: {} }),
      said(0, { type: 'input_json_delta', partial_json: '{"a": ' }),
      said(0, { type: 'input_json_delta', partial_json: '1}' }),
      closed(0),
      opened(1, { type: 'tool_use', id: 't_2', name: 'f', input: {} }),
      said(1, { type: 'input_json_delta', partial_json: '{}' }),
      closed(1),
    ])
    assert.deepEqual(contentOf(events), [
      { type: 'tool_use', id: 't_1', name: 'f', input: { a: 1 } },
      { type: 'tool_use', id: 't_2', name: 'f', input: {} },
    ])
  })

  test('what is no object is told inside one, and long numbers stay', () => {
    const inputs = (...texts: readonly string[]) =>
      texts.map((each) => (contentOf([...call(0, [each]), finish('tool-calls')]) as { input: unknown }[])[0]!.input)
    assert.deepEqual(inputs(' ', 'null'), [{}, {}])
    assert.deepEqual(inputs('{"a":', '[1]', '"x"'), [
      { __invalid_json: '{"a":' },
      { __invalid_json: '[1]' },
      { __invalid_json: '"x"' },
    ])
    const value = messagesClient.encodeWhole([...call(0, ['{"n":12345678901234567890}'])], contextOf())
    assert.match(JSON.stringify(value), /"input":\{"n":12345678901234567890\}/)
  })

  test('free text is an argument, however it is cut', () => {
    const events = [
      ...call(0, ['a"\n', '\ud83d', '\ude00'], { kind: 'custom' }),
      ...call(1, [], { kind: 'custom', id: 't_2' }),
      finish('tool-calls'),
    ]
    const deltas = blocksOf(events) as { index: number; delta?: { partial_json: string } }[]
    const json = (index: number) =>
      deltas.map((event) => (event.index === index ? (event.delta?.partial_json ?? '') : '')).join('')
    assert.deepEqual(JSON.parse(json(0)), { input: 'a"\n😀' })
    assert.deepEqual(JSON.parse(json(1)), { input: '' })
    assert.deepEqual((contentOf(events) as { input: unknown }[])[0]!.input, { input: 'a"\n😀' })
  })

  test('ids are legal and unique, and made where there are none', () => {
    const events = [
      ...block(9, { type: 'text' }, ['another answer'], { candidate: 1 }),
      ...call(0, [], { id: null }),
      ...call(1, [], { id: 'f.x:0' }),
      ...call(2, [], { id: 'same' }),
      ...call(3, [], { id: 'same' }),
      finish('tool-calls'),
    ]
    const streamed = (blocksOf(events) as { content_block?: { id: string } }[]).flatMap(
      (event) => event.content_block?.id ?? [],
    )
    assert.deepEqual([streamed[0], streamed[2], streamed[3]], [`call_${ANSWER_ID}_0`, 'same', 'same_3'])
    assert.match(streamed[1]!, /^f_x_0_[0-9a-f]{8}$/)
    assert.deepEqual(
      (contentOf(events) as { id: string }[]).map(({ id }) => id),
      streamed,
    )
  })
})

describe('seals', () => {
  test('the API’s own are native, visible or not', () => {
    const hidden: Seal = { issuer: P, kind: 'encrypted', value: 'D==' }
    const events = [...reasoning(0, ['hm'], OWN), ...reasoning(1, [], hidden), ...reasoning(2, [], OWN), finish('stop')]
    assert.deepEqual(blocksOf(events), [
      opened(0, { type: 'thinking', thinking: '', signature: '' }),
      said(0, { type: 'thinking_delta', thinking: 'hm' }),
      said(0, { type: 'signature_delta', signature: 'S==' }),
      closed(0),
      opened(1, { type: 'redacted_thinking', data: 'D==' }),
      closed(1),
      opened(2, { type: 'thinking', thinking: '', signature: '' }),
      said(2, { type: 'signature_delta', signature: 'S==' }),
      closed(2),
    ])
    assert.deepEqual(contentOf(events), [
      { type: 'thinking', thinking: 'hm', signature: 'S==' },
      { type: 'redacted_thinking', data: 'D==' },
      { type: 'thinking', thinking: '', signature: 'S==' },
    ])
  })

  test('foreign ones travel in an envelope, each at its place', () => {
    const events = [
      ...reasoning(0, ['hm'], FOREIGN, 'rs_1'),
      ...reasoning(1, [], FOREIGN),
      ...block(2, { type: 'text' }, ['hi'], { seal: GEMINI }),
      ...block(3, { type: 'text' }, [], { seal: GEMINI }),
      ...call(4, [], { seal: GEMINI }),
      finish('tool-calls'),
    ]
    const content = contentOf(events) as { type: string; signature: string; data: string }[]
    assert.deepEqual(
      content.map(({ type }) => type),
      [
        'thinking',
        'redacted_thinking',
        'text',
        'redacted_thinking',
        'redacted_thinking',
        'redacted_thinking',
        'tool_use',
      ],
    )
    assert.deepEqual(openEnvelope(content[0]!.signature), [{ seal: FOREIGN, place: 'reasoning', id: 'rs_1' }])
    assert.deepEqual(openEnvelope(content[1]!.data), [{ seal: FOREIGN, place: 'reasoning' }])
    assert.deepEqual(openEnvelope(content[3]!.data), [{ seal: GEMINI, place: 'text' }])
    assert.deepEqual(openEnvelope(content[4]!.data), [{ seal: GEMINI, place: 'text', text: '' }])
    assert.deepEqual(openEnvelope(content[5]!.data), [{ seal: GEMINI, place: 'tool-call' }])
    const streamed = blocksOf(events) as { content_block?: { type: string; data?: string } }[]
    const blocks = streamed.flatMap((event) => event.content_block ?? [])
    assert.deepEqual(
      blocks.map(({ type }) => type),
      content.map(({ type }) => type),
    )
    assert.deepEqual(blocks.map(({ data }) => data).filter(Boolean), content.map(({ data }) => data).filter(Boolean))
  })

  test('reasoning that is not to be shown keeps its seal, and what that signs', () => {
    const control = {
      enabled: true,
      effort: null,
      budgetTokens: null,
      isAdaptive: false,
      isShown: false,
      summary: null,
    }
    const context = { request: requestOf({ reasoning: control }) }
    const events = [
      ...reasoning(0, ['se', 'cret'], GEMINI),
      ...reasoning(1, ['secret']),
      ...text(2, 'a'),
      finish('stop'),
    ]
    const content = contentOf(events, context) as { data: string }[]
    assert.deepEqual(openEnvelope(content[0]!.data), [{ seal: GEMINI, place: 'reasoning', text: 'secret' }])
    assert.deepEqual(content.slice(1), [{ type: 'text', text: 'a' }])
    assert.deepEqual(blocksOf(events, context).slice(0, 2), [opened(0, content[0]!), closed(0)])
    assert.doesNotMatch(streamText(events, context), /"secret"/)
    const native = { ...context, upstream: P } as const
    assert.match(JSON.stringify(contentOf(events, native)), /"secret"/)
  })
})
