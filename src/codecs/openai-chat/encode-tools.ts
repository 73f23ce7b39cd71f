import { loseSchema, schemaInstruction } from '#codecs/schema-words.ts'
import type { ChatRequest, CustomTool, FunctionTool, OutputFormat, Tool, ToolChoice } from '#ir/chat-request.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import { WEB_SEARCH_MEMBER } from './decode-tools.ts'
import { cacheControlFor, type Encoding } from './encode-content.ts'
import { declareForeign, isObject, type Members, ownMembers, PROTOCOL, withOwn } from './members.ts'

/** The members of the body that tell of tools, and what they stand for. */
export interface WrittenTools {
  readonly members: Members
  readonly emulatedCustomTools: ReadonlySet<string>
}

export function writeTools(request: ChatRequest, encoding: Encoding): WrittenTools {
  const { losses, target } = encoding
  const { toolChoice, paths } = request
  const members: Record<string, unknown> = {}
  const emulatedCustomTools = new Set<string>()
  const offered = allowedOf(request, encoding)
  const tools: unknown[] = []
  for (const tool of offered) {
    declareForeign(tool.path, tool.ext, losses)
    if (tool.type === 'function') tools.push(functionTool(tool, encoding))
    else if (tool.type === 'custom') {
      tools.push(customTool(tool, encoding))
      if (encoding.emulatesCustomTools) emulatedCustomTools.add(tool.name)
    } else if (tool.issuer !== PROTOCOL) losses.severe(tool.path, `the upstream cannot run the tool ${tool.name}`)
    else if (tool.name === WEB_SEARCH_MEMBER) members[WEB_SEARCH_MEMBER] = tool.value
    else tools.push(tool.value)
  }
  if (tools.length > 0) members['tools'] = tools
  const choice = toolChoice ? choiceOf(toolChoice, paths['toolChoice'] ?? '', encoding) : null
  // Without tools both say nothing, and OpenAI refuses them.
  const isIdle = tools.length === 0 && (choice === 'auto' || choice === 'none')
  if (choice !== null && !isIdle) members['tool_choice'] = choice
  if (request.parallelToolCalls !== null && tools.length > 0) members['parallel_tool_calls'] = request.parallelToolCalls
  if (toolChoice?.type === 'allowed' && !target.hasDeveloperRole)
    losses.emulated(paths['toolChoice'] ?? '', 'only the allowed tools were declared')
  return { members, emulatedCustomTools }
}

/** Hosts that know no list of allowed tools are told of no others. */
function allowedOf({ tools, toolChoice }: ChatRequest, { target }: Encoding): readonly Tool[] {
  if (toolChoice?.type !== 'allowed' || target.hasDeveloperRole) return tools
  return tools.filter(({ name }) => toolChoice.names.includes(name))
}

function functionTool(tool: FunctionTool, encoding: Encoding): Members {
  const declared = {
    name: tool.name,
    ...(tool.description === null ? {} : { description: tool.description }),
    ...(tool.schema === null ? {} : { parameters: tool.schema }),
    ...(tool.strict === null ? {} : { strict: tool.strict }),
  }
  return withOwn({ type: 'function', function: declared, ...cacheControlFor(tool, encoding) }, ownMembers(tool))
}

function customTool(tool: CustomTool, encoding: Encoding): Members {
  const description = tool.description === null ? {} : { description: tool.description }
  const cacheControl = cacheControlFor(tool, encoding)
  if (!encoding.emulatesCustomTools) {
    const declared = { name: tool.name, ...description, ...(tool.format === null ? {} : { format: tool.format }) }
    return withOwn({ type: 'custom', custom: declared, ...cacheControl }, ownMembers(tool))
  }
  encoding.losses.emulated(tool.path, 'a function stands for the custom tool')
  const format = isObject(tool.format) ? tool.format : {}
  const isBound = tool.format !== null && format['type'] !== 'text'
  // A grammar cannot bind a function's argument, but the model can be told of it.
  const input = {
    type: 'string',
    ...(isBound ? { description: `Must follow this format: ${JSON.stringify(tool.format)}` } : {}),
  }
  const parameters = {
    type: 'object',
    properties: { [CUSTOM_TOOL_PARAMETER]: input },
    required: [CUSTOM_TOOL_PARAMETER],
  }
  return { type: 'function', function: { name: tool.name, ...description, parameters }, ...cacheControl }
}

function choiceOf(choice: ToolChoice, path: string, encoding: Encoding): unknown {
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return choice.type
    case 'tool':
      return choice.isCustom && !encoding.emulatesCustomTools
        ? { type: 'custom', custom: { name: choice.name } }
        : { type: 'function', function: { name: choice.name } }
    case 'allowed': {
      const mode = choice.isRequired ? 'required' : 'auto'
      if (!encoding.target.hasDeveloperRole) return mode
      const tools = choice.names.map((name) => ({ type: 'function', function: { name } }))
      return { type: 'allowed_tools', allowed_tools: { mode, tools } }
    }
    case 'opaque':
      encoding.losses.severe(path, 'the upstream has no such choice of a tool')
      return null
    default: {
      const missed: never = choice
      throw new Error(`unknown choice ${String(missed)}`)
    }
  }
}

/** How the answer's format is asked for: natively, by a forced function, or in words. */
export interface WrittenFormat {
  readonly members: Members
  readonly formatTool: string | null
  /** Told to the model where neither does. */
  readonly instruction: string | null
}

const NO_FORMAT: WrittenFormat = { members: {}, formatTool: null, instruction: null }

export function writeFormat(request: ChatRequest, { target, losses }: Encoding): WrittenFormat {
  const { format, paths } = request
  if (!format) return NO_FORMAT
  if (format.type !== 'schema')
    return { ...NO_FORMAT, members: { response_format: { type: format.type === 'text' ? 'text' : 'json_object' } } }
  const name = formatName(format)
  if (target.hasJsonSchema) return { ...NO_FORMAT, members: { response_format: schemaFormat(format, name) } }
  const path = paths['format'] ?? ''
  if (request.tools.length === 0) {
    losses.emulated(path, 'a forced function stands for the schema')
    const description = format.description === null ? {} : { description: format.description }
    const declared = { name, ...description, parameters: format.schema }
    const choice = { type: 'function', function: { name } }
    return {
      ...NO_FORMAT,
      members: { tools: [{ type: 'function', function: declared }], tool_choice: choice },
      formatTool: name,
    }
  }
  // A function that is forced would keep the model from calling the client's own.
  loseSchema(format, path, losses)
  return {
    members: { response_format: { type: 'json_object' } },
    formatTool: null,
    instruction: schemaInstruction(format),
  }
}

type SchemaFormat = Extract<OutputFormat, { type: 'schema' }>

/** OpenAI demands a name of these characters. */
const ILLEGAL_NAME = /[^a-zA-Z0-9_-]/g
const NAME_CHARACTERS_MAX = 64
const FORMAT_NAME = 'answer'

function formatName({ name }: SchemaFormat): string {
  return name ? name.replace(ILLEGAL_NAME, '_').slice(0, NAME_CHARACTERS_MAX) : FORMAT_NAME
}

function schemaFormat({ description, schema, strict }: SchemaFormat, name: string): Members {
  return {
    type: 'json_schema',
    json_schema: {
      name,
      ...(description === null ? {} : { description }),
      ...(schema === null ? {} : { schema }),
      ...(strict === null ? {} : { strict }),
    },
  }
}
