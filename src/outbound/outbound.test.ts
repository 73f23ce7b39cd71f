import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import {
  FILE_BYTES_MAX,
  Outbound,
  type OutboundOptions,
  type OutboundResult,
  REDIRECTS_MAX,
  type Resolve,
} from './outbound.ts'

/** The second loopback address plays the public Internet; the first one is the canary that nobody may reach. */
const OPEN = '127.0.0.2'
const CANARY = '127.0.0.1'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')
const sendPng: Handler = (_request, response) => {
  response.writeHead(200, { 'content-type': 'image/png' }).end(PNG)
}

let server: Server
let canary: Server
let port = 0
let handler: Handler = sendPng
let asked: string[] = []
let canaryHits = 0
const left = new EventEmitter()

before(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`)
    response.on('close', () => !response.writableFinished && left.emit('left'))
    handler(request, response)
  })
  server.listen(0, OPEN)
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  canary = createServer((_request, response) => response.end()).on('connection', () => canaryHits++)
  canary.listen(port, CANARY)
  await once(canary, 'listening')
})
after(() => {
  for (const each of [server, canary]) {
    each.close()
    each.closeAllConnections()
  }
})
beforeEach(() => {
  handler = sendPng
  asked = []
  canaryHits = 0
})

const outboundOf = (options: Partial<OutboundOptions> = {}): Outbound =>
  new Outbound({ allowPrivate: () => NETWORKS, ...options })
const NETWORKS = [`${OPEN}/32`]

function get(outbound: Outbound, url: string, rest: { signal?: AbortSignal; bytesLeft?: number } = {}) {
  const { signal = new AbortController().signal, bytesLeft = FILE_BYTES_MAX } = rest
  return outbound.get(url, { accept: '*/*', signal, budget: { bytesLeft } })
}

const at = (host = OPEN, path = '/'): string => `http://${host}:${port}${path}`
const answers = (...addresses: (readonly string[])[]): { resolve: Resolve; asked: string[] } => {
  const names: string[] = []
  return {
    asked: names,
    resolve: async (host) => {
      names.push(host)
      const list = addresses[Math.min(names.length, addresses.length) - 1]!
      return list.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    },
  }
}
const redirectTo =
  (location: string, status = 302): Handler =>
  (_request, response) =>
    void response.writeHead(status, { location }).end('elsewhere')

const reasonOf = (result: OutboundResult): string =>
  'reason' in result ? `${result.kind}: ${result.reason}` : result.kind

describe('what is fetched', () => {
  test('the bytes and their type, without cookies or credentials', async () => {
    let headers: IncomingMessage['headers'] = {}
    handler = (request, response) => {
      headers = request.headers
      sendPng(request, response)
    }
    const result = await get(outboundOf(), at(OPEN, '/a.png?b=1#c'))
    assert.deepEqual(result, { kind: 'fetched', contentType: 'image/png', body: PNG })
    assert.deepEqual(asked, [`${OPEN}:${port} /a.png?b=1`])
    assert.deepEqual(Object.keys(headers).sort(), ['accept', 'accept-encoding', 'connection', 'host', 'user-agent'])
  })

  test('a name is looked up once, and its own host is asked', async () => {
    const dns = answers([OPEN])
    assert.equal((await get(outboundOf({ resolve: dns.resolve }), at('pictures.example'))).kind, 'fetched')
    assert.deepEqual([dns.asked, asked], [['pictures.example'], [`pictures.example:${port} /`]])
  })

  test('redirects are followed, and not one more than allowed', async () => {
    handler = (request, response) => {
      const step = Number(request.url!.slice(1))
      if (step === 0) sendPng(request, response)
      else redirectTo(`/${step - 1}`, [301, 303, 307, 308][step % 4])(request, response)
    }
    assert.equal((await get(outboundOf(), at(OPEN, `/${REDIRECTS_MAX}`))).kind, 'fetched')
    const result = await get(outboundOf(), at(OPEN, `/${REDIRECTS_MAX + 1}`))
    assert.equal(reasonOf(result), `failed: it was redirected more than ${REDIRECTS_MAX} times`)
  })

  test('anything but a plain 200 is no file, and nothing of it is told', async () => {
    const cases: [Handler, RegExp][] = [
      [(_, response) => void response.writeHead(404).end('secret'), /did not answer with a file/],
      [(_, response) => void response.writeHead(206).end('secret'), /did not answer with a file/],
      [(_, response) => void response.writeHead(302).end('secret'), /did not answer with a file/],
      [(_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('secret'), /compressed/],
      [redirectTo('http://['), /leads nowhere/],
      [(request) => void request.socket.destroy(), /cannot be reached/],
    ]
    for (const [each, reason] of cases) {
      handler = each
      const result = await get(outboundOf(), at())
      assert.match(reasonOf(result), reason)
      assert.doesNotMatch(JSON.stringify(result), /secret|404/)
    }
  })
})

describe('what is not reached (attack S1)', () => {
  const forbidden = async (outbound: Outbound, url: string): Promise<void> => {
    assert.equal(reasonOf(await get(outbound, url)), 'forbidden: its host is not allowed')
    assert.equal(canaryHits, 0)
  }

  test('a private address, by number and by name', async () => {
    await forbidden(outboundOf(), at(CANARY))
    await forbidden(outboundOf(), at('localhost'))
    for (const address of [CANARY, '::1', '::ffff:127.0.0.1', '10.0.0.1', '169.254.169.254'])
      await forbidden(outboundOf({ resolve: answers([address]).resolve }), at('pictures.example'))
    assert.deepEqual(asked, [])
  })

  test('of several addresses only those that are permitted', async () => {
    const { resolve } = answers([CANARY, OPEN, '::1'])
    assert.equal((await get(outboundOf({ resolve }), at('pictures.example'))).kind, 'fetched')
    assert.equal(canaryHits, 0)
  })

  test('a name that changes its address between two look-ups', async () => {
    const dns = answers([OPEN], [CANARY])
    handler = redirectTo('/again')
    await forbidden(outboundOf({ resolve: dns.resolve }), at('rebind.example'))
    assert.deepEqual([dns.asked.length, asked.length], [2, 1])
  })

  test('a redirect to a private address, a name of one, another scheme', async () => {
    for (const location of [
      at(CANARY),
      `//${CANARY}:${port}/`,
      `http://0x7f.1:${port}/`,
      'http://localhost/',
      'http://[::1]/',
    ]) {
      handler = redirectTo(location)
      await forbidden(outboundOf(), at())
    }
    for (const location of [
      'file:///etc/passwd',
      'ftp://example.com/',
      'gopher://127.0.0.1/',
      `http://a@${OPEN}:${port}/`,
    ]) {
      handler = redirectTo(location)
      assert.equal((await get(outboundOf(), at())).kind, 'forbidden', location)
    }
    assert.equal(canaryHits, 0)
  })

  test('a proxy of the environment is not used', async () => {
    const before = process.env['http_proxy']
    process.env['http_proxy'] = at(CANARY)
    try {
      assert.equal((await get(outboundOf(), at())).kind, 'fetched')
      assert.equal(canaryHits, 0)
    } finally {
      if (before === undefined) delete process.env['http_proxy']
      else process.env['http_proxy'] = before
    }
  })

  test('what the operator opens is asked at every fetch', async () => {
    let networks: readonly string[] = []
    const outbound = outboundOf({ allowPrivate: () => networks })
    await forbidden(outbound, at())
    networks = NETWORKS
    assert.equal((await get(outbound, at())).kind, 'fetched')
  })
})

describe('bounds', () => {
  const limits = { fileBytesMax: 1000 }
  const chunked =
    (bytes: number): Handler =>
    (_request, response) => {
      for (let sent = 0; sent < bytes; sent += 100) response.write(Buffer.alloc(Math.min(100, bytes - sent)))
      response.end()
    }

  test('the size, counted as it arrives', async () => {
    handler = chunked(1000)
    assert.equal((await get(outboundOf({ limits }), at())).kind, 'fetched')
    handler = chunked(1001)
    assert.equal(reasonOf(await get(outboundOf({ limits }), at())), 'failed: it has more than 1000 bytes')
  })

  test('the size that is announced, before anything is read', async () => {
    handler = (_request, response) => void response.writeHead(200, { 'content-length': '1001' }).flushHeaders()
    assert.equal(reasonOf(await get(outboundOf({ limits }), at())), 'failed: it has more than 1000 bytes')
  })

  test('the bytes of several files together', async () => {
    handler = chunked(600)
    const budget = { bytesLeft: 1100 }
    const ask = { accept: '*/*', signal: new AbortController().signal, budget }
    const outbound = outboundOf()
    const kinds = [(await outbound.get(at(), ask)).kind, (await outbound.get(at(), ask)).kind]
    assert.deepEqual(kinds, ['fetched', 'failed'])
  })

  test('the time, for a silent host and for a slow body', async () => {
    const slow: Handler[] = [() => {}, (_request, response) => void response.writeHead(200).write('a')]
    for (const each of slow) {
      handler = each
      const gone = once(left, 'left')
      assert.equal(
        reasonOf(await get(outboundOf({ limits: { fetchMs: 100 } }), at())),
        'failed: it did not arrive in time',
      )
      await gone
    }
  })

  test('the client that leaves ends the fetch', async () => {
    const client = new AbortController()
    handler = (_request, response) => {
      response.writeHead(200).write('a')
      client.abort()
    }
    const gone = once(left, 'left')
    assert.equal((await get(outboundOf(), at(), { signal: client.signal })).kind, 'aborted')
    await gone
    assert.equal((await get(outboundOf(), at(), { signal: client.signal })).kind, 'aborted')
    assert.equal(asked.length, 1)
  })

  test('fetches at a time, and fetches that wait', async () => {
    const outbound = outboundOf({ limits: { fetchesMax: 1, fetchesWaitingMax: 1 } })
    const arrived = new EventEmitter()
    handler = (request, response) => void arrived.emit('one', request, response)
    const first = get(outbound, at(OPEN, '/1'))
    const [request, response] = (await once(arrived, 'one')) as Parameters<Handler>
    const second = get(outbound, at(OPEN, '/2'))
    assert.equal((await get(outbound, at(OPEN, '/3'))).kind, 'busy')
    assert.equal(asked.length, 1)
    handler = sendPng
    sendPng(request, response)
    assert.deepEqual([(await first).kind, (await second).kind], ['fetched', 'fetched'])
    const leaving = new AbortController()
    handler = () => leaving.abort()
    const held = get(outbound, at(OPEN, '/4'), { signal: leaving.signal })
    const waiting = get(outbound, at(OPEN, '/5'), { signal: leaving.signal })
    assert.deepEqual([(await held).kind, (await waiting).kind], ['aborted', 'aborted'])
    handler = sendPng
    assert.equal((await get(outbound, at(OPEN, '/6'))).kind, 'fetched')
  })
})
