/**
 * Money at two gateway processes that share one PostgreSQL: the server is stopped at once under load (M4), one process is
 * killed (M1), and requests are repeated at both (M5). `TRIVIUM_FAULTS=full` stops the server 20 times instead of once.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { chat } from './client.ts'
import { amountOf, eventually, type Gateway } from './gateway.ts'
import { judge, Load } from './load.ts'
import { HOLD_TTL_MS } from '#ledger/ledger.ts'
import { postgresSkip } from '#test/postgres.ts'
import { type Nodes, setDatabaseClock, startNodes } from './nodes.ts'
import { enter, OUTPUT_TOKENS, PAID_FOR, RACE_PRICE } from './racing.ts'
import { randomOf } from './random.ts'
import { type Call, Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const STOPS = FULL ? 20 : 1
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
const RATE = 100
const UP_MS_MIN = 200
const UP_MS_MAX = 1000
const RACERS = 200
/** M4: holds of the dead are resolved so long after their lease at the latest. */
const RESOLVED_MS_MAX = 30_000

let upstream: Upstream
let nodes: Nodes

describe('two processes on one PostgreSQL', { skip: postgresSkip }, () => {
  before(async () => {
    upstream = await Upstream.start()
    const config = faultConfig(upstream.url, RACE_PRICE)
    nodes = await startNodes(2, { config }, undefined, (url) => setDatabaseClock(url, 0))
  })
  after(async () => {
    await nodes?.close()
    await upstream?.close()
  })

  test(`M4, M5: PostgreSQL is stopped at once ${STOPS} times under load (seed ${SEED})`, async (t) => {
    const random = randomOf(SEED)
    const { gateways, server } = nodes
    const { accountId, key } = await gateways[0]!.fund('stopped@fault.test', '10000')
    upstream.reset()
    upstream.answer = (call) => {
      const tokens = { input: 10, output: 5 }
      if (call.stream) call.streamOut(5, 3, tokens)
      else setTimeout(() => call.reply(tokens), random() * 10)
    }
    const load = new Load({ gateways, key, rate: RATE, random })
    try {
      for (let stop = 0; stop < STOPS; stop++) {
        await wait(UP_MS_MIN + random() * (UP_MS_MAX - UP_MS_MIN))
        await server.crash()
      }
      await wait(UP_MS_MAX)
    } finally {
      await load.stop()
    }
    const books = await gateways[1]!.settledBooks(accountId, 30_000)
    const verdict = judge(load, books.usage, await gateways[1]!.logs(Number.POSITIVE_INFINITY, accountId))
    t.diagnostic(
      `${load.completed.length} completed, ${load.answered.size} under a key with ${load.retries} retries, ` +
        `${books.usage.length} booked, ${upstream.calls} upstream calls`,
    )
    assert.deepEqual(load.oddities.slice(0, 5), [])
    assert.ok(load.completed.length > STOPS * 10, 'the load was no load')
    assert.deepEqual(verdict, { lost: [], double: [], keyed: [] })
    assert.deepEqual([books.balance, books.held], [books.sum, 0n])
  })

  for (const stream of [false, true]) {
    test(`M5: 50 parallel requests with one key at both, ${stream ? 'streamed' : 'whole'}: one call, one charge`, async () => {
      const { gateways } = nodes
      const { accountId, key } = await gateways[0]!.fund(`keyed-${stream}@fault.test`, '10')
      upstream.reset()
      upstream.answer = (call) => {
        const tokens = { input: 10, output: 5 }
        if (stream) call.streamOut(5, 20, tokens)
        else setTimeout(() => call.reply(tokens), 100)
      }
      const told = await Promise.all(
        Array.from({ length: 50 }, (_, at) =>
          chat(gateways[at % 2]!, key, 'openai-chat', { stream, headers: { 'idempotency-key': 'order-1' } }),
        ),
      )
      assert.deepEqual([...new Set(told.map(({ status }) => status))].toSorted(), [200, 409])
      assert.equal(upstream.calls, 1)
      assert.equal((await gateways[0]!.settledBooks(accountId)).usage.length, 1)
    })
  }

  test('M1, M5: a process is killed in the middle: the other one admits no more than what it left, and runs nothing twice', async () => {
    const [living, dying] = nodes.gateways as [Gateway, Gateway]
    const { accountId, keys } = await enter(living, 'killed', 1)
    upstream.reset()
    const waiting: Call[] = []
    upstream.answer = (call) => void waiting.push(call)
    let refused = 0
    const ask = async (gateway: Gateway, headers = {}) => {
      const outcome = await chat(gateway, keys[0]!, 'openai-chat', { maxTokens: OUTPUT_TOKENS, headers })
      if (outcome.status === 402) refused++
      return outcome
    }
    const half = PAID_FOR / 2
    const crashed = { 'idempotency-key': 'crashed' }
    const lost = Array.from({ length: half }, (_, at) => ask(dying, at === 0 ? crashed : {}))
    await eventually('the first half is at the upstream', 10_000, async () => waiting.length === half || undefined)
    await dying.kill('SIGKILL')
    assert.ok((await Promise.all(lost)).every(({ status }) => status === 0))
    // Nobody can tell whether the dead one's request is over before its lease is: it is not run twice.
    assert.equal((await ask(living, crashed)).status, 409)
    const rest = Array.from({ length: RACERS }, () => ask(living))
    const decided = async () => waiting.length + refused === half + RACERS || undefined
    await eventually('all others are decided', 30_000, decided)
    for (const call of waiting.slice(half)) call.reply({ input: 10, output: OUTPUT_TOKENS })
    const statuses = (await Promise.all(rest)).map(({ status }) => status)
    assert.deepEqual([statuses.filter((status) => status === 200).length, upstream.calls], [half, PAID_FOR])
    // What the dead one held is set aside until its lease is over: less to spend, never more.
    const { balance, held, available } = await living.account(accountId)
    assert.deepEqual([balance, held, available].map(amountOf), [amountOf('0.125'), amountOf('0.125'), 0n])
    if (!FULL) return
    await setDatabaseClock(nodes.url, HOLD_TTL_MS)
    await eventually('the leases of the dead one are over', RESOLVED_MS_MAX, async () =>
      (await living.account(accountId)).held === '0' ? true : undefined,
    )
    assert.equal((await living.account(accountId)).available, '0.125')
    upstream.answer = (call) => call.reply({ input: 10, output: OUTPUT_TOKENS })
    assert.deepEqual([(await ask(living, crashed)).status, (await ask(living, crashed)).status], [200, 200])
    assert.equal((await living.settledBooks(accountId)).usage.length, half + 1)
  })
})
