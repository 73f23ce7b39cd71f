import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertRefused, BAD_COUNTS, dataOf, factsOf, fixture, readStream, rewritten } from '#codecs/testbed.ts'
import { geminiPassthrough as codec } from './passthrough.ts'

const event = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`
const answer = (body: unknown) => codec.readAnswer(Buffer.from(JSON.stringify(body)))

test('reads limits in both spellings; model and stream are in the path', () => {
  const camel = factsOf(codec, { contents: [], generationConfig: { maxOutputTokens: 0, candidateCount: 2 } })
  const snake = factsOf(codec, { contents: [], generation_config: { max_output_tokens: 0, candidate_count: 2 } })
  for (const facts of [camel, snake]) {
    assert.deepEqual([facts.model, facts.stream, facts.outputTokensMax, facts.candidates], [null, false, 0, 2])
  }
  for (const body of [
    {},
    { generationConfig: null },
    { generationConfig: { maxOutputTokens: null, candidateCount: null } },
  ]) {
    const facts = factsOf(codec, body)
    assert.deepEqual([facts.outputTokensMax, facts.candidates], [null, 1])
    assert.deepEqual(facts.unseen, { mediaCount: 0, unbounded: false })
  }
})

test('what the body only refers to has no bound but the context window', () => {
  const unbounded = (body: object) => factsOf(codec, body).unseen.unbounded
  assert.equal(unbounded({ cachedContent: 'cachedContents/x' }), true)
  assert.equal(unbounded({ cached_content: 'cachedContents/x' }), true)
  assert.equal(unbounded({ cachedContent: null }), false)
  assert.equal(unbounded({ contents: [{ parts: [{ fileData: {} }] }] }), true)
  assert.equal(unbounded({ contents: [{ parts: [{ file_data: {} }] }] }), true)
  assert.equal(unbounded({ contents: [{ parts: [{ inlineData: {} }] }] }), false)
})

test('refuses what the gateway must understand and cannot', () => {
  const limit = 'generationConfig.maxOutputTokens'
  for (const value of BAD_COUNTS) {
    assertRefused(codec, `{"generationConfig":{"maxOutputTokens":${value}}}`, 'invalid_parameter', limit)
    assertRefused(codec, `{"generation_config":{"max_output_tokens":${value}}}`, 'invalid_parameter', limit)
  }
  const count = 'generationConfig.candidateCount'
  assertRefused(codec, { generationConfig: { candidateCount: 129 } }, 'invalid_parameter', count)
  assert.equal(factsOf(codec, { generationConfig: { candidateCount: 128 } }).candidates, 128)
})

test('refuses members that occur twice, also in two spellings', () => {
  assertRefused(codec, '{"generationConfig":{},"generation_config":{}}', 'invalid_request', 'generationConfig')
  assertRefused(codec, '{"generationConfig":{},"generation\\u0043onfig":{}}', 'invalid_request', 'generationConfig')
  const twice = '{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":900}}'
  assertRefused(codec, twice, 'invalid_request', 'generationConfig.maxOutputTokens')
  const counts = '{"generationConfig":{"candidateCount":1,"candidateCount":9}}'
  assertRefused(codec, counts, 'invalid_request', 'generationConfig.candidateCount')
  assertRefused(codec, '{"model":"a","model":"b"}', 'invalid_request', 'model')
})

test('renames the model wherever a method names it', () => {
  const renamed = (body: string) => rewritten(codec, body, { model: 'vendor/new' })
  assert.equal(renamed('{"contents":[ ] }'), '{"contents":[ ] }')
  assert.equal(renamed('{ "model":"models/old","content":{}}'), '{ "model":"models/vendor/new","content":{}}')
  assert.equal(renamed('{"model":7}'), '{"model":7}')
  assert.equal(
    renamed('{"requests":[{"model":"models/a","content":{"parts":[{"text":"model"}]}}, {"content":{}},3]}'),
    '{"requests":[{"model":"models/vendor/new","content":{"parts":[{"text":"model"}]}}, {"content":{}},3]}',
  )
  for (const name of ['generateContentRequest', 'generate_content_request']) {
    assert.equal(renamed(`{"${name}":{"model":"models/a"}}`), `{"${name}":{"model":"models/vendor/new"}}`)
  }
})

test('lowers the limit where it stands, or inserts it', () => {
  const lowered = (body: string) => rewritten(codec, body, { model: 'm', outputTokensMax: 5 })
  assert.equal(lowered('{}'), '{"generationConfig":{"maxOutputTokens":5}}')
  assert.equal(lowered('{"contents":[]}'), '{"generationConfig":{"maxOutputTokens":5},"contents":[]}')
  assert.equal(lowered('{"generationConfig":null}'), '{"generationConfig":{"maxOutputTokens":5}}')
  assert.equal(lowered('{"generationConfig":{}}'), '{"generationConfig":{"maxOutputTokens":5}}')
  assert.equal(lowered('{"generation_config":{"topP":1}}'), '{"generation_config":{"maxOutputTokens":5,"topP":1}}')
  assert.equal(
    lowered('{"generationConfig":{"max_output_tokens": 90}}'),
    '{"generationConfig":{"max_output_tokens": 5}}',
  )
  assert.equal(lowered('{"generationConfig":{"maxOutputTokens":null}}'), '{"generationConfig":{"maxOutputTokens":5}}')
})

test('reads a stream event by event', () => {
  const { events, roles, reader } = readStream(codec, fixture(import.meta, 'stream.sse'))
  assert.deepEqual(roles, ['lifecycle', 'content', 'content', 'content'])
  assert.ok(events.every(({ model, usageAt }) => model === '"vendor-x"' && usageAt === null))
  assert.deepEqual(
    [reader.usage?.input, reader.usage?.cacheRead, reader.usage?.output, reader.usage?.reasoning],
    [6, 4, 25, 20],
  )
  assert.deepEqual([reader.responseId, reader.finishReason, reader.toolCallsCount], ['resp-1', 'STOP', 1])
  assert.equal(reader.complete, true)
  assert.equal(reader.failure, null)
})

test('the arguments of a function never finish the answer', () => {
  const text = fixture(import.meta, 'stream.sse')
  const { reader } = readStream(codec, text.slice(0, text.lastIndexOf('data: ')))
  assert.equal(reader.complete, false)
  assert.equal(reader.finishReason, null)
  assert.deepEqual([reader.usage?.input, reader.usage?.output], [10, 1])
})

test('the answer is complete when every candidate seen is finished', () => {
  const part = (index: number, finishReason?: unknown) => event({ candidates: [{ content: {}, index, finishReason }] })
  const complete = (text: string) => readStream(codec, text).reader.complete
  assert.equal(complete(part(0) + part(1) + part(0, 'STOP')), false)
  assert.equal(complete(part(0) + part(1) + part(0, 'STOP') + part(1, 'MAX_TOKENS')), true)
  assert.equal(complete(part(0, 'FINISH_REASON_UNSPECIFIED')), false)
  assert.equal(complete(part(0, 0)), false)
  assert.equal(complete(event({ candidates: [] })), false)
  assert.equal(complete(event({ candidates: 'odd', usageMetadata: {} })), false)
})

test('old servers tell the finish as a number, and a refused prompt has no candidates', () => {
  assert.equal(answer({ candidates: [{ finishReason: 10 }] }).finishReason, '10')
  const blocked = { promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 3 } }
  assert.equal(answer(blocked).finishReason, 'blocked:SAFETY')
  const { reader } = readStream(codec, event(blocked))
  assert.deepEqual([reader.finishReason, reader.complete, reader.usage?.input], ['blocked:SAFETY', true, 3])
})

test('what is no event of ours counts for nothing', () => {
  const { roles, reader } = readStream(codec, ': hi\n\ndata: {oops\n\ndata: [1]\n\ndata: "finishReason"\n\n')
  assert.deepEqual(roles, ['noise', 'lifecycle', 'lifecycle', 'lifecycle'])
  assert.equal(reader.complete, false)
})

test('an error inside the stream is a failure with the status it means', () => {
  const failing = (error: unknown) => readStream(codec, event({ error }))
  const { roles, reader } = failing({ code: 429, status: 'RESOURCE_EXHAUSTED', message: 'slow' })
  assert.deepEqual(roles, ['failure'])
  assert.deepEqual([reader.failure?.status, reader.failure?.upstreamType], [429, 'RESOURCE_EXHAUSTED'])
  assert.equal(failing({ status: 'UNAVAILABLE' }).reader.failure?.status, 503)
})

test('reads whole answers of every method', () => {
  const text =
    '{"candidates":[{"content":{"parts":[{"text":"four"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2},"modelVersion":"v","responseId":"r"}'
  const facts = codec.readAnswer(Buffer.from(text))
  assert.equal(text.slice(facts.modelSpan!.start, facts.modelSpan!.end), '"v"')
  assert.deepEqual([facts.responseId, facts.finishReason, facts.usageOpen, facts.failure], ['r', 'STOP', null, null])
  assert.deepEqual([facts.usage?.input, facts.usage?.output, facts.contentBytes], [3, 2, 4])
  for (const body of [{ embedding: {} }, { embeddings: [] }, { totalTokens: 3 }])
    assert.equal(answer(body).failure, null)
  assert.equal(answer({ error: { code: 404, message: 'x' } }).failure?.status, 404)
  assert.equal(answer({ candidates: null }).failure?.code, 'upstream_bad_response')
  assert.equal(answer([]).failure?.code, 'upstream_bad_response')
})

test('a failure after the first byte is an error object', () => {
  const status = (code: number, upstreamType?: string) => {
    const failure = { status: code, code: 'x', message: 'y', ...(upstreamType === undefined ? {} : { upstreamType }) }
    const text = codec.failureEvents(failure)
    assert.deepEqual(readStream(codec, text).roles, ['failure'])
    const [data] = dataOf(text) as [{ error: { code: number; message: string; status: string } }]
    assert.equal(data.error.message, 'y')
    assert.equal(data.error.code, code)
    return data.error.status
  }
  assert.equal(status(502), 'UNAVAILABLE')
  assert.equal(status(429), 'RESOURCE_EXHAUSTED')
  assert.equal(status(504), 'DEADLINE_EXCEEDED')
  assert.equal(status(500), 'INTERNAL')
  assert.equal(status(502, 'ABORTED'), 'ABORTED')
})
