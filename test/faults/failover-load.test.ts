/**
 * Faults R2, R3: two upstreams under load, one of them dead in each of nine ways. The gateway, the upstreams and the client are
 * processes of their own. What an open circuit costs is measured against requests in the same seconds to a model that has the sound
 * upstream alone. The short form runs all ways at once at a low rate; TRIVIUM_FAULTS=full one after the other, 300 requests per
 * second for a minute each.
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { FAILURES_MAX } from '#health/circuit.ts'
import { quantileOf } from '#test/quantiles.ts'
import {
  FIRST_CONTENT_MS,
  failuresBeforeOpen,
  type Load,
  loadConfig,
  nameOf,
  type Ran,
  RECOVERY_MS_MAX,
  runWay,
  type Sample,
} from './failover-run.ts'
import { Gateway } from './gateway.ts'
import { type Order, type Report, SOUND_NAME, type Way, WAYS } from './sick-upstream.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
/** Only these ways, by a part of their name. */
const ONLY = process.env['TRIVIUM_WAYS'] ?? ''
/** Of the full form: how long each way lasts. */
const ILL_SECONDS = Number(process.env['TRIVIUM_ILL_SECONDS'] ?? 60)
const LOAD: Load = FULL
  ? { perSecond: 300, soundMs: 5000, illMs: ILL_SECONDS * 1000 }
  : { perSecond: 24, soundMs: 1000, illMs: 4000 }
const SUCCESS_MIN = 0.999
/** A stream that is cut behind its first content cannot be saved: one per failure until the circuit opens, and one per probe. */
const CUT_LOST_MAX = 12
const OPENING_FAILURES_MAX = 5
const ADDED_MS_MAX = 1
/** By then all that was under way when the server fell ill has found another one. */
const SETTLED_MS = 1500
/** Beside the wait for the first content and what a request takes anyway: the sweep of the deadlines, and in npm test a busy machine. */
const MARGIN_MS = FULL ? 300 : 3000
/** In npm test other tests run at the same time: then as much as a request takes anyway is noise. */
const ADDED_SHARE_MAX = FULL ? 0 : 1

let upstreams: ChildProcess
let gateway: Gateway
const openSamples: Sample[] = []
const controlSamples: Sample[] = []

before(async () => {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  upstreams = fork(join(import.meta.dirname, 'sick-upstream.ts'), {
    env,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [ports] = (await once(upstreams, 'message')) as [Extract<Report, { kind: 'ports' }>]
  gateway = await Gateway.start({ config: loadConfig(ports) })
})

after(async () => {
  await gateway?.stop()
  upstreams?.disconnect()
})

/** Orders are answered in their order. */
let orders: Promise<unknown> = Promise.resolve()

function tell(way: Way, what: Order['what']): Promise<unknown> {
  orders = obeyed(orders, { way, what })
  return orders
}

async function obeyed(before: Promise<unknown>, order: Order): Promise<void> {
  await before
  upstreams.send(order)
  await once(upstreams, 'message')
}

const settledOf = (samples: readonly Sample[], { illAt, soundAt }: Ran): Sample[] =>
  samples.filter(({ at, stream, by }) => !stream && by === SOUND_NAME && at > illAt + SETTLED_MS && at < soundAt)

const p50Of = (samples: readonly Sample[]): number =>
  quantileOf(
    samples.map(({ latencyMs }) => latencyMs),
    0.5,
  )

suite('R67, R71: one of two upstreams is dead', { concurrency: FULL ? 1 : WAYS.length }, () => {
  for (const way of WAYS.filter((each) => each.includes(ONLY))) {
    test(way, async (context) => {
      const { key, accountId } = await gateway.fund(`${nameOf(way)}@fault.test`, '100')
      const ran = await runWay(gateway, key, way, LOAD, (what) => tell(way, what))
      const { samples } = ran
      const lost = samples.filter(({ by }) => by === null)
      const open = settledOf(samples, ran)
      const control = settledOf(ran.control, ran)
      openSamples.push(...open)
      controlSamples.push(...control)
      const addedMs = p50Of(open) - p50Of(control)
      const latencies = samples.map(({ latencyMs }) => latencyMs)
      const rows = await gateway.logs(Number.POSITIVE_INFINITY, accountId)
      const failures = failuresBeforeOpen(rows, nameOf(way), FAILURES_MAX)
      const figures = {
        requests: samples.length,
        lost: lost.length,
        failuresBeforeOpen: failures,
        openAddedP50Ms: Number(addedMs.toFixed(3)),
        controlP50Ms: Number(p50Of(control).toFixed(3)),
        p99Ms: Math.round(quantileOf(latencies, 0.99)),
        recoveryMs: Math.round(ran.recoveryMs),
      }
      context.diagnostic(`${way}: ${JSON.stringify(figures)}`)
      if (FULL) console.log(`${way}: ${JSON.stringify(figures)}`)
      assert.equal([...samples, ...ran.control].filter(({ isMixed }) => isMixed).length, 0, 'mixed answers')
      assert.equal(ran.control.filter(({ by }) => by !== SOUND_NAME).length, 0, 'requests to the sound one were lost')
      if (way === 'cut mid-stream') {
        assert.ok(lost.every(({ stream }) => stream))
        assert.ok(FULL || lost.length <= CUT_LOST_MAX, `${lost.length} lost`)
      }
      if (!FULL && way !== 'cut mid-stream') assert.equal(lost.length, 0, JSON.stringify(lost.slice(0, 3)))
      if (FULL) assert.ok(1 - lost.length / samples.length >= SUCCESS_MIN, `${lost.length} of ${samples.length} lost`)
      assert.ok(failures <= OPENING_FAILURES_MAX, `opened after ${failures} failures`)
      const usualMs = quantileOf(
        ran.control.map(({ latencyMs: ms }) => ms),
        0.99,
      )
      assert.ok(
        figures.p99Ms <= FIRST_CONTENT_MS + usualMs + MARGIN_MS,
        `p99 ${figures.p99Ms} ms, usually ${usualMs} ms`,
      )
      assert.ok(ran.recoveryMs <= RECOVERY_MS_MAX)
      if (FULL) assert.ok(addedMs <= ADDED_MS_MAX, `an open circuit adds ${addedMs} ms`)
      const books = await gateway.settledBooks(accountId)
      assert.equal(books.sum, books.balance)
    })
  }
})

test('R71: what an open circuit adds to a request', (context) => {
  const addedMs = p50Of(openSamples) - p50Of(controlSamples)
  context.diagnostic(`${addedMs} ms over ${p50Of(controlSamples)} ms, ${openSamples.length} requests`)
  assert.ok(addedMs <= ADDED_MS_MAX + ADDED_SHARE_MAX * p50Of(controlSamples), `${addedMs} ms`)
})
