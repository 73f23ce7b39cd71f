import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LAPSE_AHEAD_MS, type Lease, Renewable, RENEW_AHEAD_MS, RENEW_PAUSE_MS } from './access-token.ts'

const HOUR_MS = 3_600_000

/** A source whose answers the test gives, and a clock that the test turns. */
function source(nowMs = 0) {
  const clock = { nowMs }
  const asked: PromiseWithResolvers<Lease<string>>[] = []
  const renewable = new Renewable<string>(
    () => {
      const answer = Promise.withResolvers<Lease<string>>()
      asked.push(answer)
      return answer.promise
    },
    () => clock.nowMs,
  )
  return { clock, asked, renewable }
}

test('the first ones wait for one fetch, the next ones for nothing', async () => {
  const { asked, renewable } = source()
  assert.equal(renewable.current, null)
  const waiting = [renewable.renew(), renewable.renew(), renewable.renew()]
  assert.equal(asked.length, 1)
  asked[0]!.resolve({ value: 'a', expiresAtMs: HOUR_MS })
  assert.deepEqual(await Promise.all(waiting), ['a', 'a', 'a'])
  assert.equal(renewable.current, 'a')
  assert.equal(asked.length, 1)
})

test('ahead of its end it is renewed once, while the old value goes on', async () => {
  const { clock, asked, renewable } = source()
  const first = renewable.renew()
  asked[0]!.resolve({ value: 'a', expiresAtMs: HOUR_MS })
  await first
  clock.nowMs = HOUR_MS - RENEW_AHEAD_MS - 1
  assert.deepEqual([renewable.current, asked.length], ['a', 1])
  clock.nowMs++
  assert.deepEqual([renewable.current, renewable.current, asked.length], ['a', 'a', 2])
  asked[1]!.resolve({ value: 'b', expiresAtMs: 2 * HOUR_MS })
  await renewable.renew()
  assert.deepEqual([renewable.current, asked.length], ['b', 2])
})

test('a value close to its end is not used', async () => {
  const { clock, asked, renewable } = source()
  const first = renewable.renew()
  asked[0]!.resolve({ value: 'a', expiresAtMs: HOUR_MS })
  await first
  clock.nowMs = HOUR_MS - LAPSE_AHEAD_MS - 1
  assert.equal(renewable.current, 'a')
  clock.nowMs++
  assert.equal(renewable.current, null)
})

test('a renewal that fails is tried again after a pause, and the old value serves until its end', async () => {
  const { clock, asked, renewable } = source()
  const first = renewable.renew()
  asked[0]!.resolve({ value: 'a', expiresAtMs: HOUR_MS })
  await first
  clock.nowMs = HOUR_MS - RENEW_AHEAD_MS
  assert.equal(renewable.current, 'a')
  const failing = renewable.renew()
  asked[1]!.reject(new Error('down'))
  await assert.rejects(failing, /down/)
  assert.deepEqual([renewable.current, asked.length], ['a', 2])
  clock.nowMs += RENEW_PAUSE_MS
  assert.deepEqual([renewable.current, asked.length], ['a', 3])
})

test('a short lease is renewed in its second half', async () => {
  const { clock, asked, renewable } = source()
  const first = renewable.renew()
  asked[0]!.resolve({ value: 'a', expiresAtMs: 60_000 })
  await first
  clock.nowMs = 29_999
  assert.deepEqual([renewable.current, asked.length], ['a', 1])
  clock.nowMs = 30_000
  assert.deepEqual([renewable.current, asked.length], ['a', 2])
})

test('a refused value is forgotten, a newer one is not', async () => {
  const { asked, renewable } = source()
  const first = renewable.renew()
  asked[0]!.resolve({ value: 'a', expiresAtMs: HOUR_MS })
  await first
  renewable.forget('older')
  assert.equal(renewable.current, 'a')
  renewable.forget('a')
  assert.equal(renewable.current, null)
})
