import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FirstOutputs, SAMPLES_MIN } from './first-outputs.ts'
import { SAMPLES_MAX } from './latest-samples.ts'

test('nothing is known before enough waits were seen', () => {
  const outputs = new FirstOutputs()
  for (let count = 1; count < SAMPLES_MIN; count++) outputs.noted('m', 10)
  assert.equal(outputs.p95('m'), null)
  outputs.noted('m', 10)
  assert.equal(outputs.p95('m'), 10)
  assert.equal(outputs.p95('other'), null)
})

test('p95 of 1 to 100 is 95, in whatever order they came', () => {
  const outputs = new FirstOutputs()
  for (let ms = 1; ms <= 100; ms++) outputs.noted('m', ((ms * 37) % 100) + 1)
  assert.equal(outputs.p95('m'), 95)
})

test('only the latest count', () => {
  const outputs = new FirstOutputs()
  for (let count = 0; count < SAMPLES_MAX; count++) outputs.noted('m', 1000)
  for (let count = 0; count < SAMPLES_MAX; count++) outputs.noted('m', 5)
  assert.equal(outputs.p95('m'), 5)
})
