import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ChatEvent } from '#ir/chat-event.ts'
import { decodeWhole } from './decode-response.ts'
import { decode } from './testbed.ts'

const START = { type: 'message-start', id: 'c14', delta: { message: { role: 'assistant' } } }
const say = (content: object) => ({ type: 'content-delta', index: 0, delta: { message: { content } } })
const plan = (tool_plan: string) => ({ type: 'tool-plan-delta', delta: { message: { tool_plan } } })
const call = (id: string, name: string) => ({
  type: 'tool-call-start',
  index: 0,
  delta: { message: { tool_calls: { id, type: 'function', function: { name, arguments: '' } } } },
})
const argue = (text: string) => ({
  type: 'tool-call-delta',
  index: 0,
  delta: { message: { tool_calls: { function: { arguments: text } } } },
})
const stop = (finish_reason: string, more: object = {}) => ({ type: 'message-end', delta: { finish_reason, ...more } })
const USAGE = {
  billed_units: { input_tokens: 7, output_tokens: 3 },
  tokens: { input_tokens: 500, output_tokens: 9, reasoning_tokens: 4 },
  cached_tokens: 480,
}
const COUNTED = {
  input: 20,
  cacheRead: 480,
  cacheWrite: null,
  cacheWrite1h: null,
  output: 9,
  reasoning: 4,
  source: 'upstream',
  billed: { input: 7, output: 3 },
}

/** Blocks as `kind: text`, and what is outside of them as it stands. */
function summary(events: readonly ChatEvent[]): unknown[] {
  const told: unknown[] = []
  for (const event of events) {
    if (event.type === 'block-start')
      told.push(
        event.block.type === 'tool-call' ? `call ${event.block.id} ${event.block.name}: ` : `${event.block.type}: `,
      )
    else if (event.type === 'block-delta') told.push(String(told.pop()) + event.text)
    else if (event.type === 'usage') told.push(event.usage)
    else if (event.type === 'finish') told.push([event.reason, event.raw])
    else if (event.type === 'block-citation') told.push({ cited: event.citation })
    else if (event.type === 'opaque') told.push(event.value)
  }
  return told
}

test('thinking and text are blocks of their own, and every delta goes out with its frame', () => {
  const { pushed, events, decoder } = decode(
    START,
    { type: 'content-start', index: 0, delta: { message: { content: { type: 'thinking', thinking: 'Hm' } } } },
    say({ thinking: '.' }),
    { type: 'content-end', index: 0 },
    { type: 'content-start', index: 1, delta: { message: { content: { type: 'text', text: '' } } } },
    say({ text: 'Hé' }),
    say({ text: '🚀' }),
    { type: 'content-end', index: 1 },
    stop('COMPLETE', { usage: USAGE }),
    '[DONE]',
  )
  assert.deepEqual(pushed[2], [{ type: 'block-delta', index: 0, text: '.' }])
  assert.deepEqual(pushed[6], [{ type: 'block-delta', index: 1, text: '🚀' }])
  assert.deepEqual(summary(events), ['reasoning: Hm.', 'text: Hé🚀', COUNTED, ['stop', 'COMPLETE']])
  assert.deepEqual([decoder.complete, decoder.isLast, decoder.failure], [true, true, null])
})

test('a plan before calls is reasoning; arguments belong to the call that is open', () => {
  const { events } = decode(
    START,
    plan('I will '),
    plan('look.'),
    call('a', 'find'),
    argue('{"q":'),
    argue('1}'),
    { type: 'tool-call-end', index: 0 },
    call('b', 'list'),
    { type: 'tool-call-end', index: 1 },
    stop('TOOL_CALL'),
  )
  assert.deepEqual(summary(events), [
    'reasoning: I will look.',
    'call a find: {"q":1}',
    'call b list: ',
    ['tool-calls', 'TOOL_CALL'],
  ])
  assert.match(decode(START, argue('{}')).decoder.failure!.message, /not open/)
})

test('a whole answer tells the same as a stream', () => {
  const { events, failure } = decodeWhole({
    id: 'c14',
    message: {
      role: 'assistant',
      tool_plan: 'I will look.',
      content: [
        { type: 'thinking', thinking: 'Hm.' },
        { type: 'text', text: 'So' },
      ],
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'find', arguments: '{}' } }],
      citations: [
        {
          start: 0,
          end: 2,
          text: 'So',
          sources: [{ type: 'document', document: { title: 'T', url: 'https://a.example' } }],
        },
      ],
    },
    finish_reason: 'TOOL_CALL',
    usage: USAGE,
    odd: 1,
  })
  assert.equal(failure, null)
  const told = summary(events)
  const cited = told.find((each) => (each as { cited?: object }).cited) as { cited: Record<string, unknown> }
  assert.deepEqual([cited.cited['url'], cited.cited['title'], cited.cited['endIndex']], ['https://a.example', 'T', 2])
  assert.deepEqual(
    told.filter((each) => each !== cited),
    [
      'reasoning: I will look.',
      'reasoning: Hm.',
      'text: So',
      'call a find: {}',
      COUNTED,
      { odd: 1 },
      ['tool-calls', 'TOOL_CALL'],
    ],
  )
})

test('words of the end', () => {
  const words = {
    MAX_TOKENS: 'length',
    STOP_SEQUENCE: 'stop',
    ERROR_TOXIC: 'content-filter',
    ERROR_LIMIT: 'length',
    NEW: 'stop',
  }
  for (const [word, reason] of Object.entries(words))
    assert.deepEqual(summary(decode(START, stop(word)).events), [[reason, word]])
})

test('an answer that broke is no success', () => {
  const broken = decode(START, say({ text: 'x' }), stop('ERROR', { error: 'a node fell' })).decoder
  assert.deepEqual([broken.complete, broken.failure?.message], [false, 'a node fell'])
  assert.equal(decode(START, say({ text: 'x' })).decoder.complete, false)
  for (const value of ['{', '[]', '{"message":"no"}']) assert.ok(decode(START, value).decoder.failure, value)
  assert.equal(decodeWhole({ id: 'x', message: 'too many tokens' }).failure?.message, 'too many tokens')
  assert.ok(decodeWhole({ message: {}, finish_reason: 'ERROR' }).failure)
  assert.ok(decodeWhole(null).failure)
})

test('counts that are none are no report', () => {
  const usageOf = (usage: unknown) =>
    decode(START, stop('COMPLETE', { usage })).events.find(({ type }) => type === 'usage')
  assert.equal(usageOf({ tokens: { input_tokens: -1, output_tokens: 2 } }), undefined)
  assert.equal(usageOf({}), undefined)
  assert.equal(usageOf(null), undefined)
})
