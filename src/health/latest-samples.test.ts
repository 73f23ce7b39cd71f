import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ascending, LatestSamples, NAMES_MAX, percentile, SAMPLES_MAX } from './latest-samples.ts'

test(`the last ${SAMPLES_MAX} samples of a name are remembered`, () => {
  const samples = new LatestSamples<number>()
  for (let value = 0; value <= SAMPLES_MAX; value++) samples.noted('a', value)
  const known = samples.of('a').toSorted(ascending)
  assert.deepEqual([known.length, known[0], known.at(-1)], [SAMPLES_MAX, 1, SAMPLES_MAX])
  assert.deepEqual(samples.of('nobody'), [])
})

test(`the last ${NAMES_MAX} names are remembered`, () => {
  const samples = new LatestSamples<number>()
  for (let index = 0; index < NAMES_MAX; index++) samples.noted(`n${index}`, index)
  assert.deepEqual(samples.of('n0'), [0])
  samples.noted('one more', 1)
  assert.deepEqual([samples.of('n0'), samples.of('n1'), samples.of('one more')], [[], [1], [1]])
})

test('a percentile is a value of the samples, and null of none', () => {
  assert.deepEqual(
    [50, 95, 99].map((percent) => percentile(percent, [1, 2, 3, 4])),
    [2, 4, 4],
  )
  assert.equal(percentile(50, []), null)
})
