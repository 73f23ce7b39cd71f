import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scaledPrice, toPrice } from './price.ts'

const NONE = { cacheRead: null, cacheWrite: null, cacheWrite1h: null, reasoning: null, image: null, request: null }

test('R64: the factor of a route multiplies every number of the price exactly', () => {
  const tier = { ...NONE, aboveInputTokens: 200_000, input: 4n, output: 6n, cacheRead: 0n }
  const price = toPrice({ ...NONE, input: 3_000_000n, output: 15_000_001n, cacheRead: 3n, tiers: [tier] }, 'config')
  const scaled = scaledPrice(price, '1.25')
  assert.deepEqual([scaled.input, scaled.output, scaled.cacheRead, scaled.image], [3_750_000n, 18_750_001n, 4n, null])
  assert.deepEqual(scaled.tiers, [{ ...tier, input: 5n, output: 8n, cacheRead: 0n }])
  assert.deepEqual([scaled.source, scaled.version === price.version], ['route', false])
  assert.equal(scaledPrice(price, '0').input, 0n)
  assert.equal(scaledPrice(price, '0.0000001').input, 0n)
  assert.equal(scaledPrice(price, '0.0000002').input, 1n)
  assert.deepEqual(scaledPrice(price, '1').tiers, price.tiers)
})

test('a price that only the upstream knows stays unknown', () => {
  const price = toPrice({ ...NONE, input: 1n, output: 1n, tiers: [] }, 'reported')
  assert.equal(scaledPrice(price, '2'), price)
})
