import type { CustomTool, FunctionTool, ServerTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import {
  extensionOf,
  invalid,
  isRecord,
  listOf,
  type Members,
  optionalFlag,
  optionalText,
  PROTOCOL,
  recordOf,
  restOf,
  textOf,
} from './members.ts'

const FUNCTION = new Set(['type', 'name', 'description', 'parameters', 'strict'])
const CUSTOM = new Set(['type', 'name', 'description', 'format'])
const NAMESPACE = new Set(['type', 'name', 'tools'])

/** The tools a client declares; those within a namespace follow one another and name it. */
export function decodeTools(tools: unknown): Tool[] {
  if (tools === undefined || tools === null) return []
  return listOf(tools, '/tools').flatMap((value, index) =>
    decodeTool(recordOf(value, `/tools/${index}`), `/tools/${index}`),
  )
}

function decodeTool(tool: Members, path: string): Tool[] {
  if (tool['type'] === 'namespace') return decodeNamespace(tool, path)
  return [decodePlain(tool, path)]
}

function decodePlain(tool: Members, path: string): Tool {
  switch (tool['type']) {
    case 'function':
      return functionTool(tool, path)
    case 'custom':
      return customTool(tool, path)
    default:
      return serverTool(tool, path)
  }
}

function functionTool(tool: Members, path: string): FunctionTool {
  return {
    type: 'function',
    name: textOf(tool['name'], `${path}/name`),
    description: optionalText(tool['description'], `${path}/description`),
    schema: tool['parameters'] ?? null,
    strict: optionalFlag(tool['strict'], `${path}/strict`),
    path,
    ...extensionOf(restOf(tool, FUNCTION)),
  }
}

function customTool(tool: Members, path: string): CustomTool {
  return {
    type: 'custom',
    name: textOf(tool['name'], `${path}/name`),
    description: optionalText(tool['description'], `${path}/description`),
    format: tool['format'] ?? null,
    path,
    ...extensionOf(restOf(tool, CUSTOM)),
  }
}

/** What the namespace says of itself (its description) stays with the first of its tools, as `namespace`. */
function decodeNamespace(tool: Members, path: string): Tool[] {
  const namespace = textOf(tool['name'], `${path}/name`)
  const inner = listOf(tool['tools'] ?? [], `${path}/tools`)
  const about = restOf(tool, NAMESPACE)
  return inner.map((value, index) => {
    const place = `${path}/tools/${index}`
    const plain = decodePlain(recordOf(value, place), place)
    const named: Tool = plain.type === 'server' ? plain : { ...plain, namespace }
    if (index > 0 || about === null) return named
    return { ...named, ext: { [PROTOCOL]: { ...named.ext?.[PROTOCOL], namespace: about } } }
  })
}

const KINDS: readonly (readonly [string, ServerTool['kind']])[] = [
  ['web_search', 'web-search'],
  ['code_interpreter', 'code-execution'],
  ['file_search', 'file-search'],
  ['image_generation', 'image-generation'],
  ['mcp', 'mcp'],
]

function serverTool(tool: Members, path: string): ServerTool {
  const type = textOf(tool['type'], `${path}/type`)
  return {
    type: 'server',
    name: type,
    // Some types carry a version: `web_search_preview_2025_03_11`.
    kind: KINDS.find(([start]) => type.startsWith(start))?.[1] ?? 'other',
    issuer: PROTOCOL,
    value: tool,
    path,
  }
}

const PLAIN_CHOICES: ReadonlySet<unknown> = new Set(['auto', 'none', 'required'])

export function decodeToolChoice(choice: unknown): ToolChoice | null {
  if (choice === undefined || choice === null) return null
  if (PLAIN_CHOICES.has(choice)) return { type: choice as 'auto' | 'none' | 'required' }
  if (typeof choice !== 'string' && !isRecord(choice)) throw invalid('/tool_choice', 'must be a string or an object')
  if (typeof choice === 'string') return { type: 'opaque', value: choice }
  const named = namedTool(choice)
  if (named) return { type: 'tool', name: named.name, ...(named.isCustom ? { isCustom: true } : {}) }
  return allowedTools(choice) ?? { type: 'opaque', value: choice }
}

function allowedTools(choice: Members): ToolChoice | null {
  const { type, mode, tools } = choice
  if (type !== 'allowed_tools' || !Array.isArray(tools)) return null
  const names = tools.map((tool) => (isRecord(tool) ? namedTool(tool) : null))
  if (!names.every((named) => named !== null)) return null
  return { type: 'allowed', names: names.map(({ name }) => name), isRequired: mode === 'required' }
}

/** A tool of the client's own that is named and nothing else. */
function namedTool(tool: Members): { readonly name: string; readonly isCustom: boolean } | null {
  const { type, name } = tool
  if ((type !== 'function' && type !== 'custom') || typeof name !== 'string') return null
  return Object.keys(tool).length === 2 ? { name, isCustom: type === 'custom' } : null
}
