import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AccountEntry } from './funds-book.ts'
import { type OpenHold, OpenHolds } from './open-holds.ts'

const holdOf = (requestId: string): OpenHold => ({
  requestId,
  account: {} as AccountEntry,
  key: null,
  budgetIds: [],
  session: null,
  amountNano: 1n,
  next: undefined,
})

/** The same last characters, so the same mark. */
const IDS = ['req_1-abcdef', 'req_2-abcdef', 'req_3-abcdef', 'other', '']

test('holds with the same mark are told apart, in whatever order they go', () => {
  for (const gone of [IDS, IDS.toReversed(), [IDS[1]!, IDS[0]!, IDS[2]!, IDS[4]!, IDS[3]!]]) {
    const holds = new OpenHolds()
    for (const id of IDS) holds.add(holdOf(id))
    assert.equal(holds.size, IDS.length)
    assert.deepEqual([...holds.values()].map((hold) => hold.requestId).toSorted(), IDS.toSorted())
    let left = [...IDS]
    for (const id of gone) {
      const hold = holds.get(id)!
      assert.equal(hold.requestId, id)
      holds.delete(hold)
      holds.delete(hold)
      left = left.filter((each) => each !== id)
      assert.equal(holds.size, left.length)
      for (const each of IDS) assert.equal(holds.has(each), left.includes(each), each)
    }
    assert.deepEqual([...holds.values()], [])
  }
})

test('an id that nobody holds is not found, also where its mark is known', () => {
  const holds = new OpenHolds()
  holds.add(holdOf('req_1-abcdef'))
  assert.equal(holds.get('req_9-abcdef'), undefined)
})
