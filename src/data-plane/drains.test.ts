import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { type Drain, Drains, DRAINS_MAX } from './drains.ts'

const never = (): void => assert.fail('given up')
const LONG_MS = 60_000

test('M3: all places are given, one more is not, and a place that is given back is given again', () => {
  const drains = new Drains()
  const all: Drain[] = []
  for (let count = 0; count < DRAINS_MAX; count++) all.push(drains.begin(LONG_MS, never)!)
  assert.ok(all.every((drain) => drain !== null))
  assert.equal(drains.begin(LONG_MS, never), null)
  all[0]!.end()
  all[0]!.end()
  assert.equal(drains.running, DRAINS_MAX - 1)
  const next = drains.begin(LONG_MS, never)
  assert.notEqual(next, null)
  for (const drain of [...all, next!]) drain.end()
  assert.equal(drains.running, 0)
})

test('M3: what does not end in its time is given up, and gives its place back', async () => {
  const drains = new Drains()
  const over = new EventTarget()
  const given = once(over, 'over')
  drains.begin(1, () => over.dispatchEvent(new Event('over')))!
  await given
  assert.equal(drains.running, 0)
})

test('without a time nothing is read on', () => {
  assert.equal(new Drains().begin(0, never), null)
})
