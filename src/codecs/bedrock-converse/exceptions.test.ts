import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeAwsMessage } from '#wire/aws-event-stream.ts'
import { decode, frame } from './testbed.ts'

const START = frame('messageStart', { role: 'assistant' })
const STARTED = { type: 'response-start', id: null, model: null, createdAt: null }
const X = frame('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'x' } })

const exception = (name: string, payload: unknown) =>
  writeAwsMessage(
    { ':exception-type': name, ':content-type': 'application/json', ':message-type': 'exception' },
    Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload)),
  )

test('exceptions are failures with the status that they stand for', () => {
  const rows: [string, number][] = [
    ['throttlingException', 429],
    ['serviceQuotaExceededException', 429],
    ['validationException', 400],
    ['accessDeniedException', 403],
    ['resourceNotFoundException', 404],
    ['internalServerException', 500],
    ['serviceUnavailableException', 503],
    ['modelNotReadyException', 503],
    ['modelStreamErrorException', 502],
    ['modelErrorException', 502],
    ['modelTimeoutException', 504],
    ['ThrottlingException', 429],
    ['someNewException', 502],
  ]
  for (const [name, status] of rows) {
    const { decoder, pushed } = decode(START, exception(name, { message: 'Too busy.' }), X)
    assert.deepEqual(
      decoder.failure,
      { status, code: 'upstream_error', message: 'Too busy.', upstreamType: name },
      name,
    )
    assert.deepEqual(pushed.slice(1), [[], []])
  }
})

test('an exception tells what the model said, and always something', () => {
  const failure = (payload: unknown) => decode(exception('modelStreamErrorException', payload)).decoder.failure
  const told = failure({ message: 'm', originalStatusCode: 429, originalMessage: 'slow down' })
  assert.deepEqual([told?.status, told?.message], [429, 'm'])
  assert.deepEqual(failure({ originalStatusCode: 700, originalMessage: 'slow down' })?.message, 'slow down')
  assert.equal(failure({ originalStatusCode: 200 })?.status, 502)
  assert.equal(failure({})?.message, 'modelStreamErrorException')
  assert.equal(failure('plain words')?.message, 'plain words')
  assert.equal(failure('null')?.message, 'modelStreamErrorException')
})

test('an error message, which has no payload', () => {
  const headers = { ':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'Broken.' }
  assert.deepEqual(decode(START, writeAwsMessage(headers, Buffer.alloc(0))).decoder.failure, {
    status: 502,
    code: 'upstream_error',
    message: 'Broken.',
    upstreamType: 'InternalFailure',
  })
  const bare = decode(writeAwsMessage({ ':message-type': 'error' }, Buffer.alloc(0))).decoder.failure
  assert.deepEqual([bare?.status, bare?.upstreamType], [502, 'error'])
})

test('what cannot be read is a failure and never thrown', () => {
  const good = X
  const flipped = Buffer.from(good)
  flipped[40] = flipped[40]! ^ 1
  const frames = [
    Buffer.alloc(0),
    Buffer.from('<html>502</html>'),
    good.subarray(0, -1),
    flipped,
    frame('messageStart', '{'),
  ]
  for (const bad of frames) {
    const { decoder, events } = decode(START, bad, good)
    assert.deepEqual([decoder.failure?.status, decoder.failure?.code], [502, 'upstream_bad_response'])
    assert.deepEqual(events, [STARTED])
  }
})
