import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageReader } from './http-message.ts'

const MESSAGES = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello' +
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n' +
    'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
)

function read(pieces: readonly Buffer[]): string[] {
  const found: string[] = []
  let body = ''
  const reader = new MessageReader({
    head: (line, header) => found.push(`${line} ${header('content-type') ?? '-'}`),
    body: (piece) => (body += piece.toString()),
    end: () => {
      found.push(body)
      body = ''
    },
  })
  for (const piece of pieces) reader.push(piece)
  assert.ok(reader.idle)
  return found
}

const WHOLE = [
  'HTTP/1.1 200 OK text/plain',
  'hello',
  'HTTP/1.1 200 OK -',
  'abc0123456789abcdef',
  'HTTP/1.1 204 No Content -',
  '',
]

test('messages read the same however the bytes were cut', () => {
  assert.deepEqual(read([MESSAGES]), WHOLE)
  for (let at = 1; at < MESSAGES.length; at++) {
    assert.deepEqual(read([MESSAGES.subarray(0, at), MESSAGES.subarray(at)]), WHOLE, `cut at ${at}`)
  }
  assert.deepEqual(read(Array.from(MESSAGES, (_, at) => MESSAGES.subarray(at, at + 1))), WHOLE)
})

test('a head that never ends is refused', () => {
  const reader = new MessageReader({ head: () => {}, body: () => {}, end: () => {} })
  assert.throws(() => reader.push(Buffer.alloc(64 * 1024 + 1, 'x')), /head too large/)
})
