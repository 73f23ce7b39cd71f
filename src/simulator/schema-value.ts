import { isFields } from './fields.ts'
import type { Fields } from './fields.ts'

/** Nesting at which optional properties and array items are left out, so that a recursive schema ends. */
export const SCHEMA_DEPTH_MAX = 8
/** Characters of the user's text that go into one string value. */
export const VALUE_CHARACTERS_MAX = 2000
/** Values in one answer; the rest is null. It keeps a schema that multiplies itself from filling the memory. */
export const SCHEMA_VALUES_MAX = 10_000
/** Nesting at which even a required value ends as null: such a schema has no finite value. */
const DEPTH_LAST = 2 * SCHEMA_DEPTH_MAX

const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-01-02',
  time: '03:04:05Z',
  'date-time': '2026-01-02T03:04:05Z',
  email: 'someone@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
  hostname: 'example.com',
}

interface Source {
  readonly root: Fields
  readonly text: string
  readonly depth: number
  /** Shared by the whole answer and counted down. */
  readonly budget: { values: number }
}

/**
 * A value that fits a JSON schema (also one in Gemini's upper-case spelling): strings are the given text, numbers the
 * first number in it, enums their first value. Anything that the schema leaves open is as simple as allowed.
 */
export const valueForSchema = (schema: Fields, text: string): unknown =>
  valueFor(schema, {
    root: schema,
    text: text.slice(0, VALUE_CHARACTERS_MAX),
    depth: 0,
    budget: { values: SCHEMA_VALUES_MAX },
  })

function valueFor(schema: Fields, source: Source): unknown {
  if (source.depth > DEPTH_LAST || source.budget.values-- <= 0) return null
  if ('const' in schema) return schema.const
  if (Array.isArray(schema.enum) && schema.enum.length) return schema.enum[0]
  if (typeof schema.$ref === 'string') return valueFor(follow(schema.$ref, source.root), deeper(source))
  const choice = [schema.anyOf, schema.oneOf].find(Array.isArray)?.filter(isFields)
  if (choice?.length) return valueFor({ ...schema, anyOf: null, oneOf: null, ...firstSolid(choice) }, deeper(source))
  if (Array.isArray(schema.allOf)) return valueFor(merge(schema, schema.allOf.filter(isFields), source.root), source)
  switch (typeName(schema)) {
    case 'object':
      return objectFor(schema, source)
    case 'array':
      return arrayFor(schema, source)
    case 'integer':
      return numberFor(schema, source.text, true)
    case 'number':
      return numberFor(schema, source.text, false)
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return stringFor(schema, source.text)
  }
}

const deeper = (source: Source): Source => ({ ...source, depth: source.depth + 1 })

const isNull = (schema: Fields): boolean => String(schema.type).toLowerCase() === 'null'

/** The first alternative that is not null, and rather one without a reference, which may lead back here. */
const firstSolid = (choice: readonly Fields[]): Fields =>
  choice.find((one) => !isNull(one) && !one.$ref) ?? choice.find((one) => !isNull(one)) ?? choice[0]!

function typeName(schema: Fields): string {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).map((type) => String(type).toLowerCase())
  const type = types.find((name) => name !== 'null') ?? types[0]!
  if (type !== 'undefined') return type
  if (isFields(schema.properties)) return 'object'
  return schema.items ? 'array' : 'string'
}

/** Resolves `#/$defs/name` pointers; anything else is an open schema. */
function follow(reference: string, root: Fields): Fields {
  let value: unknown = root
  for (const step of reference.split('/').slice(1)) {
    value = isFields(value) ? value[step.replaceAll('~1', '/').replaceAll('~0', '~')] : undefined
  }
  return isFields(value) ? value : {}
}

function merge(schema: Fields, parts: readonly Fields[], root: Fields): Fields {
  let merged: Record<string, unknown> = { ...schema }
  delete merged.allOf
  for (const part of parts) {
    const solid = typeof part.$ref === 'string' ? follow(part.$ref, root) : part
    merged = {
      ...merged,
      ...solid,
      properties: { ...(merged.properties as Fields), ...(solid.properties as Fields) },
      required: [...((merged.required as string[]) ?? []), ...((solid.required as string[]) ?? [])],
    }
  }
  return merged
}

function objectFor(schema: Fields, source: Source): Fields {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  const value: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(isFields(schema.properties) ? schema.properties : {})) {
    if (source.depth >= SCHEMA_DEPTH_MAX && !required.has(name)) continue
    value[name] = valueFor(isFields(property) ? property : {}, deeper(source))
  }
  return value
}

function arrayFor(schema: Fields, source: Source): unknown[] {
  const heads = Array.isArray(schema.prefixItems) ? schema.prefixItems.filter(isFields) : []
  const least = Number(schema.minItems ?? 0)
  const most = Number(schema.maxItems ?? Infinity)
  const wanted = source.depth >= SCHEMA_DEPTH_MAX ? least : Math.min(Math.max(least, heads.length || 1), most)
  const rest = isFields(schema.items) ? schema.items : {}
  return Array.from({ length: Math.min(wanted, VALUE_CHARACTERS_MAX) }, (_, index) =>
    valueFor(heads[index] ?? rest, deeper(source)),
  )
}

function numberFor(schema: Fields, text: string, whole: boolean): number {
  const found = Number(/-?\d{1,15}(?:\.\d{1,6})?/.exec(text)?.[0] ?? 1)
  const step = Number(schema.multipleOf ?? (whole ? 1 : 0))
  const least = bound(schema.minimum, schema.exclusiveMinimum, step || Number.EPSILON, -Infinity)
  const most = bound(schema.maximum, schema.exclusiveMaximum, -(step || Number.EPSILON), Infinity)
  const value = Math.min(Math.max(found, least), most)
  if (!step) return value
  const rounded = Math.floor(value / step) * step
  return rounded < least ? rounded + step : rounded
}

const bound = (inclusive: unknown, exclusive: unknown, step: number, open: number): number => {
  if (typeof exclusive === 'number') return exclusive + step
  return typeof inclusive === 'number' ? inclusive : open
}

function stringFor(schema: Fields, text: string): string {
  const format = FORMATS[String(schema.format)]
  if (format) return format
  const least = Number(schema.minLength ?? 0)
  const most = Number(schema.maxLength ?? VALUE_CHARACTERS_MAX)
  return (text || 'text').padEnd(Math.min(least, VALUE_CHARACTERS_MAX), '.').slice(0, most)
}
