import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SCHEMA_DEPTH_MAX, SCHEMA_VALUES_MAX, VALUE_CHARACTERS_MAX, valueForSchema } from './schema-value.ts'

const CASES: readonly (readonly [name: string, schema: Record<string, unknown>, value: unknown])[] = [
  ['enum', { enum: ['b', 'a'] }, 'b'],
  ['const', { const: 0 }, 0],
  ['first number of the text', { type: 'number' }, 4.5],
  ['whole number', { type: 'integer' }, 4],
  ['minimum', { type: 'integer', minimum: 10 }, 10],
  ['exclusive maximum', { type: 'integer', exclusiveMaximum: 3 }, 2],
  ['multipleOf', { type: 'integer', multipleOf: 5, minimum: 1 }, 5],
  ['format', { type: 'string', format: 'date' }, '2026-01-02'],
  ['length', { type: 'string', maxLength: 3 }, '4.5'],
  ['Gemini types', { type: 'OBJECT', properties: { a: { type: 'STRING' } } }, { a: '4.5 tons' }],
  ['nullable', { type: ['null', 'boolean'] }, true],
  ['anyOf', { anyOf: [{ type: 'null' }, { type: 'array', items: { type: 'integer' }, minItems: 2 }] }, [4, 4]],
  [
    'allOf',
    { allOf: [{ properties: { a: { type: 'null' } } }, { properties: { b: { const: 1 } } }] },
    { a: null, b: 1 },
  ],
  ['reference', { $ref: '#/$defs/unit', $defs: { unit: { enum: ['m'] } } }, 'm'],
  ['prefixItems', { type: 'array', prefixItems: [{ const: 1 }, { const: 2 }] }, [1, 2]],
  ['maxItems 0', { type: 'array', items: {}, maxItems: 0 }, []],
]

for (const [name, schema, value] of CASES) {
  test(`fits: ${name}`, () => assert.deepEqual(valueForSchema(schema, '4.5 tons'), value))
}

test('a recursive schema ends at the depth bound, also one that never could', () => {
  const node = { type: 'object', properties: { next: { $ref: '#' } } }
  const depth = JSON.stringify(valueForSchema(node, 'a')).split('next').length - 1
  assert.equal(depth, SCHEMA_DEPTH_MAX / 2)
  const endless = { ...node, required: ['next'] }
  assert.match(JSON.stringify(valueForSchema(endless, 'a')), /"next":null\}+$/)
})

test('a string takes as much of the text as its bound allows', () => {
  const value = (text: string) => String(valueForSchema({ type: 'string' }, text)).length
  assert.deepEqual([value('a'.repeat(VALUE_CHARACTERS_MAX)), value('a'.repeat(VALUE_CHARACTERS_MAX + 1))], [2000, 2000])
})

test('an answer has as many values as the bound, and no more', () => {
  const items = { type: 'array', minItems: 100, items: { const: 1 } }
  const value = valueForSchema({ type: 'array', minItems: 100, items }, 'a') as (number | null)[][]
  // 1 outer list, then 101 values for each inner one.
  const ones = value.flat().filter((one) => one === 1).length
  assert.equal(1 + Math.ceil((SCHEMA_VALUES_MAX - 1) / 101) + ones, SCHEMA_VALUES_MAX)
})
