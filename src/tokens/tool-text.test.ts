import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rawNumber } from '#base/exact-json.ts'
import type { FunctionTool, Tool } from '#ir/chat-request.ts'
import { writeSchema, writeTool } from './tool-text.ts'

const declare = (schema: unknown, description: string | null = null): FunctionTool => ({
  type: 'function',
  path: '/tools/0',
  name: 'find',
  description,
  schema,
  strict: null,
})

const object = (properties: unknown, more = {}) => ({ type: 'object', properties, ...more })

test('a function as TypeScript: descriptions, optional members, defaults, enums, arrays', () => {
  const schema = object(
    {
      city: { type: 'string', description: 'Where' },
      days: { type: 'integer', default: 3 },
      unit: { enum: ['C', 'F', 1] },
      tags: { type: 'array', items: { type: 'string' } },
      any: {},
      odd: { type: ['string', 'null'] },
    },
    { required: ['city'] },
  )
  assert.equal(
    writeTool(declare(schema, 'Finds it.'), 'typescript'),
    [
      '// Finds it.',
      'type find = (_: {',
      '// Where',
      'city: string,',
      'days?: number, // default: 3',
      'unit?: "C" | "F" | 1,',
      'tags?: string[],',
      'any?: any,',
      'odd?: string | null,',
      '}) => any;',
      '',
    ].join('\n'),
  )
})

test('nothing to say is said shortly', () => {
  assert.equal(writeTool(declare(null), 'typescript'), 'type find = () => any;\n')
  assert.equal(writeTool(declare(object({})), 'typescript'), 'type find = () => any;\n')
})

test('references, alternatives and nested objects are written out', () => {
  const schema = object(
    { a: { $ref: '#/$defs/A' }, b: { anyOf: [{ type: 'STRING' }, { type: 'array' }] }, c: { $ref: '#/$defs/none' } },
    { $defs: { A: object({ x: { type: 'boolean' } }) } },
  )
  const text = writeTool(declare(schema), 'typescript')
  assert.match(text, /a\?: \{\nx\?: boolean,\n\},\n/)
  assert.match(text, /b\?: string \| any\[\],/)
  assert.match(text, /c\?: any,/)
})

test('a schema that contains itself twice ends', () => {
  const self = { $ref: '#' }
  const schema = object({ left: self, right: self, up: self, down: self })
  assert.ok(writeTool(declare(schema), 'typescript').length < 500_000)
})

test('what is no schema throws nothing', () => {
  const raw = rawNumber('12345678901234567890')
  const schemas = [5, 'text', [], { type: [raw] }, object([1]), object({ a: null, b: { default: raw, enum: [raw] } })]
  for (const schema of schemas) for (const form of ['typescript', 'json'] as const) writeTool(declare(schema), form)
})

test('elsewhere a function is JSON, absent members left out', () => {
  assert.equal(writeTool(declare(null), 'json'), '{"name":"find"}')
  assert.equal(
    writeTool(declare({ type: 'object' }, ''), 'json'),
    '{"name":"find","description":"","parameters":{"type":"object"}}',
  )
})

test('custom tools and tools of the provider are JSON everywhere', () => {
  const base = { path: '/tools/0', name: 'shell' }
  const custom: Tool = { ...base, type: 'custom', description: null, format: { type: 'text' } }
  assert.equal(writeTool(custom, 'typescript'), '{"name":"shell","format":{"type":"text"}}')
  const server: Tool = { ...base, type: 'server', kind: 'other', issuer: 'gemini', value: { googleSearch: {} } }
  assert.equal(writeTool(server, 'typescript'), '{"googleSearch":{}}')
})

test('a schema is shown without what only binds, but with properties of those names', () => {
  const schema = { $schema: 'x', ...object({ format: { type: 'number', minimum: 0 } }), additionalProperties: false }
  assert.equal(writeSchema(schema), '{"type":"object","properties":{"format":{"type":"number"}}}')
  assert.equal(writeSchema(undefined), '')
})
