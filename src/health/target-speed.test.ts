import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SPEED_AGE_MAX_MS, SPEEDS_MAX, TargetSpeeds } from './target-speed.ts'

test('the first measurement counts whole, later ones by a fifth', () => {
  const speeds = new TargetSpeeds()
  const read = (target: string) => {
    const { ttftMs, tokensPerSecond } = speeds.speedOf(target)
    return [ttftMs, tokensPerSecond]
  }
  assert.deepEqual(read('a'), [null, null])
  speeds.measured('a', 100, 50)
  assert.deepEqual(read('a'), [100, 50])
  speeds.measured('a', 200, 100)
  assert.deepEqual(read('a'), [120, 60])
  speeds.measured('b', 0, null)
  assert.deepEqual(read('b'), [0, null])
})

test('an answer too short to tell leaves the throughput as it is', () => {
  const speeds = new TargetSpeeds()
  speeds.measured('a', 100, null)
  assert.equal(speeds.speedOf('a').tokensPerSecond, null)
  speeds.measured('a', 100, 40)
  speeds.measured('a', 100, null)
  assert.equal(speeds.speedOf('a').tokensPerSecond, 40)
})

test('a target that becomes slow is seen to be within some ten answers', () => {
  const speeds = new TargetSpeeds()
  speeds.measured('a', 100, 50)
  for (let count = 0; count < 10; count++) speeds.measured('a', 1000, 5)
  assert.ok(speeds.speedOf('a').ttftMs! > 900)
})

test('a measurement is forgotten after its time', () => {
  let now = 0
  const speeds = new TargetSpeeds(() => now)
  speeds.measured('a', 100, 50)
  now = SPEED_AGE_MAX_MS
  assert.equal(speeds.speedOf('a').ttftMs, 100)
  now++
  assert.deepEqual(speeds.speedOf('a'), { ttftMs: null, tokensPerSecond: null })
  speeds.measured('a', 300, null)
  assert.deepEqual([speeds.speedOf('a').ttftMs, speeds.speedOf('a').tokensPerSecond], [300, null])
})

test('picks are in order, and turns count by name', () => {
  const speeds = new TargetSpeeds()
  speeds.picked('a')
  speeds.picked('b')
  assert.ok(speeds.lastUsed('a') < speeds.lastUsed('b'))
  assert.equal(speeds.lastUsed('never'), 0)
  assert.deepEqual([speeds.turn('x'), speeds.turn('x'), speeds.turn('y')], [0, 1, 0])
})

test('what is remembered is bounded, the oldest go first', () => {
  const speeds = new TargetSpeeds()
  for (let index = 0; index <= SPEEDS_MAX; index++) {
    speeds.measured(`t${index}`, 1, 1)
    speeds.picked(`t${index}`)
    speeds.turn(`t${index}`)
  }
  assert.equal(speeds.speedOf('t0').ttftMs, null)
  assert.equal(speeds.lastUsed('t0'), 0)
  assert.equal(speeds.turn('t0'), 0)
  assert.equal(speeds.speedOf(`t${SPEEDS_MAX}`).ttftMs, 1)
})
