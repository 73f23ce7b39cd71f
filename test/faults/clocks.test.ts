/**
 * Wall clocks that are wrong: a process whose clock jumps (M17), and two processes an hour apart from the database before and
 * behind it, over a boundary of days (M14). The second takes half a minute and runs with `TRIVIUM_FAULTS=full` only.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { chat } from './client.ts'
import { amountOf, eventually, Gateway, type LogRow } from './gateway.ts'
import { postgresSkip } from '#test/postgres.ts'
import { type Nodes, setDatabaseClock, startNodes } from './nodes.ts'
import { CONNECTIONS, OUTPUT_TOKENS, RACE_PRICE } from './racing.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Until the day of the database ends: two processes start in this time and race once. */
const BEFORE_MIDNIGHT_MS = 20_000
/** A key is good again at the latest so long after its limit starts over. */
const LATE_MS_MAX = 1000
const CAP = '0.05'
const CALLS_WITHIN_CAP = 10
const RACERS = 500
const PRELOAD = pathToFileURL(join(import.meta.dirname, 'shifted-clock.mjs')).href

let folder: string
let upstream: Upstream

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trivium-clocks-'))
  upstream = await Upstream.start()
})
after(async () => {
  await upstream?.close()
  rmSync(folder, { recursive: true, force: true })
})

const answer = (call: Call): void => call.reply({ input: 10, output: OUTPUT_TOKENS })

/** What a process needs in its environment for a wall clock of its own. */
function clockOf(name: string, offsetMs: number): Record<string, string> {
  const file = join(folder, name)
  writeFileSync(file, String(offsetMs))
  return { CLOCK_FILE: file, NODE_OPTIONS: `--import=${PRELOAD}` }
}

const connections = (): Agent => new Agent({ keepAlive: true, maxSockets: CONNECTIONS })

const ask = (gateway: Gateway, key: string, agent = connections()) =>
  chat(gateway, key, 'openai-chat', { maxTokens: OUTPUT_TOKENS, agent })

test('M17: the wall clock of a process jumps while requests run: nothing that is held is set free, and all is charged', async () => {
  const config = faultConfig(upstream.url, RACE_PRICE)
  const gateway = await Gateway.start({ config, env: clockOf('one', 0) })
  try {
    const { accountId, key, hash } = await gateway.fund('jumps@fault.test', '0.02')
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { limit: 0.02, limit_reset: 'daily' })
    const waiting: Call[] = []
    upstream.answer = (call) => void waiting.push(call)
    const running = Array.from({ length: 4 }, () => ask(gateway, key))
    await eventually('all are at the upstream', 10_000, async () => waiting.length === 4 || undefined)
    for (const jumpMs of [HOUR_MS, -HOUR_MS, DAY_MS, -DAY_MS, 1000, 0]) {
      writeFileSync(join(folder, 'one'), String(jumpMs))
      gateway.signal('SIGUSR2')
      await eventually('the clock has jumped', 5000, async () => {
        const told = await ask(gateway, key)
        assert.equal(told.status, 402, told.text)
        const row = await gateway.admin<LogRow>('GET', `/api/logs/${String(told.headers['x-request-id'])}`)
        return Math.abs(Date.parse(String(row['ts_start'])) - Date.now() - jumpMs) < HOUR_MS / 2 || undefined
      })
      const { held, available } = await gateway.account(accountId)
      assert.deepEqual([amountOf(held), amountOf(available)], [amountOf('0.02'), 0n])
    }
    for (const call of waiting) answer(call)
    assert.ok((await Promise.all(running)).every(({ status }) => status === 200))
    const books = await gateway.settledBooks(accountId)
    assert.deepEqual([books.balance, books.sum, books.usage.length], [0n, 0n, 4])
  } finally {
    await gateway.stop()
  }
})

if (FULL) {
  test(
    'M14: caps that 500 race for at two processes whose clocks are two hours apart start over once, at the same moment',
    {
      skip: postgresSkip,
    },
    async (t) => {
      const midnightMs = Math.ceil(Date.now() / DAY_MS) * DAY_MS
      const offsetMs = midnightMs - BEFORE_MIDNIGHT_MS - Date.now()
      const nowOfDatabase = (): number => Date.now() + offsetMs
      const config = faultConfig(upstream.url, RACE_PRICE)
      const envOf = (node: number) => clockOf(`node-${node}`, node === 0 ? HOUR_MS : -HOUR_MS)
      upstream.reset()
      upstream.answer = answer
      let nodes: Nodes | undefined
      try {
        nodes = await startNodes(2, { config }, envOf, (url) => setDatabaseClock(url, offsetMs))
        const { gateways } = nodes
        const agents = gateways.map(() => connections())
        const { key, hash, accountId } = await gateways[0]!.fund('capped@fault.test', '100')
        await gateways[0]!.admin('PATCH', `/api/v1/keys/${hash}`, { limit: Number(CAP), limit_reset: 'daily' })
        await gateways[0]!.admin('POST', `/api/v1/budgets?account_id=${accountId}`, { max_usd: CAP, period: 'daily' })
        const race = async () => {
          const all = Array.from({ length: RACERS }, (_, at) => ask(gateways[at % 2]!, key, agents[at % 2]))
          const statuses = (await Promise.all(all)).map(({ status }) => status)
          assert.deepEqual(
            [...new Set(statuses)].toSorted(),
            [200, 402].filter((one) => statuses.includes(one)),
          )
        }
        await race()
        assert.equal(upstream.calls, CALLS_WITHIN_CAP)
        assert.ok(nowOfDatabase() < midnightMs, 'the machine was too slow for this test')
        const good = await Promise.all(
          gateways.map(async (gateway, at) => {
            for (;;) {
              const askedMs = nowOfDatabase()
              if ((await ask(gateway, key, agents[at])).status === 200) return { askedMs, toldMs: nowOfDatabase() }
              await wait(50)
            }
          }),
        )
        for (const { askedMs, toldMs } of good) {
          assert.ok(toldMs >= midnightMs, 'a limit started over too early')
          assert.ok(askedMs - midnightMs <= LATE_MS_MAX, `a good key was refused for ${askedMs - midnightMs} ms`)
        }
        t.diagnostic(`good again after ${good.map(({ askedMs }) => askedMs - midnightMs).join(' and ')} ms`)
        await race()
        assert.equal(upstream.calls, 2 * CALLS_WITHIN_CAP)
        await race()
        assert.equal(upstream.calls, 2 * CALLS_WITHIN_CAP, 'the limit started over twice')
        for (const agent of agents) agent.destroy()
      } finally {
        await nodes?.close()
      }
    },
  )
}
