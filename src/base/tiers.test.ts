import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachesTier } from './tiers.ts'

test('a tier reaches itself and those before it; a tier that nobody named is below all', () => {
  const order = ['free', 'pro', 'team']
  const reached = (own: string) => order.filter((wanted) => reachesTier(order, own, wanted))
  assert.ok(!reachesTier(order, 'team', 'nosuch'))
  assert.deepEqual(['free', 'pro', 'team', 'default'].map(reached), [['free'], ['free', 'pro'], order, []])
})
