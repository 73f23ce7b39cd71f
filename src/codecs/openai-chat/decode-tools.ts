import type { ChatRequest, FunctionTool, ServerTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import {
  cacheControlOf,
  isObject,
  malformed,
  type Members,
  optionalList,
  optionalText,
  ownExt,
  restOf,
  restWithin,
  stringOrNull,
} from './members.ts'

/** Web search is a member of its own here, and no tool: its server tool has this name. */
export const WEB_SEARCH_MEMBER = 'web_search_options'

/** The tools and which of them to call, also in their first form of 2023: `functions` and `function_call`. */
export function readTools(
  body: Members,
  paths: Record<string, string>,
  rest: Record<string, unknown>,
): Pick<ChatRequest, 'tools' | 'toolChoice'> {
  const tools: Tool[] = (optionalList(body, 'tools', '') ?? []).map((tool, index) => readTool(tool, `/tools/${index}`))
  for (const [index, declared] of (optionalList(body, 'functions', '') ?? []).entries())
    tools.push(readFunction(declared, `/functions/${index}`))
  const search = body[WEB_SEARCH_MEMBER] ?? null
  if (search !== null) {
    const path = `/${WEB_SEARCH_MEMBER}`
    tools.push({
      type: 'server',
      name: WEB_SEARCH_MEMBER,
      kind: 'web-search',
      issuer: 'openai-chat',
      value: search,
      path,
    })
  }
  return { tools, toolChoice: readToolChoice(body, paths, rest) }
}

const TOOL_MEMBERS = new Set(['type', 'function', 'custom', 'cache_control'])
const FUNCTION_MEMBERS = new Set(['name', 'description', 'parameters', 'strict'])
const CUSTOM_MEMBERS = new Set(['name', 'description', 'format'])

function readTool(value: unknown, path: string): Tool {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  const type = value['type'] ?? 'function'
  if (typeof type !== 'string') throw malformed(`${path}/type`, 'must be a string')
  if (type === 'function') {
    const tool = readFunction(value['function'], `${path}/function`)
    return {
      ...tool,
      path,
      ...cacheControlOf(value),
      ...ownExt({ ...restOf(value, TOOL_MEMBERS), ...restOfTool(tool) }),
    }
  }
  if (type !== 'custom') {
    const issuer: ServerTool['issuer'] = 'openai-chat'
    return { type: 'server', name: type, kind: serverKind(type), issuer, value, path }
  }
  const { custom } = value
  if (!isObject(custom)) throw malformed(`${path}/custom`, 'must be an object')
  return {
    type: 'custom',
    path,
    name: toolName(custom, `${path}/custom`),
    description: optionalText(custom, 'description', `${path}/custom`),
    format: custom['format'] ?? null,
    ...cacheControlOf(value),
    ...ownExt({ ...restOf(value, TOOL_MEMBERS), ...restWithin('custom', custom, CUSTOM_MEMBERS) }),
  }
}

function readFunction(value: unknown, path: string): FunctionTool {
  if (!isObject(value)) throw malformed(path, 'must be an object')
  const { strict = null } = value
  if (strict !== null && typeof strict !== 'boolean') throw malformed(`${path}/strict`, 'must be true or false')
  return {
    type: 'function',
    path,
    name: toolName(value, path),
    description: optionalText(value, 'description', path),
    schema: value['parameters'] ?? null,
    strict,
    ...ownExt(restWithin('function', value, FUNCTION_MEMBERS)),
  }
}

const restOfTool = (tool: FunctionTool): Members => tool.ext?.['openai-chat'] ?? {}

function toolName(members: Members, path: string): string {
  const { name } = members
  if (typeof name !== 'string') throw malformed(`${path}/name`, 'must be a string')
  return name
}

const SERVER_KINDS: readonly (readonly [string, ServerTool['kind']])[] = [
  ['web_search', 'web-search'],
  ['web_fetch', 'web-fetch'],
  ['code_interpreter', 'code-execution'],
  ['code_execution', 'code-execution'],
  ['file_search', 'file-search'],
  ['image_generation', 'image-generation'],
  ['mcp', 'mcp'],
]

/** Hosts put their own name in front: `openrouter:web_search`. */
function serverKind(type: string): ServerTool['kind'] {
  return SERVER_KINDS.find(([part]) => type.includes(part))?.[1] ?? 'other'
}

function readToolChoice(
  body: Members,
  paths: Record<string, string>,
  rest: Record<string, unknown>,
): ToolChoice | null {
  const member = (body['tool_choice'] ?? null) === null ? 'function_call' : 'tool_choice'
  const value = body[member] ?? null
  if (value === null) return null
  const choice = typeof value === 'string' ? namedChoice(value) : isObject(value) ? readChoice(value) : null
  if (choice) paths['toolChoice'] = `/${member}`
  // What only a host may know goes to the host as it stood.
  else rest[member] = value
  return choice
}

function namedChoice(name: string): ToolChoice | null {
  if (name === 'auto' || name === 'none' || name === 'required') return { type: name }
  // Mistral's word for it.
  return name === 'any' ? { type: 'required' } : null
}

function readChoice(value: Members): ToolChoice | null {
  const { type } = value
  if (type === 'allowed_tools') return readAllowed(value)
  const custom = nameWithin(value['custom'])
  if (custom !== null) return { type: 'tool', name: custom, isCustom: true }
  // `{name}` alone is the first form of 2023.
  const name = nameWithin(value['function']) ?? stringOrNull(value['name'])
  if (name !== null) return { type: 'tool', name }
  return typeof type === 'string' ? namedChoice(type) : null
}

function readAllowed(value: Members): ToolChoice | null {
  const allowed = isObject(value['allowed_tools']) ? value['allowed_tools'] : value
  if (!Array.isArray(allowed['tools'])) return null
  const names = allowed['tools'].map((tool: unknown) =>
    isObject(tool) ? (nameWithin(tool['function']) ?? nameWithin(tool['custom']) ?? stringOrNull(tool['name'])) : null,
  )
  if (!names.every((name) => name !== null)) return null
  return { type: 'allowed', names, isRequired: allowed['mode'] === 'required' }
}

function nameWithin(value: unknown): string | null {
  return isObject(value) ? stringOrNull(value['name']) : null
}
