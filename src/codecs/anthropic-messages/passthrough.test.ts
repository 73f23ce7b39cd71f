import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRefused, BAD_COUNTS, dataOf, factsOf, fixture, readStream, rewritten } from '#codecs/testbed.ts'
import { messagesPassthrough as codec } from './passthrough.ts'

const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const answer = (body: unknown) => codec.readAnswer(Buffer.from(JSON.stringify(body)))

test('reads what routing and metering need', () => {
  const facts = factsOf(codec, { model: 'm', stream: true, max_tokens: 0, messages: [] })
  assert.deepEqual([facts.model, facts.stream, facts.outputTokensMax, facts.candidates], ['m', true, 0, 1])
  const absent = factsOf(codec, { model: null, stream: null, max_tokens: null, container: null, mcp_servers: null })
  assert.deepEqual([absent.model, absent.stream, absent.outputTokensMax], [null, false, null])
  assert.deepEqual(absent.unseen, { mediaCount: 0, unbounded: false })
})

test('what the body only refers to has its own bound', () => {
  const unbounded = (body: object) => factsOf(codec, body).unseen.unbounded
  assert.equal(unbounded({ container: 'c' }), true)
  assert.equal(unbounded({ mcp_servers: [{}] }), true)
  assert.equal(unbounded({ messages: [{ source: { type: 'file', file_id: 'f' } }] }), true)
  assert.equal(unbounded({ messages: [{ type: 'document', source: {} }] }), true)
  assert.equal(factsOf(codec, { messages: [{ type: 'image' }, { type: 'image' }] }).unseen.mediaCount, 2)
})

test('refuses what the gateway must understand and cannot', () => {
  for (const value of BAD_COUNTS) assertRefused(codec, `{"max_tokens":${value}}`, 'invalid_parameter', 'max_tokens')
  assertRefused(codec, { stream: 'yes' }, 'invalid_parameter', 'stream')
  assertRefused(codec, { model: ['m'] }, 'invalid_parameter', 'model')
  assertRefused(codec, '{"model":"a","model":"b"}', 'invalid_request', 'model')
  assertRefused(codec, '{"stream":true,"s\\u0074ream":true}', 'invalid_request', 'stream')
  assertRefused(codec, '{"max_tokens":1,"max\\u005Ftokens":2}', 'invalid_request', 'max_tokens')
  assertRefused(codec, '"x"', 'invalid_json')
})

test('writes the model and a lower limit, and leaves every other byte', () => {
  const changes = { model: 'new', outputTokensMax: 5, includeUsage: true }
  const body = '{"max_tokens": 90,"model":"old" ,"metadata":{"model":"old","1":1,"0":0}}'
  assert.equal(
    rewritten(codec, body, changes),
    '{"max_tokens": 5,"model":"new" ,"metadata":{"model":"old","1":1,"0":0}}',
  )
  assert.equal(rewritten(codec, '{}', changes), '{"model":"new","max_tokens":5}')
  assert.equal(rewritten(codec, '{"model":"old","max_tokens":null}', changes), '{"model":"new","max_tokens":5}')
})

test('reads a stream event by event, with and without event lines', () => {
  const text = fixture(import.meta, 'stream.sse')
  for (const form of [text, text.replaceAll(/^event:.*\n/gm, '')]) {
    const { events, roles, reader } = readStream(codec, form)
    assert.deepEqual(roles, [
      'lifecycle',
      'noise',
      'lifecycle',
      'content',
      'content',
      'lifecycle',
      'content',
      'content',
      'lifecycle',
      'content',
      'terminal',
    ])
    assert.deepEqual(
      events.map(({ model }) => model).filter((model) => model !== null),
      ['"vendor-x"'],
    )
    assert.equal(events[0]!.model, '"vendor-x"')
    assert.ok(events.every(({ usageAt }) => usageAt === null))
    assert.deepEqual(reader.usage, {
      input: 11,
      cacheRead: 40,
      cacheWrite: 100,
      cacheWrite1h: 200,
      output: 25,
      reasoning: null,
      source: 'upstream',
    })
    assert.deepEqual([reader.responseId, reader.finishReason, reader.toolCallsCount], ['msg-1', 'tool_use', 1])
    assert.equal(reader.contentBytes, 'hm'.length + '{\\"a\\":1}'.length)
    assert.equal(reader.complete, true)
    assert.equal(reader.failure, null)
  }
})

test('the event line names the type where the data does not', () => {
  const { roles } = readStream(
    codec,
    'event: content_block_delta\ndata: {"delta":{"text":"x"}}\n\nevent: ping\ndata: {}\n\n',
  )
  assert.deepEqual(roles, ['content', 'noise'])
  assert.deepEqual(readStream(codec, 'data: {oops\n\n: ping\n\nevent: future\ndata: {}\n\n').roles, [
    'lifecycle',
    'noise',
    'lifecycle',
  ])
})

test('only message_stop makes the answer complete', () => {
  const text = fixture(import.meta, 'stream.sse')
  const { reader } = readStream(codec, text.slice(0, text.indexOf('event: message_stop')))
  assert.equal(reader.finishReason, 'tool_use')
  assert.equal(reader.complete, false)
})

test('a block that holds something already commits the answer', () => {
  const block = (type: string) => readStream(codec, event({ type: 'content_block_start', content_block: { type } }))
  assert.deepEqual(block('text').roles, ['lifecycle'])
  assert.deepEqual(block('redacted_thinking').roles, ['content'])
  assert.deepEqual(block('server_tool_use').roles, ['content'])
  assert.equal(block('server_tool_use').reader.toolCallsCount, 0)
})

test('an error event is a failure with the status it means', () => {
  const failing = (type: string) => readStream(codec, event({ type: 'error', error: { type, message: 'no' } }))
  assert.deepEqual(failing('overloaded_error').roles, ['failure'])
  assert.equal(failing('overloaded_error').reader.failure?.status, 529)
  assert.equal(failing('rate_limit_error').reader.failure?.status, 429)
  assert.equal(failing('rate_limit_error').reader.failure?.upstreamType, 'rate_limit_error')
  assert.equal(failing('unheard_of').reader.failure?.status, 502)
  assert.equal(failing('api_error').reader.complete, false)
})

test('reads a whole answer', () => {
  const text =
    '{"id":"msg","type":"message","model":"m","content":[{"type":"text","text":"four"},{"type":"tool_use","input":{"model":"q"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":2}}'
  const facts = codec.readAnswer(Buffer.from(text))
  assert.equal(text.slice(facts.modelSpan!.start, facts.modelSpan!.end), '"m"')
  assert.equal(facts.usageOpen, null)
  assert.deepEqual([facts.responseId, facts.finishReason, facts.toolCallsCount], ['msg', 'tool_use', 1])
  assert.deepEqual([facts.usage?.input, facts.usage?.output, facts.failure], [3, 2, null])
  assert.equal(facts.contentBytes, 4)
})

test('a 200 that is no answer is a failure', () => {
  assert.equal(answer({ type: 'error', error: { type: 'overloaded_error', message: 'x' } }).failure?.status, 529)
  assert.equal(answer({ id: 'x' }).failure?.code, 'upstream_bad_response')
  assert.equal(answer([]).failure?.code, 'upstream_bad_response')
  const bare = answer({ content: [] })
  assert.deepEqual([bare.usage, bare.modelSpan, bare.finishReason, bare.failure], [null, null, null, null])
})

test('a failure after the first byte is an error event', () => {
  const text = codec.failureEvents({ status: 529, code: 'x', message: 'busy', upstreamType: 'overloaded_error' })
  assert.match(text, /^event: error\n/)
  assert.deepEqual(dataOf(text), [{ type: 'error', error: { type: 'overloaded_error', message: 'busy' } }])
  assert.deepEqual(readStream(codec, text).roles, ['failure'])
  const [plain] = dataOf(codec.failureEvents({ status: 502, code: 'x', message: 'y' })) as [{ error: { type: string } }]
  assert.equal(plain.error.type, 'api_error')
})
