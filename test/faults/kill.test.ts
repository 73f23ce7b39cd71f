/**
 * M4, R123 (6): kill -9 at random instants under load. Every reply that a client saw to its end is in the ledger exactly
 * once, nothing is booked twice and no hold stays open. TRIVIUM_KILLS sets the count, TRIVIUM_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { Agent } from 'node:http'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { chat } from './client.ts'
import { Gateway } from './gateway.ts'
import { Upstream } from './upstream.ts'
import { faultConfig, SURFACES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const KILLS = Number(process.env['TRIVIUM_KILLS'] ?? (FULL ? 50 : 8))
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
const WORKERS = 24
const UP_MS_MIN = 30
const UP_MS_MAX = 600
/** A client whose connection was refused tries again after this. */
const REFUSED_MS = 10

/** Mulberry32: small, fast, and the same everywhere for one seed. */
function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

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

interface Seen {
  /** Request ids of replies that were read to their end. */
  readonly completed: string[]
  unaryCount: number
  streamCount: number
  readonly oddities: string[]
}

/** One client that never stops: unary and streamed requests on all surfaces, over connections of its own. */
async function worker(key: string, next: () => number, seen: Seen, stopped: AbortSignal): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  while (!stopped.aborted) {
    const surface = SURFACES[Math.floor(next() * SURFACES.length)]!
    const stream = next() < 0.5
    const outcome = await chat(gateway, key, surface, { stream, agent })
    if (outcome.status === 0) await wait(REFUSED_MS)
    if (outcome.status !== 200 || !outcome.complete) {
      if (outcome.status >= 400 && outcome.status < 500) seen.oddities.push(`${outcome.status} ${outcome.text}`)
      continue
    }
    const id = outcome.headers['x-request-id']
    if (typeof id !== 'string') seen.oddities.push('a reply without x-request-id')
    else seen.completed.push(id)
    if (stream) seen.streamCount++
    else seen.unaryCount++
  }
  agent.destroy()
}

test(`${KILLS} x kill -9 under load (seed ${SEED})`, async (t) => {
  const next = random(SEED)
  const { accountId, key } = await gateway.fund('kill@fault.test', '10000')
  upstream.answer = (call) => {
    const tokens = { input: 10, output: 5 }
    if (call.stream) call.streamOut(5, 3, tokens)
    else setTimeout(() => call.reply(tokens), next() * 10)
  }
  const seen: Seen = { completed: [], unaryCount: 0, streamCount: 0, oddities: [] }
  const stop = new AbortController()
  const workers = Array.from({ length: WORKERS }, () => worker(key, next, seen, stop.signal))
  const restartMs: number[] = []
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      await wait(UP_MS_MIN + next() * (UP_MS_MAX - UP_MS_MIN))
      await gateway.kill('SIGKILL')
      restartMs.push(await gateway.run())
    }
    await wait(UP_MS_MAX)
  } finally {
    stop.abort()
    await Promise.all(workers)
  }
  // Once more without load: whatever the last life left open is for recovery to close.
  await gateway.kill('SIGKILL')
  restartMs.push(await gateway.run())

  const books = await gateway.settledBooks(accountId)
  const times = new Map<string, number>()
  for (const entry of books.usage) times.set(entry.request_id ?? '', (times.get(entry.request_id ?? '') ?? 0) + 1)
  const missing = seen.completed.filter((id) => !times.has(id))
  const twice = [...times].filter(([, count]) => count > 1).map(([id]) => id)
  t.diagnostic(
    `${seen.completed.length} completed (${seen.unaryCount} unary, ${seen.streamCount} streams), ` +
      `${books.usage.length} booked, ${upstream.calls} upstream calls, slowest restart ${Math.round(Math.max(...restartMs))} ms`,
  )
  assert.deepEqual(seen.oddities.slice(0, 5), [])
  assert.ok(seen.unaryCount > KILLS && seen.streamCount > KILLS, 'the load was no load')
  assert.equal(new Set(seen.completed).size, seen.completed.length, 'request ids repeat')
  assert.deepEqual(missing, [], 'replies that a client saw to their end and nobody paid for')
  assert.deepEqual(twice, [], 'booked twice')
  assert.ok(books.usage.length <= upstream.calls, 'more booked than the upstream ever answered')
  assert.equal(books.balance, books.sum)
  assert.equal(books.held, 0n)
})
