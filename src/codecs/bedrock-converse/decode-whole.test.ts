import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson } from '#base/exact-json.ts'
import { collect } from '#ir/collect.ts'
import { readConverseUsage } from './usage.ts'
import { decode, frame } from './testbed.ts'
import { converseUpstream } from './translation.ts'

const whole = (body: unknown) => converseUpstream.decodeWhole(body, { candidates: 1 })
const answer = (content: unknown, more: object = {}) => ({
  output: { message: { role: 'assistant', content } },
  stopReason: 'end_turn',
  ...more,
})
const blocksOf = (content: unknown) =>
  collect(whole(answer(content)).events).candidates[0]!.blocks.map(({ head, text, seal, citations }) => ({
    ...head,
    ...(text === '' ? {} : { text }),
    ...(seal === null ? {} : { seal: [seal.kind, seal.value] }),
    ...(citations.length === 0 ? {} : { citations }),
  }))

test('a whole answer tells the same events as a stream', () => {
  const usage = { inputTokens: 7, outputTokens: 9, totalTokens: 16 }
  const { events, failure } = whole(
    answer(
      [
        { reasoningContent: { reasoningText: { text: 'Hm', signature: 'sig' } } },
        { text: 'I look.' },
        { toolUse: { toolUseId: 't', name: 'look', input: { a: 1 } } },
      ],
      { stopReason: 'tool_use', usage },
    ),
  )
  assert.equal(failure, null)
  const index = (contentBlockIndex: number, more: object) => ({ contentBlockIndex, ...more })
  const streamed = decode(
    frame('messageStart', { role: 'assistant' }),
    frame('contentBlockDelta', index(0, { delta: { reasoningContent: { text: 'Hm' } } })),
    frame('contentBlockDelta', index(0, { delta: { reasoningContent: { signature: 'sig' } } })),
    frame('contentBlockStop', index(0, {})),
    frame('contentBlockDelta', index(1, { delta: { text: 'I look.' } })),
    frame('contentBlockStop', index(1, {})),
    frame('contentBlockStart', index(2, { start: { toolUse: { toolUseId: 't', name: 'look' } } })),
    frame('contentBlockDelta', index(2, { delta: { toolUse: { input: '{"a":1}' } } })),
    frame('contentBlockStop', index(2, {})),
    frame('messageStop', { stopReason: 'tool_use' }),
    frame('metadata', { usage }),
  )
  assert.deepEqual(events, streamed.events)
})

test('every kind of content', () => {
  const content = [
    { text: '' },
    { type: 'text', text: 'a' },
    { reasoningContent: { reasoningText: { text: 'b' } } },
    { reasoningContent: { redactedContent: 'AAEC' } },
    { reasoningContent: {} },
    { toolUse: { toolUseId: 't', name: 'f', type: 'server_tool_use', input: {} } },
    { toolResult: { toolUseId: 't', content: [] } },
    { image: { format: 'jpeg', source: { bytes: 'AA==' } } },
    { image: { format: 'jpeg', source: { s3Location: { uri: 's3://b/k' } } } },
    { hologram: {} },
  ]
  const reasoning = { type: 'reasoning', id: null, isSummary: false }
  const opaque = (value: unknown) => ({ type: 'opaque', issuer: 'bedrock-converse', value })
  assert.deepEqual(blocksOf(content), [
    { type: 'text' },
    { type: 'text', text: 'a' },
    { ...reasoning, text: 'b' },
    { ...reasoning, seal: ['encrypted', 'AAEC'] },
    reasoning,
    opaque(content[5]),
    opaque(content[6]),
    { type: 'media', kind: 'image', mimeType: 'image/jpeg', data: 'AA==' },
    opaque(content[8]),
    opaque(content[9]),
  ])
})

test('text that stands on sources', () => {
  const citation = { title: 'T', sourceContent: [{ text: 's' }], location: { documentPage: { start: 1, end: 2 } } }
  const [block] = blocksOf([
    { citationsContent: { citations: [citation], content: [{ text: 'It ' }, { text: 'is.' }, {}] } },
  ])
  assert.deepEqual(block, {
    type: 'text',
    text: 'It is.',
    citations: [{ title: 'T', citedText: 's', native: { issuer: 'bedrock-converse', value: citation } }],
  })
})

test('arguments keep their numbers, and none are none', () => {
  const body = parseFaithfulJson(
    '{"output":{"message":{"content":[' +
      '{"toolUse":{"toolUseId":"a","name":"f","input":{"n":12345678901234567890}}},' +
      '{"toolUse":{"toolUseId":"b","name":"f","input":{}}},{"toolUse":{"toolUseId":"c","name":"f"}}]}}}',
  )
  const { blocks } = collect(whole(body).events).candidates[0]!
  assert.deepEqual(
    blocks.map(({ text }) => text),
    ['{"n":12345678901234567890}', '{}', ''],
  )
})

test('the rest of the answer is opaque', () => {
  const more = { usage: { inputTokens: 1, outputTokens: 1 }, metrics: { latencyMs: 1 }, trace: { guardrail: {} } }
  const { opaque } = collect(whole(answer([], more)).events)
  const { metrics, trace } = more
  assert.deepEqual(opaque, [{ type: 'opaque', issuer: 'bedrock-converse', value: { metrics, trace } }])
  const fields = { additionalModelResponseFields: { stop_sequence: 'END' } }
  assert.equal(collect(whole(answer([], fields)).events).candidates[0]!.finish!.stopSequence, 'END')
})

test('a 200 that is no answer', () => {
  const failure = (body: unknown) => whole(body).failure
  assert.deepEqual(failure({ message: 'Too many tokens.' }), {
    status: 502,
    code: 'upstream_error',
    message: 'Too many tokens.',
  })
  assert.equal(failure({ error: { code: 429, message: 'slow' } })?.status, 429)
  for (const body of [null, [], 'text', {}, { output: {} }, { output: { message: 'x' } }]) {
    assert.deepEqual(whole(body).events, [])
    assert.equal(failure(body)?.status, 502, JSON.stringify(body))
  }
  // Content that is missing is an empty answer.
  assert.deepEqual(blocksOf(undefined), [])
})

const NONE = { input: null, cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: null, reasoning: null }

test('usage in disjoint classes; what was not told is null', () => {
  const usage = (fields: object) => readConverseUsage(fields)
  const full = {
    inputTokens: 10,
    outputTokens: 5,
    totalTokens: 1115,
    cacheReadInputTokens: 100,
    cacheWriteInputTokens: 1000,
    cacheDetails: [
      { ttl: '1h', inputTokens: 300 },
      { ttl: '5m', inputTokens: 700 },
    ],
  }
  assert.deepEqual(usage(full), {
    usage: {
      input: 10,
      cacheRead: 100,
      cacheWrite: 700,
      cacheWrite1h: 300,
      output: 5,
      reasoning: null,
      source: 'upstream',
    },
    total: 1115,
  })
  assert.deepEqual(usage({ inputTokens: 0, outputTokens: 0 }), {
    usage: { ...NONE, input: 0, output: 0, source: 'upstream' },
    total: null,
  })
  const older = usage({ inputTokens: 1, outputTokens: 1, cacheReadInputTokenCount: 0, cacheWriteInputTokenCount: 4 })
  assert.deepEqual([older?.usage.cacheRead, older?.usage.cacheWrite, older?.usage.cacheWrite1h], [0, 4, null])
})

test('a usage that is none does not count', () => {
  for (const fields of [{}, null, { inputTokens: -1, outputTokens: 1 }, { inputTokens: 1, outputTokens: '1' }, 'x'])
    assert.equal(readConverseUsage(fields), null, JSON.stringify(fields))
})
