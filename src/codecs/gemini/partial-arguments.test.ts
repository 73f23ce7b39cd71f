import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PartialArguments } from './partial-arguments.ts'

/** The text of each piece, and at last what closes it. */
function textsOf(...pieces: unknown[]): { texts: string[]; isBroken: boolean; value: unknown } {
  const args = new PartialArguments()
  const texts = pieces.map((piece) => args.write([piece]))
  texts.push(args.end())
  const value: unknown = args.isBroken ? undefined : JSON.parse(texts.join('') || 'null')
  return { texts, isBroken: args.isBroken, value }
}

test('each piece is JSON text at once, and all of them are the arguments', () => {
  const { texts, value } = textsOf(
    { jsonPath: '$.recipe.items[0].amount', stringValue: '16', willContinue: true },
    { jsonPath: '$.recipe.items[0].amount', stringValue: ' "oz"\n', willContinue: true },
    { jsonPath: '$.recipe.items[0].amount', stringValue: '' },
    { jsonPath: '$.recipe.items[0].name', stringValue: 'salt' },
    { jsonPath: '$.recipe.items[1].amount', numberValue: 0 },
    { jsonPath: '$.recipe.isHot', boolValue: false },
    { jsonPath: '$.note', nullValue: 'NULL_VALUE' },
  )
  assert.deepEqual(texts, [
    '{"recipe":{"items":[{"amount":"16',
    ' \\"oz\\"\\n',
    '"',
    ',"name":"salt"',
    '},{"amount":0',
    '}],"isHot":false',
    '},"note":null',
    '}',
  ])
  assert.deepEqual(value, {
    recipe: { items: [{ amount: '16 "oz"\n', name: 'salt' }, { amount: 0 }], isHot: false },
    note: null,
  })
})

test('no piece is no text', () => {
  assert.deepEqual(textsOf().texts, [''])
})

test('a text that is never ended is closed by what follows, or by the end', () => {
  const first = { jsonPath: '$.a', stringValue: 'x', willContinue: true }
  assert.deepEqual(textsOf(first).value, { a: 'x' })
  assert.deepEqual(textsOf(first, { jsonPath: '$.b', numberValue: 1 }).value, { a: 'x', b: 1 })
})

test('halves of a character that arrive apart come together', () => {
  const { value } = textsOf(
    { jsonPath: '$.a', stringValue: '\ud83d', willContinue: true },
    { jsonPath: '$.a', stringValue: '\ude00' },
  )
  assert.deepEqual(value, { a: '😀' })
})

test('names may stand in brackets', () => {
  const { value } = textsOf(
    { jsonPath: "$['a.b']", numberValue: 1 },
    { jsonPath: '$["c\\"d"].e', numberValue: 2 },
    { jsonPath: "$['it\\'s']", numberValue: 3 },
  )
  assert.deepEqual(value, { 'a.b': 1, 'c"d': { e: 2 }, "it's": 3 })
})

test('pieces that do not fit what was written are never guessed at', () => {
  const at = (jsonPath: unknown) => ({ jsonPath, numberValue: 1 })
  assert.ok(textsOf(at('$.a'), at('$.a')).isBroken, 'the same place twice')
  assert.ok(textsOf(at('$.a.x'), at('$.b'), at('$.a.y')).isBroken, 'back into what is closed')
  assert.ok(textsOf(at('$.a[0]'), at('$.a[2]')).isBroken, 'an element left out')
  assert.ok(textsOf(at('$.a[1]')).isBroken, 'no first element')
  assert.ok(textsOf(at('$.a[0]'), at('$.a.b')).isBroken, 'a list that is an object too')
  assert.ok(textsOf(at('$.a'), at('$.a.b')).isBroken, 'a value that is an object too')
  for (const path of [undefined, 7, '', '$', 'a', '$[0]', '$.', '$.a[', '$.a[-1]'])
    assert.ok(textsOf(at(path)).isBroken, String(path))
  assert.ok(textsOf({ jsonPath: '$.a' }).isBroken, 'no value')
})

test('the same name in another object is another place', () => {
  const at = (jsonPath: string) => ({ jsonPath, numberValue: 1 })
  assert.deepEqual(textsOf(at('$.a.x'), at('$.b.x'), at('$.c[0].x'), at('$.c[1].x')).value, {
    a: { x: 1 },
    b: { x: 1 },
    c: [{ x: 1 }, { x: 1 }],
  })
})
