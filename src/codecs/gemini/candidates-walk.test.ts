import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CandidatesSeen, walkCandidates } from './candidates-walk.ts'

function seen(json: string): CandidatesSeen {
  const bytes = Buffer.from(`xx${json}yy`)
  return walkCandidates(bytes, 2, bytes.length - 2)
}

const finishesOf = (json: string) => seen(json).finishes.map(({ index, reason }) => `${index} ${String(reason)}`)

test('each candidate tells its number and its finish', () => {
  assert.deepEqual(finishesOf('[]'), [])
  assert.deepEqual(finishesOf('[{}]'), ['0 null'])
  assert.deepEqual(finishesOf('[{"finishReason":"STOP","index":1},{"index": 12 , "finishReason" : "MAX_TOKENS" }]'), [
    '1 STOP',
    '12 MAX_TOKENS',
  ])
  assert.deepEqual(finishesOf('[{"finishReason":null},{"finishReason":3},{"finishReason":0},{"finishReason":{}}]'), [
    '0 null',
    '0 3',
    '0 null',
    '0 null',
  ])
  assert.deepEqual(finishesOf('[{"finishReason":"FINISH_REASON_UNSPECIFIED"},{"finishReason":"A\\"]}","index":1.5}]'), [
    '0 null',
    '0 A"]}',
  ])
  assert.deepEqual(finishesOf('[{"finish\\u0052eason":"STOP"},{"finishReason":"A","finishReason":"B"}]'), [
    '0 STOP',
    '0 B',
  ])
})

test('only their own members count', () => {
  const inside = '{"finishReason":"STOP","index":7}'
  assert.deepEqual(finishesOf(`[{"content":{"parts":[{"functionCall":{"args":${inside}}}]}}]`), ['0 null'])
  assert.deepEqual(finishesOf(`[[${inside}]]`), [])
  assert.deepEqual(finishesOf(`{"a":${inside}}`), [])
  assert.deepEqual(finishesOf('[{"text":"\\"finishReason\\":\\"STOP\\"","x":["finishReason","STOP"]}]'), ['0 null'])
})

test('texts and calls are counted wherever they stand', () => {
  const { contentBytes, callsCount } = seen(
    '[{"content":{"parts":[{"text":"ü\\n"},{ "text" : "ab" },{"inlineData":{"data":"QUJD"}},' +
      '{"functionCall":{"name":"f","args":{"text":5}}},{"functionCall":{}},{"thought":"text"},{"texts":"no"}]}}]',
  )
  assert.equal(contentBytes, 4 + 2 + 4)
  assert.equal(callsCount, 2)
  assert.deepEqual(seen('null'), { finishes: [], callsCount: 0, contentBytes: 0, textAt: -1 })
})
