import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received, Reply } from '#test/upstream/upstream.ts'
import { median } from '#test/faults/timing-statistics.ts'
import { type Json, MODELS, startTestGateway } from './gateway.ts'
import { SURFACES } from './surfaces.ts'
import { errorBody, startRig, WHOLE } from './two-backends.ts'

/** What is measured of real traffic (R104, B20). */

const CALLS = 30
/** All at once they would wait for each other, and that is no speed of a target. */
const APART_MS = 20

/** How the streams of one model went in truth: a busy machine is late with all it does. */
class Pace {
  readonly ttftMs: number[] = []
  readonly tokensPerSecond: number[] = []
  private readonly tokens: number
  private readonly beginMs: number
  private readonly genMs: number

  /** A stream of so many tokens whose content begins after one time and ends after another one. */
  constructor(tokens: number, beginMs: number, genMs: number) {
    this.tokens = tokens
    this.beginMs = beginMs
    this.genMs = genMs
  }

  play(received: Received): Reply {
    const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: this.tokens, reasoning: 0 }
    const { frames } = answerNatively(received, { text: 'Hello there.', sold })!
    const last = frames!.length - 2
    const askedAt = performance.now()
    const began = wait(this.beginMs).then(() => performance.now())
    const generate = async (): Promise<void> => {
      const beganAt = await began
      this.ttftMs.push(beganAt - askedAt)
      await wait(this.genMs)
      this.tokensPerSecond.push((this.tokens * 1000) / (performance.now() - beganAt))
    }
    const ended = generate()
    const gates = new Map<number, Promise<unknown>>([
      [0, began],
      [last, ended],
    ])
    return { frames: frames!.map((text, at) => ({ text, waitFor: gates.get(at) ?? Promise.resolve() })) }
  }
}

test('R104: two models of different speed, as they were, the faster one first', async () => {
  const [fast, slow] = [new Pace(100, 400, 1_000), new Pace(20, 1_000, 1_000)]
  await using gateway = await startTestGateway({
    always: (received) => (received.path.includes('messages') ? slow : fast).play(received),
  })
  const call = (name: 'chat' | 'messages') =>
    gateway.ask(SURFACES[name].path, { body: { ...SURFACES[name].body, stream: true } })
  const told = await Promise.all(
    Array.from({ length: 2 * CALLS }, async (_, at) => {
      await wait(at * APART_MS)
      return call(at % 2 === 0 ? 'chat' : 'messages')
    }),
  )
  assert.ok(told.every(({ status }) => status === 200))
  const ids = [MODELS.chat.id, MODELS.messages.id, MODELS.gemini.id]
  const { json } = await gateway.ask(`/api/stats/models?ids=${ids.join(',')}&sort=throughput`)
  const [first, second, idle] = json.data
  assert.deepEqual([first.id, second.id, idle.stats], [MODELS.chat.id, MODELS.messages.id, null])
  const near = (value: number, expected: number): void =>
    assert.ok(Math.abs(value - expected) <= expected * 0.15, `${value} is not within 15 % of ${expected}`)
  for (const [{ stats }, { ttftMs, tokensPerSecond }] of [[first, fast] as const, [second, slow] as const]) {
    near(stats.throughput_tps.p50, median(tokensPerSecond))
    near(stats.ttft_ms.p50, median(ttftMs))
  }
  assert.deepEqual([first.stats.samples, first.stats.ttft_ms.n, first.stats.window], [CALLS, CALLS, '30m'])
  assert.deepEqual(first.stats.uptime.last_5m.percent, 100)
})

test('R104: a target that others stand in for is seen to be down', async () => {
  await using rig = await startRig()
  const call = WHOLE['chat']!
  const count = 4
  for (let at = 0; at < count; at++) {
    rig.first.script({ status: 503, body: errorBody })
    assert.equal((await rig.gateway.ask(call.path, { body: call.body })).status, 200)
  }
  const all: Json = await rig.gateway.admin('GET', '/api/stats/models')
  const served = all.data.find((one: Json) => one.stats !== null)
  const [first, second] = served.endpoints.toSorted((a: Json, b: Json) => a.backend.localeCompare(b.backend))
  assert.equal(first.stats.uptime.last_30m.percent, 0)
  assert.deepEqual([second.stats.uptime.last_30m.percent, second.stats.uptime.last_30m.n], [100, count])
  assert.equal(first.stats.latency_ms, null)
  assert.equal(second.stats.samples, count)
})
