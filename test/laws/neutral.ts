import type { Block, MediaBlock } from '#ir/blocks.ts'
import type { ChatRequest, OutputFormat, ToolChoice } from '#ir/chat-request.ts'
import { parseFaithfulJson } from '#base/exact-json.ts'

/** What a request says, protocol by protocol the same: facts with their places in the client's body, for the losses to name. */

export interface Fact {
  /** What it is a fact of; facts of one kind are compared in their order. */
  readonly kind: string
  readonly value: string
  readonly path: string
}

export function factsOfRequest(request: ChatRequest): Fact[] {
  const { turns, instructions } = request
  return [
    ...scalarFacts(request),
    ...toolFacts(request),
    ...instructions.flatMap((block) => textFacts('system', block)),
    ...turns.flatMap(({ role, blocks }) => blocks.flatMap((block) => blockFacts(sideOf(role), block))),
  ]
}

const SCALARS = ['outputTokensMax', 'stopSequences', 'candidates', 'parallelToolCalls', 'logprobs', 'endUser'] as const

function scalarFacts(request: ChatRequest): Fact[] {
  const { sampling, format, paths } = request
  const scalars = [
    ...SCALARS.map((name) => [name, request[name]] as const),
    ['toolChoice', choiceOf(request)] as const,
    ...Object.entries(sampling),
    ['format', formatOf(format)] as const,
  ]
  return scalars
    .filter(([name, value]) => value !== null && value !== undefined && !saysNothing(name, value))
    .map(([name, value]) => ({ kind: name, value: canonicalJson(value), path: paths[name] ?? '/' }))
}

/** An empty list of stop strings, a free choice, several calls at once and one candidate are what nobody needs to say. */
function saysNothing(name: string, value: unknown): boolean {
  if (name === 'stopSequences') return (value as unknown[]).length === 0
  if (name === 'parallelToolCalls') return value === true
  if (name === 'candidates') return value === 1
  return name === 'toolChoice' && (value as ToolChoice).type === 'auto'
}

/** To be bound to all tools there are is to be bound to any. */
function choiceOf({ toolChoice: choice, tools }: ChatRequest): ToolChoice | null {
  if (choice?.type !== 'allowed' || !tools.every(({ name }) => choice.names.includes(name))) return choice
  return { type: choice.isRequired ? 'required' : 'auto' }
}

/** The name of a schema and its strictness are not what it asks for; `text` is what no format is. */
function formatOf(format: OutputFormat | null): unknown {
  if (format === null || format.type === 'text') return null
  return format.type === 'schema' ? { schema: lowerTypes(format.schema) } : 'json'
}

function toolFacts({ tools }: ChatRequest): Fact[] {
  return tools.map((tool) => {
    const { path, name, type } = tool
    const told =
      type === 'server' ? tool.kind : type === 'custom' ? tool.description : [tool.description, schemaOf(tool.schema)]
    return { kind: `tool ${type} ${name}`, value: canonicalJson(told), path }
  })
}

/** No schema is the schema of no arguments. */
function schemaOf(schema: unknown): unknown {
  const { type = 'object', properties = {}, required, ...rest } = (lowerTypes(schema) ?? {}) as Record<string, unknown>
  const demanded = Array.isArray(required) && required.length > 0 ? { required: required as unknown[] } : {}
  return { ...rest, ...demanded, type, properties }
}

/** Google writes types in capitals; the name of the dialect (`$schema`) asks for nothing. */
function lowerTypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lowerTypes)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== '$schema')
      .map(([name, each]: [string, unknown]) => [
        name,
        name === 'type' && typeof each === 'string' ? each.toLowerCase() : lowerTypes(each),
      ]),
  )
}

const sideOf = (role: string): string => (role === 'developer' ? 'system' : role === 'tool' ? 'user' : role)

function blockFacts(side: string, block: Block): Fact[] {
  switch (block.type) {
    case 'text':
    case 'refusal':
      return textFacts(side, block)
    case 'media':
      return [{ kind: `media ${side}`, value: mediaValue(block), path: block.path }]
    case 'tool-call':
      return [{ kind: 'calls', value: `${block.name} ${argumentsOf(block.arguments)}`, path: block.path }]
    case 'tool-result':
      return [resultFact(block), ...block.content.filter(isMedia).flatMap((each) => blockFacts('user', each))]
    case 'reasoning':
    case 'opaque':
      return []
    default: {
      const missed: never = block
      throw new Error(`unknown block ${String(missed)}`)
    }
  }
}

const isMedia = (block: Block): boolean => block.type === 'media'

function textFacts(side: string, { text, path }: { readonly text: string; readonly path: string }): Fact[] {
  return text.trim() === '' ? [] : [{ kind: `text ${side}`, value: text, path }]
}

function resultFact(block: Extract<Block, { readonly type: 'tool-result' }>): Fact {
  const text = block.content.map((each) => (each.type === 'text' ? each.text : '')).join('')
  return { kind: 'results', value: compactJson(text), path: block.path }
}

/** Kinds and types of media are told by some protocols and found by others; the bytes are what counts. */
function mediaValue({ source }: MediaBlock): string {
  switch (source.type) {
    case 'base64':
      if (source.mimeType?.startsWith('text/')) return Buffer.from(source.data, 'base64').toString()
      return source.data.replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')
    case 'url':
      return source.url
    case 'text':
      return source.text
    case 'file':
      return source.id
    default: {
      const missed: never = source
      throw new Error(`unknown source ${String(missed)}`)
    }
  }
}

/** No arguments, written as nothing or as null, are an empty object. */
function argumentsOf(text: string): string {
  return text === '' || text === 'null' ? '{}' : compactJson(text)
}

/** Gemini takes results as objects, which have no white space of their own. */
function compactJson(text: string): string {
  try {
    return canonicalJson(parseFaithfulJson(text))
  } catch {
    return text
  }
}

/** JSON with the members of objects in the order of their names. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (each === null || typeof each !== 'object' || Array.isArray(each) || isRaw(each)) return each
    return Object.fromEntries(Object.entries(each).toSorted(([left], [right]) => (left < right ? -1 : 1)))
  })
}

const isRaw = (value: object): boolean => (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)
