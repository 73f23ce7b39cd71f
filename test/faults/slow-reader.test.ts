/** R123, fault R6: a client that does not read makes the upstream wait; the gateway keeps at most 1 MB of its stream. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { after, before, test } from 'node:test'
import { chat } from './client.ts'
import { eventually, Gateway } from './gateway.ts'
import { queues } from './kernel-queues.ts'
import { Upstream, type Call } from './upstream.ts'
import { faultConfig, modelOf, SURFACES, WIRES, type ChatSurface } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const HELD_BYTES_MAX = 1024 * 1024
const OFFERED_BYTES = 64 * 1024 * 1024
const STALLED_MS = 400
const STALL_MS_MAX = 15_000
const READERS = FULL ? 50 : 4

let upstream: Upstream
let gateway: Gateway

before(async () => {
  upstream = await Upstream.start()
  gateway = await Gateway.start({ config: faultConfig(upstream.url) })
})

after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

interface Push {
  /** Bytes of the body handed to the socket. */
  bytes: number
  lastMs: number
  readonly call: Call
}

/** Writes events as fast as the socket takes them, up to OFFERED_BYTES, and notes how far it came. */
function push(call: Call): Push {
  const text = WIRES[call.surface].delta(`upstream-${call.surface}`)
  const batch = text.repeat(Math.ceil(4096 / text.length))
  const state: Push = { bytes: 0, lastMs: performance.now(), call }
  call.begin()
  const go = (): void => {
    while (state.bytes < OFFERED_BYTES && !call.aborted) {
      state.bytes += batch.length
      state.lastMs = performance.now()
      if (!call.response.write(batch)) return
    }
  }
  call.response.on('drain', go)
  go()
  return state
}

/** A client that sends its request, waits for the first bytes and then reads nothing more. */
async function stall(key: string, surface: ChatSurface): Promise<{ socket: Socket; readBytes: number }> {
  const wire = WIRES[surface]
  const body = JSON.stringify(wire.body(modelOf(surface), true, 100, 'Hello'))
  const socket = connect({ host: '127.0.0.1', port: gateway.port })
  socket.on('error', () => undefined)
  socket.write(
    `POST ${wire.path(modelOf(surface), true)} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
  const [first] = (await once(socket, 'data')) as [Buffer]
  socket.pause()
  assert.match(first.toString('latin1', 0, 15), /^HTTP\/1\.1 200/, first.toString())
  return { socket, readBytes: first.length + socket.readableLength }
}

for (const surface of SURFACES) {
  test(`${READERS} stalled ${surface} readers hold the upstream up`, async (t) => {
    const { accountId, key } = await gateway.fund(`slow-${surface}@fault.test`, '100000')
    const pushes: Push[] = []
    upstream.answer = (call) => {
      pushes.push(push(call))
    }
    const readers = await Promise.all(Array.from({ length: READERS }, () => stall(key, surface)))
    await eventually('the upstream stands still', STALL_MS_MAX, async () =>
      pushes.every((one) => performance.now() - one.lastMs > STALLED_MS) ? true : undefined,
    )
    const offered = pushes.reduce((sum, one) => sum + one.bytes, 0)
    const unsent = pushes.reduce((sum, one) => sum + (one.call.response.socket?.writableLength ?? 0), 0)
    const intoGateway = queues({ local: upstream.port }).send + queues({ remote: upstream.port }).receive
    const outOfGateway = queues({ local: gateway.port }).send + queues({ remote: gateway.port }).receive
    const read = readers.reduce((sum, reader) => sum + reader.readBytes, 0)
    const heldEach = (offered - unsent - intoGateway - outOfGateway - read) / READERS
    t.diagnostic(
      `per stream: offered ${Math.round(offered / READERS / 1024)} KB, the gateway holds ${Math.round(heldEach / 1024)} KB`,
    )
    assert.ok(offered < OFFERED_BYTES * READERS, 'the upstream was never made to wait')
    assert.ok(heldEach <= HELD_BYTES_MAX, `the gateway holds ${heldEach} bytes per stream`)

    // Others are not held up by those who do not read.
    upstream.answer = (call) => call.reply({ input: 10, output: 10 })
    assert.equal((await chat(gateway, key, surface)).status, 200)

    for (const { socket } of readers) socket.destroy()
    await eventually('the stalled streams are cancelled upstream', STALL_MS_MAX, async () =>
      upstream.active === 0 ? true : undefined,
    )
    const books = await gateway.settledBooks(accountId)
    assert.equal(books.usage.length, READERS + 1)
    assert.equal(books.balance, books.sum)
  })
}
