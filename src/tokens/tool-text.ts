import type { Tool } from '#ir/chat-request.ts'
import { fieldsOf } from '#ir/counts.ts'

/**
 * How a family of models sees declarations of tools: OpenAI's as TypeScript within a namespace, the others' as JSON, whatever
 * the client's protocol was.
 */
export type ToolForm = 'typescript' | 'json'

/** A schema may refer to itself, several times even: beyond this many parts it says no more than `any`. */
const PARTS_MAX = 5_000
const DEPTH_MAX = 16

/** The declaration of one tool as text, near enough to what the model reads to count it. */
export function writeTool(tool: Tool, form: ToolForm): string {
  if (tool.type === 'server') return JSON.stringify(tool.value) ?? ''
  const { name } = tool
  const description = tool.description ?? undefined
  if (tool.type === 'custom') return JSON.stringify({ name, description, format: tool.format })
  if (form === 'json') return JSON.stringify({ name, description, parameters: tool.schema ?? undefined })
  const lines = description === undefined || description === '' ? [] : [`// ${description}`]
  const members = new TypeWriter(tool.schema).writeMembers(tool.schema, 0)
  if (members.length === 0) return [...lines, `type ${name} = () => any;`, ''].join('\n')
  return [...lines, `type ${name} = (_: {`, ...members, '}) => any;', ''].join('\n')
}

/** Keywords that no model is shown where they hold a plain value. */
const UNSHOWN = new Set(['additionalProperties', '$schema', 'format', 'minimum', 'maximum'])

/** The schema of an answer as text, near enough to what the model reads to count it. */
export function writeSchema(schema: unknown): string {
  const show = (name: string, value: unknown): unknown =>
    UNSHOWN.has(name) && (value === null || typeof value !== 'object') ? undefined : value
  return JSON.stringify(schema, show) ?? ''
}

/** Writes a JSON Schema as TypeScript; what is no schema is `any`. */
class TypeWriter {
  private readonly root: unknown
  private parts = 0

  constructor(root: unknown) {
    this.root = root
  }

  /** One line per property, with its description above. */
  writeMembers(schema: unknown, depth: number): string[] {
    const { properties, required } = fieldsOf(schema)
    const needed = new Set(Array.isArray(required) ? required : [])
    const lines: string[] = []
    for (const [name, value] of Object.entries(fieldsOf(properties))) {
      const { description, default: standard } = fieldsOf(value)
      if (typeof description === 'string') lines.push(`// ${description}`)
      const given = standard === undefined || standard === null ? '' : ` // default: ${JSON.stringify(standard)}`
      lines.push(`${name}${needed.has(name) ? '' : '?'}: ${this.writeType(value, depth + 1)},${given}`)
    }
    return lines
  }

  private writeType(schema: unknown, depth: number): string {
    if (depth > DEPTH_MAX || ++this.parts > PARTS_MAX) return 'any'
    const { type, enum: values, items, anyOf, oneOf, allOf, properties, $ref } = fieldsOf(schema)
    if (typeof $ref === 'string') return this.writeType(this.resolve($ref), depth + 1)
    if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(' | ')
    const options = anyOf ?? oneOf ?? allOf
    if (Array.isArray(options)) return options.map((option) => this.writeType(option, depth + 1)).join(' | ')
    if (Array.isArray(type)) return type.map(nameType).join(' | ')
    if (type === 'array') return items === undefined ? 'any[]' : `${this.writeType(items, depth + 1)}[]`
    if (properties !== undefined) return ['{', ...this.writeMembers(schema, depth), '}'].join('\n')
    return nameType(type)
  }

  /** What a local reference (`#/$defs/name`) points at; nothing when it leads nowhere. */
  private resolve(reference: string): unknown {
    if (!reference.startsWith('#/')) return undefined
    let value = this.root
    for (const name of reference.slice(2).split('/')) value = fieldsOf(value)[name]
    return value
  }
}

/** TypeScript's name of a type of JSON Schema; Gemini's clients write it in capitals. */
function nameType(type: unknown): string {
  if (typeof type !== 'string') return 'any'
  const name = type.toLowerCase()
  return name === 'integer' ? 'number' : name
}
