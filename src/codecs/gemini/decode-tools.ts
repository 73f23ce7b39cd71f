import type { FunctionTool, ServerTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import { type Element, extensionOf, invalid, Members, spellingsOf } from './members.ts'
import { jsonSchemaOf } from './json-schema.ts'

/** Tools that the provider runs itself, by their member of a `Tool`. */
const SERVER_TOOLS: ReadonlyMap<string, ServerTool['kind']> = new Map([
  ['googleSearch', 'web-search'],
  ['googleSearchRetrieval', 'web-search'],
  ['enterpriseWebSearch', 'web-search'],
  ['exaAiSearch', 'web-search'],
  ['parallelAiSearch', 'web-search'],
  ['urlContext', 'web-fetch'],
  ['codeExecution', 'code-execution'],
  ['fileSearch', 'file-search'],
  ['retrieval', 'file-search'],
  ['mcpServers', 'mcp'],
])

const TOOL = spellingsOf(['functionDeclarations', ...SERVER_TOOLS.keys()])

/** One `Tool` holds any number of functions, and other tools beside them. */
export function decodeTool({ value, path }: Element): Tool[] {
  const tool = new Members(value, path, TOOL)
  const tools: Tool[] = tool.list('functionDeclarations').map(decodeFunction)
  for (const [name, kind] of SERVER_TOOLS)
    if (tool.has(name)) tools.push(serverTool(name, kind, tool.get(name), tool.pathOf(name)))
  for (const [name, own] of Object.entries(tool.rest ?? {}))
    if (own !== null) tools.push(serverTool(name, 'other', own, tool.pathOf(name)))
  return tools
}

function serverTool(name: string, kind: ServerTool['kind'], value: unknown, path: string): ServerTool {
  return { type: 'server', name, kind, issuer: 'gemini', value: { [name]: value }, path }
}

const FUNCTION = spellingsOf(['name', 'description', 'parameters', 'parametersJsonSchema'])

function decodeFunction({ value, path }: Element): FunctionTool {
  const declared = new Members(value, path, FUNCTION)
  const name = declared.string('name')
  if (name === null) throw invalid(declared.pathOf('name'), 'is required')
  return {
    type: 'function',
    name,
    description: declared.string('description'),
    schema: declared.get('parametersJsonSchema') ?? jsonSchemaOf(declared.get('parameters')) ?? null,
    strict: null,
    path,
    ...extensionOf(declared.rest),
  }
}

const CONFIG = spellingsOf(['functionCallingConfig'])
const CALLING = spellingsOf(['mode', 'allowedFunctionNames'])

export interface DecodedToolConfig {
  readonly choice: ToolChoice | null
  readonly choicePath: string
  /** What only Gemini knows, as it is written back. */
  readonly rest: Readonly<Record<string, unknown>> | undefined
}

export function decodeToolConfig({ value, path }: Element): DecodedToolConfig {
  const config = new Members(value, path, CONFIG)
  if (!config.has('functionCallingConfig')) return { choice: null, choicePath: path, rest: config.rest }
  const calling = new Members(config.get('functionCallingConfig'), config.pathOf('functionCallingConfig'), CALLING)
  const mode = calling.string('mode')?.toUpperCase() ?? null
  const own = mode === 'VALIDATED' ? { ...calling.rest, mode } : calling.rest
  return {
    choice: choiceOf(mode, calling.strings('allowedFunctionNames') ?? [], calling),
    choicePath: calling.path,
    rest: own === undefined ? config.rest : { ...config.rest, functionCallingConfig: own },
  }
}

function choiceOf(mode: string | null, names: readonly string[], calling: Members): ToolChoice | null {
  switch (mode) {
    case null:
    case 'MODE_UNSPECIFIED':
      return null
    case 'NONE':
      return { type: 'none' }
    case 'ANY':
      if (names.length === 0) return { type: 'required' }
      return names.length === 1 ? { type: 'tool', name: names[0]! } : { type: 'allowed', names, isRequired: true }
    case 'AUTO':
    case 'VALIDATED':
      return names.length === 0 ? { type: 'auto' } : { type: 'allowed', names, isRequired: false }
    default:
      throw invalid(calling.pathOf('mode'), 'must be AUTO, ANY, NONE or VALIDATED')
  }
}
