import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, ChatEvent, Finish, FinishReason } from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import { openEnvelope } from '#codecs/seal-envelope.ts'
import { dataOf } from '#codecs/testbed.ts'
import { BLANK_REQUEST } from '#ir/testbed.ts'
import { ANSWER_ID, contextOf, partsWritten, whole, written } from './testbed.ts'
import { geminiClient } from './translation.ts'

const START: ChatEvent = { type: 'response-start', id: 'x', model: 'y', createdAt: 1 }
const finish = (reason: FinishReason, more: Partial<Finish> = {}): ChatEvent => ({
  type: 'finish',
  candidate: 0,
  reason,
  raw: null,
  stopSequence: null,
  ...more,
})

let index = 0
/** A block with its deltas. */
function block(head: BlockHead, texts: readonly string[] = [], seal?: Seal, candidate = 0): ChatEvent[] {
  const at = index++
  return [
    { type: 'block-start', index: at, candidate, block: head },
    ...texts.map((text): ChatEvent => ({ type: 'block-delta', index: at, text })),
    ...(seal ? [{ type: 'block-seal', index: at, seal } as const] : []),
    { type: 'block-end', index: at },
  ]
}
function answer(...blocks: ChatEvent[][]): ChatEvent[] {
  return [START, ...blocks.flat()]
}
test.beforeEach(() => {
  index = 0
})

const text: BlockHead = { type: 'text' }
const reasoning = (id: string | null = null): BlockHead => ({ type: 'reasoning', id, isSummary: false })
const call = (name: string, more: object = {}): BlockHead => ({
  type: 'tool-call',
  id: `id_${name}`,
  name,
  kind: 'function',
  ...more,
})
const foreign = (value: string): Seal => ({ issuer: 'anthropic-messages', kind: 'signature', value })
const own: Seal = { issuer: 'gemini', kind: 'signature', value: 'c2ln' }

test('each event is a whole response with the next part, and the last one tells the end', () => {
  const events = [...answer(block(reasoning(), ['t']), block(text, ['a\n', '"b"'])), finish('stop')]
  const response = (parts: unknown[], more: object = {}) => ({
    candidates: [{ content: { parts, role: 'model' }, ...more, index: 0 }],
  })
  assert.deepEqual(written(events), [
    response([{ text: 't', thought: true }]),
    response([{ text: 'a\n' }]),
    response([{ text: '"b"' }]),
    response([{ text: '' }], { finishReason: 'STOP' }),
  ])
  assert.deepEqual(whole(events), {
    ...response([{ text: 't', thought: true }, { text: 'a\n"b"' }], { finishReason: 'STOP' }),
    modelVersion: 'public-model',
    responseId: ANSWER_ID,
  })
})

test('an event is one line for whoever cuts lines at the line ends of Unicode', () => {
  const encoder = geminiClient.openEncoder(contextOf())
  const [, , written] = answer(block(text, ['a\u2028b\u2029c\u0085d'])).map((event) => encoder.push(event))
  assert.ok(written!.includes('"a\\u2028b\\u2029c\\u0085d"'))
})

test('nothing waits but the end', () => {
  const encoder = geminiClient.openEncoder(contextOf())
  const lengths = answer(block(text, ['a', 'b'])).map((event) => encoder.push(event).length > 0)
  assert.deepEqual(lengths, [false, false, true, true, false])
  assert.equal(encoder.push(finish('stop')), '')
})

test('an answer without anything still ends', () => {
  assert.deepEqual(written([START, finish('stop')]), [
    { candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'STOP', index: 0 }] },
  ])
  assert.deepEqual(whole([START, finish('length')])['candidates'], [
    { content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'MAX_TOKENS', index: 0 },
  ])
})

const finishOf = (events: readonly ChatEvent[], change = {}) => {
  const last = written(events, change).at(-1) as { candidates: { finishReason: string }[] }
  const [candidate] = whole(events, change)['candidates'] as { finishReason: string }[]
  assert.equal(last.candidates[0]!.finishReason, candidate!.finishReason)
  return candidate!.finishReason
}

test('reasons are words of Gemini', () => {
  const expected: Record<FinishReason, string> = {
    stop: 'STOP',
    length: 'MAX_TOKENS',
    'tool-calls': 'STOP',
    'content-filter': 'SAFETY',
    pause: 'MAX_TOKENS',
    error: 'MALFORMED_FUNCTION_CALL',
  }
  for (const [reason, word] of Object.entries(expected))
    assert.equal(finishOf([START, finish(reason as FinishReason, { raw: 'their_word' })]), word)
  const recited = [START, finish('content-filter', { raw: 'RECITATION' })]
  assert.equal(finishOf(recited), 'SAFETY')
  assert.equal(finishOf(recited, { upstream: 'gemini' }), 'RECITATION')
})

test('a refusal is text, and a filtered answer', () => {
  const events = [...answer(block({ type: 'refusal' }, ['no'])), finish('stop')]
  assert.deepEqual(partsWritten(events), [{ text: 'no' }, { text: '' }])
  assert.equal(finishOf(events), 'SAFETY')
})

test('a call goes out when its arguments are complete', () => {
  const events = answer(
    block(call('f'), ['{"a"', ':12345678901234567890}']),
    block(call('g')),
    block(call('h', { id: null }), ['{"a":']),
    block(call('c', { kind: 'custom' }), ['free "text"']),
  )
  const encoder = geminiClient.openEncoder(contextOf())
  const texts = events.map((event) => encoder.push(event))
  assert.ok(texts.join('').includes('"args":{"a":12345678901234567890}'))
  assert.deepEqual(texts.map((each) => each !== '').slice(1, 5), [false, false, false, true], 'at the end of the block')
  const calls = (dataOf(texts.join('')) as { candidates: { content: { parts: { functionCall: unknown }[] } }[] }[]).map(
    ({ candidates }) => candidates[0]!.content.parts[0]!.functionCall,
  )
  assert.deepEqual(calls.slice(1), [
    { id: 'id_g', name: 'g', args: {} },
    { id: `call_${ANSWER_ID}_2`, name: 'h', args: { __invalid_json: '{"a":' } },
    { id: 'id_c', name: 'c', args: { input: 'free "text"' } },
  ])
  const { content } = (whole(events)['candidates'] as { content: { parts: { functionCall: unknown }[] } }[])[0]!
  assert.deepEqual(
    content.parts.slice(1).map(({ functionCall }) => functionCall),
    calls.slice(1),
  )
})

/** Seals that a signature carries, in short. */
const carried = (signature: unknown) =>
  openEnvelope(signature as string)?.map(({ seal, place, text: said, id }) => [seal.value, place, said, id])
const signaturesOf = (parts: readonly unknown[]) =>
  (parts as { thoughtSignature?: string }[]).flatMap((part, at) =>
    part.thoughtSignature === undefined ? [] : [[at, carried(part.thoughtSignature)]],
  )
const wholeParts = (events: readonly ChatEvent[], change = {}) =>
  (whole(events, change)['candidates'] as { content: { parts: unknown[] } }[])[0]!.content.parts

test('a call carries all reasoning since the one before, and its own seal', () => {
  const events = answer(
    block(reasoning('rs_1'), ['a', 'b'], foreign('1')),
    block(reasoning(), [], { issuer: 'anthropic-messages', kind: 'encrypted', value: '2' }),
    block(text, ['x']),
    block(call('f', { seal: foreign('3') })),
    block(call('g')),
    block(reasoning(), ['c'], foreign('4')),
    block(call('h')),
  )
  const first = [
    ['1', 'reasoning', 'ab', 'rs_1'],
    ['2', 'reasoning', undefined, undefined],
    ['3', 'tool-call', undefined, undefined],
  ]
  const second = [['4', 'reasoning', 'c', undefined]]
  assert.deepEqual(signaturesOf(partsWritten(events)), [
    [3, first],
    [6, second],
  ])
  assert.deepEqual(signaturesOf(wholeParts(events)), [
    [2, first],
    [5, second],
  ])
})

test('without a call the reasoning is carried on a thought', () => {
  const events = answer(block(reasoning(), ['a'], foreign('1')), block(text, ['x']))
  const seals = [['1', 'reasoning', 'a', undefined]]
  assert.deepEqual(signaturesOf(wholeParts(events)), [[0, seals]])
  const parts = partsWritten(events)
  assert.deepEqual(signaturesOf(parts), [[2, seals]])
  assert.deepEqual((parts[2] as { thought: boolean; text: string }).thought, true)
  const behindCall = answer(block(reasoning(), ['a']), block(call('f')), block(reasoning(), [], foreign('1')))
  assert.deepEqual(signaturesOf(wholeParts(behindCall)), [[2, [['1', 'reasoning', undefined, undefined]]]])
})

test("Gemini's own seals are written as they are", () => {
  const events = answer(block(reasoning(), ['a'], own), block(text, ['x'], own), block(call('f', { seal: own })))
  const sealed = { thoughtSignature: 'c2ln' }
  const functionCall = { id: 'id_f', name: 'f', args: {} }
  assert.deepEqual(partsWritten(events, { upstream: 'gemini' }), [
    { text: 'a', thought: true },
    { text: '', thought: true, ...sealed },
    { text: 'x' },
    { text: '', ...sealed },
    { functionCall, ...sealed },
    { text: '' },
  ])
  assert.deepEqual(wholeParts(events, { upstream: 'gemini' }), [
    { text: 'a', thought: true, ...sealed },
    { text: 'x', ...sealed },
    { functionCall, ...sealed },
  ])
})

test('a foreign seal of a text is carried behind it', () => {
  const events = answer(block(text, ['x'], foreign('1')))
  const seals = [['1', 'text', undefined, undefined]]
  assert.deepEqual(signaturesOf(partsWritten(events)), [[1, seals]])
  assert.deepEqual(signaturesOf(wholeParts(events)), [[0, seals]])
})

test('a client that wants no thoughts gets none, but calls carry them', () => {
  const silent = { enabled: null, effort: null, budgetTokens: 9, isAdaptive: false, isShown: false, summary: null }
  const change = { request: { ...BLANK_REQUEST, reasoning: silent } }
  const events = answer(block(reasoning(), ['secret'], foreign('1')), block(call('f')))
  for (const parts of [partsWritten(events, change).slice(0, -1), wholeParts(events, change)]) {
    assert.equal(parts.length, 1)
    assert.deepEqual(signaturesOf(parts), [[0, [['1', 'reasoning', 'secret', undefined]]]])
  }
})

test('media are data; what other issuers alone know is left out', () => {
  const events = answer(
    block({ type: 'media', mimeType: 'image/png', data: 'AA==', kind: 'image' }),
    block({ type: 'opaque', issuer: 'anthropic-messages', value: { type: 'server_tool_use' } }),
    block({ type: 'opaque', issuer: 'gemini', value: { executableCode: { code: '1' } } }),
  )
  const parts = [{ inlineData: { mimeType: 'image/png', data: 'AA==' } }, { executableCode: { code: '1' } }]
  assert.deepEqual(partsWritten(events), [...parts, { text: '' }])
  assert.deepEqual(wholeParts(events), parts)
})

const lastCandidate = (events: readonly ChatEvent[], change = {}) => {
  const { content: _, ...streamedCandidate } = (
    written(events, change).at(-1) as { candidates: Record<string, unknown>[] }
  ).candidates[0]!
  const { content: __, ...wholeCandidate } = (whole(events, change)['candidates'] as Record<string, unknown>[])[0]!
  assert.deepEqual(streamedCandidate, wholeCandidate)
  return wholeCandidate
}

test('sources with an address are told in bytes of the whole text', () => {
  const events = [...answer(block(text, ['é']), block(text, ['né!'])), finish('stop')]
  const at = events.findLastIndex(({ type }) => type === 'block-end')
  const cite = (citation: object): ChatEvent => ({ type: 'block-citation', index: 1, citation })
  events.splice(
    at,
    0,
    cite({ url: 'https://u', title: 't', startIndex: 0, endIndex: 2 }),
    cite({ url: 'https://v' }),
    cite({ title: 'no address', startIndex: 0 }),
  )
  const sources = [{ uri: 'https://u', title: 't', startIndex: 2, endIndex: 5 }, { uri: 'https://v' }]
  assert.deepEqual(lastCandidate(events), {
    finishReason: 'STOP',
    index: 0,
    citationMetadata: { citationSources: sources },
  })
})

test('probabilities are told in the form of Gemini', () => {
  const token = { token: 'a', logprob: -1, bytes: [97], top_logprobs: [{ token: 'b', logprob: -2, bytes: null }] }
  const events = answer(block(text, ['a']))
  events.splice(-1, 0, { type: 'block-logprobs', index: 0, tokens: [token] })
  assert.deepEqual(lastCandidate(events)['logprobsResult'], {
    chosenCandidates: [{ token: 'a', logProbability: -1 }],
    topCandidates: [{ candidates: [{ token: 'b', logProbability: -2 }] }],
  })
})

test('what an upstream of Gemini told besides is told again', () => {
  const fragment = (value: unknown): ChatEvent => ({ type: 'opaque', issuer: 'gemini', value })
  const events = [
    ...answer(block(text, ['a'])),
    fragment({ candidates: [{ index: 0, safetyRatings: [1] }] }),
    fragment({ candidates: [{ index: 0, groundingMetadata: {} }] }),
    fragment({ turnToken: 't' }),
    { type: 'opaque', issuer: 'openai-chat', value: { system_fingerprint: 'f' } } as const,
    finish('stop', { raw: 'STOP' }),
  ]
  const change = { upstream: 'gemini' } as const
  assert.deepEqual(lastCandidate(events, change), {
    finishReason: 'STOP',
    index: 0,
    safetyRatings: [1],
    groundingMetadata: {},
  })
  assert.equal(whole(events, change)['turnToken'], 't')
  assert.equal((written(events, change).at(-1) as { turnToken: string }).turnToken, 't')
})

test('a blocked prompt has no candidate', () => {
  const promptFeedback = { blockReason: 'SAFETY' }
  const events = [
    START,
    { type: 'opaque', issuer: 'gemini', value: { promptFeedback } } as const,
    finish('content-filter', { raw: 'blocked:SAFETY' }),
  ]
  const change = { upstream: 'gemini' } as const
  assert.deepEqual(written(events, change), [{ promptFeedback }])
  assert.deepEqual(whole(events, change), { promptFeedback, modelVersion: 'public-model', responseId: ANSWER_ID })
})

test('usage is told in the counts of Gemini', () => {
  const told = (usage: Partial<Usage>) => {
    const none = { input: null, cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: null, reasoning: null }
    const events: ChatEvent[] = [
      START,
      { type: 'usage', usage: { ...none, input: 999, source: 'upstream' }, total: null },
      { type: 'usage', usage: { ...none, ...usage, source: 'upstream' }, total: 1 },
      finish('stop'),
    ]
    const { usageMetadata } = whole(events)
    assert.deepEqual((written(events).at(-1) as { usageMetadata?: unknown }).usageMetadata, usageMetadata)
    return usageMetadata
  }
  assert.deepEqual(told({ input: 1, cacheRead: 2, cacheWrite: 4, cacheWrite1h: 8, output: 20, reasoning: 5 }), {
    promptTokenCount: 15,
    candidatesTokenCount: 15,
    thoughtsTokenCount: 5,
    cachedContentTokenCount: 2,
    totalTokenCount: 35,
  })
  assert.deepEqual(told({ input: 0, output: 0 }), { promptTokenCount: 0, candidatesTokenCount: 0, totalTokenCount: 0 })
  assert.deepEqual(told({ input: 3 }), { promptTokenCount: 3, totalTokenCount: 3 })
  assert.deepEqual(told({ output: 3, reasoning: 9 }), {
    candidatesTokenCount: 0,
    thoughtsTokenCount: 3,
    totalTokenCount: 3,
  })
  assert.equal(told({}), undefined)
})

test('several candidates each have their parts and their end', () => {
  const events = [
    ...answer(block(text, ['a']), block(text, ['b'], undefined, 1)),
    finish('stop'),
    finish('length', { candidate: 1 }),
  ]
  const content = (value: string) => ({ content: { parts: [{ text: value }], role: 'model' } })
  assert.deepEqual(written(events), [
    { candidates: [{ ...content('a'), index: 0 }] },
    { candidates: [{ ...content('b'), index: 1 }] },
    {
      candidates: [
        { ...content(''), finishReason: 'STOP', index: 0 },
        { ...content(''), finishReason: 'MAX_TOKENS', index: 1 },
      ],
    },
  ])
  assert.deepEqual(whole(events)['candidates'], [
    { ...content('a'), finishReason: 'STOP', index: 0 },
    { ...content('b'), finishReason: 'MAX_TOKENS', index: 1 },
  ])
})

test('a failure is an error object, at any time', () => {
  const failure = { status: 429, message: 'slow', code: 'upstream_rate_limited' }
  const encoder = geminiClient.openEncoder(contextOf())
  const expected = [{ error: { code: 429, message: 'slow', status: 'RESOURCE_EXHAUSTED' } }]
  assert.deepEqual(dataOf(encoder.fail(failure)), expected)
  for (const event of answer(block(call('f'), ['{'])).slice(0, -1)) encoder.push(event)
  assert.deepEqual(dataOf(encoder.fail(failure)), expected)
})
