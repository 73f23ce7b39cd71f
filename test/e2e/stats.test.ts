import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received, Reply } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway } from './gateway.ts'
import { SURFACES } from './surfaces.ts'
import { errorBody, startRig, WHOLE } from './two-backends.ts'

/** What is measured of real traffic (R104, B20). */

const CALLS = 30

/** A stream of so many tokens whose content begins after one time and ends after another one. */
const paced =
  (tokens: number, ttftMs: number, genMs: number) =>
  (received: Received): Reply => {
    const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: tokens, reasoning: 0 }
    const { frames } = answerNatively(received, { text: 'Hello there.', sold })!
    const last = frames!.length - 2
    return {
      frames: frames!.map((text, at) => ({ text, delayMs: at === 0 ? ttftMs : at === last ? genMs : 0 })),
    }
  }

test('R104: two models of different speed, as they were, the faster one first', async () => {
  const [fast, slow] = [paced(100, 400, 1_000), paced(20, 1_000, 1_000)]
  await using gateway = await startTestGateway({
    always: (received) => (received.path.includes('messages') ? slow : fast)(received),
  })
  const call = (name: 'chat' | 'messages') =>
    gateway.ask(SURFACES[name].path, { body: { ...SURFACES[name].body, stream: true } })
  const told = await Promise.all(Array.from({ length: 2 * CALLS }, (_, at) => call(at % 2 === 0 ? 'chat' : 'messages')))
  assert.ok(told.every(({ status }) => status === 200))
  const ids = [MODELS.chat.id, MODELS.messages.id, MODELS.gemini.id]
  const { json } = await gateway.ask(`/api/stats/models?ids=${ids.join(',')}&sort=throughput`)
  const [first, second, idle] = json.data
  assert.deepEqual([first.id, second.id, idle.stats], [MODELS.chat.id, MODELS.messages.id, null])
  const near = (value: number, expected: number): void =>
    assert.ok(Math.abs(value - expected) <= expected * 0.15, `${value} is not within 15 % of ${expected}`)
  near(first.stats.throughput_tps.p50, 100)
  near(second.stats.throughput_tps.p50, 20)
  near(first.stats.ttft_ms.p50, 400)
  near(second.stats.ttft_ms.p50, 1_000)
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
