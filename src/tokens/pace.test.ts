import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { inTurn, Pace } from './pace.ts'

test('works follow each other, and a failed one stops none', async () => {
  const seen: string[] = []
  const work = (name: string) => async () => {
    seen.push(`${name} begins`)
    await setImmediate()
    seen.push(`${name} ends`)
    if (name === 'second') throw new Error(name)
    return name
  }
  const [first, second, third] = await Promise.allSettled(
    ['first', 'second', 'third'].map((name) => inTurn(work(name))),
  )
  assert.deepEqual(first, { status: 'fulfilled', value: 'first' })
  assert.equal(second?.status, 'rejected')
  assert.equal(third?.status, 'fulfilled')
  assert.deepEqual(
    seen,
    ['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  )
})

test('rest is due when the slice is used up, and begins a new one', async () => {
  const pace = new Pace()
  assert.equal(pace.isDue(), false)
  const until = performance.now() + 10
  while (performance.now() < until);
  assert.equal(pace.isDue(), true)
  await pace.rest()
  assert.equal(pace.isDue(), false)
})
