import { asksForJson } from '#codecs/asks-for-json.ts'
import { loseSchema } from '#codecs/schema-words.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, OutputFormat } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { type Family, takesForcedTools } from './family.ts'
import { type Fields, isObject } from './fields.ts'

/** A function whose arguments are the answer. */
export interface ForcedFormat {
  readonly name: string
  readonly description: string
  readonly inputSchema: { readonly json: unknown }
}

/** How the model is bound to a JSON format: by its own means, by a function that it has to call, or by words. */
export interface FormatPlan {
  readonly outputConfig: Fields | null
  readonly forcedFormat: ForcedFormat | null
  readonly instruction: string | null
}

const NONE: FormatPlan = { outputConfig: null, forcedFormat: null, instruction: null }

const NAME_DEFAULT = 'json_answer'

export function planFormat(
  request: ChatRequest,
  target: TargetTraits,
  family: Family,
  isThinking: boolean,
  losses: Losses,
): FormatPlan {
  const { format } = request
  if (!format || format.type === 'text') return NONE
  const path = request.paths['format'] ?? '/response_format'
  if (format.type === 'schema' && target.hasJsonSchema) return nativeFormat(format, path, losses)
  const isFree = request.tools.length === 0 && !isThinking
  const schema = format.type === 'schema' ? format.schema : ANY_OBJECT
  const canForce = isFree && takesForcedTools(family) && isObject(schema) && (schema['type'] ?? 'object') === 'object'
  if (canForce) {
    losses.emulated(path, 'a function that has to be called stands for the format')
    return { ...NONE, forcedFormat: forcedFormat(format, schema) }
  }
  if (format.type === 'json' && asksForJson(request)) {
    losses.narrowed(path, 'JSON without a schema is asked for in the words of the prompt alone')
    return NONE
  }
  if (format.type === 'schema') loseSchema(format, path, losses)
  else losses.emulated(path, 'an instruction stands for the format')
  return { ...NONE, instruction: instructionFor(format) }
}

type SchemaFormat = Extract<OutputFormat, { type: 'schema' }>
type JsonFormat = Exclude<OutputFormat, { type: 'text' }>

const ANY_OBJECT: Fields = { type: 'object', additionalProperties: true }

function nativeFormat({ name, description, schema }: SchemaFormat, path: string, losses: Losses): FormatPlan {
  const closed = closeObjects(schema)
  const text = JSON.stringify(closed)
  if (text !== JSON.stringify(schema)) losses.rewritten(path, 'Bedrock wants objects without further members')
  const jsonSchema = {
    schema: text,
    ...(name === null ? {} : { name: legalName(name) }),
    ...(description === null || description === '' ? {} : { description }),
  }
  return { ...NONE, outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema } } } }
}

/** Objects that say nothing of further members have none: Bedrock refuses a schema that leaves it open. */
function closeObjects(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closeObjects)
  if (!isObject(schema)) return schema
  const entries = Object.entries(schema).map(([name, value]) => [
    name,
    LITERALS.has(name) ? value : closeMember(name, value),
  ])
  const isOpen = isObject(schema['properties']) && schema['additionalProperties'] === undefined
  return Object.fromEntries(isOpen ? [...entries, ['additionalProperties', false]] : entries)
}

/** Members whose values are data, and members whose values map names to schemas. */
const LITERALS: ReadonlySet<string> = new Set(['const', 'default', 'enum', 'examples', 'required'])
const MAPS: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
])

function closeMember(name: string, value: unknown): unknown {
  if (!MAPS.has(name) || !isObject(value)) return closeObjects(value)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closeObjects(inner)]))
}

function forcedFormat(format: JsonFormat, schema: Fields): ForcedFormat {
  const { name, description } = format.type === 'schema' ? format : { name: null, description: null }
  const wanted = format.type === 'schema' ? 'It is the answer itself.' : `${ANSWER_OBJECT} It must not be empty.`
  return {
    name: name === null ? NAME_DEFAULT : legalName(name),
    description: `Gives the answer. ${wanted}${description ? ` ${description}` : ''}`,
    inputSchema: { json: { type: 'object', ...schema } },
  }
}

const ANSWER_OBJECT = 'The input is the JSON object that was asked for, with all its members.'

function instructionFor(format: JsonFormat): string {
  const only = 'Answer with nothing but one JSON value: no other text, no code fence.'
  if (format.type === 'json') return `${only} It is an object.`
  const purpose = format.description ? ` ${format.description}` : ''
  return `${only}${purpose} It must match this JSON Schema:\n${JSON.stringify(format.schema)}`
}

/** What Converse takes as the name of a tool. */
function legalName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 64) || NAME_DEFAULT
}
