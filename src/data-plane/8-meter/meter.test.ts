import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AnswerFacts, NO_FACTS } from '#codecs/codec.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import { Report } from '#data-plane/report.ts'
import type { StreamAnswer, WholeAnswer } from '#data-plane/7-call/answer.ts'
import { type Asked, backendOf, modelOf, parsedOf, PRICE, routeOf, selectionOf } from '#data-plane/testbed.ts'
import type { Price } from '#catalog/types.ts'
import type { Usage } from '#ir/usage.ts'
import { COUNTS_MAX } from './count-delivered.ts'
import { BYTES_PER_TOKEN, meter } from './meter.ts'

const USAGE: Usage = {
  input: 10,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  output: 5,
  reasoning: null,
  source: 'upstream',
}

function planOf(price: Price | null, inputTokensMax = 1000, isFree = false): Plan {
  const model = modelOf('m')
  const bound = { inputTokensMax, outputTokensMax: 10, outputIsClients: true, candidates: 1, price }
  const route = routeOf(model, backendOf('b'), { price })
  const target = { route, protocol: 'openai-chat' as const, selection: selectionOf([route]) }
  const none = { group: 'default', attemptsMax: 1, reroutedFrom: null, excluded: [] }
  return { model, targets: [target], bound: isFree ? null : bound, ...none }
}

const base = (plan: Plan) => ({
  target: plan.targets[0],
  attempts: [],
  report: new Report(),
  upstreamRequestId: null,
  save: null,
  health: null,
})

function wholeTally(facts: Partial<AnswerFacts>, plan = planOf(PRICE), asked: Asked = {}) {
  const answer: WholeAnswer = {
    ...base(plan),
    kind: 'whole',
    body: Buffer.from('{}'),
    facts: { ...NO_FACTS, ...facts },
    render: null,
  }
  return meter(parsedOf(asked), plan, answer)
}

/** A tally of a Messages stream that has sent these events so far. */
function streamTally(events: readonly object[], plan = planOf(PRICE)) {
  const parsed = parsedOf({ surface: 'anthropic-messages' })
  const reader = PASSTHROUGH['anthropic-messages'].openStream(parsed.facts)
  const answer: StreamAnswer = {
    ...base(plan),
    kind: 'stream',
    reader,
    translated: null,
    firstContentAt: 0,
    events: { attach: () => {}, pause: () => {}, resume: () => {}, abort: () => {} },
  }
  const tally = meter(parsed, plan, answer)
  for (const event of events) reader.read(Buffer.from(`data: ${JSON.stringify(event)}\n\n`))
  return tally
}

const START = { type: 'message_start', message: { id: 'msg', usage: { input_tokens: 40, output_tokens: 1 } } }
const DELTA = { type: 'content_block_delta', delta: { text: 'x'.repeat(41) } }
const END = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } }
const STOP = { type: 'message_stop' }

test('what the upstream reported is booked as it is', () => {
  const tally = wholeTally({ usage: USAGE, finishReason: 'stop', responseId: 'r', toolCallsCount: 2 })
  assert.equal(tally.final(), USAGE)
  assert.equal(tally.reported(), USAGE)
  assert.deepEqual([tally.finishReason(), tally.responseId(), tally.toolCallsCount()], ['stop', 'r', 2])
  assert.equal(tally.costOf(USAGE)?.nano, 105_000n)
  assert.equal(tally.costOf(USAGE), tally.costOf(USAGE))
  assert.equal(tally.costOf({ ...USAGE, output: 0 })?.nano, 30_000n)
})

test('a reported zero is not replaced by an estimate', () => {
  assert.equal(wholeTally({ usage: { ...USAGE, input: 0, output: 0 }, contentBytes: 900 }).final()?.output, 0)
})

test('what nobody reported is estimated from its bytes, and says so', () => {
  const usage = wholeTally({ contentBytes: 4 * BYTES_PER_TOKEN + 1 }, planOf(PRICE), { body: 'x'.repeat(101) }).final()
  assert.deepEqual([usage?.input, usage?.output, usage?.source], [26, 5, 'estimated'])
  assert.deepEqual([usage?.cacheRead, usage?.reasoning], [null, null])
})

test('an estimate of the prompt is at least one token and at most its bound', () => {
  const input = (inputTokensMax: number, body: string) =>
    wholeTally({}, planOf(PRICE, inputTokensMax), { body }).final()?.input
  assert.equal(input(1000, 'x'), 1)
  assert.equal(input(10, 'x'.repeat(1000)), 10)
  assert.equal(input(0, 'x'.repeat(1000)), 1)
})

test('an embedding is never estimated to have an output', () => {
  assert.equal(wholeTally({ contentBytes: 500 }, planOf(PRICE), { operation: 'embed' }).final()?.output, 0)
})

test('counting uses nothing', () => {
  const tally = wholeTally({ usage: USAGE }, planOf(PRICE, 10, true))
  assert.equal(tally.final()?.source, 'none')
  assert.equal(tally.final()?.input, null)
})

test('without a price there is no cost', () => {
  const tally = wholeTally({ usage: USAGE }, planOf(null))
  assert.equal(tally.costOf(USAGE), null)
  assert.equal(tally.price, null)
})

test('a stream is live: its counts grow to its end', () => {
  const open = streamTally([START, DELTA])
  assert.equal(open.reported()?.output, 1)
  assert.equal(open.responseId(), 'msg')
  const tally = streamTally([START, DELTA, END, STOP])
  assert.deepEqual([tally.final()?.input, tally.final()?.output, tally.final()?.source], [40, 9, 'upstream'])
  assert.equal(tally.finishReason(), 'end_turn')
})

test('a stream that broke off is booked for what was delivered', () => {
  const usage = streamTally([START, DELTA]).final()
  assert.deepEqual([usage?.input, usage?.output, usage?.source], [40, 11, 'estimated'])
  const late = streamTally([START, DELTA, { ...END, usage: { output_tokens: 80 } }]).final()
  assert.deepEqual([late?.output, late?.source], [80, 'upstream'], 'the report is of all that was delivered')
  const after = streamTally([START, DELTA, { ...END, usage: { output_tokens: 80 } }, DELTA]).final()
  assert.deepEqual([after?.output, after?.source], [80, 'estimated'], 'what came behind it is in no report')
  const call = { type: 'content_block_start', content_block: { type: 'tool_use' } }
  assert.deepEqual([streamTally([START, call]).final()?.output], [1], 'a call is an answer, though it has no text yet')
})

test('a stream that broke off before any content is not booked', () => {
  assert.equal(streamTally([START]).final(), null)
  assert.equal(streamTally([]).final(), null)
})

test('M3: what was delivered is counted by its text, and the prompt where nobody told it', async () => {
  const said = (text: string) => ({ type: 'content_block_delta', delta: { text } })
  const tally = streamTally([START, said('word '), said('word '), said('\n"word"')])
  assert.equal(tally.final()?.output, 5, 'by its bytes')
  await tally.count()
  assert.deepEqual([tally.final()?.input, tally.final()?.output], [40, 6])
  const { usage: _, ...message } = START.message
  const untold = streamTally([{ ...START, message }, said('word')])
  await untold.count()
  assert.equal(untold.final()?.output, 1)
  assert.equal(streamTally([START]).count(), null)
  assert.equal(streamTally([START, DELTA, END, STOP]).count(), null)
})

test('M3: a long answer is counted by its beginning', async () => {
  const delta = { type: 'content_block_delta', delta: { text: ' word' } }
  const tally = streamTally([START, ...Array.from({ length: 3000 }, () => delta)])
  await tally.count()
  const output = tally.final()!.output!
  assert.ok(Math.abs(output / 3090 - 1) < 0.02, String(output))
})

test('M3: more counts than the bound are not waited for', async () => {
  const tallies = Array.from({ length: COUNTS_MAX + 1 }, () => streamTally([START, DELTA]))
  await Promise.all(tallies.map((tally) => tally.count()))
  const outputs = tallies.map((tally) => tally.final()?.output)
  assert.equal(outputs.at(-1), 11, 'by its bytes')
  assert.ok(outputs.slice(0, -1).every((output) => output !== 11))
})

test('a whole stream without a report is estimated', () => {
  const usage = streamTally([DELTA, STOP]).final()
  assert.deepEqual([usage?.input, usage?.output, usage?.source], [25, 11, 'estimated'])
})
