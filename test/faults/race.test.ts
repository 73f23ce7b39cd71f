/**
 * M1, R94: a prepaid balance and more parallel requests than it pays for. `TRIVIUM_FAULTS=full` runs 100 seeds instead of
 * a few, and `TRIVIUM_SEED` one of them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { quantileOf } from '#test/quantiles.ts'
import { amountOf, Gateway } from './gateway.ts'
import { chat } from './client.ts'
import { Lanes } from './lanes.ts'
import {
  CLIENTS,
  CONNECTIONS,
  describeTimes,
  enter,
  type Finish,
  OUTPUT_TOKENS,
  PAID_FOR,
  race,
  RACE_PRICE,
  REFUSED_MS_MAX,
} from './racing.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const ONLY = process.env['TRIVIUM_SEED']
const SEEDS = ONLY ? [Number(ONLY)] : Array.from({ length: FULL ? 100 : 3 }, (_, at) => at)
const WARM_RACES = 6
/**
 * A race with a refusal that was late by no more than the host took from this machine tells nothing of the gateway: it is run
 * again, so often at most, and then has to hold.
 */
const TRIES_MAX = 10
/** The share of refusals that has to be in time; `npm test` runs other files at the same time, which may hold up the rest. */
const SHARE_IN_TIME = FULL ? 1 : 0.5

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
  const lanes = [new Lanes(gateway, CONNECTIONS)]
  const run = async (name: string, seed: number): Promise<Finish> => {
    const entered = await enter(gateway, `${name}-${seed}`, seed % 4 < 2 ? 1 : 10)
    const racers = { gateways: [gateway], lanes, upstream, ...entered, seed }
    return race(racers).catch((cause: unknown) => assert.fail(`seed ${seed}: ${String(cause)}`))
  }
  // The first requests of a process pay for its compilation.
  for (const seed of SEEDS.slice(0, WARM_RACES)) await run('warm', seed)
  const [all, repeated]: [number[], string[]] = [[], []]
  for (const seed of SEEDS) {
    for (let tried = 1; ; tried++) {
      const { refusedMs, stolenMs } = await run(`race-${tried}`, seed)
      const neededMs = quantileOf(refusedMs, SHARE_IN_TIME)
      if (neededMs <= REFUSED_MS_MAX) {
        all.push(...refusedMs)
        break
      }
      const what = `seed ${seed}: 402 within ${neededMs.toFixed(1)} ms, of which the host took up to ${stolenMs}`
      assert.ok(tried < TRIES_MAX && neededMs - stolenMs <= REFUSED_MS_MAX, what)
      repeated.push(what)
    }
  }
  lanes[0]!.close()
  t.diagnostic(describeTimes(all))
  for (const what of repeated) t.diagnostic(`run again: ${what}`)
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
