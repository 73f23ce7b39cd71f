import { fieldsOf } from '#ir/counts.ts'
import { isObject, type Members, namesIn } from './members.ts'

/**
 * The part of JSON Schema that the API enforces for structured outputs; it answers 400 to the rest. Source: "Structured
 * outputs", and `transformJSONSchema` of @anthropic-ai/sdk 1.10, which leaves out the same.
 */
const KEPT = namesIn(
  'type enum const $ref title description default required properties items anyOf allOf $defs definitions additionalProperties',
)
const FORMATS = namesIn('date-time time date duration email hostname uri ipv4 ipv6 uuid')

export interface LimitedSchema {
  readonly schema: unknown
  /** The keywords that are not asked for any more, each once. */
  readonly lost: ReadonlySet<string>
}

/** The schema within what the API enforces. */
export function limitSchema(schema: unknown): LimitedSchema {
  const lost = new Set<string>()
  return { schema: limit(schema, lost), lost }
}

function limit(schema: unknown, lost: Set<string>): unknown {
  if (!isObject(schema)) return schema
  const limited: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(schema)) {
    // Alternatives that exclude each other are asked for as alternatives.
    if (name === 'oneOf') limited['anyOf'] ??= limitEach(value, lost)
    else if (KEPT.has(name)) limited[name] = limitMember(name, value, lost)
    else if (isEnforced(name, value)) limited[name] = value
    else if (name !== '$schema') lost.add(name)
  }
  if (isObjectType(schema)) {
    if (schema['additionalProperties'] !== false) lost.add('additionalProperties')
    limited['additionalProperties'] = false
  }
  return limited
}

function limitMember(name: string, value: unknown, lost: Set<string>): unknown {
  switch (name) {
    case 'items':
      return limit(value, lost)
    case 'anyOf':
    case 'allOf':
      return limitEach(value, lost)
    case 'properties':
    case '$defs':
    case 'definitions':
      return Object.fromEntries(Object.entries(fieldsOf(value)).map(([key, each]) => [key, limit(each, lost)]))
    default:
      return value
  }
}

function limitEach(schemas: unknown, lost: Set<string>): unknown {
  return Array.isArray(schemas) ? schemas.map((each) => limit(each, lost)) : schemas
}

function isEnforced(name: string, value: unknown): boolean {
  return (name === 'format' && FORMATS.has(String(value))) || (name === 'minItems' && (value === 0 || value === 1))
}

function isObjectType({ type, properties }: Members): boolean {
  return (
    type === 'object' ||
    (Array.isArray(type) && type.includes('object')) ||
    (type === undefined && isObject(properties))
  )
}

const COMBINERS = ['anyOf', 'oneOf', 'allOf'] as const

/**
 * The schema of a tool's input as the API takes it: of type `object`, without alternatives at the top, which are merged.
 * `lost` names what was asked for and is not any more.
 */
export function inputSchema(schema: unknown): LimitedSchema {
  const lost = new Set<string>()
  if (!isObject(schema)) {
    if (schema !== null && schema !== undefined) lost.add('schema')
    return { schema: { type: 'object', properties: {} }, lost }
  }
  const { type } = schema
  const isUnion = Array.isArray(type) && type.includes('object')
  if (isUnion) lost.add('type')
  const typed = type === undefined || isUnion ? { ...schema, type: 'object' } : schema
  return { schema: mergeAlternatives(typed, lost), lost }
}

function mergeAlternatives(schema: Members, lost: Set<string>): Members {
  if (!COMBINERS.some((name) => schema[name] !== undefined)) return schema
  const { anyOf, oneOf, allOf, ...merged } = schema
  const properties: Record<string, unknown> = {}
  const required: unknown[] = listOf(schema['required'])
  for (const [name, variants] of Object.entries({ anyOf, oneOf, allOf })) {
    if (variants === undefined) continue
    lost.add(name)
    for (const variant of listOf(variants)) {
      Object.assign(properties, fieldsOf(fieldsOf(variant)['properties']))
      if (name === 'allOf') required.push(...listOf(fieldsOf(variant)['required']))
    }
  }
  return {
    ...merged,
    properties: { ...properties, ...fieldsOf(schema['properties']) },
    ...(required.length === 0 ? {} : { required: [...new Set(required)] }),
  }
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? [...(value as unknown[])] : []
}
