/** M3, R77: clients that leave in the middle of a stream. The upstream is told at once and each cut is billed once. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { chat, countWords } from './client.ts'
import { eventually, Gateway } from './gateway.ts'
import { Upstream } from './upstream.ts'
import { faultConfig, SURFACES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const CLIENTS = 200
const CLIENTS_SHORT = 50
const EVENTS_BEFORE_CUT = 3
const TICK_MS = 10
const ABORT_MS_MAX = 1000
const SETTLE_MS_MAX = 5000

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

for (const surface of SURFACES) {
  const clients = FULL || surface === 'openai-chat' ? CLIENTS : CLIENTS_SHORT
  test(`${clients} ${surface} clients leave after ${EVENTS_BEFORE_CUT} events`, async () => {
    upstream.reset()
    upstream.answer = (call) => call.streamOut(Number.POSITIVE_INFINITY, TICK_MS, { input: 10, output: 10 })
    const { accountId, key } = await gateway.fund(`cut-${surface}@fault.test`, '100')
    let lastCutMs = 0
    await Promise.all(
      Array.from({ length: clients }, async () => {
        const outcome = await chat(gateway, key, surface, {
          stream: true,
          watch: (text, request) => {
            if (countWords(text) < EVENTS_BEFORE_CUT || request.destroyed) return
            request.destroy()
            lastCutMs = performance.now()
          },
        })
        assert.equal(outcome.status, 200, outcome.text)
        assert.equal(outcome.complete, false)
      }),
    )
    await eventually(`${clients} aborts at the upstream`, ABORT_MS_MAX, async () =>
      upstream.aborted >= clients ? true : undefined,
    )
    const abortMs = performance.now() - lastCutMs
    assert.ok(abortMs <= ABORT_MS_MAX, `the upstream saw the last abort after ${abortMs} ms`)
    assert.equal(upstream.calls, clients)
    assert.equal(upstream.aborted, clients)

    const books = await eventually('one usage entry per cut stream', SETTLE_MS_MAX, async () => {
      const found = await gateway.books(accountId)
      return found.usage.length >= clients && found.held === 0n ? found : undefined
    }).catch(() => gateway.books(accountId))
    assert.equal(books.held, 0n)
    assert.equal(books.usage.length, clients)
    assert.equal(new Set(books.usage.map((entry) => entry.request_id)).size, clients)
    assert.equal(books.balance, books.sum)
    assert.ok(
      books.usage.every((entry) => entry.amount.startsWith('-')),
      'content that was delivered is never free',
    )

    const booked = new Set(books.usage.map((entry) => entry.request_id))
    const rows = (await gateway.logs(clients * 2)).filter((row) => booked.has(row.request_id))
    assert.equal(rows.length, clients)
    assert.deepEqual(
      rows.filter((row) => row.status !== 'client_cancelled').map((row) => row.status),
      [],
    )
  })
}
