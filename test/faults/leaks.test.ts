/**
 * M18: nothing that was set aside for a request stays behind it: clients that leave at any moment, upstreams that hang, break
 * or are too slow. `TRIVIUM_FAULTS=full` goes on for 30 minutes, `TRIVIUM_LEAK_SECONDS` for as long as it says.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { chat } from './client.ts'
import { amountOf, eventually, Gateway } from './gateway.ts'
import { connections } from './racing.ts'
import { randomOf } from './random.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig, SURFACES } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const SECONDS = Number(process.env['TRIVIUM_LEAK_SECONDS'] ?? (FULL ? 1800 : 2))
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
const CLIENTS = 40
/** Places of the key, all of which are free again in the end. */
const SLOTS = 20
const ABORTED_SHARE = 0.3
const ABORT_MS_MAX = 80
const DRAINED_MS_MAX = 15_000

let upstream: Upstream
let gateway: Gateway

before(async () => {
  upstream = await Upstream.start()
  const timeouts = { ttft_timeout: 1, stream_idle_timeout: 1, request_timeout: 1, total_timeout: 3 }
  gateway = await Gateway.start({ config: { ...(faultConfig(upstream.url) as object), timeouts } })
})
after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

/** Whatever an upstream may do with a call. */
function answerAnyhow(call: Call, random: () => number): void {
  const tokens = { input: 10, output: 5 }
  const dice = random()
  if (dice < 0.05) return
  if (dice < 0.1) call.response.destroy()
  else if (dice < 0.15) call.response.writeHead(500).end('{}')
  else if (call.stream && dice < 0.2) {
    call.begin()
    call.delta()
  } else if (call.stream && dice < 0.25) {
    call.begin()
    call.delta()
    setTimeout(() => call.response.destroy(), 20)
  } else if (call.stream) call.streamOut(Math.floor(random() * 20), 4, tokens)
  else setTimeout(() => call.reply(tokens), random() * ABORT_MS_MAX)
}

test(`M18: ${SECONDS} s of clients that leave and upstreams that fail: no hold, no place and no money is left over (seed ${SEED})`, async (t) => {
  const random = randomOf(SEED)
  const { accountId, key, hash } = await gateway.fund('leaks@fault.test', '10000')
  await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { rate_limits: { concurrency: SLOTS } })
  upstream.answer = (call) => answerAnyhow(call, random)
  const agent = connections(CLIENTS)
  const endMs = performance.now() + SECONDS * 1000
  const statuses = new Map<number, number>()
  const client = async () => {
    while (performance.now() < endMs) {
      const surface = SURFACES[Math.floor(random() * SURFACES.length)]!
      const leaves = random() < ABORTED_SHARE ? { abortMs: random() * ABORT_MS_MAX } : {}
      const { status } = await chat(gateway, key, surface, { stream: random() < 0.5, agent, ...leaves })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 429) await wait(ABORT_MS_MAX)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  agent.destroy()
  const books = await gateway.settledBooks(accountId, DRAINED_MS_MAX)
  t.diagnostic([...statuses].map(([status, count]) => `${count} x ${status}`).join(', '))
  assert.ok((statuses.get(0) ?? 0) > SECONDS && (statuses.get(200) ?? 0) > SECONDS, 'the load was no load')
  const rows = await gateway.logs(Number.POSITIVE_INFINITY, accountId)
  const explained = rows.reduce((sum, row) => sum + amountOf(String(row['charged_cost'] ?? '0')), 0n)
  const charged = books.usage.reduce((sum, { amount }) => sum - amountOf(amount), 0n)
  assert.deepEqual([explained, books.balance, books.held], [charged, books.sum, 0n])
  await checkPlaces(key)
})

/** As many requests as the key has places run at the same time, and one more does not. */
async function checkPlaces(key: string): Promise<void> {
  const waiting: Call[] = []
  upstream.answer = (call) => void waiting.push(call)
  const running = Array.from({ length: SLOTS }, () => chat(gateway, key, 'openai-chat', { stream: true }))
  await eventually(`${SLOTS} are at the upstream`, 900, async () => waiting.length === SLOTS || undefined)
  assert.equal((await chat(gateway, key, 'openai-chat')).status, 429)
  for (const call of waiting) call.streamOut(1, 1, { input: 1, output: 1 })
  assert.ok((await Promise.all(running)).every(({ status }) => status === 200))
}
