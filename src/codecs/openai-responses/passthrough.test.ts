import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRefused, BAD_COUNTS, dataOf, factsOf, fixture, readStream, rewritten } from '#codecs/testbed.ts'
import { responsesPassthrough as codec } from './passthrough.ts'

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const answer = (body: object) => codec.readAnswer(Buffer.from(JSON.stringify(body)))

test('reads what routing and metering need', () => {
  const facts = factsOf(codec, { model: 'm', stream: true, max_output_tokens: 0, input: 'hi' })
  assert.deepEqual([facts.model, facts.stream, facts.outputTokensMax, facts.candidates], ['m', true, 0, 1])
  const absent = factsOf(codec, { model: null, stream: null, max_output_tokens: null, previous_response_id: null })
  assert.deepEqual([absent.model, absent.stream, absent.outputTokensMax], [null, false, null])
  assert.deepEqual(absent.unseen, { mediaCount: 0, unbounded: false })
})

test('state and files at the provider have no bound but the context window', () => {
  const unbounded = (body: object) => factsOf(codec, body).unseen.unbounded
  assert.equal(unbounded({ previous_response_id: 'resp' }), true)
  assert.equal(unbounded({ conversation: { id: 'c' } }), true)
  assert.equal(unbounded({ input: [{ type: 'input_file', file_id: 'f' }] }), true)
  assert.equal(unbounded({ input: [{ type: 'input_file', file_url: 'https://a.example/x.pdf' }] }), true)
  const images = [{ type: 'input_image' }, { type: 'input_image' }]
  assert.deepEqual(factsOf(codec, { input: images }).unseen, { mediaCount: 2, unbounded: false })
})

test('refuses what the gateway must understand and cannot', () => {
  for (const value of BAD_COUNTS)
    assertRefused(codec, `{"max_output_tokens":${value}}`, 'invalid_parameter', 'max_output_tokens')
  assertRefused(codec, { stream: 'yes' }, 'invalid_parameter', 'stream')
  assertRefused(codec, '{"model":"a","m\\u006fdel":"b"}', 'invalid_request', 'model')
  assertRefused(codec, '{"stream":true,"stream":false}', 'invalid_request', 'stream')
  assertRefused(codec, '{"max_output_tokens":1,"max_output_tokens":2}', 'invalid_request', 'max_output_tokens')
  assertRefused(codec, '[]', 'invalid_json')
})

test('writes the model and a lower limit, and leaves every other byte', () => {
  const changes = { model: 'new', outputTokensMax: 5, includeUsage: true }
  assert.equal(
    rewritten(codec, '{ "2":1,"model": "old","max_output_tokens" :90, "1":1e2 }', changes),
    '{ "2":1,"model": "new","max_output_tokens" :5, "1":1e2 }',
  )
  assert.equal(rewritten(codec, '{}', changes), '{"model":"new","max_output_tokens":5}')
  assert.equal(rewritten(codec, '{"max_output_tokens":null}', changes), '{"model":"new","max_output_tokens":5}')
})

test('reads a stream event by event, with and without event lines', () => {
  const text = fixture(import.meta, 'stream.sse')
  for (const form of [text, text.replaceAll(/^event:.*\n/gm, '')]) {
    const { events, roles, reader } = readStream(codec, form)
    assert.deepEqual(roles, [
      'lifecycle',
      'lifecycle',
      'lifecycle',
      'lifecycle',
      'content',
      'content',
      'content',
      'terminal',
      'noise',
    ])
    assert.deepEqual(
      events.map(({ model }) => model),
      ['"vendor-x"', '"vendor-x"', null, null, null, null, null, '"vendor-x"', null],
    )
    assert.deepEqual(
      events.map(({ usageAt }) => usageAt).filter((at) => at !== null),
      ['{"'],
    )
    assert.deepEqual([reader.usage?.input, reader.usage?.output, reader.usage?.reasoning], [10, 4, 1])
    assert.deepEqual([reader.responseId, reader.finishReason, reader.toolCallsCount], ['resp-1', 'completed', 1])
    assert.equal(reader.contentBytes, Buffer.byteLength('Grüße'))
    assert.equal(reader.complete, true)
    assert.equal(reader.failure, null)
  }
})

test('the event line names the type where the data does not', () => {
  assert.deepEqual(readStream(codec, 'event: response.output_text.delta\ndata: {"delta":"x"}\n\n').roles, ['content'])
  assert.deepEqual(readStream(codec, 'event: keepalive\ndata: {"sequence_number":1}\n\n').roles, ['lifecycle'])
  assert.deepEqual(readStream(codec, ': ping\n\ndata: {oops\n\n').roles, ['noise', 'lifecycle'])
})

test('only a terminal event makes the answer complete', () => {
  const text = fixture(import.meta, 'stream.sse')
  const cut = readStream(codec, text.slice(0, text.indexOf('event: response.completed')))
  assert.equal(cut.reader.complete, false)
  assert.equal(cut.reader.usage, null)
  const response = { id: 'r', status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, output: [] }
  const { reader } = readStream(codec, event({ type: 'response.incomplete', response }))
  assert.deepEqual([reader.complete, reader.finishReason, reader.failure], [true, 'incomplete:max_output_tokens', null])
})

test('a failed response is never a success', () => {
  const failing = (error: unknown) => {
    const response = { id: 'r', status: 'failed', output: [], error }
    return readStream(codec, event({ type: 'response.failed', response })).reader.failure
  }
  assert.equal(failing({ code: 'rate_limit_exceeded', message: 'slow' })?.status, 429)
  assert.equal(failing({ code: 'server_error', message: 'broke' })?.message, 'broke')
  assert.equal(failing(null)?.status, 502)
})

test('an error event is a failure with the status it means', () => {
  const flat = readStream(codec, event({ type: 'error', code: 'rate_limit_exceeded', message: 'slow', param: null }))
  assert.deepEqual(flat.roles, ['failure'])
  assert.deepEqual([flat.reader.failure?.status, flat.reader.failure?.message], [429, 'slow'])
  const nested = readStream(codec, event({ type: 'error', error: { type: 'server_error', message: 'broke' } }))
  assert.deepEqual([nested.reader.failure?.status, nested.reader.failure?.message], [500, 'broke'])
})

test('reads a whole answer', () => {
  const text =
    '{"id":"r","status":"completed","model":"m","output":[{"type":"function_call","arguments":"{}"},{"type":"message","content":[{"type":"output_text","text":"four"}]}],"usage":{"input_tokens":3,"output_tokens":2}}'
  const facts = codec.readAnswer(Buffer.from(text))
  assert.equal(text.slice(facts.modelSpan!.start, facts.modelSpan!.end), '"m"')
  assert.equal(text.slice(facts.usageOpen! - 1, facts.usageOpen! + 7), '{"input_')
  assert.deepEqual([facts.responseId, facts.finishReason, facts.toolCallsCount], ['r', 'completed', 1])
  assert.deepEqual([facts.usage?.input, facts.usage?.output, facts.failure], [3, 2, null])
  assert.equal(facts.contentBytes, '{}'.length + 'four'.length)
})

test('a whole answer may lack much', () => {
  const facts = answer({ output: [] })
  assert.deepEqual(
    [facts.usage, facts.usageOpen, facts.modelSpan, facts.responseId, facts.finishReason, facts.failure],
    [null, null, null, null, null, null],
  )
  assert.equal(answer({ status: 'incomplete', incomplete_details: {}, output: [] }).finishReason, 'incomplete')
  assert.equal(answer({ id: 'x' }).failure?.code, 'upstream_bad_response')
  assert.equal(answer({ error: { code: 'server_error', message: 'x' }, output: [] }).failure?.status, 500)
})

test('a failure after the first byte is a failed response', () => {
  const text = codec.failureEvents({ status: 502, code: 'upstream_unavailable', message: 'cut' })
  assert.match(text, /^event: response\.failed\n/)
  const [data] = dataOf(text) as [{ type: string; response: { status: string; error: object } }]
  assert.equal(data.type, 'response.failed')
  assert.equal(data.response.status, 'failed')
  assert.deepEqual(data.response.error, { code: 'upstream_unavailable', message: 'cut' })
  const { roles, reader } = readStream(codec, text)
  assert.deepEqual(roles, ['terminal'])
  assert.equal(reader.failure?.message, 'cut')
})
