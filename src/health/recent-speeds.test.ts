import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECENT_MS, RECENT_PERCENTS, RecentSpeeds } from './recent-speeds.ts'

const at = 0

test('so many of a hundred answers are as fast as is said of them, or faster', () => {
  const speeds = new RecentSpeeds()
  for (let value = 100; value >= 1; value--) speeds.noted('a', { at, ttftMs: value, tokensPerSecond: value })
  const recent = speeds.of('a', at)
  assert.deepEqual(RECENT_PERCENTS.map(recent.ttftMs), [50, 75, 90, 99])
  assert.deepEqual(RECENT_PERCENTS.map(recent.tokensPerSecond), [51, 26, 11, 2])
})

test('one answer tells all of them, and one too short to tell its throughput only the other half', () => {
  const speeds = new RecentSpeeds()
  speeds.noted('a', { at, ttftMs: 7, tokensPerSecond: null })
  assert.deepEqual([speeds.of('a', at).ttftMs(50), speeds.of('a', at).ttftMs(99)], [7, 7])
  assert.equal(speeds.of('a', at).tokensPerSecond(50), null)
  assert.equal(speeds.of('nobody', at).ttftMs(50), null)
})

test('an answer is forgotten after five minutes', () => {
  const speeds = new RecentSpeeds()
  speeds.noted('a', { at, ttftMs: 900, tokensPerSecond: 1 })
  speeds.noted('a', { at: at + 1, ttftMs: 100, tokensPerSecond: 90 })
  assert.equal(speeds.of('a', at + RECENT_MS).ttftMs(99), 900)
  assert.equal(speeds.of('a', at + RECENT_MS + 1).ttftMs(99), 100)
  assert.equal(speeds.of('a', at + RECENT_MS + 2).ttftMs(99), null)
})
