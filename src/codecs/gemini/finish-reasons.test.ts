import assert from 'node:assert/strict'
import { test } from 'node:test'
import { finishReasonOf, finishWordFor, finishWordOf } from './finish-reasons.ts'

test('a word may come as a number, and what was not set is none', () => {
  assert.equal(finishWordOf('STOP'), 'STOP')
  assert.equal(finishWordOf(1), 'STOP')
  assert.equal(finishWordOf(9), 'MALFORMED_FUNCTION_CALL')
  assert.equal(finishWordOf(77), '77')
  for (const value of [undefined, null, '', 0, 'FINISH_REASON_UNSPECIFIED', {}]) assert.equal(finishWordOf(value), null)
})

test('STOP with calls is a call; a word that nobody knows is a stop', () => {
  assert.equal(finishReasonOf('STOP', false), 'stop')
  assert.equal(finishReasonOf('STOP', true), 'tool-calls')
  assert.equal(finishReasonOf('NEW_WORD', false), 'stop')
  assert.equal(finishReasonOf(null, false), 'stop')
  for (const hasCalls of [false, true]) {
    assert.equal(finishReasonOf('MAX_TOKENS', hasCalls), 'length')
    for (const word of ['SAFETY', 'IMAGE_SAFETY', 'RECITATION', 'BLOCKLIST', 'SPII', 'MODEL_ARMOR', 'blocked:OTHER'])
      assert.equal(finishReasonOf(word, hasCalls), 'content-filter', word)
    for (const word of ['MALFORMED_FUNCTION_CALL', 'UNEXPECTED_TOOL_CALL', 'TOO_MANY_TOOL_CALLS'])
      assert.equal(finishReasonOf(word, hasCalls), 'error', word)
  }
})

test('a client gets words of Gemini alone', () => {
  assert.equal(finishWordFor('stop', null), 'STOP')
  assert.equal(finishWordFor('pause', null), 'MAX_TOKENS')
  assert.equal(finishWordFor('tool-calls', null), 'STOP')
  assert.equal(finishWordFor('length', null), 'MAX_TOKENS')
  assert.equal(finishWordFor('content-filter', null), 'SAFETY')
  assert.equal(finishWordFor('error', null), 'MALFORMED_FUNCTION_CALL')
  assert.equal(finishWordFor('content-filter', 'RECITATION'), 'RECITATION')
  assert.equal(finishWordFor('content-filter', 'blocked:SAFETY'), 'SAFETY')
})
