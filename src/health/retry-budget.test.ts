import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RETRIES_PER_SECOND, RETRIES_SAVED_MAX, RetryBudget, RETRY_SHARE } from './retry-budget.ts'

test('with every attempt failing, retries stay within a quarter of what is offered (fault R4)', () => {
  const budget = new RetryBudget()
  const seconds = 30
  const perSecond = 500
  let retries = 0
  for (let index = 0; index < seconds * perSecond; index++) {
    const now = (index * 1000) / perSecond
    budget.offered(now)
    while (budget.take(now)) retries++
  }
  assert.ok(retries <= 0.25 * seconds * perSecond, `${retries} retries`)
  assert.ok(retries >= RETRY_SHARE * seconds * perSecond)
})

test('a quiet gateway may fail over at once, every time', () => {
  const budget = new RetryBudget()
  for (let second = 0; second < 1000; second++) {
    budget.offered(second * 1000)
    for (let hop = 0; hop < 5; hop++) assert.equal(budget.take(second * 1000), true)
  }
})

test('the steady part comes back with time, up to what a start has', () => {
  const budget = new RetryBudget()
  while (budget.take(0));
  assert.equal(budget.take(999 / RETRIES_PER_SECOND), false)
  assert.equal(budget.take(2000 / RETRIES_PER_SECOND), true)
  let count = 0
  while (budget.take(3_600_000)) count++
  assert.ok(count <= 50, `${count}`)
})

test('what good times save is bounded', () => {
  const budget = new RetryBudget()
  for (let index = 0; index < 100_000; index++) budget.offered(0)
  let count = 0
  while (budget.take(0)) count++
  assert.equal(count, RETRIES_SAVED_MAX)
})
