import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '#ir/collect.ts'
import { decodeStream, DONE, frame } from './testbed.ts'
import { chatUpstream } from './translation.ts'

const chunk = (delta: object, rest: object = {}, choice: object = {}) =>
  frame({ id: 'c', model: 'm', created: 7, choices: [{ index: 0, delta, finish_reason: null, ...choice }], ...rest })
const finish = (reason: unknown, choice: object = {}) => chunk({}, {}, { finish_reason: reason, ...choice })
const START = { type: 'response-start', id: 'c', model: 'm', createdAt: 7 }
const stopped = (reason: string, raw: string | null, candidate = 0) => ({
  type: 'finish',
  candidate,
  reason,
  raw,
  stopSequence: null,
})
const started = (index: number, block: object, candidate = 0) => ({ type: 'block-start', index, candidate, block })
const delta = (index: number, text: string) => ({ type: 'block-delta', index, text })
const ended = (index: number) => ({ type: 'block-end', index })
const CALL = { type: 'tool-call', kind: 'function' }
const callDelta = (...tool_calls: object[]) => chunk({ tool_calls })

/** The blocks of each candidate, short: type, text, and the id and name of a call. */
function blocksOf(frames: readonly Buffer[], candidates = 1) {
  return collect(decodeStream(frames, candidates).events).candidates.map(({ blocks }) =>
    blocks.map(({ head, text }) =>
      head.type === 'tool-call' ? `${head.type} ${head.id} ${head.name} ${text}` : `${head.type} ${text}`,
    ),
  )
}

test('a stream of every kind of event', () => {
  const { events, failure, complete } = decodeStream([
    Buffer.from(': OPENROUTER PROCESSING\n\n'),
    chunk({ role: 'assistant', content: '' }),
    chunk({ reasoning_content: 'hm', reasoning: 'hm' }),
    chunk({ content: 'hé' }, {}, { logprobs: { content: [{ token: 'h' }], refusal: null } }),
    chunk({ content: '\ud83d\ude00\u0000' }),
    callDelta({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }),
    callDelta({ index: 0, function: { arguments: '{}' } }),
    finish('tool_calls'),
    frame({ id: 'c', choices: [], usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }),
    DONE,
  ])
  assert.deepEqual(events, [
    START,
    started(0, { type: 'reasoning', id: null, isSummary: false }),
    delta(0, 'hm'),
    ended(0),
    started(1, { type: 'text' }),
    delta(1, 'hé'),
    { type: 'block-logprobs', index: 1, tokens: [{ token: 'h' }] },
    delta(1, '😀\u0000'),
    ended(1),
    started(2, { ...CALL, id: 'a', name: 'f' }),
    delta(2, '{}'),
    {
      type: 'usage',
      usage: {
        input: 3,
        cacheRead: null,
        cacheWrite: null,
        cacheWrite1h: null,
        output: 2,
        reasoning: null,
        source: 'upstream',
      },
      total: 5,
    },
    ended(2),
    stopped('tool-calls', 'tool_calls'),
  ])
  assert.equal(failure, null)
  assert.equal(complete, true)
})

test('each delta goes out with its frame', () => {
  const decoder = chatUpstream.openDecoder({ candidates: 1 })
  assert.deepEqual(decoder.push(chunk({ content: 'a' })), [START, started(0, { type: 'text' }), delta(0, 'a')])
  assert.deepEqual(decoder.push(chunk({ content: 'b' })), [delta(0, 'b')])
  assert.equal(decoder.complete, false)
  assert.deepEqual(decoder.push(finish('stop')), [])
  assert.deepEqual([decoder.complete, decoder.isLast], [true, false])
  assert.deepEqual(decoder.push(DONE), [])
  assert.equal(decoder.isLast, true)
  assert.deepEqual(decoder.end(), [ended(0), stopped('stop', 'stop')])
})

test('the end: several finishes, content behind one, [DONE] without one, and none', () => {
  assert.deepEqual(blocksOf([chunk({ content: 'a' }), finish('stop'), chunk({ content: 'b' }), finish('length')]), [
    ['text ab'],
  ])
  const late = decodeStream([finish('stop'), chunk({ content: 'b' }), finish('length')])
  assert.deepEqual(late.events.at(-1), stopped('length', 'length'))
  assert.equal(late.events.filter(({ type }) => type === 'finish').length, 1)
  const done = decodeStream([chunk({ content: 'a' }), DONE])
  assert.deepEqual([done.complete, done.events.at(-1)], [true, stopped('stop', null)])
  const broken = decodeStream([chunk({ content: 'a' })])
  assert.deepEqual([broken.complete, broken.events.at(-1)], [false, ended(0)])
  const empty = decodeStream([Buffer.from('data:  [DONE]\r\n\r\n')])
  assert.deepEqual(empty.events, [{ ...START, id: null, model: null, createdAt: null }, stopped('stop', null)])
})

test('words for the end', () => {
  const reasonOf = (raw: unknown, ...before: Buffer[]) => {
    const last = decodeStream([...before, finish(raw)]).events.at(-1)
    return last?.type === 'finish' ? last.reason : null
  }
  const call = callDelta({ index: 0, id: 'a', function: { name: 'f', arguments: '' } })
  for (const word of ['stop', 'eos', 'COMPLETE', 'tool_calls', 'end_turn']) assert.equal(reasonOf(word), 'stop', word)
  for (const word of ['stop', 'eos', 'tool_calls', 'function_call']) assert.equal(reasonOf(word, call), 'tool-calls')
  for (const word of ['length', 'max_tokens', 'model_length']) assert.equal(reasonOf(word, call), 'length')
  for (const word of ['content_filter', 'SAFETY']) assert.equal(reasonOf(word), 'content-filter')
  for (const word of ['error', 'MALFORMED_FUNCTION_CALL']) assert.equal(reasonOf(word), 'error')
  assert.equal(reasonOf(''), null)
  const { events } = decodeStream([finish('stop', { stop_reason: 'END' })])
  assert.deepEqual(events.at(-1), { ...stopped('stop', 'stop'), stopSequence: 'END' })
})

test('calls in every form', () => {
  const name = (id: string | null, called: object, index?: number) => ({ id, index, function: called })
  assert.deepEqual(
    blocksOf([
      callDelta(name('a', { name: 'f', arguments: '{' }, 0)),
      callDelta(name('a', { name: 'f', arguments: '}' }, 0)),
      callDelta(name('null', { name: '', arguments: '' }, 0), name('b', { name: 'g', arguments: null }, 1)),
    ]),
    [['tool-call a f {}', 'tool-call b g ']],
    'counted, with the name and the id said again',
  )
  assert.deepEqual(
    blocksOf([
      callDelta(name('a', { name: 'f', arguments: '{}' }), name('b', { name: 'g', arguments: '{' })),
      callDelta(name('null', { name: '', arguments: '1}' })),
    ]),
    [['tool-call a f {}', 'tool-call b g {1}']],
    'without a count',
  )
  assert.deepEqual(
    blocksOf([
      callDelta(name('a', { name: 'f', arguments: '{}' }, 0)),
      callDelta(name('b', { name: 'f', arguments: '{}' }, 0)),
    ]),
    [['tool-call a f {}', 'tool-call b f {}']],
    'all counted as the first',
  )
  assert.deepEqual(
    blocksOf([
      callDelta(name('a', { arguments: '{' }, 0)),
      callDelta(name(null, { name: 'f', arguments: { x: 1 } }, 0)),
    ]),
    [['tool-call a f {{"x":1}']],
    'the name late, the arguments an object',
  )
  assert.deepEqual(
    blocksOf([
      chunk({ function_call: { name: 'f', arguments: '{' } }),
      chunk({ function_call: { arguments: '}' } }),
      chunk({ function_call: { name: '', arguments: '' } }),
    ]),
    [['tool-call null f {}']],
    'the first form',
  )
  const custom = decodeStream([callDelta({ index: 0, id: 'a', type: 'custom', custom: { name: 'c', input: 'raw' } })])
  assert.deepEqual(custom.events[1], started(0, { type: 'tool-call', kind: 'custom', id: 'a', name: 'c' }))
  const sealed = decodeStream([callDelta({ ...name('a', { name: 'f' }, 0), extra_content: { g: 's' } })])
  const seal = { issuer: 'openai-chat', kind: 'signature', value: '{"extra_content":{"g":"s"}}' }
  assert.deepEqual(sealed.events[1], started(0, { ...CALL, id: 'a', name: 'f', seal }))
})

test('a call that goes on after its end, and one without a name, are no answer', () => {
  const first = callDelta({ index: 0, id: 'a', function: { name: 'f', arguments: '{' } })
  const second = callDelta({ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } })
  const late = decodeStream([first, second, callDelta({ index: 0, function: { arguments: '}' } })])
  assert.match(late.failure!, /went on with a tool call that had ended/)
  assert.equal(decodeStream([first, second, callDelta({ index: 0, function: { arguments: '' } })]).failure, null)
  const decoder = chatUpstream.openDecoder({ candidates: 1 })
  decoder.push(callDelta({ index: 0, id: 'a', function: { arguments: '{}' } }))
  decoder.end()
  assert.equal(decoder.failure?.code, 'upstream_bad_response')
})

test('reasoning in every spelling, and content as a list', () => {
  const details = (text: string) => ({ reasoning_details: [{ type: 'reasoning.text', text, index: 0 }] })
  for (const said of [
    { reasoning_content: 'hm' },
    { reasoning: 'hm' },
    { reasoning_text: 'hm' },
    { thinking: 'hm' },
    details('hm'),
    { reasoning: 'hm', ...details('hm') },
    { content_blocks: [{ type: 'thinking', thinking: 'h' }, { delta: { thinking: 'm' } }] },
    { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] },
    { content: [{ type: 'thinking', thinking: 'hm' }] },
  ])
    assert.deepEqual(blocksOf([chunk(said)]), [['reasoning hm']], JSON.stringify(said))
  const list = [{ type: 'text', text: 'a' }, 'b', { type: 'refusal', refusal: 'no' }, { type: 'odd' }]
  assert.deepEqual(blocksOf([chunk({ content: list })]), [['text ab', 'refusal no', 'opaque ']])
  assert.deepEqual(blocksOf([chunk({ content: '<think>x</think>y' })]), [['text <think>x</think>y']])
  const summary = decodeStream([chunk({ reasoning_details: [{ type: 'reasoning.summary', summary: 's', index: 0 }] })])
  assert.deepEqual(summary.events[1], started(0, { type: 'reasoning', id: null, isSummary: true }))
})

test('details are put together and seal their reasoning', () => {
  const entry = (some: object) =>
    chunk({ reasoning_details: [{ type: 'reasoning.text', index: 0, format: 'f', ...some }] })
  const encrypted = { type: 'reasoning.encrypted', data: 'd', index: 1, id: 'a' }
  const { events } = decodeStream([
    entry({ text: 'h' }),
    entry({ text: 'm', signature: null }),
    entry({ text: '', signature: 's' }),
    chunk({ content: 'x' }),
    chunk({ reasoning_details: [encrypted] }),
    chunk({ content: 'y' }),
    callDelta({ index: 0, id: 'a', function: { name: 'f' } }),
    chunk({ reasoning_opaque: 'o' }),
  ])
  const seals = events.filter(({ type }) => type === 'block-seal')
  const text = { type: 'reasoning.text', index: 0, format: 'f', text: 'hm', signature: 's' }
  assert.deepEqual(
    seals.map((event) => (event.type === 'block-seal' ? [event.index, JSON.parse(event.seal.value)] : [])),
    [
      [0, [text]],
      [2, [encrypted]],
      [4, { reasoning_opaque: 'o' }],
    ],
  )
  assert.deepEqual(
    collect(events).candidates[0]!.blocks.map((block) => `${block.head.type} ${block.text}`),
    ['reasoning hm', 'text xy', 'reasoning ', 'tool-call ', 'reasoning '],
  )
})

test('sources wait for their text', () => {
  const annotation = (url: string, end = 0) => ({
    type: 'url_citation',
    url_citation: { url, title: 't', start_index: 0, end_index: end },
  })
  const file = { type: 'file', file: { hash: 'h' } }
  const { events } = decodeStream([
    chunk({ content: '', annotations: [annotation('a'), file] }),
    chunk({ content: 'x', annotations: [annotation('b', 1)] }),
  ])
  const native = (value: object) => ({ native: { issuer: 'openai-chat', value } })
  const citation = (url: string, more: object) => ({
    type: 'block-citation',
    index: 0,
    citation: { url, title: 't', ...more },
  })
  assert.deepEqual(events, [
    START,
    { type: 'opaque', issuer: 'openai-chat', value: { choices: [{ index: 0, message: { annotations: [file] } }] } },
    started(0, { type: 'text' }),
    citation('a', native(annotation('a'))),
    citation('b', { startIndex: 0, endIndex: 1, ...native(annotation('b', 1)) }),
    delta(0, 'x'),
    ended(0),
  ])
})

test('images, sound and what only the host knows', () => {
  const { events } = decodeStream([
    chunk({ images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,QUJD' } }] }, { citations: ['u'] }),
    chunk({ audio: { id: 'au', data: 'UklGRg==', transcript: 'hi' } }),
    chunk({ executed_tools: [{ index: 0 }], channel: 'analysis' }, { citations: ['u'] }),
    finish('stop', { native_finish_reason: 'end_turn', content_filter_results: {} }),
  ])
  const own = (value: object) => ({ type: 'opaque', issuer: 'openai-chat', value })
  assert.deepEqual(events, [
    START,
    started(0, { type: 'media', kind: 'image', mimeType: 'image/png', data: 'QUJD' }),
    ended(0),
    own({ citations: ['u'] }),
    started(1, own({ audio: { id: 'au', transcript: 'hi' } })),
    ended(1),
    started(2, { type: 'media', kind: 'audio', mimeType: 'audio/wav', data: 'UklGRg==' }),
    ended(2),
    own({ choices: [{ index: 0, message: { executed_tools: [{ index: 0 }] } }] }),
    own({ choices: [{ index: 0, native_finish_reason: 'end_turn', content_filter_results: {} }] }),
    stopped('stop', 'stop'),
  ])
})

test('several candidates keep apart; where one was asked for, all choices are one', () => {
  const two = [chunk({ content: 'a' }), chunk({ content: 'b' }, {}, { index: 1 }), chunk({ content: 'c' })]
  assert.deepEqual(blocksOf(two, 2), [['text ac'], ['text b']])
  assert.deepEqual(blocksOf(two, 1), [['text abc']])
  const half = decodeStream([...two, finish('stop')], 2)
  assert.equal(half.complete, false)
  const both = decodeStream([...two, finish('stop'), finish('stop'), finish('length', { index: 1 })], 2)
  assert.deepEqual([both.complete, both.events.slice(-1)], [true, [stopped('length', 'length', 1)]])
})

test('usage: the last report, Groq’s place, and none from what is no count', () => {
  const inputs = (...frames: Buffer[]) =>
    decodeStream(frames).events.flatMap((event) => (event.type === 'usage' ? [event.usage.input] : []))
  const usage = (prompt_tokens: unknown) => ({ usage: { prompt_tokens, completion_tokens: 1 } })
  assert.deepEqual(inputs(chunk({}, usage(0)), chunk({}, usage(7))), [0, 7])
  assert.deepEqual(inputs(chunk({}, { x_groq: usage(5) })), [5])
  assert.deepEqual(inputs(chunk({}, usage(-1))), [])
})

test('failures in the stream', () => {
  const failureOf = (...frames: Buffer[]) => decodeStream(frames).failure
  assert.equal(failureOf(chunk({ content: 'a' }, { error: { message: 'gone', code: 502 } })), 'gone')
  assert.equal(failureOf(frame({ error: 'gone' })), 'gone')
  assert.equal(failureOf(chunk({}, {}, { error: { message: 'gone' } })), 'gone')
  assert.equal(failureOf(frame({ object: 'error', message: 'gone' })), 'gone')
  assert.equal(failureOf(Buffer.from('event: error\ndata: {"error":{"message":"gone"}}\n\n')), 'gone')
  assert.equal(failureOf(Buffer.from('{"error":{"message":"gone"}}')), 'gone')
  assert.match(failureOf(Buffer.from('<html>\n<body>\n\n'))!, /something else in place of a stream/)
  assert.match(failureOf(Buffer.from('data: {"choices":\n\n'))!, /not JSON/)
  assert.match(failureOf(Buffer.from('data: 1\n\n'))!, /not an object/)
  for (const noise of ['data: \n\n', 'data: null\n\n', ': ping\n\n', 'event: x\n\n', '\r\n'])
    assert.equal(failureOf(Buffer.from(noise)), null, noise)
  const decoder = chatUpstream.openDecoder({ candidates: 1 })
  decoder.push(frame({ error: 'gone' }))
  assert.deepEqual(decoder.push(chunk({ content: 'a' })), [])
})
