import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearest } from './nearest.ts'

const IDS = ['gpt-4o', 'gpt-4o-mini', 'gpt-5', 'claude-opus', 'gemini-pro']

test('the nearest come first, and what differs in most of its letters is left out', () => {
  assert.deepEqual(nearest('gpt-4', IDS, 3), ['gpt-4o', 'gpt-5'])
  assert.deepEqual(nearest('gpt-40', IDS, 1), ['gpt-4o'])
  assert.deepEqual(nearest('claude-ops', IDS, 3), ['claude-opus'])
  assert.deepEqual(nearest('zzzzzzzz', IDS, 3), [])
  assert.deepEqual(nearest('', IDS, 3), [])
})

test('case does not count, and ties are in the order of the alphabet', () => {
  assert.deepEqual(nearest('GPT-4O', IDS, 1), ['gpt-4o'])
  assert.deepEqual(nearest('ab', ['ad', 'ac', 'ab'], 3), ['ab', 'ac', 'ad'])
})

test('ids beyond a length are not compared', () => {
  const long = 'x'.repeat(100)
  assert.deepEqual(nearest(long, [long], 1), [long])
  assert.deepEqual(nearest(`${long}x`, [long], 1), [])
  assert.deepEqual(nearest(long, [`${long}x`], 1), [])
})
