import type { Surface } from '#base/protocols.ts'
import type { Model } from '#catalog/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'

/** What a request may need of a model that not every model can (R74). What else a model may lack is left out and told, or the upstream's to say (R81). */
export type Need = 'vision' | 'audio' | 'files' | 'tools'

type Input = Exclude<Need, 'tools'>

/** How a model's modalities are called. */
const MODALITIES: Readonly<Record<Input, readonly string[]>> = {
  vision: ['image'],
  audio: ['audio'],
  files: ['file', 'pdf'],
}
const INPUTS = Object.keys(MODALITIES) as readonly Input[]

const GEMINI_DATA = ['inlineData', 'inline_data', 'fileData', 'file_data'] as const
const MEDIA_TYPES: Readonly<Record<string, Input>> = {
  image_url: 'vision',
  input_image: 'vision',
  image: 'vision',
  input_audio: 'audio',
  file: 'files',
  input_file: 'files',
}

const quoted = (names: readonly string[]): readonly Buffer[] => names.map((name) => Buffer.from(`"${name}"`))

/** What stands for media in a body of each surface; a text that speaks of it has escaped quotes. */
const NEEDLES: Readonly<Record<Surface, readonly Buffer[]>> = {
  'openai-chat': quoted(['image_url', 'input_audio', 'file']),
  'openai-responses': quoted(['input_image', 'input_audio', 'input_file']),
  'openai-embeddings': [],
  'anthropic-messages': quoted(['image', 'document']),
  gemini: quoted(GEMINI_DATA),
}
const TOOL_NEEDLES = quoted(['tools', 'functions'])

/**
 * What the request needs and the model lacks, as somebody said and nobody guessed (R74); null: nothing. Only requests for models of
 * which something was said are searched, and each once.
 */
export function lackOf(model: Model, parsed: Parsed): Need | null {
  const { knowsInputs, knowsCapabilities, capabilities } = model
  if (knowsInputs === true) {
    const missing = missingInputs(model)
    const found = missing.length === 0 ? undefined : missing.find((input) => inputsOf(parsed).has(input))
    if (found !== undefined) return found
  }
  return knowsCapabilities === true && !capabilities.has('tools') && toolsOf(parsed).some(isFunction) ? 'tools' : null
}

// A model is one immutable object of a catalog.
const knownMissing = new WeakMap<Model, readonly Input[]>()

function missingInputs(model: Model): readonly Input[] {
  let missing = knownMissing.get(model)
  if (!missing) {
    const takes = (input: Input): boolean => MODALITIES[input].some((name) => model.inputModalities.includes(name))
    knownMissing.set(model, (missing = INPUTS.filter((input) => !takes(input))))
  }
  return missing
}

/** Whether the request has tools of any kind. */
export const declaresTools = (parsed: Parsed): boolean => toolsOf(parsed).length > 0

const knownInputs = new WeakMap<Parsed, ReadonlySet<Input>>()

/** Media in its messages. Results of tools do not count: a translation may leave their images out and say so. */
function inputsOf(parsed: Parsed): ReadonlySet<Input> {
  let inputs = knownInputs.get(parsed)
  if (!inputs) knownInputs.set(parsed, (inputs = findInputs(parsed)))
  return inputs
}

function findInputs({ surface, body }: Parsed): ReadonlySet<Input> {
  const inputs = new Set<Input>()
  if (!NEEDLES[surface].some((needle) => body.includes(needle))) return inputs
  // Tools may have members of that name: only parts of messages are meant.
  const request = JSON.parse(body.toString('utf8')) as Fields
  const turns = [request['messages'], request['input'], request['contents']].find(Array.isArray) ?? [
    request['contents'],
  ]
  for (const part of (turns as unknown[]).flatMap(partsOf)) {
    const input = inputOf(part)
    if (input) inputs.add(input)
  }
  return inputs
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

function partsOf(turn: unknown): readonly unknown[] {
  const { content, parts } = fieldsOf(turn)
  return [turn, ...(Array.isArray(content) ? content : []), ...(Array.isArray(parts) ? parts : [])]
}

function inputOf(part: unknown): Input | null {
  const fields = fieldsOf(part)
  const { type, source } = fields
  // A document may be plain text, which every model takes.
  if (type === 'document') return ['text', 'content'].includes(String(fieldsOf(source)['type'])) ? null : 'files'
  if (typeof type === 'string') return Object.hasOwn(MEDIA_TYPES, type) ? MEDIA_TYPES[type]! : null
  const data = GEMINI_DATA.map((name) => fields[name]).find((value) => value !== undefined)
  if (data === undefined) return null
  const { mimeType, mime_type } = fieldsOf(data)
  const mime = String(mimeType ?? mime_type ?? '')
  if (mime.startsWith('image/')) return 'vision'
  if (mime.startsWith('audio/')) return 'audio'
  return mime === 'application/pdf' ? 'files' : null
}

const knownTools = new WeakMap<Parsed, readonly unknown[]>()
const NO_TOOLS: readonly unknown[] = []

function toolsOf(parsed: Parsed): readonly unknown[] {
  let tools = knownTools.get(parsed)
  if (!tools) knownTools.set(parsed, (tools = findTools(parsed)))
  return tools
}

function findTools({ body }: Parsed): readonly unknown[] {
  if (!TOOL_NEEDLES.some((needle) => body.includes(needle))) return NO_TOOLS
  const { tools, functions } = JSON.parse(body.toString('utf8')) as Fields
  return [tools, functions].flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
}

/** The client's own functions; what an upstream runs itself is its own to offer or refuse. */
function isFunction(tool: unknown): boolean {
  const { type, functionDeclarations, function_declarations } = fieldsOf(tool)
  if (type === 'function' || type === 'custom') return true
  if (type !== undefined) return false
  const fields = Object.keys(fieldsOf(tool))
  // Gemini names its kinds of tools by their members; a function of Messages has a name and no type.
  return functionDeclarations !== undefined || function_declarations !== undefined || fields.includes('name')
}

/** Parameters that some models have, and what their capability is called; one of them is enough. */
const OPTIONAL = {
  reasoning: ['reasoning', 'thinking'],
  schema: ['json_schema'],
  json: ['json_mode', 'json_schema'],
} as const

/** Whether the request has a parameter that the model is known not to have, for who wants none left out. */
export function lacksParameter({ knowsCapabilities, capabilities }: Model, parsed: Parsed): boolean {
  if (knowsCapabilities !== true) return false
  const isMissing = (wanted: keyof typeof OPTIONAL): boolean => !OPTIONAL[wanted].some((name) => capabilities.has(name))
  return parametersOf(JSON.parse(parsed.body.toString('utf8')) as Fields).some(isMissing)
}

/** The members of all surfaces together: none of them means something else elsewhere. */
function parametersOf(request: Fields): readonly (keyof typeof OPTIONAL)[] {
  const config = fieldsOf(request['generationConfig'] ?? request['generation_config'])
  const output = fieldsOf(request['output_config'])
  const format = fieldsOf(request['response_format'] ?? fieldsOf(request['text'])['format'] ?? output['format'])['type']
  const hasSchema = format === 'json_schema' || ['responseSchema', 'responseJsonSchema'].some((name) => name in config)
  const reasons =
    ['reasoning', 'reasoning_effort', 'thinking'].some((name) => request[name] != null) || 'thinkingConfig' in config
  return [
    ...(reasons ? (['reasoning'] as const) : []),
    ...(hasSchema ? (['schema'] as const) : []),
    ...(format === 'json_object' ? (['json'] as const) : []),
  ]
}
