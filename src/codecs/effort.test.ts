import assert from 'node:assert/strict'
import { test } from 'node:test'
import { effortOfBudget, shareOfEffort } from './effort.ts'

test('a budget becomes the least effort whose share of the limit holds it', () => {
  const efforts = [1, 200, 201, 500, 501, 1000].map((budget) => effortOfBudget(budget, 1000))
  assert.deepEqual(efforts, ['low', 'low', 'medium', 'medium', 'high', 'high'])
})

test('where nobody knows the limit, tokens decide', () => {
  const efforts = [4096, 4097, 16_384, 16_385].map((budget) => effortOfBudget(budget, null))
  assert.deepEqual(efforts, ['low', 'medium', 'medium', 'high'])
})

test('an effort is a share of the limit, and an unknown one is none', () => {
  assert.deepEqual(['low', 'medium', 'high', 'enormous'].map(shareOfEffort), [0.2, 0.5, 0.8, undefined])
})
