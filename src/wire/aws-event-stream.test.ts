import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  AWS_HEADERS_START,
  AwsEventFramer,
  AwsMessageError,
  awsHeadersEnd,
  awsPayloadText,
  readAwsMessage,
  writeAwsMessage,
} from './aws-event-stream.ts'
import { EventTooLargeError } from './sse.ts'

const HEADERS = { ':event-type': 'contentBlockDelta', ':content-type': 'application/json', ':message-type': 'event' }
const PAYLOADS = ['{"p":"abc"}', '', '{"delta":{"text":"日本 🚀"}}', 'x'.repeat(300)]
const MESSAGES = PAYLOADS.map((payload, at) => writeAwsMessage(at === 1 ? {} : HEADERS, Buffer.from(payload)))
const STREAM = Buffer.concat(MESSAGES)
const hex = (messages: readonly Buffer[]) => messages.map((message) => message.toString('hex'))
const WHOLE = hex(MESSAGES)

/** The message with the byte at `at` changed. */
function damage(message: Buffer, at: number): Buffer {
  const copy = Buffer.from(message)
  copy[at] = copy[at]! ^ 1
  return copy
}

/** The message with other lengths, and checksums that fit them. */
function withLengths(message: Buffer, total: number, headers: number): Buffer {
  const copy = Buffer.from(message)
  copy.writeUInt32BE(total, 0)
  copy.writeUInt32BE(headers, 4)
  copy.writeUInt32BE(crc32(copy.subarray(0, 8)), 8)
  copy.writeUInt32BE(crc32(copy.subarray(0, copy.length - 4)), copy.length - 4)
  return copy
}

test('a message is written as the specification lays it out', () => {
  // 4 total, 4 headers, 4 checksum, header (1 + 1 name, 1 type, 2 length, 1 value), payload, 4 checksum; the bytes are
  // those that @smithy/eventstream-codec writes.
  assert.equal(
    writeAwsMessage({ a: 'b' }, Buffer.from('{}')).toString('hex'),
    '0000001800000006dcd1a61f0161070001627b7df3d78873',
  )
  // AWS's published example of a message without headers and payload.
  assert.equal(writeAwsMessage({}, Buffer.alloc(0)).toString('hex'), '000000100000000005c248eb7d98c8ff')
})

test('a message says what was written into it', () => {
  const message = MESSAGES[2]!
  const { headers, payload } = readAwsMessage(message)
  assert.deepEqual({ ...headers }, HEADERS)
  assert.equal(payload.toString(), PAYLOADS[2])
  assert.equal(payload.buffer, message.buffer)
  assert.equal(awsPayloadText(message, awsHeadersEnd(message)), PAYLOADS[2])
  assert.equal(AWS_HEADERS_START, 12)
  const empty = readAwsMessage(MESSAGES[1]!)
  assert.deepEqual({ ...empty.headers }, {})
  assert.equal(empty.payload.length, 0)
})

test('header values of every type are told as text', () => {
  const header = (name: string, type: number, value: string) =>
    Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([type]), Buffer.from(value, 'hex')])
  const head = Buffer.concat([
    header('yes', 0, ''),
    header('no', 1, ''),
    header('byte', 2, 'cf'),
    header('short', 3, 'fffe'),
    header('int', 4, '00011172'),
    header('long', 5, '7fffffffffffffff'),
    header('bytes', 6, '0003abcdef'),
    header('text', 7, '0004f09f9a80'),
    header('time', 8, '00000000000f4240'),
    header('uuid', 9, '0102030405060708090a0b0c0d0e0f10'),
  ])
  const bare = writeAwsMessage({}, Buffer.concat([head, Buffer.from('payload')]))
  const { headers, payload } = readAwsMessage(withLengths(bare, bare.length, head.length))
  assert.deepEqual(
    { ...headers },
    {
      yes: 'true',
      no: 'false',
      byte: '-49',
      short: '-2',
      int: '70002',
      long: '9223372036854775807',
      bytes: 'q83v',
      text: '🚀',
      time: '1000000',
      uuid: '0102030405060708090a0b0c0d0e0f10',
    },
  )
  assert.equal(payload.toString(), 'payload')
})

test('every cut of the bytes gives the same messages', () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const framer = new AwsEventFramer(1000)
    const messages = [...framer.push(STREAM.subarray(0, cut)), ...framer.push(STREAM.subarray(cut))]
    assert.deepEqual(hex(messages), WHOLE, `cut at ${cut}`)
    assert.equal(framer.isEmpty, true)
    assert.equal(framer.end(), null)
  }
  const framer = new AwsEventFramer(1000)
  assert.deepEqual(hex([...STREAM].flatMap((_, at) => framer.push(STREAM.subarray(at, at + 1)))), WHOLE)
})

test('messages that were returned are not written over by later ones', () => {
  const framer = new AwsEventFramer(1000)
  const cut = MESSAGES[0]!.length + 5
  const first = framer.push(STREAM.subarray(0, cut))
  const rest = framer.push(STREAM.subarray(cut))
  assert.deepEqual(hex([...first, ...rest]), WHOLE)
  assert.equal(first[0]!.buffer, STREAM.buffer)
})

test('what is left at the end is returned once', () => {
  const framer = new AwsEventFramer(1000)
  assert.equal(framer.push(STREAM.subarray(0, MESSAGES[0]!.length + 7)).length, 1)
  assert.equal(framer.isEmpty, false)
  const rest = framer.end()!
  assert.deepEqual(rest, STREAM.subarray(MESSAGES[0]!.length, MESSAGES[0]!.length + 7))
  assert.throws(() => readAwsMessage(rest), AwsMessageError)
  assert.equal(framer.end(), null)
})

test('a message may have exactly the bound and not one byte more', () => {
  const message = MESSAGES[3]!
  assert.equal(new AwsEventFramer(message.length).push(message).length, 1)
  // The length is told at once: nothing is held for a message that is too large.
  assert.throws(() => new AwsEventFramer(message.length - 1).push(message.subarray(0, 12)), EventTooLargeError)
  assert.deepEqual(new AwsEventFramer(message.length - 1).push(message.subarray(0, 11)), [])
})

test('every damaged byte is found', () => {
  const message = MESSAGES[0]!
  for (let at = 0; at < message.length; at++) {
    const damaged = damage(message, at)
    assert.throws(() => new AwsEventFramer(2 ** 32).push(Buffer.concat([damaged, STREAM])), AwsMessageError, `at ${at}`)
    assert.throws(() => readAwsMessage(damaged), AwsMessageError, `at ${at}`)
  }
})

test('impossible lengths are found although their checksums are right', () => {
  const message = MESSAGES[0]!
  for (const [total, headers] of [
    [15, 0],
    [0, 0],
    [message.length, message.length - 15],
    [message.length, 0xffff_ffff],
  ] as const) {
    const wrong = withLengths(message, total, headers)
    assert.throws(() => new AwsEventFramer(2 ** 32).push(wrong), AwsMessageError, `${total} ${headers}`)
    assert.throws(() => readAwsMessage(wrong), AwsMessageError)
  }
})

test('headers that are not well formed are found', () => {
  const withHead = (head: string) => {
    const bare = writeAwsMessage({}, Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(4)]))
    return () => readAwsMessage(withLengths(bare, bare.length, head.length / 2))
  }
  for (const head of ['01610a', '016107', '01610700ff', 'ff', '0161', '01610700036161'])
    assert.throws(withHead(head), AwsMessageError, head)
  // A name that every object has is a name like any other.
  const proto = readAwsMessage(writeAwsMessage({ ['__proto__']: 'x' }, Buffer.alloc(0)))
  assert.deepEqual(Object.keys(proto.headers), ['__proto__'])
})

test('damage behind whole messages does not take them away, however the bytes are cut', () => {
  const stream = Buffer.concat([MESSAGES[0]!, MESSAGES[1]!, damage(MESSAGES[2]!, 30), MESSAGES[3]!])
  const framer = new AwsEventFramer(1000)
  assert.deepEqual(hex(framer.push(stream)), WHOLE.slice(0, 2))
  assert.throws(() => framer.push(Buffer.from('x')), AwsMessageError)
  // At the end of the stream there is no further push: what is left is handed out and cannot be read.
  const ended = new AwsEventFramer(1000)
  assert.equal(ended.push(Buffer.concat([MESSAGES[0]!, damage(MESSAGES[1]!, 15)])).length, 1)
  assert.throws(() => readAwsMessage(ended.end()!), AwsMessageError)
})

test('a message that drips in byte by byte costs linear time', () => {
  const message = writeAwsMessage(HEADERS, Buffer.alloc(500_000, 0x61))
  const framer = new AwsEventFramer(message.length)
  const started = performance.now()
  let found = 0
  for (let at = 0; at < message.length; at++) found += framer.push(message.subarray(at, at + 1)).length
  assert.equal(found, 1)
  assert.ok(performance.now() - started < 5000)
})
