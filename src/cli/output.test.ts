import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairs, table } from './output.ts'

test('columns are as wide as their content and numbers stand to the right', () => {
  const text = table(
    ['id', 'balance'],
    [
      ['acc_1', '10'],
      ['a', '-0.5'],
      ['b', null],
    ],
  )
  assert.deepEqual(text.split('\n'), ['ID     BALANCE', 'acc_1       10', 'a         -0.5', 'b            -'])
})

test('an empty table is its headings', () => assert.equal(table(['id', 'name'], []), 'ID  NAME'))

test('pairs line their values up', () => {
  assert.equal(
    pairs([
      ['a', 1],
      ['long', true],
      ['none', undefined],
    ]),
    'a     1\nlong  yes\nnone  -',
  )
})
