import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRawNumber, parseExactJson, parseFaithfulJson, usdNumber, usdNumberOrNull, rawNumber } from './exact-json.ts'
import { parseUsd } from './money.ts'

const LIMIT = new Set(['limit'])

test('a number under an exact key keeps its own digits', () => {
  const text = '{"limit":123456789012.123456789,"other":123456789012.123456789,"limit2":1}'
  const value = parseExactJson(text, LIMIT) as Record<string, unknown>
  assert.equal(value['limit'], '123456789012.123456789')
  assert.equal(typeof value['other'], 'number')
  assert.equal(value['limit2'], 1)
})

test('null, strings and nested values stay what they are', () => {
  assert.deepEqual(parseExactJson('{"limit":null}', LIMIT), { limit: null })
  assert.deepEqual(parseExactJson('{"limit":"5"}', LIMIT), { limit: '5' })
  assert.deepEqual(parseExactJson('{"a":[{"limit":1e-9}]}', LIMIT), { a: [{ limit: '1e-9' }] })
})

test('amounts are written digit for digit', () => {
  const sum = parseUsd('0.1')! + parseUsd('0.2')!
  assert.equal(JSON.stringify({ cost: usdNumber(sum) }), '{"cost":0.3}')
  assert.equal(JSON.stringify(usdNumber(1n)), '0.000000001')
  assert.equal(JSON.stringify(usdNumber(-1_500_000_000n)), '-1.5')
  assert.equal(JSON.stringify(usdNumber(parseUsd('123456789012.123456789')!)), '123456789012.123456789')
  assert.equal(JSON.stringify([usdNumberOrNull(null), usdNumberOrNull(0n)]), '[null,0]')
})

test('numbers that JavaScript would round are written again as they stood', () => {
  const text =
    '{"seed":9007199254740993,"price":0.10000000000000000555,"plain":[1,2.5,1e30],"text":"12345678901234567890"}'
  const value = parseFaithfulJson(text) as { plain: unknown; text: string }
  assert.equal(JSON.stringify(value), text.replace('1e30', '1e+30'))
  assert.deepEqual(value.plain, [1, 2.5, 1e30])
  const infinite = '{"a":1e999,"b":12345678901234567890}'
  assert.equal(JSON.stringify(parseFaithfulJson(infinite)), infinite)
  assert.throws(() => parseFaithfulJson('{"a":12345678901234567890,}'), SyntaxError)
})

test('a number that is kept as its text is known from an object of the client that looks like one', () => {
  assert.equal(JSON.stringify({ a: rawNumber('0.30000000000000000001') }), '{"a":0.30000000000000000001}')
  assert.ok(isRawNumber(rawNumber('1')))
  for (const other of [1, '1', null, { rawJSON: '1' }]) assert.equal(isRawNumber(other), false)
})
