import type { CustomTool, FunctionTool, OutputFormat, Tool, ToolChoice } from '#ir/chat-request.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { Encoding } from './encoding.ts'
import { isObject, type Members, ownMembers, PROTOCOL } from './members.ts'
import { inputSchema, limitSchema } from './schema-limits.ts'

export interface EncodedTools {
  readonly tools: readonly Members[]
  readonly choice: Members | null
  readonly emulatedCustomTools: ReadonlySet<string>
}

/** A function that stands for a JSON format. */
export interface FormatTool {
  readonly name: string
  readonly tool: Members
}

/** The tools and how they may be used. `isReasoning`: reasoning is on, which excludes forced calls. */
export function encodeTools(encoding: Encoding, formatTool: FormatTool | null, isReasoning: boolean): EncodedTools {
  const { request, losses } = encoding
  const emulated = new Set<string>()
  const { toolChoice } = request
  const allowed = toolChoice?.type === 'allowed' ? new Set(toolChoice.names) : null
  const tools: Members[] = []
  for (const tool of request.tools) {
    if (allowed !== null && !allowed.has(tool.name)) continue
    const encoded = encodeTool(tool, encoding, emulated)
    if (encoded !== null) tools.push(encoded)
  }
  if (allowed !== null && tools.length < request.tools.length)
    losses.rewritten(encoding.pathOf('toolChoice'), 'tools that are not allowed are not told')
  const own = tools.length
  if (formatTool !== null) tools.push(formatTool.tool)
  const choice = encodeChoice(encoding, formatTool, own, isReasoning)
  return { tools, choice, emulatedCustomTools: emulated }
}

function encodeTool(tool: Tool, encoding: Encoding, emulated: Set<string>): Members | null {
  encoding.loseForeign(tool, tool.path)
  const cached = tool.cacheControl === undefined ? {} : { cache_control: tool.cacheControl }
  switch (tool.type) {
    case 'function':
      return { ...encodeFunction(tool, encoding), ...cached, ...ownMembers(tool) }
    case 'custom':
      emulated.add(tool.name)
      encoding.losses.emulated(tool.path, 'free text is asked for as the one argument of a function')
      return { ...encodeCustom(tool), ...cached, ...ownMembers(tool) }
    case 'server':
      if (tool.issuer === PROTOCOL && isObject(tool.value)) return tool.value
      encoding.losses.severe(tool.path, `${tool.name} is a tool that ${tool.issuer} runs`)
      return null
    default: {
      const missed: never = tool
      throw new Error(`unknown tool ${String(missed)}`)
    }
  }
}

function encodeFunction(tool: FunctionTool, encoding: Encoding): Members {
  const { name, description, path } = tool
  const head = { name, ...(description === null ? {} : { description }) }
  if (encoding.isOwn) {
    const { schema, strict } = tool
    return { ...head, ...(schema === null ? {} : { input_schema: schema }), ...(strict === null ? {} : { strict }) }
  }
  const { schema, lost } = inputSchema(tool.schema)
  for (const keyword of lost)
    encoding.losses.narrowed(path, `the schema of a tool is one object: ${keyword} at its top is merged`)
  return { ...head, input_schema: schema, ...strictOf(tool, schema, encoding) }
}

/** The API is strict only about schemas that it can enforce as a whole. */
function strictOf({ strict, path }: FunctionTool, schema: unknown, { target, losses }: Encoding): { strict?: boolean } {
  if (strict === null || (!strict && !target.hasJsonSchema)) return {}
  if (!strict) return { strict }
  const isEnforced = target.hasJsonSchema && limitSchema(schema).lost.size === 0
  if (!isEnforced) losses.dropped(`${path}/strict`, 'the Messages API cannot enforce this schema')
  return isEnforced ? { strict } : {}
}

function encodeCustom({ name, description, format }: CustomTool): Members {
  const fields = fieldsOf(format)
  const grammar = fieldsOf(fields['grammar'] ?? fields)
  const { definition, syntax } = grammar
  const input =
    typeof definition === 'string'
      ? { type: 'string', description: `Text in this ${String(syntax ?? '')} grammar:\n${definition}` }
      : { type: 'string' }
  return {
    name,
    ...(description === null ? {} : { description }),
    input_schema: { type: 'object', properties: { input }, required: ['input'] },
  }
}

function encodeChoice(
  encoding: Encoding,
  formatTool: FormatTool | null,
  toolsCount: number,
  isReasoning: boolean,
): Members | null {
  const { request, losses } = encoding
  const { toolChoice, parallelToolCalls } = request
  const path = encoding.pathOf('toolChoice')
  if (formatTool !== null) return withParallel(formatChoice(toolChoice, formatTool, toolsCount), parallelToolCalls)
  const own = ownMembers(request)
  // A server of tools may stand beside the list of tools.
  if (toolsCount === 0 && own?.['mcp_servers'] === undefined) {
    if (toolChoice !== null && toolChoice.type !== 'auto' && toolChoice.type !== 'none')
      losses.dropped(path, 'there are no tools to choose from')
    return null
  }
  if (toolChoice?.type === 'opaque') losses.severe(path, 'the Messages API knows no such choice')
  const choice = choiceOf(toolChoice)
  const isForced = choice?.['type'] === 'any' || choice?.['type'] === 'tool'
  if (!isReasoning || !isForced || encoding.isOwn) return withParallel(choice, parallelToolCalls)
  losses.narrowed(path, 'the Messages API forces no calls while the model reasons')
  return withParallel({ type: 'auto' }, parallelToolCalls)
}

/** Null where nothing was said. */
function choiceOf(toolChoice: ToolChoice | null): Members | null {
  if (toolChoice === null) return null
  switch (toolChoice.type) {
    case 'auto':
    case 'none':
      return { type: toolChoice.type }
    case 'required':
      return { type: 'any' }
    case 'tool':
      return { type: 'tool', name: toolChoice.name }
    case 'allowed':
      return { type: toolChoice.isRequired ? 'any' : 'auto' }
    case 'opaque':
      return null
    default: {
      const missed: never = toolChoice
      throw new Error(`unknown choice ${String(missed)}`)
    }
  }
}

/** Beside tools of the client's own the model chooses which to call; the answer is one of them. */
function formatChoice(toolChoice: ToolChoice | null, { name }: FormatTool, toolsCount: number): Members {
  return toolsCount === 0 || toolChoice?.type === 'none' ? { type: 'tool', name } : { type: 'any' }
}

function withParallel(choice: Members | null, parallelToolCalls: boolean | null): Members | null {
  if (parallelToolCalls === null || choice?.['type'] === 'none') return choice
  return { type: 'auto', ...choice, disable_parallel_tool_use: !parallelToolCalls }
}

type SchemaFormat = Extract<OutputFormat, { type: 'schema' }>

/** A function whose arguments are the answer; null when the schema is of no object, or calls are forced anyway. */
export function formatToolOf(format: SchemaFormat, { request }: Encoding): FormatTool | null {
  const { type } = request.toolChoice ?? {}
  if (type === 'required' || type === 'tool') return null
  const root = fieldsOf(format.schema)
  if (root['type'] !== 'object' && root['properties'] === undefined) return null
  const names = new Set(request.tools.map((tool) => tool.name))
  let name = (format.name ?? '').replace(/[^a-zA-Z0-9_-]/g, '_') || 'json_answer'
  while (names.has(name)) name += '_'
  const { schema } = inputSchema(format.schema)
  return { name, tool: { name, description: format.description ?? 'Gives the answer.', input_schema: schema } }
}
