import type { CustomTool, FunctionTool, ServerTool, Tool, ToolChoice } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { declareForeign } from './encode-parts.ts'
import { isRecord, type Members, ownMembers, PROTOCOL } from './members.ts'

/** The `tools` for the upstream. `isOwn`: the client spoke this protocol, whose defaults are the upstream's too. */
export function encodeTools(tools: readonly Tool[], isOwn: boolean, losses: Losses): unknown[] {
  const encoded: unknown[] = []
  let group: Namespace | null = null
  for (const tool of tools) {
    const value = encodeTool(tool, isOwn, losses)
    if (value === null) continue
    group = namespaceOf(tool, group)
    if (group === null) encoded.push(value)
    else if (group.tools.push(value) === 1) encoded.push({ type: 'namespace', ...group })
  }
  return encoded
}

interface Namespace {
  readonly name: string
  readonly tools: unknown[]
}

/** The namespace a tool stands in. Tools of one follow one another; the first knows what was said of it. */
function namespaceOf(tool: Tool, before: Namespace | null): Namespace | null {
  if (tool.type === 'server' || tool.namespace === undefined) return null
  const about = ownMembers(tool)['namespace']
  if (before?.name === tool.namespace && about === undefined) return before
  return { name: tool.namespace, ...(isRecord(about) ? about : {}), tools: [] }
}

function encodeTool(tool: Tool, isOwn: boolean, losses: Losses): unknown {
  declareForeign(tool, losses)
  if (tool.type === 'server') return serverTool(tool, losses)
  const { namespace: _about, ...more } = ownMembers(tool)
  return tool.type === 'function' ? functionTool(tool, more, isOwn) : customTool(tool, more)
}

function functionTool(tool: FunctionTool, more: Members, isOwn: boolean): unknown {
  const { name, description, schema, strict } = tool
  return {
    type: 'function',
    name,
    ...(description === null ? {} : { description }),
    ...(schema === null ? (isOwn ? {} : { parameters: { type: 'object', properties: {} } }) : { parameters: schema }),
    // Here a tool is strict unless it says otherwise; elsewhere it is not.
    ...(strict === null ? (isOwn ? {} : { strict: false }) : { strict }),
    ...more,
  }
}

function customTool(tool: CustomTool, more: Members): unknown {
  const { name, description, format } = tool
  return {
    type: 'custom',
    name,
    ...(description === null ? {} : { description }),
    ...(format === null || format === undefined ? {} : { format }),
    ...more,
  }
}

function serverTool(tool: ServerTool, losses: Losses): unknown {
  if (tool.issuer === PROTOCOL) return tool.value
  losses.severe(tool.path, `only ${tool.issuer} runs the tool ${tool.name}`)
  return null
}

/** Undefined when nothing is to be said. */
export function encodeToolChoice(
  choice: ToolChoice | null,
  tools: readonly Tool[],
  isOwn: boolean,
  path: string,
  losses: Losses,
): unknown {
  if (choice === null) return undefined
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return choice.type
    case 'tool':
      return { type: choice.isCustom ? 'custom' : 'function', name: choice.name }
    case 'allowed':
      return {
        type: 'allowed_tools',
        mode: choice.isRequired ? 'required' : 'auto',
        tools: choice.names.map((name) => ({ type: isCustom(name, tools) ? 'custom' : 'function', name })),
      }
    case 'opaque':
      if (isOwn) return choice.value
      losses.severe(path, 'the Responses API knows no such choice')
      return undefined
    default: {
      const missed: never = choice
      throw new Error(`unknown tool choice ${String(missed)}`)
    }
  }
}

const isCustom = (name: string, tools: readonly Tool[]): boolean =>
  tools.some((tool) => tool.type === 'custom' && tool.name === name)
