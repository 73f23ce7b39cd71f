import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collect } from '#ir/collect.ts'
import { responseOf, shortly, streamed } from './testbed.ts'

const stop = { finishReason: 'STOP' }
const shortStream = (...frames: unknown[]) => shortly(streamed(...frames).events)

test('an answer starts with what the upstream says of itself', () => {
  const { events } = streamed({
    candidates: [],
    responseId: 'r',
    modelVersion: 'gemini-x',
    createTime: '2026-01-02T03:04:05.999Z',
  })
  assert.deepEqual(events, [{ type: 'response-start', id: 'r', model: 'gemini-x', createdAt: 1767323045 }])
  assert.deepEqual(streamed({ candidates: [] }, { responseId: 'late' }).events, [
    { type: 'response-start', id: null, model: null, createdAt: null },
  ])
})

test('what comes in one frame goes out at once', () => {
  const { pushes, complete } = streamed(
    responseOf([{ text: 'a', thought: true }]),
    responseOf([{ text: 'b' }]),
    responseOf([{ text: 'c' }], stop),
  )
  assert.deepEqual(pushes.map(shortly), [
    ['start 0 reasoning', '0+a'],
    ['end 0', 'start 1 text', '1+b'],
    ['1+c'],
    ['end 1', 'finish stop STOP'],
  ])
  assert.equal(complete, true)
})

test('lines may end in CRLF, and the last event need not end', () => {
  const text = JSON.stringify(responseOf([{ text: 'é😀' }], stop))
  const expected = ['start 0 text', '0+é😀', 'end 0', 'finish stop STOP']
  assert.deepEqual(shortStream(`data: ${text}\r\n\r\n`), expected)
  assert.deepEqual(shortStream(`data: ${text}`), expected)
  assert.deepEqual(shortStream(': hello\n\n', `data:${text}\n\n`, 'data: [DONE]\n\n', '\n\n'), expected)
})

test('a signature ends its block; a signed text stands for itself', () => {
  assert.deepEqual(shortStream(responseOf([{ text: 'a' }]), responseOf([{ text: '', thoughtSignature: 's' }], stop)), [
    'start 0 text',
    '0+a',
    '0#s',
    'end 0',
    'finish stop STOP',
  ])
  assert.deepEqual(shortStream(responseOf([{ text: 'a' }, { text: 'b', thoughtSignature: 's' }, { text: 'c' }])), [
    'start 0 text',
    '0+a',
    'end 0',
    'start 1 text',
    '1+b',
    '1#s',
    'end 1',
    'start 2 text',
    '2+c',
    'end 2',
  ])
  assert.deepEqual(
    shortStream(
      responseOf([
        { text: 't', thought: true },
        { text: 'u', thought: true, thoughtSignature: 's' },
      ]),
    ),
    ['start 0 reasoning', '0+t', '0+u', '0#s', 'end 0'],
  )
  assert.deepEqual(shortStream(responseOf([{ thoughtSignature: 's' }, { text: '' }])), ['start 0 text', '0#s', 'end 0'])
})

test('calls with and without id and arguments', () => {
  const { events } = streamed(
    responseOf(
      [
        { functionCall: { name: 'f', args: { a: 0 }, id: 'i' }, thoughtSignature: 's' },
        { functionCall: { name: 'g', args: {} } },
        { functionCall: { name: 'h', id: '' } },
        { text: 'x' },
      ],
      stop,
    ),
  )
  assert.deepEqual(shortly(events), [
    'start 0 tool-call i f',
    '0+{"a":0}',
    'end 0',
    'start 1 tool-call null g',
    '1+{}',
    'end 1',
    'start 2 tool-call null h',
    'end 2',
    'start 3 text',
    '3+x',
    'end 3',
    'finish tool-calls STOP',
  ])
  const [, start] = events
  assert.deepEqual(start?.type === 'block-start' && start.block.type === 'tool-call' && start.block.seal, {
    issuer: 'gemini',
    kind: 'signature',
    value: 's',
  })
})

test('no number in arguments is rounded', () => {
  const text =
    '{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"n":12345678901234567890}}}]}}]}'
  assert.deepEqual(shortStream(`data: ${text}\n\n`)[1], '0+{"n":12345678901234567890}')
})

test('arguments in pieces are deltas', () => {
  const piece = (functionCall: unknown) => responseOf([{ functionCall }])
  const { pushes } = streamed(
    piece({ name: 'f', willContinue: true }),
    piece({ partialArgs: [{ jsonPath: '$.a', stringValue: 'x', willContinue: true }], willContinue: true }),
    piece({ partialArgs: [{ jsonPath: '$.a', stringValue: 'y' }], willContinue: true }),
    piece({ willContinue: true }),
    piece({}),
    piece({ name: 'g' }),
    responseOf([{ functionCall: { name: 'h', partialArgs: [{ jsonPath: '$.b', numberValue: 0 }] } }], stop),
  )
  assert.deepEqual(pushes.map(shortly), [
    ['start 0 tool-call null f'],
    ['0+{"a":"x'],
    ['0+y"'],
    [],
    ['0+}', 'end 0'],
    ['start 1 tool-call null g', 'end 1'],
    ['start 2 tool-call null h', '2+{"b":0', '2+}', 'end 2'],
    ['finish tool-calls STOP'],
  ])
})

test('pieces that never end are closed by what follows; pieces that do not fit are a failure', () => {
  const open = responseOf([
    { functionCall: { name: 'f', willContinue: true, partialArgs: [{ jsonPath: '$.a[0]', boolValue: true }] } },
  ])
  assert.deepEqual(shortStream(open, responseOf([{ text: 'x' }])).slice(0, 5), [
    'start 0 tool-call null f',
    '0+{"a":[true',
    '0+]}',
    'end 0',
    'start 1 text',
  ])
  const { failure } = streamed(
    open,
    responseOf([{ functionCall: { partialArgs: [{ jsonPath: '$.a[0]', boolValue: true }] } }]),
  )
  assert.deepEqual((failure as { code: string }).code, 'upstream_bad_response')
})

test('media, and what only Gemini knows', () => {
  const { events } = streamed(
    responseOf([
      { inlineData: { mimeType: 'image/png', data: 'AA==' } },
      { inlineData: { mimeType: 'application/pdf', data: 'AA==' } },
      { inlineData: { mimeType: 'image/png', data: 'AA==' }, thought: true },
      { executableCode: { code: '1' }, thoughtSignature: 's' },
      {},
    ]),
  )
  const heads = events.flatMap((event) => (event.type === 'block-start' ? [event.block] : []))
  const opaque = (value: unknown) => ({ type: 'opaque', issuer: 'gemini', value })
  assert.deepEqual(heads, [
    { type: 'media', kind: 'image', mimeType: 'image/png', data: 'AA==' },
    opaque({ inlineData: { mimeType: 'application/pdf', data: 'AA==' } }),
    opaque({ inlineData: { mimeType: 'image/png', data: 'AA==' }, thought: true }),
    opaque({ executableCode: { code: '1' }, thoughtSignature: 's' }),
  ])
  assert.equal(events.filter(({ type }) => type === 'block-end').length, 4)
})

test('the reason comes last, also when content follows it', () => {
  const { events, complete } = streamed(
    responseOf([{ text: 'a' }], { finishReason: 1 }),
    responseOf([{ text: 'b' }]),
    responseOf([], { finishReason: 'MAX_TOKENS' }),
  )
  assert.deepEqual(shortly(events), ['start 0 text', '0+a', '0+b', 'end 0', 'finish length MAX_TOKENS'])
  assert.equal(complete, true)
})

test('without a reason a stream is not complete, and tells no finish', () => {
  const { events, complete } = streamed(responseOf([{ text: 'a' }], { finishReason: 'FINISH_REASON_UNSPECIFIED' }))
  assert.deepEqual(shortly(events), ['start 0 text', '0+a', 'end 0'])
  assert.equal(complete, false)
  assert.equal(streamed({ candidates: [], usageMetadata: {} }).complete, false)
  assert.equal(streamed().complete, false)
})

test('reasons of failed calls are errors', () => {
  assert.deepEqual(shortStream(responseOf([], { finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: 'no' })), [
    'opaque',
    'finish error MALFORMED_FUNCTION_CALL',
  ])
})

test('several candidates are several answers', () => {
  const { events, complete } = streamed(
    {
      candidates: [
        { content: { parts: [{ text: 'a' }] }, index: 0 },
        { content: { parts: [{ text: 'x' }] }, index: 1 },
      ],
    },
    { candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] }, index: 1, finishReason: 'STOP' }] },
    { candidates: [{ content: { parts: [{ text: 'b' }] }, finishReason: 'STOP' }] },
  )
  assert.deepEqual(shortly(events), [
    'start 0 text',
    '0+a',
    'start 1 text of 1',
    '1+x',
    'end 1',
    'start 2 tool-call null f of 1',
    'end 2',
    '0+b',
    'end 0',
    'finish stop STOP',
    'finish tool-calls STOP of 1',
  ])
  assert.equal(complete, true)
  const half = { candidates: [{ index: 0, finishReason: 'STOP' }, { index: 1 }] }
  assert.equal(streamed(half).complete, false)
})

test('a refused prompt is a filtered answer', () => {
  const { events, complete } = streamed({ promptFeedback: { blockReason: 'SAFETY' } })
  assert.deepEqual(shortly(events), ['opaque', 'finish content-filter blocked:SAFETY'])
  assert.equal(complete, true)
  assert.equal(streamed({ promptFeedback: { safetyRatings: [] } }).complete, false)
  assert.equal(streamed({ promptFeedback: { blockReason: 'BLOCK_REASON_UNSPECIFIED' } }).complete, false)
})

test('the last usage counts, and each is told when it comes', () => {
  const usage = (promptTokenCount: number, more: object = {}) => ({ usageMetadata: { promptTokenCount, ...more } })
  const { events } = streamed(
    usage(3),
    { usageMetadata: { trafficType: 'ON_DEMAND' } },
    usage(10, {
      cachedContentTokenCount: 4,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 7,
      toolUsePromptTokenCount: 1,
      totalTokenCount: 23,
    }),
  )
  assert.equal(events.filter(({ type }) => type === 'usage').length, 2)
  assert.deepEqual(collect(events).usage, {
    input: 7,
    cacheRead: 4,
    cacheWrite: null,
    cacheWrite1h: null,
    output: 12,
    reasoning: 7,
    source: 'upstream',
  })
  assert.equal(collect(events).usageTotal, 23)
})

test('sources are citations of the text before its signature, once each, and stay opaque as well', () => {
  const groundingMetadata = {
    groundingChunks: [{ web: { uri: 'u', title: 't' } }],
    groundingSupports: [{ segment: { endIndex: 3, text: 'éa' }, groundingChunkIndices: [0] }],
  }
  const { events } = streamed(
    responseOf([{ text: 'éa' }], { groundingMetadata }),
    responseOf([{ text: '', thoughtSignature: 's' }], { groundingMetadata, ...stop }),
  )
  assert.deepEqual(shortly(events), [
    'start 0 text',
    '0+éa',
    'block-citation',
    'opaque',
    'opaque',
    '0#s',
    'end 0',
    'finish stop STOP',
  ])
  assert.deepEqual(collect(events).candidates[0]!.blocks[0]!.citations, [
    { url: 'u', title: 't', citedText: 'éa', startIndex: 0, endIndex: 2 },
  ])
  assert.deepEqual(collect(events).opaque[0]!.value, { candidates: [{ index: 0, groundingMetadata }] })
})

test('probabilities come in the form of OpenAI', () => {
  const logprobsResult = {
    chosenCandidates: [{ token: 'a', logProbability: -0.5, tokenId: 7 }],
    topCandidates: [
      {
        candidates: [
          { token: 'a', logProbability: -0.5 },
          { token: 'b', logProbability: -2 },
        ],
      },
    ],
  }
  const { events } = streamed(responseOf([{ text: 'a' }], { logprobsResult, ...stop }))
  assert.deepEqual(collect(events).candidates[0]!.blocks[0]!.logprobs, [
    {
      token: 'a',
      logprob: -0.5,
      bytes: null,
      top_logprobs: [
        { token: 'a', logprob: -0.5, bytes: null },
        { token: 'b', logprob: -2, bytes: null },
      ],
    },
  ])
})
