import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawNumber } from '#base/exact-json.ts'
import { decode, frame } from './testbed.ts'

const START = frame('messageStart', { role: 'assistant', p: 'abc' })
const stop = (stopReason: string, more = {}) => frame('messageStop', { stopReason, p: 'ab', ...more })
const delta = (contentBlockIndex: number, said: unknown) =>
  frame('contentBlockDelta', { contentBlockIndex, delta: said })
const begin = (contentBlockIndex: number, start: unknown) => frame('contentBlockStart', { contentBlockIndex, start })
const close = (contentBlockIndex: number) => frame('contentBlockStop', { contentBlockIndex, p: 'x' })
const METADATA = frame('metadata', { usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 }, p: 'x' })

const STARTED = { type: 'response-start', id: null, model: null, createdAt: null }
const TEXT = { type: 'text' }
const REASONING = { type: 'reasoning', id: null, isSummary: false }
const open = (index: number, block: unknown) => ({ type: 'block-start', index, candidate: 0, block })
const said = (index: number, text: string) => ({ type: 'block-delta', index, text })
const end = (index: number) => ({ type: 'block-end', index })
const sealed = (index: number, kind: string, value: string) => ({
  type: 'block-seal',
  index,
  seal: { issuer: 'bedrock-converse', kind, value },
})
const finish = (reason: string, raw: string | null, stopSequence: string | null = null) => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw,
  stopSequence,
})
const opaque = (index: number, value: unknown) => [
  open(index, { type: 'opaque', issuer: 'bedrock-converse', value }),
  end(index),
]
const USAGE = {
  type: 'usage',
  usage: {
    input: 1,
    cacheRead: null,
    cacheWrite: null,
    cacheWrite1h: null,
    output: 2,
    reasoning: null,
    source: 'upstream',
  },
  total: 3,
}

test('text begins with its first delta, and every delta goes out with its frame', () => {
  const frames = [START, delta(0, { text: 'Hé' }), delta(0, { text: '🚀\u0000' }), close(0), stop('end_turn'), METADATA]
  const { pushed, events, decoder } = decode(...frames)
  assert.deepEqual(pushed, [[STARTED], [open(0, TEXT), said(0, 'Hé')], [said(0, '🚀\u0000')], [end(0)], [], [USAGE]])
  assert.deepEqual(events.at(-1), finish('stop', 'end_turn'))
  assert.deepEqual([decoder.complete, decoder.isLast, decoder.failure], [true, true, null])
})

test('it is complete with messageStop and the last with metadata', () => {
  const { decoder } = decode(START, delta(0, { text: 'x' }))
  assert.deepEqual([decoder.complete, decoder.isLast], [false, false])
  const stopped = decode(START, stop('end_turn')).decoder
  assert.deepEqual([stopped.complete, stopped.isLast], [true, false])
  const early = decode(START, METADATA).decoder
  assert.deepEqual([early.complete, early.isLast], [false, false])
})

test('a stream that breaks off ends its blocks and tells no finish', () => {
  assert.deepEqual(decode(START, delta(0, { text: 'x' })).events, [STARTED, open(0, TEXT), said(0, 'x'), end(0)])
  assert.deepEqual(decode().events, [])
})

test('a tool call keeps its argument text as it was written', () => {
  const { events } = decode(
    START,
    delta(0, { text: 'I look.' }),
    close(0),
    begin(1, { toolUse: { toolUseId: 'tooluse_1', name: 'look' } }),
    delta(1, { toolUse: { input: '' } }),
    delta(1, { toolUse: { input: '{"n": 1.0' } }),
    delta(1, { toolUse: { input: '}' } }),
    close(1),
    begin(2, { toolUse: { toolUseId: 'tooluse_2', name: 'none', type: 'tool_use' } }),
    close(2),
    stop('tool_use'),
  )
  assert.deepEqual(events.slice(4), [
    open(1, { type: 'tool-call', id: 'tooluse_1', name: 'look', kind: 'function' }),
    said(1, '{"n": 1.0'),
    said(1, '}'),
    end(1),
    open(2, { type: 'tool-call', id: 'tooluse_2', name: 'none', kind: 'function' }),
    end(2),
    finish('tool-calls', 'tool_use'),
  ])
})

test('reasoning with a signature in pieces, and encrypted reasoning', () => {
  const { events } = decode(
    START,
    delta(0, { reasoningContent: { text: 'Hm' } }),
    delta(0, { reasoningContent: { text: '' } }),
    delta(0, { reasoningContent: { signature: 'c2ln' } }),
    delta(0, { reasoningContent: { signature: 'bmVk' } }),
    close(0),
    delta(1, { reasoningContent: { redactedContent: 'AAEC' } }),
    close(1),
    delta(2, { reasoningContent: { redactedContent: 'AA==' } }),
    delta(2, { reasoningContent: { redactedContent: 'AQ==' } }),
    close(2),
    delta(3, { text: 'Yes' }),
  )
  assert.deepEqual(events.slice(1), [
    open(0, REASONING),
    said(0, 'Hm'),
    sealed(0, 'signature', 'c2lnbmVk'),
    end(0),
    open(1, REASONING),
    sealed(1, 'encrypted', 'AAEC'),
    end(1),
    open(2, REASONING),
    sealed(2, 'encrypted', 'AAE='),
    end(2),
    open(3, TEXT),
    said(3, 'Yes'),
    end(3),
  ])
})

test('reasoning without a signature, with a signature alone, and of both sorts under one index', () => {
  const { events } = decode(
    START,
    delta(0, { reasoningContent: { text: 'a' } }),
    delta(0, { reasoningContent: { redactedContent: 'AA==' } }),
    delta(0, { reasoningContent: {} }),
    delta(0, { reasoningContent: { signature: 's' } }),
    delta(0, { text: 'b' }),
  )
  assert.deepEqual(events.slice(1), [
    open(0, REASONING),
    said(0, 'a'),
    end(0),
    open(1, REASONING),
    sealed(1, 'encrypted', 'AA=='),
    end(1),
    open(2, REASONING),
    sealed(2, 'signature', 's'),
    end(2),
    open(3, TEXT),
    said(3, 'b'),
    end(3),
  ])
})

test('blocks do not overlap when deltas of two indexes come in turns', () => {
  const { events } = decode(START, delta(0, { text: 'a' }), delta(1, { text: 'b' }), delta(0, { text: 'c' }), close(1))
  assert.deepEqual(events.slice(1), [
    open(0, TEXT),
    said(0, 'a'),
    end(0),
    open(1, TEXT),
    said(1, 'b'),
    end(1),
    open(2, TEXT),
    said(2, 'c'),
    end(2),
  ])
})

test('a late piece of a tool call is a failure unless it is empty', () => {
  const { decoder } = decode(START, delta(0, { toolUse: { input: '' } }), delta(0, { toolUse: { input: '{' } }))
  assert.deepEqual(decoder.failure, {
    status: 502,
    code: 'upstream_bad_response',
    message: 'The upstream sent the input of a tool call that is not open.',
  })
  const ended = decode(
    START,
    begin(0, { toolUse: { toolUseId: 'a', name: 'f' } }),
    close(0),
    delta(0, { toolUse: { input: '{' } }),
  )
  assert.equal(ended.decoder.failure?.status, 502)
})

test('citations belong to their text, which may not have begun', () => {
  const citation = {
    title: 'Report',
    source: 'https://a.example/',
    sourceContent: [{ text: 'one ' }, { text: 'two' }, {}],
    location: { documentChar: { documentIndex: 0, start: 0, end: 7 } },
  }
  const web = { location: { web: { url: 'https://b.example/', domain: 'b.example' } } }
  const { events } = decode(START, delta(0, { citation }), delta(0, { text: 'It is so.' }), delta(0, { citation: web }))
  const cited = (value: unknown, told: object) => ({
    type: 'block-citation',
    index: 0,
    citation: { ...told, native: { issuer: 'bedrock-converse', value } },
  })
  assert.deepEqual(events.slice(1), [
    open(0, TEXT),
    cited(citation, { url: 'https://a.example/', title: 'Report', citedText: 'one two' }),
    said(0, 'It is so.'),
    cited(web, { url: 'https://b.example/' }),
    end(0),
  ])
})

test('a source that is no address is not told as one', () => {
  const { events } = decode(START, delta(0, { citation: { source: 'doc-7', title: '' } }))
  const value = { source: 'doc-7', title: '' }
  assert.deepEqual(events[2], {
    type: 'block-citation',
    index: 0,
    citation: { title: '', native: { issuer: 'bedrock-converse', value } },
  })
})

test("the provider's own tools are opaque, and leave the client nothing to call", () => {
  const { events } = decode(
    START,
    begin(0, { toolUse: { toolUseId: 'a', name: 'nova_code_interpreter', type: 'server_tool_use' } }),
    delta(0, { toolUse: { input: '{"snippet":' } }),
    delta(0, { toolUse: { input: '"1"}' } }),
    close(0),
    begin(1, { toolResult: { toolUseId: 'a', type: 'r', status: 'success' } }),
    frame(
      'contentBlockDelta',
      '{"contentBlockIndex":1,"delta":{"toolResult":[{"json":{"big":12345678901234567890}},{"text":"t"}]}}',
    ),
    close(1),
    stop('tool_use'),
  )
  const big = rawNumber('12345678901234567890')
  assert.deepEqual(events.slice(1), [
    ...opaque(0, {
      toolUse: { toolUseId: 'a', name: 'nova_code_interpreter', type: 'server_tool_use', input: { snippet: '1' } },
    }),
    ...opaque(1, {
      toolResult: { toolUseId: 'a', type: 'r', status: 'success', content: [{ json: { big } }, { text: 't' }] },
    }),
    finish('stop', 'tool_use'),
  ])
})

test("the input of a provider's own tool that is no JSON stays text, and none is an object", () => {
  const start = (toolUseId: string) => ({ toolUse: { toolUseId, name: 'n', type: 'server_tool_use' } })
  const { events } = decode(
    START,
    begin(0, start('a')),
    delta(0, { toolUse: { input: '{"x' } }),
    begin(1, start('b')),
    close(1),
  )
  assert.deepEqual(events.slice(1), [
    ...opaque(0, { toolUse: { ...start('a').toolUse, input: '{"x' } }),
    ...opaque(1, { toolUse: { ...start('b').toolUse, input: {} } }),
  ])
})

test('an image arrives in pieces, or not as bytes', () => {
  const { events } = decode(
    START,
    begin(0, { image: { format: 'png' } }),
    delta(0, { image: { source: { bytes: 'AA==' } } }),
    delta(0, { image: { source: { bytes: 'AQI=' } } }),
    close(0),
    begin(1, { image: { format: 'png' } }),
    delta(1, { image: { error: { message: 'no' } } }),
    close(1),
  )
  assert.deepEqual(events.slice(1), [
    open(0, { type: 'media', kind: 'image', mimeType: 'image/png', data: 'AAEC' }),
    end(0),
    ...opaque(1, { image: { format: 'png', error: { message: 'no' } } }),
  ])
})

test('every word for the end', () => {
  const words: [string, string][] = [
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['tool_use', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['guardrail_intervened', 'content-filter'],
    ['content_filtered', 'content-filter'],
    ['refusal', 'content-filter'],
    ['malformed_model_output', 'error'],
    ['malformed_tool_use', 'error'],
    ['a_word_of_tomorrow', 'stop'],
  ]
  for (const [word, reason] of words)
    assert.deepEqual(decode(START, stop(word)).events.at(-1), finish(reason, word), word)
  const withCall = (word: string) =>
    decode(START, begin(0, { toolUse: { toolUseId: 'a', name: 'f' } }), close(0), stop(word)).events.at(-1)
  assert.deepEqual(withCall('end_turn'), finish('tool-calls', 'end_turn'))
  assert.deepEqual(withCall('max_tokens'), finish('length', 'max_tokens'))
  assert.deepEqual(decode(START, frame('messageStop', {})).events.at(-1), finish('stop', null))
})

test('the stop sequence, where Claude tells it', () => {
  const additionalModelResponseFields = { stop_sequence: 'END' }
  const { events } = decode(START, stop('stop_sequence', { additionalModelResponseFields }))
  assert.deepEqual(events.slice(1), [
    { type: 'opaque', issuer: 'bedrock-converse', value: { additionalModelResponseFields } },
    finish('stop', 'stop_sequence', 'END'),
  ])
})

test('content behind messageStop comes before the one finish', () => {
  const { events } = decode(START, stop('end_turn'), delta(0, { text: 'late' }), METADATA)
  assert.deepEqual(events.slice(1), [open(0, TEXT), said(0, 'late'), USAGE, end(0), finish('stop', 'end_turn')])
})

test('what metadata tells beside the usage is opaque', () => {
  const trace = { guardrail: { inputAssessment: { a: {} } } }
  const { pushed } = decode(
    START,
    frame('metadata', { metrics: { latencyMs: 5 }, trace, p: 'x', usage: { inputTokens: 0 } }),
  )
  assert.deepEqual(pushed[1], [
    { ...USAGE, usage: { ...USAGE.usage, input: 0, output: null }, total: null },
    { type: 'opaque', issuer: 'bedrock-converse', value: { metrics: { latencyMs: 5 }, trace } },
  ])
})

test('events, deltas and starts of tomorrow are kept and break nothing', () => {
  const { events, decoder } = decode(
    frame('initial-response', {}),
    delta(0, { text: 'a' }),
    frame('somethingNew', { x: 1 }),
    delta(0, { hologram: {} }),
    delta(0, {}),
    begin(1, { hologram: {} }),
    frame('contentBlockStart', {}),
    delta(1, { image: { source: { bytes: 'AA==' } } }),
    delta(1, { toolUse: { input: 5 } }),
    frame('contentBlockDelta', { contentBlockIndex: 0, delta: null }),
    frame('contentBlockDelta', 'null'),
  )
  assert.equal(decoder.failure, null)
  assert.deepEqual(events, [
    STARTED,
    open(0, TEXT),
    said(0, 'a'),
    { type: 'opaque', issuer: 'bedrock-converse', value: { somethingNew: { x: 1 } } },
    {
      type: 'opaque',
      issuer: 'bedrock-converse',
      value: { contentBlockDelta: { contentBlockIndex: 0, delta: { hologram: {} } } },
    },
    end(0),
    {
      type: 'opaque',
      issuer: 'bedrock-converse',
      value: { contentBlockDelta: { contentBlockIndex: 1, delta: { image: { source: { bytes: 'AA==' } } } } },
    },
  ])
})

test('headers that change between frames are noticed', () => {
  const { events } = decode(START, delta(0, { text: 'a' }), delta(0, { text: 'b' }), close(0), delta(1, { text: 'c' }))
  assert.deepEqual(events.slice(1), [
    open(0, TEXT),
    said(0, 'a'),
    said(0, 'b'),
    end(0),
    open(1, TEXT),
    said(1, 'c'),
    end(1),
  ])
})
