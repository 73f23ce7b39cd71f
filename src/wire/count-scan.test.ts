import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CountScan } from './count-scan.ts'

const scan = new CountScan(['in', 'out', 'in_details.cached', 'in_details.written', 'total'])
const read = (text: string, open = 0) => (scan.read(Buffer.from(text), open) ? [...scan.counts] : null)

test('reads counts by name, and those of an object inside', () => {
  assert.deepEqual(
    read('{"in":24,"other":{"in":1},"out":0,"in_details":{"cached":7,"more":[1,{"written":2}]}}'),
    [24, 0, 7, -1, -1],
  )
  assert.deepEqual(read('{}'), [-1, -1, -1, -1, -1])
  assert.deepEqual(read(' { "in" : 1 ,\n"in_details" : { } , "total":\t2 } '.trim()), [1, -1, -1, -1, 2])
  assert.deepEqual(read('[{"in":3}] ', 1), [3, -1, -1, -1, -1])
  assert.deepEqual(read('{"in":999999999999999}'), [999_999_999_999_999, -1, -1, -1, -1])
})

test('null is as good as absent, and the last of several members of one name counts', () => {
  assert.deepEqual(read('{"in":null,"in_details":null,"out":5}'), [-1, 5, -1, -1, -1])
  assert.deepEqual(read('{"in":1,"in":null,"out":5,"out":6}'), [-1, 6, -1, -1, -1])
  assert.deepEqual(
    read('{"in_details":{"cached":1,"written":2},"in_details":{"written":3},"total":4}'),
    [-1, -1, -1, 3, 4],
  )
  assert.deepEqual(read('{"in_details":{"cached":1},"in_details":null}'), [-1, -1, -1, -1, -1])
})

test('leaves to JSON.parse what is no plain count', () => {
  const odd = ['"5"', '-1', '1.5', '1e3', '1234567890123456', 'true', '[]', '{}']
  for (const value of odd) assert.equal(read(`{"in":${value}}`), null, value)
  for (const value of ['5', '"x"', '[]', 'true']) assert.equal(read(`{"in_details":${value}}`), null, value)
  assert.equal(read('{"in_details":{"cached":-1}}'), null)
  assert.equal(read(String.raw`{"\u0069n":5}`), null)
})

test('text that ends early is no count, and does not run on', () => {
  const whole = '{"in":24,"in_details":{"cached":7},"total":31}'
  for (let end = 1; end < whole.length; end++) {
    const bytes = Buffer.from(whole.slice(0, end))
    let isRead = false
    try {
      isRead = scan.read(bytes, 0)
    } catch (error) {
      assert.equal((error as Error).constructor.name, 'JsonError')
    }
    assert.equal(isRead, false, whole.slice(0, end))
  }
})
