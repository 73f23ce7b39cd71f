import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import type { ChatRequest, CustomTool, FunctionTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import { cachePointOf, type Encoding, loseExtensions } from './encode-blocks.ts'
import { type Fields, isObject } from './fields.ts'
import type { ForcedFormat } from './format.ts'

export interface ToolsPlan {
  /** Undefined where no tool is told. */
  readonly toolConfig: Fields | undefined
  /** Custom tools that were declared as functions. */
  readonly emulatedCustomTools: ReadonlySet<string>
}

/** What the tools depend on beside the request. */
export interface ToolsContext {
  /** The conversation has calls or results: then Converse refuses to know no tool. */
  readonly hasToolBlocks: boolean
  /** Names of the tools that were called. */
  readonly called: readonly string[]
  readonly isThinking: boolean
  readonly takesStrict: boolean
  /** The function that stands for a JSON format. */
  readonly forcedFormat: ForcedFormat | null
}

export function planTools(request: ChatRequest, context: ToolsContext, encoding: Encoding): ToolsPlan {
  const { losses } = encoding
  if (request.parallelToolCalls === false)
    losses.dropped(request.paths['parallelToolCalls'] ?? '/parallel_tool_calls', 'Bedrock has no such switch')
  const emulatedCustomTools = new Set<string>()
  const offered = offeredTools(request, context, encoding)
  const tools = offered.flatMap((tool) => encodeTool(tool, context, emulatedCustomTools, encoding))
  const { forcedFormat } = context
  if (forcedFormat) {
    const toolChoice = { tool: { name: forcedFormat.name } }
    return { toolConfig: { tools: [{ toolSpec: forcedFormat }], toolChoice }, emulatedCustomTools }
  }
  if (tools.length === 0) return { toolConfig: standIns(request, context, encoding), emulatedCustomTools }
  const toolChoice = encodeChoice(request, context, encoding)
  return { toolConfig: { tools, ...(toolChoice ? { toolChoice } : {}) }, emulatedCustomTools }
}

/** The tools that the model may call. */
function offeredTools(
  { tools, toolChoice, paths }: ChatRequest,
  context: ToolsContext,
  { losses }: Encoding,
): readonly Tool[] {
  if (toolChoice?.type === 'none') {
    // To leave the tools out is how Converse says this, and what it forbids once they have been called.
    if (!context.hasToolBlocks) return []
    if (tools.length > 0) losses.narrowed(paths['toolChoice'] ?? '/tool_choice', 'tools that were called stay callable')
    return tools
  }
  if (toolChoice?.type !== 'allowed') return tools
  const names = new Set(toolChoice.names)
  return tools.filter((tool) => names.has(tool.name))
}

/** The declarations of one tool: one, with a breakpoint behind it perhaps, or none for a tool that others run. */
function encodeTool(tool: Tool, context: ToolsContext, emulated: Set<string>, encoding: Encoding): Fields[] {
  const { losses } = encoding
  if (tool.type === 'server') {
    losses.severe(tool.path, `Bedrock has no tool ${tool.name}`)
    return []
  }
  loseExtensions(tool.path, tool.ext, losses)
  if (tool.type === 'custom') {
    emulated.add(tool.name)
    losses.emulated(tool.path, 'a custom tool becomes a function with one text')
  }
  const toolSpec = tool.type === 'custom' ? customSpec(tool) : functionSpec(tool, context, encoding)
  const cachePoint = cachePointOf(tool.path, tool.cacheControl, encoding)
  return cachePoint ? [{ toolSpec }, cachePoint] : [{ toolSpec }]
}

function functionSpec(tool: FunctionTool, { takesStrict }: ToolsContext, { losses }: Encoding): Fields {
  const { name, description, schema, strict, path } = tool
  if (strict === true && !takesStrict) losses.dropped(`${path}/strict`, 'the model cannot be bound to a schema')
  return {
    name,
    ...describe(description),
    inputSchema: { json: objectSchema(schema) },
    ...(takesStrict && strict !== null ? { strict } : {}),
  }
}

/** A grammar cannot bind the model here; it is told instead. */
function customSpec({ name, description, format }: CustomTool): Fields {
  const { type, syntax, definition } = isObject(format) ? format : {}
  const grammar =
    type === 'grammar' && typeof definition === 'string'
      ? { description: `Must match this ${typeof syntax === 'string' ? syntax : 'grammar'} grammar:\n${definition}` }
      : {}
  return {
    name,
    ...describe(description),
    inputSchema: {
      json: {
        type: 'object',
        properties: { [CUSTOM_TOOL_PARAMETER]: { type: 'string', ...grammar } },
        required: [CUSTOM_TOOL_PARAMETER],
      },
    },
  }
}

/** Converse refuses an empty description. */
function describe(description: string | null): Fields {
  return description === null || description === '' ? {} : { description }
}

/** Converse demands `object` at the top. */
export function objectSchema(schema: unknown): unknown {
  if (schema === null || schema === undefined) return { type: 'object', properties: {} }
  return isObject(schema) && schema['type'] === undefined ? { type: 'object', ...schema } : schema
}

/** Declarations for tools that were called and are told no more. */
function standIns(
  { paths }: ChatRequest,
  { hasToolBlocks, called }: ToolsContext,
  { losses }: Encoding,
): Fields | undefined {
  if (!hasToolBlocks) return undefined
  losses.emulated(paths['tools'] ?? '/tools', 'Bedrock wants the tools that were called before')
  const names = called.length > 0 ? called : ['tool']
  const tools = names.map((name) => ({
    toolSpec: {
      name,
      description: 'Not available any more: do not call it.',
      inputSchema: { json: objectSchema(null) },
    },
  }))
  return { tools }
}

/** `auto` is what Converse does when nothing is said, and some models refuse the word. */
function encodeChoice(
  { toolChoice, paths }: ChatRequest,
  context: ToolsContext,
  { losses }: Encoding,
): Fields | undefined {
  const path = paths['toolChoice'] ?? '/tool_choice'
  const choice = toolChoice ? forcedChoice(toolChoice) : undefined
  if (toolChoice?.type === 'opaque') losses.severe(path, 'Bedrock knows no such choice')
  if (!choice || !context.isThinking) return choice
  losses.narrowed(path, 'the model cannot be forced to call a tool while it thinks')
  return undefined
}

function forcedChoice(choice: ToolChoice): Fields | undefined {
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'opaque':
      return undefined
    case 'required':
      return { any: {} }
    case 'tool':
      return { tool: { name: choice.name } }
    case 'allowed':
      return choice.isRequired ? { any: {} } : undefined
    default: {
      const missed: never = choice
      throw new Error(`unknown choice ${String(missed)}`)
    }
  }
}
