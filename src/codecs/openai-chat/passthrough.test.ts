import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  assertRefused,
  BAD_COUNTS,
  dataOf,
  DEPTH_MAX,
  factsOf,
  fixture,
  readStream,
  rewritten,
} from '#codecs/testbed.ts'
import { chatPassthrough as codec } from './passthrough.ts'

const chunk = (delta: unknown, rest: object = {}) =>
  `data: ${JSON.stringify({ id: 'c', model: 'm', choices: [{ index: 0, delta, finish_reason: null }], ...rest })}\n\n`
const finish = (reason: string, index = 0) =>
  `data: ${JSON.stringify({ id: 'c', model: 'm', choices: [{ index, delta: {}, finish_reason: reason }] })}\n\n`

test('reads what routing and metering need', () => {
  const facts = factsOf(codec, { model: 'a/b:c', stream: true, max_tokens: 9, n: 3, messages: [] })
  assert.equal(facts.model, 'a/b:c')
  assert.equal(facts.stream, true)
  assert.equal(facts.outputTokensMax, 9)
  assert.equal(facts.candidates, 3)
  assert.equal(facts.showsUsage, null)
  assert.deepEqual(facts.unseen, { mediaCount: 0, unbounded: false })
})

test('zero is a value, and null is absence', () => {
  assert.equal(factsOf(codec, { model: 'm', max_tokens: 0 }).outputTokensMax, 0)
  assert.equal(factsOf(codec, { model: 'm', n: 0 }).candidates, 0)
  const facts = factsOf(codec, {
    model: null,
    stream: null,
    max_tokens: null,
    max_completion_tokens: null,
    n: null,
    stream_options: null,
  })
  assert.equal(facts.model, null)
  assert.equal(facts.stream, false)
  assert.equal(facts.outputTokensMax, null)
  assert.equal(facts.candidates, 1)
  assert.equal(facts.showsUsage, null)
})

test('the newer spelling of the limit counts before the older one', () => {
  assert.equal(factsOf(codec, { max_tokens: 5, max_completion_tokens: 7 }).outputTokensMax, 7)
  assert.equal(factsOf(codec, { max_tokens: 5, max_completion_tokens: null }).outputTokensMax, 5)
})

test('tells whether the client wants the usage frame', () => {
  const shown = (options: unknown) => factsOf(codec, { stream_options: options }).showsUsage
  assert.equal(shown({ include_usage: true }), true)
  assert.equal(shown({ include_usage: false }), false)
  assert.equal(shown({ include_usage: null }), null)
  assert.equal(shown({}), null)
  assert.equal(shown({ x: { include_usage: true } }), null)
  assertRefused(codec, { stream_options: { include_usage: 1 } }, 'invalid_parameter', 'stream_options.include_usage')
})

test('counts media and files that the body only refers to', () => {
  const parts = [
    { type: 'image_url', image_url: { url: 'https://a.example/1.png' } },
    { type: 'video_url', video_url: { url: 'https://a.example/1.mp4' } },
  ]
  const { unseen } = factsOf(codec, { messages: [{ role: 'user', content: parts }] })
  assert.ok(unseen.mediaCount >= 2)
  assert.equal(unseen.unbounded, false)
  assert.equal(factsOf(codec, { file: { file_id: 'f' } }).unseen.unbounded, true)
})

test('refuses what the gateway must understand and cannot', () => {
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    for (const value of BAD_COUNTS) assertRefused(codec, `{"model":"m","${name}":${value}}`, 'invalid_parameter', name)
  }
  assert.equal(factsOf(codec, { max_tokens: 2147483647 }).outputTokensMax, 2147483647)
  assert.equal(factsOf(codec, { n: 128 }).candidates, 128)
  assertRefused(codec, { n: 129 }, 'invalid_parameter', 'n')
  assertRefused(codec, { n: 1e6 }, 'invalid_parameter', 'n')
  assertRefused(codec, { stream: 'yes' }, 'invalid_parameter', 'stream')
  assertRefused(codec, { stream: 1 }, 'invalid_parameter', 'stream')
  assertRefused(codec, { model: 5 }, 'invalid_parameter', 'model')
  assertRefused(codec, { model: '' }, 'missing_model', 'model')
})

test('refuses members that occur twice, also when one is spelled with escapes', () => {
  assertRefused(codec, '{"model":"a","model":"b"}', 'invalid_request', 'model')
  assertRefused(codec, '{"model":"a","mod\\u0065l":"b"}', 'invalid_request', 'model')
  assertRefused(codec, '{"stream":true,"str\\u0065am":false}', 'invalid_request', 'stream')
  assertRefused(codec, '{"max_tokens":1,"max\\u005ftokens":2}', 'invalid_request', 'max_tokens')
  assertRefused(
    codec,
    '{"max_completion_tokens":1,"max_completion_tokens":2}',
    'invalid_request',
    'max_completion_tokens',
  )
  assertRefused(codec, '{"n":1,"n":100}', 'invalid_request', 'n')
  assertRefused(codec, '{"stream_options":{},"stream_options":null}', 'invalid_request', 'stream_options')
})

test('refuses what is no JSON object', () => {
  for (const body of ['', 'x', '{"a":1', '[]', '1', '{"a":}', '{"model":"a"}x', '\u0000{}'])
    assertRefused(codec, body, 'invalid_json')
  const nested = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
  assert.equal(factsOf(codec, nested(DEPTH_MAX - 1)).model, null)
  assertRefused(codec, nested(DEPTH_MAX), 'invalid_json')
})

test('replaces the model and leaves every other byte', () => {
  const body =
    '{ "9":1, "model" : "old\\u002dname" , "seed": 123456789012345678901234, "1":2.50,\n"x":{"model":"old"} }'
  assert.equal(
    rewritten(codec, body, { model: 'new "quoted" ü' }),
    body.replace('"old\\u002dname"', '"new \\"quoted\\" ü"'),
  )
})

test('inserts what is absent, also into an empty object', () => {
  const all = { model: 'm', outputTokensMax: 5, includeUsage: true }
  const members = '"model":"m","max_tokens":5,"stream_options":{"include_usage":true}'
  assert.equal(rewritten(codec, '{}', all), `{${members}}`)
  assert.equal(rewritten(codec, ' { "a":1}', all), ` {${members}, "a":1}`)
  assert.equal(rewritten(codec, '{"model":null}', { model: 'm' }), '{"model":"m"}')
})

test('lowers the limit where it stands', () => {
  const lowered = (body: string) => rewritten(codec, body, { model: 'm', outputTokensMax: 5 })
  assert.equal(lowered('{"model":"m","max_tokens": 90 }'), '{"model":"m","max_tokens": 5 }')
  assert.equal(lowered('{"model":"m","max_completion_tokens":90}'), '{"model":"m","max_completion_tokens":5}')
  assert.equal(lowered('{"model":"m","a":1}'), '{"max_tokens":5,"model":"m","a":1}')
  // A second member behind an inserted one would overrule it.
  assert.equal(lowered('{"model":"m","max_tokens":null}'), '{"model":"m","max_tokens":5}')
  assert.equal(
    lowered('{"model":"m","max_tokens":90,"max_completion_tokens":null}'),
    '{"model":"m","max_tokens":5,"max_completion_tokens":null}',
  )
})

test('asks a stream for its usage whatever the client said', () => {
  const asked = (options: string) =>
    rewritten(codec, `{"model":"m","stream_options":${options}}`, { model: 'm', includeUsage: true }).slice(30, -1)
  assert.equal(asked('null'), '{"include_usage":true}')
  assert.equal(asked('"odd"'), '{"include_usage":true}')
  assert.equal(asked('{ }'), '{"include_usage":true }')
  assert.equal(asked('{"include_usage":false}'), '{"include_usage":true}')
  assert.equal(asked('{"include_usage": null, "x":1}'), '{"include_usage": true, "x":1}')
  assert.equal(asked('{"x":1}'), '{"include_usage":true,"x":1}')
})

test('reads a whole answer', () => {
  const body = Buffer.from(fixture(import.meta, 'answer.json'))
  const facts = codec.readAnswer(body)
  assert.equal(body.toString('utf8', facts.modelSpan!.start, facts.modelSpan!.end), '"vendor-x"')
  assert.equal(body.toString('utf8', facts.usageOpen! - 1, facts.usageOpen! + 17), '{ "prompt_tokens":')
  assert.deepEqual(
    [facts.finishReason, facts.responseId, facts.toolCallsCount, facts.failure],
    ['tool_calls', 'chat-2', 2, null],
  )
  assert.deepEqual([facts.usage?.input, facts.usage?.cacheRead, facts.usage?.output], [15, 5, 30])
})

test('an answer without a usable usage counts its text', () => {
  const answer = (usage: unknown) =>
    codec.readAnswer(
      Buffer.from(JSON.stringify({ choices: [{ message: { content: '12345', reasoning: 'abc' } }], usage })),
    )
  for (const usage of [undefined, null, {}, 'x', { prompt_tokens: -1, completion_tokens: 2 }]) {
    assert.equal(answer(usage).usage, null)
    assert.equal(answer(usage).contentBytes, 8)
  }
})

test('a 200 that is no answer is a failure', () => {
  const failureOf = (body: unknown) => codec.readAnswer(Buffer.from(JSON.stringify(body))).failure
  assert.equal(failureOf({ error: { message: 'no', code: 429 } })?.status, 429)
  assert.equal(failureOf({ error: 'boom', choices: [] })?.message, 'boom')
  assert.equal(failureOf({ detail: 'x' })?.code, 'upstream_bad_response')
  assert.equal(failureOf([1])?.code, 'upstream_bad_response')
  assert.equal(failureOf({ error: null, choices: [] }), null)
})

test('reads a stream event by event', () => {
  const { events, roles, reader } = readStream(codec, fixture(import.meta, 'stream.sse'))
  assert.deepEqual(roles, [
    'noise',
    'lifecycle',
    'content',
    'content',
    'content',
    'content',
    'usage',
    'usage',
    'terminal',
  ])
  for (const { role, model } of events)
    assert.equal(model, role === 'noise' || role === 'terminal' ? null : '"vendor-x"')
  assert.deepEqual(
    events.map(({ usageAt }) => usageAt),
    [null, null, null, null, null, null, '{"', '{"', null],
  )
  assert.deepEqual([reader.usage?.input, reader.usage?.output], [7, 9])
  assert.equal(reader.finishReason, 'tool_calls')
  assert.equal(reader.responseId, 'chat-1')
  assert.equal(reader.toolCallsCount, 1)
  // Quotes inside the text are written as two bytes; what is counted are the bytes of the wire.
  assert.equal(reader.contentBytes, Buffer.byteLength('Grüße \\"a\\"') + 'name'.length)
  assert.equal(reader.failure, null)
  assert.equal(reader.complete, true)
})

test('a stream is complete when every answer is finished, or when it says so', () => {
  const complete = (text: string, candidates = 1) => readStream(codec, text, { candidates }).reader.complete
  assert.equal(complete(chunk({ content: 'a' })), false)
  assert.equal(complete(chunk({ content: 'a' }) + finish('stop')), true)
  assert.equal(complete(finish('stop', 0), 2), false)
  assert.equal(complete(finish('stop', 0) + finish('length', 1), 2), true)
  assert.equal(complete(chunk({ content: 'a' }) + 'data: [DONE]\n\n'), true)
  assert.equal(complete(chunk({ content: 'a' }), 0), false)
})

test('the end may be padded', () => {
  for (const end of [
    'data: [DONE]\n\n',
    'data:[DONE]\n\n',
    'data: [DONE]   \n\n',
    'data:  [DONE]\r\n\r\n',
    'data: [DONE]',
  ]) {
    assert.deepEqual(readStream(codec, end).roles, ['terminal'], JSON.stringify(end))
  }
  assert.deepEqual(readStream(codec, 'data: [DONE] or is it not\n\n').roles, ['lifecycle'])
})

test('content of every spelling commits the answer', () => {
  const deltas = [
    { content: 'a' },
    { refusal: 'a' },
    { reasoning_content: 'a' },
    { reasoning: 'a' },
    { reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }] },
    { content: [{ type: 'text', text: 'a' }] },
    { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'a' }] }] },
    { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: '' } }] },
    { function_call: { name: 'f', arguments: '' } },
    { audio: { id: 'a' } },
    { images: [{}] },
  ]
  for (const delta of deltas)
    assert.deepEqual(readStream(codec, chunk(delta)).roles, ['content'], JSON.stringify(delta))
  const empty = [{}, { role: 'assistant' }, { content: null, tool_calls: [] }, { content: '', reasoning_details: null }]
  for (const delta of empty)
    assert.deepEqual(readStream(codec, chunk(delta)).roles, ['lifecycle'], JSON.stringify(delta))
})

test('text that is sent in two spellings is counted once', () => {
  const delta = { reasoning: 'abcd', reasoning_content: 'abcd', reasoning_details: [{ text: 'abcd' }] }
  assert.equal(readStream(codec, chunk(delta)).reader.contentBytes, 4)
})

test('calls are counted by their names', () => {
  const calls = [
    { index: 0, function: { name: 'f', arguments: '' } },
    { index: 1, function: { name: 'g', arguments: '"name"' } },
  ]
  const text =
    chunk({ tool_calls: calls }) + chunk({ tool_calls: [{ index: 1, function: { name: '', arguments: 'name' } }] })
  assert.equal(readStream(codec, text).reader.toolCallsCount, 2)
})

test('an event that is no JSON, and a comment that looks like content, count for nothing', () => {
  const odd = ['data: {broken\n\n', 'data: <html>\n\n', 'data:\n\n', 'event: x\n\n', ': "finish_reason":"stop"\n\n']
  const { roles, reader } = readStream(codec, odd.join(''))
  assert.deepEqual(roles, ['lifecycle', 'lifecycle', 'lifecycle', 'noise', 'noise'])
  assert.equal(reader.complete, false)
  assert.deepEqual(readStream(codec, `: "finish_reason":"unfinished\n${chunk({ content: 'a' })}`).roles, ['content'])
})

test('an error inside the stream is a failure with the status it means', () => {
  const failing = (error: unknown) => readStream(codec, `data: ${JSON.stringify({ choices: [], error })}\n\n`)
  const { roles, reader } = failing({ message: 'slow down', type: 'tokens', code: 'rate_limit_exceeded' })
  assert.deepEqual(roles, ['failure'])
  assert.equal(reader.failure?.status, 429)
  assert.equal(reader.failure?.message, 'slow down')
  assert.equal(reader.complete, false)
  assert.equal(failing({ code: 503, message: 'x' }).reader.failure?.status, 503)
  assert.equal(failing('boom').reader.failure?.message, 'boom')
  assert.equal(failing({ type: 'constructor' }).reader.failure?.status, 502)
  assert.deepEqual(failing(null).roles, ['lifecycle'])
})

test('a failure after the first byte is one chunk with an error, and no end', () => {
  const text = codec.failureEvents({ status: 502, code: 'upstream_unavailable', message: 'cut\n"off"' })
  const [data] = dataOf(text) as [{ error: object; choices: { finish_reason: string }[] }]
  assert.deepEqual(data.error, {
    message: 'cut\n"off"',
    type: 'server_error',
    code: 'upstream_unavailable',
    param: null,
  })
  assert.equal(data.choices[0]!.finish_reason, 'error')
  assert.ok(!text.includes('[DONE]'))
  assert.deepEqual(readStream(codec, text).roles, ['failure'])
})
