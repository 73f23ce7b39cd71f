/**
 * M4, M5, R123 (6): kill -9 at random instants under load. Every reply that a client saw to its end is in the ledger exactly
 * once, nothing is booked twice, no hold stays open, and whoever asks again under an idempotency key is charged once.
 * `TRIVIUM_FAULTS=full` kills 200 times; TRIVIUM_KILLS sets the count, TRIVIUM_SEED repeats a run.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Gateway, PROGRAM } from './gateway.ts'
import { judge, Load } from './load.ts'
import { randomOf } from './random.ts'
import { Upstream } from './upstream.ts'
import { faultConfig } from './wire.ts'

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const KILLS = Number(process.env['TRIVIUM_KILLS'] ?? (FULL ? 200 : 3))
const SEED = Number(process.env['TRIVIUM_SEED'] ?? randomInt(2 ** 31))
/** Kills of one account, whose books are then read. */
const KILLS_PER_PART = 50
const RATE = 300
const UP_MS_MIN = 30
const UP_MS_MAX = 600

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

for (let from = 0; from < KILLS; from += KILLS_PER_PART) {
  const kills = Math.min(KILLS_PER_PART, KILLS - from)
  const seed = SEED + from
  test(`M4, M5: ${kills} x kill -9 at ${RATE} requests per second (seed ${seed})`, async (t) => {
    const random = randomOf(seed)
    const { accountId, key } = await gateway.fund(`kill-${seed}@fault.test`, '10000')
    answerSlowly(random)
    const load = new Load({ gateways: [gateway], key, rate: RATE, random })
    const restartMs: number[] = []
    try {
      for (let kill = 0; kill < kills; kill++) {
        await wait(UP_MS_MIN + random() * (UP_MS_MAX - UP_MS_MIN))
        await gateway.kill('SIGKILL')
        restartMs.push(await gateway.run())
      }
      await wait(UP_MS_MAX)
    } finally {
      await load.stop()
    }
    // Once more without load: whatever the last life left open is for recovery to close.
    await gateway.kill('SIGKILL')
    restartMs.push(await gateway.run())
    const books = await gateway.settledBooks(accountId)
    const verdict = judge(load, books.usage, await gateway.logs(Number.POSITIVE_INFINITY, accountId))
    t.diagnostic(
      `${load.completed.length} completed (${load.unaryCount} whole, ${load.streamCount} streams), ` +
        `${load.answered.size} under a key with ${load.retries} retries, ${books.usage.length} booked, ` +
        `${upstream.calls} upstream calls, slowest restart ${Math.round(Math.max(...restartMs))} ms; ` +
        `lost ${verdict.lost.length}, double ${verdict.double.length}`,
    )
    assert.deepEqual(load.oddities.slice(0, 5), [])
    assert.ok(load.unaryCount > kills && load.streamCount > kills && load.retries > 0, 'the load was no load')
    assert.equal(new Set(load.completed).size, load.completed.length, 'request ids repeat')
    assert.deepEqual(verdict, { lost: [], double: [], keyed: [] })
    assert.ok(books.usage.length <= upstream.calls, 'more booked than the upstream ever answered')
    assert.equal(books.balance, books.sum)
    assert.equal(books.held, 0n)
  })
}

test('M4: the books of what was killed are right, says the doctor', async () => {
  await gateway.kill('SIGTERM')
  const { folder } = gateway
  const args = ['doctor', '--ledger', '--json', '--config', join(folder, 'config.yaml')]
  const { stdout } = await promisify(execFile)(PROGRAM, [...args, '--data-dir', join(folder, 'data')], { cwd: folder })
  const { ok, ledger } = JSON.parse(stdout)
  assert.deepEqual([ok, ledger.problems], [true, []])
  assert.match(ledger.detail, / 0 open holds/)
})

function answerSlowly(random: () => number): void {
  upstream.reset()
  upstream.answer = (call) => {
    const tokens = { input: 10, output: 5 }
    if (call.stream) call.streamOut(5, 3, tokens)
    else setTimeout(() => call.reply(tokens), random() * 10)
  }
}
