import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'
import { answerToolIds, ConversationToolIds, legalToolId } from './tool-ids.ts'

const call = (id: string | null, name = 'f'): ToolCallBlock => ({
  type: 'tool-call',
  id,
  name,
  arguments: '',
  kind: 'function',
  path: '',
})

const result = (callId: string | null, name: string | null = null): ToolResultBlock => ({
  type: 'tool-result',
  callId,
  name,
  content: [],
  isError: null,
  kind: 'function',
  path: '',
})

test('a legal id stays, an illegal one is replaced, always by the same', () => {
  assert.equal(legalToolId('toolu_01-A'), 'toolu_01-A')
  assert.equal(legalToolId('functions.weather:0'), 'functions_weather_0_c8cf4471')
  assert.equal(legalToolId('functions.weather:0'), legalToolId('functions.weather:0'))
  assert.notEqual(legalToolId('functions.weather:0'), legalToolId('functions-weather.0'))
})

test('an answer without ids gets some, of its own id and the place of the block', () => {
  const ids = answerToolIds('ANSWER')
  assert.equal(ids.idOf(null, 2), 'call_ANSWER_2')
  assert.equal(ids.idOf('', 3), 'call_ANSWER_3')
  assert.equal(ids.idOf('a', 4), 'a')
  assert.equal(ids.idOf('a', 5), 'a_5', 'ids are unique within an answer')
})

test('results find their calls by id', () => {
  const ids = new ConversationToolIds()
  assert.deepEqual([ids.forCall(call('b:1')), ids.forCall(call('a'))], [legalToolId('b:1'), 'a'])
  assert.deepEqual([ids.forResult(result('a')), ids.forResult(result('b:1'))], ['a', legalToolId('b:1')])
})

test('without ids the name pairs them, in order', () => {
  const ids = new ConversationToolIds()
  assert.deepEqual(
    [ids.forCall(call(null, 'f')), ids.forCall(call(null, 'g')), ids.forCall(call(null, 'f'))],
    ['call_0', 'call_1', 'call_2'],
  )
  const results = [ids.forResult(result(null, 'g')), ids.forResult(result(null, 'f')), ids.forResult(result(null, 'f'))]
  assert.deepEqual(results, ['call_1', 'call_0', 'call_2'])
})

test('an id that comes again names another call, and its result the last one that waits', () => {
  const ids = new ConversationToolIds()
  assert.equal(ids.forCall(call('a')), 'a')
  assert.equal(ids.forResult(result('a')), 'a')
  assert.equal(ids.forCall(call('a')), 'a_2')
  assert.equal(ids.forResult(result('a')), 'a_2')
})

test('a result of no call keeps its id', () => {
  const ids = new ConversationToolIds()
  ids.forCall(call('other'))
  assert.equal(ids.forResult(result('gone.1')), legalToolId('gone.1'))
})
