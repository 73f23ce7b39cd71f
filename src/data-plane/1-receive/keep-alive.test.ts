import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { KeepAlive } from './keep-alive.ts'

const HEADERS = { 'content-type': 'text/event-stream' }

/** Answers one request by `answer` and reads it to its end. */
async function answered(answer: (response: ServerResponse, keepAlive: KeepAlive) => void): Promise<Response> {
  const server = createServer((_request, response) => answer(response, new KeepAlive(response)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    const told = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return new Response(await told.text(), { status: told.status, headers: told.headers })
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

/** Ends the answer as soon as so many comments went out. */
function endAfter(response: ServerResponse, comments: number, end: () => void): void {
  const write = response.write.bind(response) as (chunk: string) => boolean
  let count = 0
  response.write = ((chunk: string) => {
    const isOpen = write(chunk)
    if (++count === comments) setImmediate(end)
    return isOpen
  }) as typeof response.write
}

suite('R70: a stream that waits', () => {
  test('comments go out at the interval, with the head before the first', async () => {
    let opened = false
    const told = await answered((response, keepAlive) => {
      endAfter(response, 3, () => {
        keepAlive.stop()
        opened = keepAlive.hasOpened
        response.end('data: x\n\n')
      })
      keepAlive.start(20, HEADERS)
    })
    assert.equal(told.status, 200)
    assert.equal(told.headers.get('content-type'), HEADERS['content-type'])
    assert.equal(await told.text(), ': keepalive\n\n: keepalive\n\n: keepalive\n\ndata: x\n\n')
    assert.ok(opened)
  })

  test('an interval of 0 is off, and the head is left to the answer', async () => {
    const told = await answered((response, keepAlive) => {
      keepAlive.start(0, HEADERS)
      assert.equal(keepAlive.deadlineAt, Infinity)
      assert.equal(keepAlive.hasOpened, false)
      response.writeHead(429).end()
    })
    assert.equal(told.status, 429)
  })

  test('an answer that has ended is left alone', async () => {
    const told = await answered((response, keepAlive) => {
      response.end('all')
      keepAlive.onExpiry()
      assert.equal(keepAlive.hasOpened, false)
    })
    assert.equal(await told.text(), 'all')
  })
})
