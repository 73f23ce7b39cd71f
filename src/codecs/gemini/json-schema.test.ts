import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonSchemaOf } from './json-schema.ts'

test('types become lower case at every depth; names of properties never change', () => {
  const schema = {
    type: 'OBJECT',
    properties: {
      type: { type: 'STRING' },
      min_items: { type: 'ARRAY', items: { type: 'INTEGER', format: 'int32' }, min_items: '2', maxItems: 5 },
      either: { any_of: [{ type: 'NUMBER' }, { type: 'BOOLEAN' }] },
    },
    required: ['type'],
    property_ordering: ['type', 'min_items'],
  }
  assert.deepEqual(jsonSchemaOf(schema), {
    type: 'object',
    properties: {
      type: { type: 'string' },
      min_items: { type: 'array', items: { type: 'integer', format: 'int32' }, minItems: 2, maxItems: 5 },
      either: { anyOf: [{ type: 'number' }, { type: 'boolean' }] },
    },
    required: ['type'],
    propertyOrdering: ['type', 'min_items'],
  })
})

test('nullable is said in the type, the choices and the enum', () => {
  assert.deepEqual(jsonSchemaOf({ type: 'STRING', nullable: true }), { type: ['string', 'null'] })
  assert.deepEqual(jsonSchemaOf({ type: 'STRING', nullable: false }), { type: 'string' })
  assert.deepEqual(jsonSchemaOf({ type: 'STRING', format: 'enum', enum: ['a'], nullable: true }), {
    type: ['string', 'null'],
    enum: ['a', null],
  })
  assert.deepEqual(jsonSchemaOf({ anyOf: [{ type: 'STRING' }], nullable: true }), {
    anyOf: [{ type: 'string' }, { type: 'null' }],
  })
  assert.deepEqual(jsonSchemaOf({ nullable: true }), {})
})

test('what JSON Schema does not know is said otherwise or left out', () => {
  assert.deepEqual(jsonSchemaOf({ type: 'STRING', format: 'enum', enum: ['a', 'b'] }), {
    type: 'string',
    enum: ['a', 'b'],
  })
  assert.deepEqual(jsonSchemaOf({ type: 'STRING', format: 'date-time', example: 0 }), {
    type: 'string',
    format: 'date-time',
    examples: [0],
  })
  assert.deepEqual(jsonSchemaOf({ type: 'TYPE_UNSPECIFIED', description: '' }), { description: '' })
})

test('what is JSON Schema already, and what is no schema, stays as it is', () => {
  const schema = {
    $defs: { Node: { type: 'object', properties: { next: { $ref: '#/$defs/Node' } } } },
    type: ['object', 'null'],
    additionalProperties: false,
    default: { type: 'OBJECT', nullable: true },
  }
  assert.deepEqual(jsonSchemaOf(schema), schema)
  for (const value of [undefined, 7, 'OBJECT', true, ['OBJECT']]) assert.deepEqual(jsonSchemaOf(value), value)
})
