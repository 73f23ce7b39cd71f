import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CONCURRENCY_WAIT_MS, Limiter, type Scope, SCOPES_MAX, WINDOW_MS } from './limiter.ts'
import { DAY_MS, PARTS_MAX, SlidingWindow, UtcDay } from './sliding-window.ts'
import { NO_LIMITS } from './types.ts'

const NOON_MS = Date.UTC(2026, 10, 20, 12)
const MINUTE_MS = 60_000

function scope(id: string, limits: Partial<Scope['limits']>): Scope {
  return { id, what: id, limits: { ...NO_LIMITS, perUtcDay: 0, ...limits }, history: null }
}

/** A small generator of random numbers that a seed repeats. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe('a sliding window', () => {
  test('never lets more than its limit through, and refuses nothing that a slightly longer window would let through', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const next = random(seed)
      const windowMs = 1000 + next(100_000)
      const limit = 1 + next(200)
      const amountMax = seed % 3 === 0 ? 20 : 1
      const window = new SlidingWindow(windowMs)
      // The naive model keeps every single amount.
      const passed: { ms: number; amount: number }[] = []
      const sumAfter = (ms: number): number => passed.reduce((sum, one) => (one.ms > ms ? sum + one.amount : sum), 0)
      let nowMs = NOON_MS
      for (let step = 0; step < 400; step++) {
        nowMs += next(3) === 0 ? next(windowMs / 3) : next(windowMs / 200)
        const amount = Math.min(limit, 1 + next(amountMax))
        const waitMs = window.waitMs(amount, limit, nowMs)
        if (waitMs === 0) {
          assert.ok(sumAfter(nowMs - windowMs) + amount <= limit, `seed ${seed}: over the limit`)
          window.add(amount, nowMs)
          passed.push({ ms: nowMs, amount })
        } else {
          const withPart = sumAfter(nowMs - windowMs - windowMs / PARTS_MAX) + amount
          assert.ok(withPart > limit, `seed ${seed}: refused without need`)
          assert.ok(waitMs <= windowMs)
          assert.ok(sumAfter(nowMs + waitMs - windowMs) + amount <= limit, `seed ${seed}: the wait is too short`)
        }
        assert.ok(window.places <= PARTS_MAX + 1)
        assert.ok(window.used(nowMs) >= sumAfter(nowMs - windowMs))
      }
    }
  })

  test('an amount that is put right counts as it is, until it has left', () => {
    const window = new SlidingWindow(MINUTE_MS)
    const counted = window.add(100, NOON_MS)
    window.adjust(counted, -70, NOON_MS + 1)
    assert.equal(window.used(NOON_MS + 1), 30)
    window.adjust(counted, -1000, NOON_MS + 2)
    assert.equal(window.used(NOON_MS + 2), 0)
    window.add(5, NOON_MS + 30_000)
    window.adjust(counted, 500, NOON_MS + MINUTE_MS + 1)
    assert.equal(window.used(NOON_MS + MINUTE_MS + 1), 5)
  })

  test('what is larger than the whole limit passes when nothing else is counted', () => {
    const window = new SlidingWindow(MINUTE_MS)
    assert.equal(window.waitMs(500, 100, NOON_MS), 0)
    window.add(500, NOON_MS)
    assert.equal(window.waitMs(1, 100, NOON_MS + 10_000), 50_000)
  })

  test('a clock that goes back forgets nothing', () => {
    const window = new SlidingWindow(MINUTE_MS)
    window.add(1, NOON_MS)
    window.add(1, NOON_MS - 5000)
    assert.equal(window.used(NOON_MS + MINUTE_MS - 1), 2)
    assert.equal(window.used(NOON_MS + MINUTE_MS), 0)
  })
})

test('the UTC day begins anew at midnight, and its reset is midnight', () => {
  const day = new UtcDay()
  const counted = day.add(50, NOON_MS)
  assert.equal(day.waitMs(1, 50, NOON_MS), DAY_MS / 2)
  assert.equal(day.waitMs(1, 51, NOON_MS), 0)
  assert.equal(day.used(NOON_MS + DAY_MS / 2), 0)
  day.adjust(counted, -1, NOON_MS + DAY_MS / 2)
  assert.equal(day.used(NOON_MS + DAY_MS / 2), 0)
})

describe('the limiter', () => {
  test('R78: the sixth request of a minute waits, and 2 per minute for a model beat 5 for its tier', () => {
    const limiter = new Limiter()
    const tier = scope('tier', { rpm: 5 })
    for (let count = 0; count < 5; count++) assert.ok(limiter.admit([tier], 0, NOON_MS + count).granted)
    const sixth = limiter.admit([tier], 0, NOON_MS + 10)
    assert.ok(!sixth.granted)
    assert.equal(sixth.limit, 'rpm')
    assert.ok(sixth.waitMs > 0 && sixth.waitMs <= MINUTE_MS)
    assert.deepEqual(sixth.standing.requests?.remaining, 0)
    assert.ok(limiter.admit([tier], 0, NOON_MS + 10 + sixth.waitMs).granted)
    const both = [scope('a', { rpm: 5 }), scope('b', { rpm: 2 })]
    assert.deepEqual(
      [1, 2, 3].map(() => limiter.admit(both, 0, NOON_MS).granted),
      [true, true, false],
    )
  })

  test('a refused request is counted nowhere', () => {
    const limiter = new Limiter()
    const [wide, narrow] = [scope('wide', { rpm: 10 }), scope('narrow', { rpd: 1 })]
    for (let count = 0; count < 20; count++) limiter.admit([wide, narrow], 0, NOON_MS)
    assert.equal(limiter.used('wide', 'rpm', NOON_MS), 1)
  })

  test('of several limits that refuse, the longest wait is told', () => {
    const limiter = new Limiter()
    const scopes = [scope('a', { rpm: 1, rp7d: 1 }), scope('b', { rp5h: 1, concurrency: 1 })]
    limiter.admit(scopes, 0, NOON_MS)
    const refused = limiter.admit(scopes, 0, NOON_MS + 1)
    assert.ok(!refused.granted)
    assert.equal(refused.limit, 'rp7d')
    assert.equal(refused.waitMs, WINDOW_MS.rp7d - 1)
  })

  test('a place among those at the same time is given back once, whatever happened', () => {
    const limiter = new Limiter()
    const one = scope('one', { concurrency: 1 })
    const first = limiter.admit([one], 0, NOON_MS)
    assert.ok(first.granted)
    const second = limiter.admit([one], 0, NOON_MS)
    assert.ok(!second.granted)
    assert.deepEqual([second.limit, second.waitMs], ['concurrency', CONCURRENCY_WAIT_MS])
    first.grant.end(false, null, NOON_MS)
    first.grant.end(false, null, NOON_MS)
    assert.ok(limiter.admit([one], 0, NOON_MS).granted)
    assert.ok(!limiter.admit([one], 0, NOON_MS).granted)
  })

  test('tokens are charged with the estimate and put right at the end; a request that was not sent is not counted', () => {
    const limiter = new Limiter()
    const limited = scope('key', { tpm: 1000, rpd: 10 })
    const admitted = limiter.admit([limited], 800, NOON_MS)
    assert.ok(admitted.granted)
    assert.equal(admitted.standing.tokens?.remaining, 200)
    assert.ok(!limiter.admit([limited], 300, NOON_MS).granted)
    admitted.grant.end(true, 100, NOON_MS + 1)
    assert.equal(limiter.used('key', 'tpm', NOON_MS + 1), 100)
    const unsent = limiter.admit([limited], 300, NOON_MS + 2)
    assert.ok(unsent.granted)
    unsent.grant.end(false, null, NOON_MS + 3)
    assert.equal(limiter.used('key', 'tpm', NOON_MS + 3), 100)
    assert.equal(limiter.used('key', 'rpd', NOON_MS + 3), 1)
    const unknown = limiter.admit([limited], 300, NOON_MS + 4)
    assert.ok(unknown.granted)
    unknown.grant.end(true, null, NOON_MS + 5)
    assert.equal(limiter.used('key', 'tpm', NOON_MS + 5), 400)
  })

  test('idle scopes are forgotten as others come, and no more than SCOPES_MAX are kept', () => {
    const limiter = new Limiter()
    for (let index = 0; index < 1000; index++) limiter.admit([scope(`ip ${index}`, { rpm: 5 })], 0, NOON_MS)
    const held = limiter.admit([scope('held', { concurrency: 1 })], 0, NOON_MS)
    assert.equal(limiter.size, 1001)
    for (let index = 0; index < 1000; index++) limiter.admit([scope('busy', { rpm: 1 })], 0, NOON_MS + MINUTE_MS)
    assert.equal(limiter.size, 2)
    assert.ok(held.granted && !limiter.admit([scope('held', { concurrency: 1 })], 0, NOON_MS + MINUTE_MS).granted)
    const small = new Limiter(10)
    for (let index = 0; index < 100; index++) small.admit([scope(`${index}`, { rp7d: 5 })], 0, NOON_MS)
    assert.equal(small.size, 10)
    assert.equal(SCOPES_MAX, 50_000)
  })

  test('the past of a long window is asked for once and counts', () => {
    const limiter = new Limiter()
    const limited = { ...scope('account', { rpm: 9, rp5h: 3, rpd: 100 }), history: { accountId: 'a' } }
    assert.deepEqual(limiter.unloaded(limited), ['rp5h', 'rpd'])
    limiter.load(limited, 'rp5h', [{ count: 2, lastMs: NOON_MS - MINUTE_MS * 20 }])
    limiter.load(limited, 'rp5h', [{ count: 2, lastMs: NOON_MS - MINUTE_MS * 20 }])
    limiter.load(limited, 'rpd', [])
    assert.deepEqual(limiter.unloaded(limited), [])
    assert.ok(limiter.admit([limited], 0, NOON_MS).granted)
    const refused = limiter.admit([limited], 0, NOON_MS)
    assert.ok(!refused.granted)
    assert.equal(refused.waitMs, WINDOW_MS.rp5h - MINUTE_MS * 20)
  })
})
