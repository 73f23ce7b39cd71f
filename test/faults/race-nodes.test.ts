/**
 * M1 at two gateway processes that share one PostgreSQL: together they admit what the balance pays for, also when one of them
 * is killed in the middle. `TRIVIUM_FAULTS=full` runs 20 seeds instead of one.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { chat } from './client.ts'
import { amountOf, eventually, type Gateway } from './gateway.ts'
import { type Nodes, postgresSkip, startNodes } from './nodes.ts'
import {
  CLIENTS,
  connections,
  CONNECTIONS,
  describeTimes,
  enter,
  OUTPUT_TOKENS,
  PAID_FOR,
  race,
  RACE_PRICE,
} from './racing.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const ONLY = process.env['TRIVIUM_SEED']
const SEEDS = ONLY ? [Number(ONLY)] : Array.from({ length: FULL ? 20 : 1 }, (_, at) => at)
const RACERS = 200

let upstream: Upstream
let nodes: Nodes

describe('M1: two processes on one PostgreSQL', { skip: postgresSkip }, () => {
  before(async () => {
    upstream = await Upstream.start()
    nodes = await startNodes(2, { config: faultConfig(upstream.url, RACE_PRICE) })
  })
  after(async () => {
    await nodes?.close()
    await upstream?.close()
  })

  test(`M1: ${CLIENTS} requests at both race for a balance that pays for ${PAID_FOR}, ${SEEDS.length} seeds`, async (t) => {
    const { gateways } = nodes
    const all: number[] = []
    for (const seed of SEEDS) {
      const agents = gateways.map(() => connections(CONNECTIONS / 2 + PAID_FOR))
      const entered = await enter(gateways[0]!, `nodes-${seed}`, seed % 4 < 2 ? 1 : 10)
      const { refusedMs } = await race({ gateways, agents, upstream, ...entered, seed }).catch((cause: unknown) =>
        assert.fail(`seed ${seed}: ${String(cause)}`),
      )
      for (const agent of agents) agent.destroy()
      all.push(...refusedMs)
    }
    t.diagnostic(describeTimes(all))
  })

  test('M1: a process is killed in the middle: the other one admits no more than what it left', async () => {
    const [living, dying] = nodes.gateways as [Gateway, Gateway]
    const { accountId, keys } = await enter(living, 'killed', 1)
    upstream.reset()
    const waiting: Call[] = []
    upstream.answer = (call) => void waiting.push(call)
    let refused = 0
    const ask = async (gateway: Gateway) => {
      const outcome = await chat(gateway, keys[0]!, 'openai-chat', { maxTokens: OUTPUT_TOKENS })
      if (outcome.status === 402) refused++
      return outcome
    }
    const half = PAID_FOR / 2
    const lost = Array.from({ length: half }, () => ask(dying))
    await eventually('the first half is at the upstream', 10_000, async () => waiting.length === half || undefined)
    await dying.kill('SIGKILL')
    assert.ok((await Promise.all(lost)).every(({ status }) => status === 0))
    const rest = Array.from({ length: RACERS }, () => ask(living))
    await eventually(
      'all others are decided',
      30_000,
      async () => waiting.length + refused === half + RACERS || undefined,
    )
    for (const call of waiting.slice(half)) call.reply({ input: 10, output: OUTPUT_TOKENS })
    const statuses = (await Promise.all(rest)).map(({ status }) => status)
    assert.deepEqual([statuses.filter((status) => status === 200).length, upstream.calls], [half, PAID_FOR])
    // What the dead one held is set aside until its lease is over: less to spend, never more.
    const { balance, held, available } = await living.account(accountId)
    assert.deepEqual([balance, held, available].map(amountOf), [amountOf('0.125'), amountOf('0.125'), 0n])
  })
})
