import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Block } from '#ir/blocks.ts'
import { legalCallId, pairCalls } from './call-ids.ts'
import { call, type GivenTurn, result, turns } from './testbed.ts'

const named = (callId: string | null, name: string | null): Block => ({ ...result(callId, 'r'), name }) as Block
const idsOf = (...given: GivenTurn[]) => [...pairCalls(turns(...given)).values()]

test('a legal id stays as it is', () => {
  for (const id of ['tooluse_VQNZJRUFMoqZzszVsRd4og', 'call_1', 'a-B_9', 'x'.repeat(64)])
    assert.equal(legalCallId(id), id)
})

test('an illegal id becomes one that is legal, always the same one, and no other id does', () => {
  const ids = ['functions.weather:0', 'functions_weather:0', '', 'é', 'x'.repeat(65), `${'x'.repeat(64)}y`]
  const legal = ids.map(legalCallId)
  for (const id of legal) assert.match(id, /^[a-zA-Z0-9_-]{1,64}$/)
  assert.equal(new Set(legal).size, ids.length)
  assert.equal(legalCallId('functions.weather:0'), 'functions_weather_0_c8cf4471')
})

test('a result has the id of its call, legal on both sides', () => {
  const [first, second] = idsOf(['assistant', call('f.g:0', 'f', '{}')], ['tool', result('f.g:0', 'r')])
  assert.equal(first, legalCallId('f.g:0'))
  assert.equal(second, first)
})

test('where no ids are given, the name and the order pair', () => {
  const ids = idsOf(
    ['assistant', call(null, 'f', '{}'), call('', 'g', '{}'), call(null, 'f', '{}')],
    ['user', named(null, 'g'), named(null, 'f'), named('', 'f')],
  )
  assert.deepEqual(ids, ['call_1', 'call_2', 'call_3', 'call_2', 'call_1', 'call_3'])
  assert.deepEqual(idsOf(['assistant', call(null, 'f', '{}')], ['user', named(null, null)]), ['call_1', 'call_1'])
})

test('a client may give an id to a call that had none', () => {
  assert.deepEqual(idsOf(['assistant', call(null, 'f', '{}')], ['user', named('made-up', 'f')]), ['call_1', 'call_1'])
})

test('an id that hosts use again in each turn is made unique, and its results follow', () => {
  const ids = idsOf(
    ['assistant', call('call_0', 'f', '{}')],
    ['tool', result('call_0', 'r')],
    ['assistant', call('call_0', 'f', '{}'), call('call_0', 'g', '{}')],
    ['tool', result('call_0', 'r'), result('call_0', 'r')],
  )
  assert.deepEqual(ids, ['call_0', 'call_0', 'call_0_2', 'call_0_3', 'call_0_2', 'call_0_3'])
})

test('a result without a call keeps its id', () => {
  assert.deepEqual(idsOf(['user', result('lost', 'r'), named(null, 'f')]), ['lost', 'call_unknown'])
})
