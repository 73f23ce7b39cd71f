import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { InvokeFramer } from './invoke-frames.ts'
import { MessagesStreamReader } from './stream.ts'

const BYTES_MAX = 1_000_000

const chunk = (event: string): Buffer =>
  writeAwsMessage(
    { ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' },
    Buffer.from(JSON.stringify({ bytes: Buffer.from(event).toString('base64'), p: 'abcdef' })),
  )

const exception = (name: string, payload: object): Buffer =>
  writeAwsMessage(
    { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' },
    Buffer.from(JSON.stringify(payload)),
  )

const DELTA = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"é🙂"}}'

test('a chunk is one event, however it was cut', () => {
  const wire = Buffer.concat([
    chunk('{"type":"ping"}'),
    chunk(DELTA),
    chunk('{ "index":0, "type" : "content_block_stop"}'),
  ])
  const wanted = [
    'event: ping\ndata: {"type":"ping"}\n\n',
    `event: content_block_delta\ndata: ${DELTA}\n\n`,
    'event: content_block_stop\ndata: { "index":0, "type" : "content_block_stop"}\n\n',
  ]
  const whole = new InvokeFramer(BYTES_MAX)
  assert.deepEqual(whole.push(wire).map(String), wanted)
  assert.equal(whole.isEmpty, true)
  const cut = new InvokeFramer(BYTES_MAX)
  const events: string[] = []
  for (const byte of wire) events.push(...cut.push(Buffer.from([byte])).map(String))
  assert.deepEqual(events, wanted)
  assert.equal(cut.end(), null)
})

test('an exception is the error event that Anthropic would send', () => {
  const cases: [name: string, payload: object, status: number, type: string][] = [
    ['throttlingException', { message: 'slow down' }, 429, 'rate_limit_error'],
    ['validationException', { message: 'bad' }, 400, 'invalid_request_error'],
    ['serviceUnavailableException', { message: 'busy' }, 529, 'overloaded_error'],
    ['internalServerException', { message: 'oops' }, 500, 'api_error'],
    ['modelStreamErrorException', { originalStatusCode: 429, originalMessage: 'slow' }, 429, 'rate_limit_error'],
    ['somethingNewException', {}, 500, 'api_error'],
  ]
  for (const [name, payload, status, type] of cases) {
    const [event] = new InvokeFramer(BYTES_MAX).push(exception(name, payload))
    const reader = new MessagesStreamReader()
    assert.equal(reader.read(event!), 'failure', name)
    assert.deepEqual([reader.failure?.status, reader.failure?.upstreamType], [status, type], name)
  }
})

test('messages of a later kind say nothing, damaged ones are refused', () => {
  const framer = new InvokeFramer(BYTES_MAX)
  const other = writeAwsMessage({ ':event-type': 'metrics', ':message-type': 'event' }, Buffer.from('{"x":1}'))
  const [event] = framer.push(other)
  assert.equal(new MessagesStreamReader().read(event!), 'noise')
  const damaged = Buffer.from(chunk(DELTA))
  damaged[20]! ^= 1
  assert.throws(() => framer.push(damaged))
})
