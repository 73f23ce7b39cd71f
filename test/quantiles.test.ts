import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, quantile, quantileOf, quantiles } from './quantiles.ts'

test('quantiles', () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.equal(quantile([], 0.5), Number.NaN)
  assert.deepEqual([quantileOf(values, 0.5), quantileOf(values, 1), quantileOf([], 1)], [51, 100, Number.NaN])
  assert.deepEqual(quantiles(values), { count: 100, p50: 51, p90: 91, p99: 100, max: 100 })
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
})
