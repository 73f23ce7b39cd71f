import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  added,
  call,
  completed,
  CREATED,
  done,
  finishOf,
  message,
  openDecoder,
  say,
  streamed,
  told,
  whole,
} from './testbed.ts'

test('a text as it streams', () => {
  const { events, decoder } = streamed(
    CREATED,
    { type: 'response.in_progress', response: { id: 'other' } },
    added(0, { type: 'message', id: 'msg_1', content: [] }),
    { type: 'response.content_part.added', output_index: 0, content_index: 0, part: { type: 'output_text', text: '' } },
    say(0, 'Grü'),
    say(0, 'ße 🎈'),
    { type: 'response.output_text.done', output_index: 0, content_index: 0, text: 'Grüße 🎈' },
    done(0, message('Grüße 🎈')),
    completed([message('Grüße 🎈')], {
      usage: { input_tokens: 10, input_tokens_details: { cached_tokens: 4 }, output_tokens: 5, total_tokens: 15 },
      service_tier: 'default',
      store: true,
    }),
  )
  assert.deepEqual(events, [
    { type: 'response-start', id: 'resp_1', model: 'm', createdAt: 7 },
    { type: 'block-start', index: 0, candidate: 0, block: { type: 'text' } },
    { type: 'block-delta', index: 0, text: 'Grü' },
    { type: 'block-delta', index: 0, text: 'ße 🎈' },
    { type: 'block-end', index: 0 },
    {
      type: 'usage',
      usage: {
        input: 6,
        cacheRead: 4,
        cacheWrite: null,
        cacheWrite1h: null,
        output: 5,
        reasoning: null,
        source: 'upstream',
      },
      total: 15,
    },
    { type: 'opaque', issuer: 'openai-responses', value: { service_tier: 'default' } },
    { type: 'finish', candidate: 0, reason: 'stop', raw: 'completed', stopSequence: null },
  ])
  assert.deepEqual([decoder.complete, decoder.failure], [true, null])
})

test('every frame is told at once, whatever its form', () => {
  const decoder = openDecoder()
  const push = (text: string) => decoder.push(Buffer.from(text)).map(({ type }) => type)
  assert.deepEqual(push(': ping\n\n'), [])
  assert.deepEqual(push('event: keepalive\n\n'), [])
  assert.deepEqual(push('data:\n\n'), [])
  assert.deepEqual(push('event: response.output_text.delta\r\ndata: {"delta":"x"}\r\n\r\n'), [
    'response-start',
    'block-start',
    'block-delta',
  ])
  assert.deepEqual(push('data: {"type":"response.output_text.delta",\ndata: "delta":"y"}\n\n'), ['block-delta'])
  assert.deepEqual(push('data: {"type":"response.web_search_call.searching"}\n\n'), [])
  assert.equal(decoder.isLast, false)
  assert.deepEqual(push('data: [DONE]\n\n'), [])
  assert.deepEqual([decoder.isLast, decoder.complete, decoder.failure], [true, false, null])
  assert.deepEqual(decoder.end(), [{ type: 'block-end', index: 0 }])
})

test('how answers end', () => {
  const end = (status: string | undefined, more = {}) => finishOf(whole({ status, output: [], ...more }).events)
  assert.deepEqual(end('completed'), ['stop', 'completed'])
  assert.deepEqual(end('complete'), ['stop', 'complete'])
  assert.deepEqual(end(undefined), ['stop', null])
  assert.deepEqual(end('incomplete', { incomplete_details: { reason: 'max_output_tokens' } }), [
    'length',
    'incomplete:max_output_tokens',
  ])
  assert.deepEqual(end('incomplete', { incomplete_details: { reason: 'content_filter' } }), [
    'content-filter',
    'incomplete:content_filter',
  ])
  assert.deepEqual(end('incomplete'), ['length', 'incomplete'])
  assert.deepEqual(end('incomplete', { output: [call('{')] }), ['length', 'incomplete'])
  assert.deepEqual(end('queued'), ['error', 'queued'])
  assert.deepEqual(end('in_progress'), ['error', 'in_progress'])
  const incomplete = { type: 'response.incomplete', response: { incomplete_details: { reason: 'content_filter' } } }
  assert.deepEqual(finishOf(streamed(incomplete).events), ['content-filter', 'incomplete:content_filter'])
})

test('only a terminal event completes an answer, and what follows it still counts', () => {
  const cut = streamed(CREATED, say(0, 'a'))
  assert.deepEqual([cut.decoder.complete, finishOf(cut.events)], [false, null])
  assert.deepEqual(cut.events.at(-1), { type: 'block-end', index: 0 })
  const more = streamed(
    CREATED,
    completed([]),
    CREATED,
    added(0, { type: 'message' }),
    say(0, 'a'),
    completed([message('a')]),
  )
  assert.deepEqual(told(more.events), [['text', 'a']])
  assert.equal(more.events.at(-1)!.type, 'finish')
})

test('a failure is never a success', () => {
  const failing = (...data: unknown[]) => {
    const { decoder, events } = streamed(...data)
    assert.deepEqual([decoder.complete, finishOf(events)], [false, null])
    return [decoder.failure?.status, decoder.failure?.message]
  }
  const failed = (error: unknown) => ({ type: 'response.failed', response: { status: 'failed', error, output: [] } })
  assert.deepEqual(failing(CREATED, failed({ code: 'rate_limit_exceeded', message: 'slow' })), [429, 'slow'])
  assert.deepEqual(failing(failed(null)), [502, 'The upstream failed.'])
  assert.deepEqual(failing({ type: 'error', code: 'server_error', message: 'broke' }), [500, 'broke'])
  assert.deepEqual(failing({ type: 'error', error: { type: 'invalid_request_error', message: 'no' } }), [400, 'no'])
  assert.deepEqual(failing({ error: { message: 'bare', code: 503 } }), [503, 'bare'])
  assert.equal(failing({ type: 'response.completed', response: { status: 'cancelled', output: [] } })[0], 502)
  assert.equal(whole({ error: { code: 'server_error', message: 'x' }, output: [] }).failure?.status, 500)
  assert.equal(whole({ status: 'failed', output: [] }).failure?.status, 502)
  for (const body of [null, [], 'text', {}, { id: 'x' }])
    assert.equal(whole(body).failure?.code, 'upstream_bad_response')
})

test('what is no answer at all is a failure', () => {
  const failure = (text: string) => {
    const decoder = openDecoder()
    decoder.push(Buffer.from(text))
    return [decoder.failure?.status, decoder.failure?.code, decoder.failure?.message]
  }
  assert.deepEqual(failure('<html>\n\n').slice(0, 2), [502, 'upstream_bad_response'])
  assert.deepEqual(failure('data: {oops\n\n').slice(0, 2), [502, 'upstream_bad_response'])
  assert.deepEqual(failure('{"error":{"message":"late","code":429}}\n\n'), [429, 'upstream_error', 'late'])
  assert.deepEqual(failure('id: 4\n\n'), [undefined, undefined, undefined])
})

test('a stream and its whole tell the same', () => {
  const output = [
    message('a'),
    call('{}'),
    { type: 'reasoning', id: 'r', summary: [{ text: 's' }], encrypted_content: 'E' },
  ]
  const response = {
    id: 'resp_1',
    model: 'm',
    status: 'completed',
    output,
    usage: { input_tokens: 0, output_tokens: 0 },
  }
  const stream = streamed({ type: 'response.completed', response })
  assert.deepEqual(stream.events, whole(response).events)
})
