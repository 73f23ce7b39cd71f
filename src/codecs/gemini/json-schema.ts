import { isObject } from './members.ts'

/**
 * Gemini's `Schema` (a subset of OpenAPI 3.0, types in capitals) as the JSON Schema that means the same. What is JSON
 * Schema already stays as it is. Source: Google's reference of `Schema`.
 */
export function jsonSchemaOf(schema: unknown): unknown {
  if (!isObject(schema)) return schema
  const converted: Record<string, unknown> = {}
  for (const [spelled, value] of Object.entries(schema)) {
    const name = CAMEL_CASE.get(spelled) ?? spelled
    if (name === 'nullable' || value === null) continue
    if (name === 'example') converted['examples'] = [value]
    else if (name === 'type') setType(converted, value)
    // OpenAPI marks enums of strings so; JSON Schema knows no such format.
    else if (name === 'format' && value === 'enum') continue
    else converted[name] = convertMember(name, value)
  }
  return schema['nullable'] === true ? withNull(converted) : converted
}

const CAMEL_CASE: ReadonlyMap<string, string> = new Map(
  Object.entries({
    any_of: 'anyOf',
    max_items: 'maxItems',
    min_items: 'minItems',
    max_length: 'maxLength',
    min_length: 'minLength',
    max_properties: 'maxProperties',
    min_properties: 'minProperties',
    prefix_items: 'prefixItems',
    property_ordering: 'propertyOrdering',
    additional_properties: 'additionalProperties',
  }),
)

const TYPES = new Set(['string', 'number', 'integer', 'boolean', 'array', 'object', 'null'])
/** Whole numbers that Google's JSON writes as strings (int64). */
const COUNTS = new Set(['maxItems', 'minItems', 'maxLength', 'minLength', 'maxProperties', 'minProperties'])
const SCHEMAS = new Set(['items', 'additionalProperties'])
const SCHEMA_LISTS = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems'])
const SCHEMA_MAPS = new Set(['properties', 'defs', '$defs', 'definitions'])

function convertMember(name: string, value: unknown): unknown {
  if (COUNTS.has(name)) return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (SCHEMAS.has(name)) return jsonSchemaOf(value)
  if (SCHEMA_LISTS.has(name)) return Array.isArray(value) ? value.map(jsonSchemaOf) : value
  if (SCHEMA_MAPS.has(name) && isObject(value))
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, jsonSchemaOf(each)]))
  return value
}

function setType(converted: Record<string, unknown>, value: unknown): void {
  const type = Array.isArray(value) ? value.map(typeOf) : typeOf(value)
  if (type !== 'TYPE_UNSPECIFIED') converted['type'] = type
}

function typeOf(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const type = value.toLowerCase()
  return TYPES.has(type) ? type : value
}

/** A schema that also takes null: OpenAPI says `nullable`, JSON Schema says it in the type, the choices and the enum. */
function withNull(schema: Record<string, unknown>): Record<string, unknown> {
  const { type, anyOf, enum: choices } = schema
  return {
    ...schema,
    ...(typeof type === 'string' && type !== 'null' ? { type: [type, 'null'] } : {}),
    ...(Array.isArray(anyOf) ? { anyOf: [...(anyOf as unknown[]), { type: 'null' }] } : {}),
    ...(Array.isArray(choices) && !choices.includes(null) ? { enum: [...(choices as unknown[]), null] } : {}),
  }
}
