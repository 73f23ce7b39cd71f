import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inputSchema, limitSchema } from './schema-limits.ts'

test('what the API enforces stays as it is', () => {
  const schema = {
    type: 'object',
    description: 'd',
    properties: {
      a: { type: ['string', 'null'], enum: ['x', null] },
      b: { type: 'array', items: { $ref: '#/$defs/c' }, minItems: 1 },
      when: { type: 'string', format: 'date-time', default: 'now' },
    },
    required: ['a'],
    additionalProperties: false,
    $defs: { c: { anyOf: [{ type: 'integer' }, { const: 'none' }] } },
  }
  const { schema: limited, lost } = limitSchema(schema)
  assert.deepEqual(limited, schema)
  assert.deepEqual([...lost], [])
})

test('what it refuses goes, at any depth, and is told once', () => {
  const { schema, lost } = limitSchema({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: {
      n: { type: 'integer', minimum: 1, maximum: 9 },
      m: { type: 'integer', minimum: 2 },
      s: { type: 'string', format: 'phone' },
      l: { type: 'array', minItems: 2, items: { type: 'object', properties: {}, additionalProperties: true } },
    },
    additionalProperties: false,
  })
  assert.deepEqual(schema, {
    type: 'object',
    properties: {
      n: { type: 'integer' },
      m: { type: 'integer' },
      s: { type: 'string' },
      l: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: false } },
    },
    additionalProperties: false,
  })
  assert.deepEqual([...lost].sort(), ['additionalProperties', 'format', 'maximum', 'minItems', 'minimum'])
})

test('alternatives that exclude each other are alternatives', () => {
  const { schema, lost } = limitSchema({ oneOf: [{ type: 'string', minLength: 1 }, { type: 'null' }] })
  assert.deepEqual(schema, { anyOf: [{ type: 'string' }, { type: 'null' }] })
  assert.deepEqual([...lost], ['minLength'])
})

test('the input of a tool is an object', () => {
  const empty = { type: 'object', properties: {} }
  assert.deepEqual(inputSchema(null), { schema: empty, lost: new Set() })
  assert.deepEqual(inputSchema({ properties: {} }), { schema: empty, lost: new Set() })
  assert.deepEqual(inputSchema('x'), { schema: empty, lost: new Set(['schema']) })
  assert.deepEqual(inputSchema({ type: ['object', 'null'] }), { schema: { type: 'object' }, lost: new Set(['type']) })
  const plain = { type: 'object', properties: { a: { anyOf: [{}] } }, additionalProperties: true }
  assert.deepEqual(inputSchema(plain), { schema: plain, lost: new Set() })
})

test('alternatives at the top of a tool are merged', () => {
  const { schema, lost } = inputSchema({
    properties: { a: { type: 'string' } },
    required: ['a'],
    anyOf: [{ properties: { b: {} }, required: ['b'] }, { required: ['c'] }],
    allOf: [{ properties: { c: {} }, required: ['c', 'a'] }],
  })
  assert.deepEqual(schema, {
    type: 'object',
    properties: { a: { type: 'string' }, b: {}, c: {} },
    required: ['a', 'c'],
  })
  assert.deepEqual([...lost].sort(), ['allOf', 'anyOf'])
})
