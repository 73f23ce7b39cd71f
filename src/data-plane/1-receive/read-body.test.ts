import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { GatewayError } from '#base/errors.ts'
import { readBody } from './read-body.ts'

const BYTES_MAX = 1000

/** What reading the body of a client comes to that leaves behind `sent`; the body is read when `when` says so. */
async function leave(
  headers: Record<string, string>,
  sent: Buffer | string,
  when: (message: IncomingMessage) => Promise<unknown>,
): Promise<unknown> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const client = request({ host: '127.0.0.1', port, method: 'POST', headers })
    client.on('error', () => undefined)
    client.write(sent)
    const [message] = (await once(server, 'request')) as [IncomingMessage]
    message.on('error', () => undefined)
    const read = when(message).then(() => readBody(message, BYTES_MAX))
    client.destroy()
    return await read.catch((error: unknown) => error)
  } finally {
    server.close()
  }
}

const closed = (message: IncomingMessage): Promise<unknown> => new Promise((resolve) => message.on('close', resolve))

test('R77: who left before the body is read is not waited for', { timeout: 10_000 }, async () => {
  const announced = { 'content-length': '10' }
  const packed = { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' }
  for (const [name, failure] of [
    ['half of a body, read when it is too late', await leave(announced, 'hello', closed)],
    ['half of a body, read at once', await leave(announced, 'hello', async () => undefined)],
    ['a body that came whole', await leave(announced, 'helloworld', closed)],
    ['half of a compressed body', await leave(packed, gzipSync('hello').subarray(0, 5), closed)],
  ] as const) {
    assert.ok(failure instanceof GatewayError, name)
    assert.equal(failure.code, 'invalid_request', name)
  }
})
