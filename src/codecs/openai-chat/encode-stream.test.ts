import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockHead, ChatEvent, FinishReason } from '#ir/chat-event.ts'
import { openEnvelope } from '#codecs/seal-envelope.ts'
import { contextOf, dataOf, encodeStream, requestOf } from './testbed.ts'
import { chatClient } from './translation.ts'

const START: ChatEvent = { type: 'response-start', id: 'u', model: 'u', createdAt: 1 }
const start = (index: number, block: BlockHead, candidate = 0): ChatEvent => ({
  type: 'block-start',
  index,
  candidate,
  block,
})
const delta = (index: number, text: string): ChatEvent => ({ type: 'block-delta', index, text })
const end = (index: number): ChatEvent => ({ type: 'block-end', index })
const finish = (reason: FinishReason, candidate = 0, raw: string | null = null): ChatEvent => ({
  type: 'finish',
  candidate,
  reason,
  raw,
  stopSequence: null,
})
const TEXT: BlockHead = { type: 'text' }
const REASONING: BlockHead = { type: 'reasoning', id: null, isSummary: false }
const call = (id: string | null, some: object = {}): BlockHead => ({
  type: 'tool-call',
  id,
  name: 'f',
  kind: 'function',
  ...some,
})
const USAGE: ChatEvent = {
  type: 'usage',
  total: null,
  usage: { input: 1, cacheRead: 2, cacheWrite: 3, cacheWrite1h: 4, output: 5, reasoning: 0, source: 'upstream' },
}

const HEAD = {
  id: `chatcmpl-${'A'.repeat(26)}`,
  object: 'chat.completion.chunk',
  created: 1_700_000_000,
  model: 'public',
}
const chunk = (told: object, choice: object = {}, index = 0) => ({
  ...HEAD,
  choices: [{ index, delta: told, finish_reason: null, ...choice }],
})
const finished = (finish_reason: string, told: object = {}, index = 0) => chunk(told, { finish_reason }, index)
const said = (events: readonly ChatEvent[], some = {}) => encodeStream(events, { showsUsage: false, ...some })

test('an answer of text, reasoning and calls', () => {
  const seen = encodeStream([
    START,
    start(0, REASONING),
    delta(0, 'hm'),
    end(0),
    start(1, TEXT),
    delta(1, '\ud83d\ude00"\u0000'),
    { type: 'block-logprobs', index: 1, tokens: [{ token: 'x' }] },
    end(1),
    start(2, call('toolu_1')),
    delta(2, '{"x":'),
    delta(2, '1}'),
    end(2),
    start(3, call(null)),
    end(3),
    start(4, call('c', { kind: 'custom' })),
    delta(4, 'raw'),
    end(4),
    USAGE,
    finish('tool-calls'),
  ])
  const made = `call_${'A'.repeat(26)}_3`
  const calls = (...tool_calls: object[]) => chunk({ tool_calls })
  assert.deepEqual(seen, [
    chunk({ role: 'assistant', reasoning_content: 'hm', reasoning: 'hm' }),
    chunk({ content: '😀"\u0000' }),
    chunk({ content: '' }, { logprobs: { content: [{ token: 'x' }], refusal: null } }),
    calls({ index: 0, id: 'toolu_1', type: 'function', function: { name: 'f', arguments: '' } }),
    calls({ index: 0, function: { arguments: '{"x":' } }),
    calls({ index: 0, function: { arguments: '1}' } }),
    calls({ index: 1, id: made, type: 'function', function: { name: 'f', arguments: '' } }),
    calls({ index: 1, function: { arguments: '{}' } }),
    calls({ index: 2, id: 'c', type: 'custom', custom: { name: 'f', input: '' } }),
    calls({ index: 2, custom: { input: 'raw' } }),
    finished('tool_calls'),
    {
      ...HEAD,
      choices: [],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 5,
        total_tokens: 15,
        prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 7 },
        completion_tokens_details: { reasoning_tokens: 0 },
        cost: 0.000001,
      },
    },
    '[DONE]',
  ])
})

test('each event goes out at once; the end waits', () => {
  const encoder = chatClient.openEncoder(contextOf())
  assert.equal(encoder.push(START), '')
  assert.equal(encoder.push(start(0, TEXT)), '')
  assert.equal(encoder.push(delta(0, 'a')), `data: ${JSON.stringify(chunk({ role: 'assistant', content: 'a' }))}\n\n`)
  assert.equal(encoder.push(end(0)), '')
  assert.equal(encoder.push(finish('stop')), '')
  assert.equal(encoder.push(USAGE), '')
  assert.match(encoder.end(), /"cost":0\.0000010\}\}\n\ndata: \[DONE\]\n\n$/)
})

test('what was not told is not said', () => {
  const usage = { input: null, cacheRead: null, cacheWrite: null, cacheWrite1h: null, output: 2, reasoning: null }
  const events: ChatEvent[] = [{ type: 'usage', total: null, usage: { ...usage, source: 'upstream' } }, finish('stop')]
  const told = { prompt_tokens: 0, completion_tokens: 2, total_tokens: 2 }
  assert.deepEqual(encodeStream(events, { costOf: () => null })[1], { ...HEAD, choices: [], usage: told })
  assert.deepEqual(said([USAGE, finish('stop')]), [finished('stop', { role: 'assistant', content: '' }), '[DONE]'])
  assert.deepEqual(encodeStream([]), [finished('stop', { role: 'assistant', content: '' }), '[DONE]'])
})

test('words for the end are those that clients know', () => {
  const word = (reason: FinishReason) => said([start(0, TEXT), delta(0, 'a'), end(0), finish(reason, 0, 'RAW')])[1]
  for (const [reason, expected] of [
    ['stop', 'stop'],
    ['pause', 'length'],
    ['length', 'length'],
    ['tool-calls', 'tool_calls'],
    ['content-filter', 'content_filter'],
  ] as const)
    assert.deepEqual(word(reason), finished(expected))
  const error = {
    message: 'The model failed to answer: RAW.',
    type: 'server_error',
    code: 'upstream_bad_response',
    param: null,
  }
  assert.deepEqual(word('error'), { ...finished('error'), error })
  const native = said([finish('stop', 0, 'end_turn')], { isOpenRouter: true })[0]
  const choice = { finish_reason: 'stop', native_finish_reason: 'end_turn' }
  assert.deepEqual(native, chunk({ role: 'assistant', content: '' }, choice))
})

test('several candidates', () => {
  assert.deepEqual(
    said([
      start(0, TEXT, 1),
      delta(0, 'b'),
      start(1, TEXT),
      delta(1, 'a'),
      end(0),
      end(1),
      finish('stop', 1),
      finish('length'),
    ]),
    [
      chunk({ role: 'assistant', content: 'b' }, {}, 1),
      chunk({ role: 'assistant', content: 'a' }),
      finished('length'),
      finished('stop', {}, 1),
      '[DONE]',
    ],
  )
})

test('ids are unique and short, the same every time', () => {
  const ids = (...given: (string | null)[]) =>
    said(given.flatMap((id, index) => [start(index, call(id)), delta(index, '{}'), end(index)])).flatMap((one) =>
      [...JSON.stringify(one).matchAll(/"id":"((?!chatcmpl)[^"]*)"/g)].map(([, id]) => id!),
    )
  const long = 'functions.weather:0'.repeat(3)
  const [cut, again, twice, same] = ids(long, 'a', 'a', 'functions.weather:0')
  assert.equal(cut!.length, 40)
  assert.deepEqual(ids(long), [cut])
  assert.deepEqual([again, twice, same], ['a', 'a_2', 'functions.weather:0'])
})

test('refusals, media and what other protocols alone understand', () => {
  assert.deepEqual(
    said([
      start(0, { type: 'refusal' }),
      delta(0, 'no'),
      end(0),
      start(1, { type: 'media', kind: 'image', mimeType: 'image/png', data: 'QUJD' }),
      end(1),
      start(2, { type: 'media', kind: 'audio', mimeType: 'audio/wav', data: 'UklG' }),
      end(2),
      start(3, { type: 'media', kind: 'video', mimeType: 'video/mp4', data: 'AA' }),
      end(3),
      start(4, { type: 'opaque', issuer: 'gemini', value: { executableCode: {} } }),
      end(4),
      start(5, { type: 'opaque', issuer: 'openai-chat', value: { audio: { transcript: 't' } } }),
      end(5),
      { type: 'opaque', issuer: 'gemini', value: { safetyRatings: [] } },
      { type: 'opaque', issuer: 'openai-chat', value: { citations: ['u'] } },
      {
        type: 'opaque',
        issuer: 'openai-chat',
        value: { choices: [{ index: 0, message: { executed_tools: [1] }, content_filter_results: {} }] },
      },
    ]),
    [
      chunk({ role: 'assistant', refusal: 'no' }),
      chunk({ images: [{ type: 'image_url', index: 0, image_url: { url: 'data:image/png;base64,QUJD' } }] }),
      chunk({ audio: { data: 'UklG' } }),
      chunk({ audio: { transcript: 't' } }),
      { ...chunk({}), citations: ['u'] },
      chunk({ executed_tools: [1] }, { content_filter_results: {} }),
      finished('stop'),
      '[DONE]',
    ],
  )
})

test('sources are told when their text is whole', () => {
  const cite = (index: number, citation: object): ChatEvent => ({ type: 'block-citation', index, citation })
  const native = { type: 'url_citation', url_citation: { url: 'n' } }
  const seen = said([
    start(0, TEXT),
    delta(0, 'ab'),
    end(0),
    start(1, TEXT),
    cite(1, { url: 'u', title: 't', citedText: 'c' }),
    cite(1, { title: 'no address' }),
    delta(1, 'cde'),
    cite(1, { url: 'v', startIndex: 1, endIndex: 2 }),
    cite(1, { native: { issuer: 'openai-chat', value: native } }),
    end(1),
  ])
  const source = (index: number, url_citation: object) => ({ type: 'url_citation', index, url_citation })
  assert.deepEqual(seen[2], {
    ...chunk({
      annotations: [
        source(0, { url: 'u', title: 't', start_index: 2, end_index: 5, content: 'c' }),
        source(2, { url: 'v', title: '', start_index: 3, end_index: 4 }),
        native,
      ],
    }),
  })
})

test('seals go out as entries that carry them', () => {
  const sealed = (issuer: 'gemini' | 'anthropic-messages', value: string) => ({
    issuer,
    kind: 'signature' as const,
    value,
  })
  const seen = said([
    start(0, TEXT),
    delta(0, 'a'),
    { type: 'block-seal', index: 0, seal: sealed('gemini', 's0') },
    end(0),
    start(1, REASONING),
    delta(1, 'h'),
    delta(1, 'm'),
    { type: 'block-seal', index: 1, seal: sealed('anthropic-messages', 's1') },
    end(1),
    start(2, call('c', { seal: sealed('gemini', 's2') })),
    end(2),
  ])
  const entries = seen.flatMap((one) => {
    const [choice] = (one as { choices?: { delta: { reasoning_details?: Record<string, unknown>[] } }[] }).choices ?? []
    return choice?.delta.reasoning_details ?? []
  })
  const carried = (text: unknown) => openEnvelope(String(text))
  assert.deepEqual(
    entries.map(({ signature, data, ...rest }) => [rest, carried(signature ?? data)]),
    [
      [
        { type: 'reasoning.encrypted', id: null, format: 'google-gemini-v1', index: 0 },
        [{ seal: sealed('gemini', 's0'), place: 'text' }],
      ],
      [
        { type: 'reasoning.text', text: '', format: 'anthropic-claude-v1', index: 1 },
        [{ seal: sealed('anthropic-messages', 's1'), place: 'reasoning', text: 'hm' }],
      ],
      [
        { type: 'reasoning.encrypted', id: 'c', format: 'google-gemini-v1', index: 2 },
        [{ seal: sealed('gemini', 's2'), place: 'tool-call' }],
      ],
    ],
  )
})

test('reasoning that the client does not want to see is not shown, and its seal still goes out', () => {
  const request = requestOf({ reasoning: { exclude: true } })
  const seal = { issuer: 'anthropic-messages' as const, kind: 'signature' as const, value: 's' }
  const seen = said([start(0, REASONING), delta(0, 'hm'), { type: 'block-seal', index: 0, seal }, end(0)], { request })
  assert.equal(seen.length, 3)
  assert.doesNotMatch(JSON.stringify(seen), /reasoning_content|hm/)
  assert.match(JSON.stringify(seen[0]), /reasoning_details/)
})

test('a client of 2023 gets its one call in the form of 2023', () => {
  const requestBody = { functions: [{ name: 'f' }] }
  assert.deepEqual(said([start(0, call('a')), delta(0, '{}'), end(0), finish('tool-calls')], { requestBody }), [
    chunk({ role: 'assistant', function_call: { name: 'f', arguments: '' } }),
    chunk({ function_call: { arguments: '{}' } }),
    finished('function_call'),
    '[DONE]',
  ])
})

test('a failure ends the stream at any time, and never as a success', () => {
  const failed = (...events: ChatEvent[]) => {
    const encoder = chatClient.openEncoder(contextOf())
    for (const event of events) encoder.push(event)
    return dataOf(encoder.fail({ status: 502, code: 'upstream_error', message: 'gone' }))
  }
  for (const seen of [failed(), failed(START, start(0, TEXT), delta(0, 'a'))]) {
    const [only] = seen as { error: { message: string }; choices: { finish_reason: string }[] }[]
    assert.equal(seen.length, 1)
    assert.equal(only!.error.message, 'gone')
    assert.equal(only!.choices[0]!.finish_reason, 'error')
  }
})
