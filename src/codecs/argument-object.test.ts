import assert from 'node:assert/strict'
import { test } from 'node:test'
import { argumentObject, invalidArguments } from './argument-object.ts'

test('an object is an object, digits and all', () => {
  const text = '{"b":1,"a":{"c":9007199254740993}}'
  assert.equal(JSON.stringify(argumentObject(text)), text)
  assert.equal(invalidArguments(argumentObject(text)), null)
})

test('no arguments are an empty object', () => {
  for (const text of ['', ' \n', '{}', 'null', ' null ']) assert.deepEqual(argumentObject(text), {})
})

test('what is no object is kept whole within one, and found again', () => {
  for (const text of ['{"a":', '[1]', '"x"', '1', '12345678901234567890', 'true', 'x', '{"a":1} {']) {
    assert.deepEqual(argumentObject(text), { __invalid_json: text })
    assert.equal(invalidArguments(argumentObject(text)), text)
  }
})

test("a client's own member of that name is no such text", () => {
  assert.equal(invalidArguments({ __invalid_json: 'x', more: 1 }), null)
  assert.equal(invalidArguments({ __invalid_json: 1 }), null)
  assert.equal(invalidArguments({}), null)
})
