/**
 * M18: clients that leave, upstreams that hang, break off and fail, for a while, with places for so many at a time. Behind it
 * nothing is held, no place is taken, no socket is open, and all money is explained. A seed plays it again.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import type { Json } from '#test/e2e/gateway.ts'
import { startUpstream, type Received, type Reply, type Upstream } from '#test/upstream/upstream.ts'
import { answerNatively } from '#test/upstream/native.ts'
import { call } from './client.ts'
import { eventually, Gateway, PROGRAM } from './gateway.ts'
import { randomOf } from './random.ts'
import { type ChatSurface, faultConfig, modelOf, SURFACES, WIRES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const RUN_MS = FULL ? 1000 * Number(process.env['TRIVIUM_ILL_SECONDS'] ?? 300) : 2000
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
const CLIENTS = 24
/** Places at each backend, and of each key: fewer than there are clients, so that a place that is lost is missed. */
const PLACES = 10
const ABORTS = 0.3
const LEAVE_MS_MAX = 150
const TIMEOUT_S = 0.25
const DRAIN_S = 0.5
const QUIET_MS_MAX = 10_000
const DOCTOR_MS_MAX = 20_000
/** Idle connections of clients live for 65 seconds, those to upstreams for half a minute. */
const IDLE_MS_MAX = 75_000

const next = randomOf(SEED)
let upstream: Upstream
let gateway: Gateway

/** How an upstream behaves: well, late, or ill in one of several ways. */
function play(received: Received): Reply | undefined {
  const sold = { input: 50, cacheRead: 0, cacheWrite: 0, output: 20, reasoning: 0 }
  const kind = next()
  if (kind < 0.1) return { hang: true }
  if (kind < 0.15) return { status: 500, body: { error: { message: 'broken' } } }
  if (kind < 0.2) return { status: 429, headers: { 'retry-after': '0' }, body: { error: { message: 'slow down' } } }
  const { frames } = answerNatively(received, { text: 'Some words that were said. '.repeat(4), sold })!
  if (!frames) return kind < 0.3 ? { cutAfterBytes: 20 } : { usage: sold }
  const at = 1 + Math.floor(next() * (frames.length - 1))
  if (kind < 0.35) return { frames, stallAfterFrames: at }
  if (kind < 0.45) return { frames, cutAfterFrames: at }
  return { frames, frameDelayMs: Math.floor(next() * 15) }
}

before(async () => {
  upstream = await startUpstream()
  upstream.always(play)
  const { backends, ...rest } = faultConfig(upstream.url) as { backends: Record<string, object> }
  const timeouts = { ttft_timeout: TIMEOUT_S, stream_idle_timeout: TIMEOUT_S, request_timeout: TIMEOUT_S }
  gateway = await Gateway.start({
    config: {
      ...rest,
      backends: Object.fromEntries(
        Object.entries(backends).map(([id, backend]) => [id, { ...backend, timeouts, concurrency: PLACES }]),
      ),
      routing: { drain_on_disconnect: DRAIN_S },
      logging: { level: 'error' },
    },
  })
})
after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

const bodyOf = (surface: ChatSurface, stream: boolean) =>
  WIRES[surface].body(modelOf(surface), stream, 100, 'Say some words, please.')

/** One request after the other until the time is over; nearly a third of them are left in their middle. */
async function client(at: number, key: string, endsAt: number): Promise<number> {
  let count = 0
  for (; performance.now() < endsAt; count++) {
    const surface = SURFACES[(at + count) % SURFACES.length]!
    const stream = next() < 0.7
    const leaves = next() < ABORTS
    const body = JSON.stringify(bodyOf(surface, stream))
    const path = WIRES[surface].path(modelOf(surface), stream)
    if (!leaves) {
      await call(gateway.port, { path, body, headers: { authorization: `Bearer ${key}` } })
      continue
    }
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const signal = AbortSignal.timeout(Math.floor(next() * LEAVE_MS_MAX))
    await fetch(gateway.baseUrl + path, { method: 'POST', headers, body, signal }).then(
      (response) => response.arrayBuffer().catch(() => undefined),
      () => undefined,
    )
  }
  return count
}

const sockets = (): number =>
  readdirSync(`/proc/${gateway.pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${gateway.pid}/fd/${fd}`).startsWith('socket:')
    } catch {
      // It was closed meanwhile.
      return false
    }
  }).length

/** Its exit code and what it says. */
const doctor = (): Promise<{ code: number; told: Json }> =>
  new Promise((resolve) => {
    const args = ['doctor', '--ledger', '--json', '--config', join(gateway.folder, 'config.yaml')]
    const all = [...args, '--data-dir', join(gateway.folder, 'data')]
    const child = execFile(PROGRAM, all, { cwd: gateway.folder, timeout: DOCTOR_MS_MAX }, (_, out) =>
      resolve({ code: child.exitCode ?? -1, told: JSON.parse(out) }),
    )
  })

test(`M18: ${RUN_MS / 1000} s of aborts, hangs and failures (seed ${SEED}): nothing stays held, taken or open`, async (t) => {
  const { key, accountId } = await gateway.fund('leaks@fault.test', '1000')
  const before = sockets()
  const endsAt = performance.now() + RUN_MS
  const counts = await Promise.all(Array.from({ length: CLIENTS }, (_, at) => client(at, key, endsAt)))
  const asked = counts.reduce((sum, count) => sum + count, 0)
  t.diagnostic(`${asked} requests, ${upstream.aborted} of their upstream calls were hung up`)
  assert.ok(asked > CLIENTS * 4 && upstream.aborted > 0)

  const traffic = async (): Promise<Json> => (await gateway.admin<Json>('GET', '/v1/diagnostics')).requests
  await eventually('no request is under way', QUIET_MS_MAX, async () => {
    const { active, read_on: readOn } = await traffic()
    return (active === 0 && readOn === 0) || undefined
  })
  const books = await gateway.settledBooks(accountId, QUIET_MS_MAX)
  assert.equal(books.held, 0n)
  assert.equal(books.balance, books.sum)

  // Every place is free: so many at once are served, with none to spare.
  const gate = Promise.withResolvers<void>()
  upstream.always({ waitFor: gate.promise })
  for (const surface of SURFACES) {
    const received = upstream.count()
    const path = WIRES[surface].path(modelOf(surface), false)
    const body = JSON.stringify({ ...bodyOf(surface, false) })
    const headers = { authorization: `Bearer ${key}` }
    const all = Array.from({ length: PLACES }, () => call(gateway.port, { path, body, headers }))
    await eventually(`${PLACES} are let through to ${surface}`, 5000, async () =>
      upstream.count() - received >= PLACES ? true : undefined,
    )
    void Promise.all(all)
  }
  upstream.always(undefined)
  gate.resolve()
  await eventually('no request is under way', QUIET_MS_MAX, async () => (await traffic()).active === 0 || undefined)

  // What is left are connections that may be used again, and those are closed in the end.
  const open = sockets()
  assert.ok(open - before <= SURFACES.length * CLIENTS + CLIENTS, `${open} sockets, ${before} before`)
  if (FULL) {
    await eventually('every connection is closed', IDLE_MS_MAX, async () => sockets() <= before || undefined)
  }

  const rows = await gateway.logs(Infinity, accountId)
  let charged = 0n
  for (const row of rows) charged += parseUsd((row['charged_cost'] as string | null) ?? '0')!
  const after = await gateway.settledBooks(accountId)
  assert.equal(1_000_000_000_000n - after.balance, charged)
  assert.equal(new Set(rows.map((row) => row.request_id)).size, rows.length)
  const { code, told } = await doctor()
  assert.equal(code, 0, JSON.stringify(told))
})
