/**
 * M1, R94: a prepaid balance and more parallel requests than it pays for. `TRIVIUM_FAULTS=full` runs 100 seeds instead of
 * a few, and `TRIVIUM_SEED` one of them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { amountOf, Gateway } from './gateway.ts'
import { chat } from './client.ts'
import {
  CLIENTS,
  connections,
  describeTimes,
  enter,
  OUTPUT_TOKENS,
  PAID_FOR,
  quantile,
  race,
  RACE_PRICE,
  REFUSED_MS_MAX,
} from './racing.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const ONLY = process.env['TRIVIUM_SEED']
const SEEDS = ONLY ? [Number(ONLY)] : Array.from({ length: FULL ? 100 : 3 }, (_, at) => at)
/** The share of refusals that has to be in time; `npm test` runs other files at the same time, which may hold up the rest. */
const SHARE_IN_TIME = FULL ? 0.99 : 0.5

let upstream: Upstream
let gateway: Gateway

before(async () => {
  upstream = await Upstream.start()
  gateway = await Gateway.start({ config: faultConfig(upstream.url, RACE_PRICE) })
})

after(async () => {
  await gateway?.stop()
  await upstream?.close()
})

test(`M1: ${CLIENTS} requests race for a balance that pays for ${PAID_FOR}, ${SEEDS.length} seeds, with 1 and 10 keys`, async (t) => {
  const all: number[] = []
  const agents = [connections()]
  // The first requests of a process pay for its compilation.
  await race({ gateways: [gateway], agents, upstream, ...(await enter(gateway, 'warm', 1)), seed: 0 })
  for (const seed of SEEDS) {
    const entered = await enter(gateway, `race-${seed}`, seed % 4 < 2 ? 1 : 10)
    const { refusedMs } = await race({ gateways: [gateway], agents, upstream, ...entered, seed }).catch(
      (cause: unknown) => assert.fail(`seed ${seed}: ${String(cause)}`),
    )
    all.push(...refusedMs)
  }
  agents[0]!.destroy()
  t.diagnostic(describeTimes(all))
  const late = quantile(all, SHARE_IN_TIME)
  assert.ok(late <= REFUSED_MS_MAX, `402 within ${late} ms`)
})

test('an upstream that counts more than the bound is paid as far as the balance reaches', async () => {
  const [over, balance] = [5, '0.01']
  const { accountId, key } = await gateway.fund('absorbed@fault.test', balance)
  upstream.reset()
  const waiting: Call[] = []
  upstream.answer = (call) => {
    if (waiting.push(call) === 2) for (const one of waiting) one.reply({ input: 10, output: OUTPUT_TOKENS * over })
  }
  const told = await Promise.all([1, 2].map(() => chat(gateway, key, 'openai-chat', { maxTokens: OUTPUT_TOKENS })))
  assert.deepEqual(
    told.map(({ status }) => status),
    [200, 200],
  )
  const books = await gateway.settledBooks(accountId)
  assert.deepEqual([books.balance, books.sum], [0n, 0n])
  const rows = await gateway.logs(10, accountId)
  const sum = (column: string): bigint => rows.reduce((total, row) => total + amountOf(String(row[column] ?? '0')), 0n)
  const cost = amountOf('0.05')
  assert.deepEqual([sum('charged_cost'), sum('absorbed_cost')], [amountOf(balance), cost - amountOf(balance)])
  assert.equal((await chat(gateway, key, 'openai-chat', { maxTokens: OUTPUT_TOKENS })).status, 402)
})
