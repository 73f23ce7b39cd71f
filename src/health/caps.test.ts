import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Caps, ROOM_WAIT_MS, Slot } from './caps.ts'
import { type HealthTarget, TargetHealth } from './target-health.ts'

const NONE: Caps = { rpm: null, concurrency: null }
const MINUTE_MS = 60_000

suite('R72: caps of one credential', () => {
  test('as many at the same time as the cap says, and none without one', () => {
    const slot = new Slot()
    const caps = { ...NONE, concurrency: 2 }
    slot.take(0)
    assert.equal(slot.waitMs(caps, 0), 0)
    slot.take(0)
    assert.equal(slot.waitMs(caps, 0), ROOM_WAIT_MS)
    assert.equal(slot.waitMs(NONE, 0), 0)
    slot.free()
    assert.equal(slot.waitMs(caps, 0), 0)
  })

  test('never more than the cap within any minute, over hours of random times', () => {
    const slot = new Slot()
    const caps = { ...NONE, rpm: 7 }
    const taken: number[] = []
    let now = 0
    let seed = 42
    for (let step = 0; step < 20_000; step++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      now += seed % 3000
      const waitMs = slot.waitMs(caps, now)
      assert.ok(waitMs <= MINUTE_MS + 1000)
      if (waitMs > 0) continue
      slot.take(now)
      slot.free()
      taken.push(now)
      const within = taken.slice(-8).filter((at) => at > now - MINUTE_MS).length
      assert.ok(within <= 7, `${within} at ${now}`)
    }
    // And nearly as many as are allowed.
    assert.ok(taken.length > (now / MINUTE_MS) * 6.5, `${taken.length} in ${now / MINUTE_MS} minutes`)
  })

  test('what it says to wait is enough', () => {
    const slot = new Slot()
    const caps = { ...NONE, rpm: 3 }
    for (const at of [100, 5200, 59_900]) slot.take(at)
    const waitMs = slot.waitMs(caps, 59_950)
    assert.ok(waitMs > 0)
    assert.equal(slot.waitMs(caps, 59_950 + waitMs), 0)
    assert.ok(slot.waitMs(caps, 59_950 + waitMs - 1) > 0)
  })
})

suite('R72: credentials with caps take turns', () => {
  const targetOf = (
    credentials: readonly string[],
    caps: Caps,
    part?: { of: string; index: number },
  ): HealthTarget => ({
    upstreamModel: 'm',
    backend: { id: part ? `${part.of}.${part.index + 1}` : 'b', credentials, caps, ...(part && { part }) },
  })

  test('one that is full is passed over; with all full the target is not admitted', () => {
    const health = new TargetHealth(() => 0)
    const target = targetOf(['x', 'y'], { ...NONE, concurrency: 1 })
    const [first, second] = [health.begin(target), health.begin(target)]
    assert.deepEqual([first.credential, second.credential], [0, 1])
    assert.deepEqual([health.admits(target), health.roomInMs(target)], [false, ROOM_WAIT_MS])
    second.succeed()
    // The word that ends an attempt gives its place back once.
    second.release()
    assert.deepEqual([health.admits(target), health.roomInMs(target)], [true, 0])
    const third = health.begin(target)
    assert.equal(third.credential, 1)
    first.fail('failed', null)
    third.release()
    assert.deepEqual(
      [health.begin(target).credential, health.begin(target).credential, health.admits(target)],
      [0, 1, false],
    )
  })

  test('with every credential paused, one that has room is tried', () => {
    const health = new TargetHealth(() => 0)
    const target = targetOf(['x', 'y'], { ...NONE, concurrency: 1 })
    const refused = [health.begin(target), health.begin(target)]
    for (const each of refused) each.fail('refused', null)
    assert.equal(health.begin(target).credential, 0)
    assert.equal(health.begin(target).credential, 1)
  })

  test('a credential with a name of its own counts with its backend', () => {
    const health = new TargetHealth(() => 0)
    const caps = { ...NONE, rpm: 1 }
    const second = targetOf(['y'], caps, { of: 'b', index: 1 })
    health.begin(second).succeed()
    assert.ok(health.roomInMs(second) > 0)
    const target = targetOf(['x', 'y'], caps)
    assert.equal(health.begin(target).credential, 0)
    assert.ok(health.roomInMs(target) > 0)
  })

  test('what is capped no more is forgotten', () => {
    const health = new TargetHealth(() => 0)
    const target = targetOf(['x'], { ...NONE, rpm: 1 })
    health.begin(target).succeed()
    health.keepOnly(new Map())
    assert.equal(health.roomInMs(target), 0)
  })
})
