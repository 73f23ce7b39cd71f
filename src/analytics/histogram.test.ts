import assert from 'node:assert/strict'
import { test } from 'node:test'
import { figureOf, shareOf } from './histogram.ts'

/** The bucket that the store puts a value into. */
function bucketOf(value: number): number {
  if (value < 100) return value
  const width = 10 ** (Math.floor(Math.log10(value)) - 1)
  return value - (value % width)
}

function histogramOf(values: readonly number[]): Map<number, number> {
  const buckets = new Map<number, number>()
  for (const value of values) buckets.set(bucketOf(value), (buckets.get(bucketOf(value)) ?? 0) + 1)
  return buckets
}

test('B20: percentiles are at most a twentieth off, at any size', () => {
  for (const scale of [1, 7, 93, 1_000, 54_321]) {
    const values = Array.from({ length: 1_000 }, (_, at) => Math.round(scale * (1 + at / 10)))
    const figure = figureOf(histogramOf(values))!
    for (const [name, at] of [
      ['p50', 499],
      ['p75', 749],
      ['p90', 899],
      ['p95', 949],
      ['p99', 989],
    ] as const) {
      const exact = values[at]!
      assert.ok(Math.abs(figure[name] - exact) <= exact * 0.05, `${name} of ${scale}: ${figure[name]}, not ${exact}`)
      const [low, high] = figure.interval[name]
      assert.ok(low <= figure[name] && figure[name] <= high)
    }
    assert.equal(figure.n, 1_000)
  }
})

test('B20: few measurements have wide intervals, many narrow ones', () => {
  const width = (count: number): number => {
    const values = Array.from({ length: count }, (_, at) => Math.round(100 + (900 * at) / count))
    const [low, high] = figureOf(histogramOf(values))!.interval.p50
    return high - low
  }
  assert.ok(width(5) > width(50) && width(50) > width(5_000))
})

test('B20: the interval of a percentile holds the true one in nine of ten samples', () => {
  // A fixed sequence of pseudo-random numbers: the same samples in every run.
  let seed = 42
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  let held = 0
  const trials = 400
  for (let trial = 0; trial < trials; trial++) {
    const values = Array.from({ length: 60 }, () => Math.floor(random() * 90))
    const [low, high] = figureOf(histogramOf(values))!.interval.p50
    if (low <= 45 && 45 <= high) held++
  }
  assert.ok(held / trials >= 0.88, `${held} of ${trials}`)
})

test('B20: no data is null; a share has the interval of Wilson', () => {
  assert.equal(figureOf(new Map()), null)
  assert.equal(shareOf(0, 0), null)
  assert.deepEqual(shareOf(10, 10), { percent: 100, n: 10, interval: [78.7, 100] })
  assert.deepEqual(shareOf(0, 10), { percent: 0, n: 10, interval: [0, 21.3] })
  assert.deepEqual(shareOf(990, 1_000)!.interval, [98.33, 99.4])
})
