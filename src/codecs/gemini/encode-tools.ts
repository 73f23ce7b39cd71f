import type { ChatRequest, CustomTool, FunctionTool, OutputFormat, ServerTool, Tool } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import { loseForeign } from './encode-parts.ts'
import { isObject, withExtension } from './members.ts'

export interface EncodedTools {
  readonly tools: readonly unknown[]
  readonly functionCallingConfig: Readonly<Record<string, unknown>> | null
  readonly emulatedCustomTools: ReadonlySet<string>
}

type SchemaFormat = Extract<OutputFormat, { type: 'schema' }>

/** Tools and which of them may be called. `format` is a schema that a function has to stand for, called `formatTool`. */
export function encodeTools(
  request: ChatRequest,
  format: SchemaFormat | null,
  formatTool: string | null,
  losses: Losses,
): EncodedTools {
  const emulatedCustomTools = new Set<string>()
  const functions: unknown[] = []
  const others: unknown[] = []
  for (const tool of request.tools) {
    loseForeign(tool.ext, tool.path, losses)
    if (tool.cacheControl !== undefined && tool.cacheControl !== null)
      losses.dropped(`${tool.path}/cache_control`, 'Gemini caches without breakpoints')
    switch (tool.type) {
      case 'function':
        functions.push(declarationOf(tool, losses))
        break
      case 'custom':
        emulatedCustomTools.add(tool.name)
        functions.push(customDeclaration(tool, losses))
        break
      case 'server':
        others.push(...serverTool(tool, losses))
        break
      default: {
        const missed: never = tool
        throw new Error(`no declaration for ${String(missed)}`)
      }
    }
  }
  if (format && formatTool !== null) functions.push(formatDeclaration(format, formatTool))
  const calling = formatTool === null ? callingConfig(request, losses) : formatCalling(request, formatTool)
  return {
    tools: functions.length > 0 ? [{ functionDeclarations: functions }, ...others] : others,
    functionCallingConfig: functions.length + others.length > 0 ? calling : null,
    emulatedCustomTools,
  }
}

function declarationOf(tool: FunctionTool, losses: Losses): unknown {
  const { name, description, schema, path } = tool
  if (tool.strict === true) losses.dropped(`${path}/strict`, 'Gemini takes no strict functions')
  const declared = {
    name,
    ...(description === null ? {} : { description }),
    ...(schema === null || schema === undefined ? {} : { parametersJsonSchema: schema }),
  }
  return withExtension(declared, tool.ext?.gemini)
}

/** A tool that takes free text becomes a function of one string; its calls are turned back. */
function customDeclaration({ name, description, format, path }: CustomTool, losses: Losses): unknown {
  losses.emulated(path, 'a custom tool is declared as a function of one text')
  if (isObject(format) && format['type'] !== 'text') losses.dropped(`${path}/format`, 'Gemini takes no grammar')
  return {
    name,
    ...(description === null ? {} : { description }),
    parametersJsonSchema: {
      type: 'object',
      properties: { [CUSTOM_TOOL_PARAMETER]: { type: 'string' } },
      required: [CUSTOM_TOOL_PARAMETER],
    },
  }
}

function formatDeclaration({ description, schema }: SchemaFormat, name: string): unknown {
  return { name, description: description ?? 'Gives the final answer.', parametersJsonSchema: schema }
}

function serverTool({ issuer, value, path }: ServerTool, losses: Losses): readonly unknown[] {
  if (issuer === 'gemini') return [value]
  losses.severe(path, `only ${issuer} runs this tool`)
  return []
}

/** The answer has to be the format's function, unless it is a call of another one. */
function formatCalling({ tools, toolChoice }: ChatRequest, formatTool: string): Readonly<Record<string, unknown>> {
  const isAlone = toolChoice?.type === 'none' || !tools.some(isFunction)
  return isAlone ? { mode: 'ANY', allowedFunctionNames: [formatTool] } : { mode: 'ANY' }
}

export const isFunction = (tool: Tool): boolean => tool.type !== 'server'

function callingConfig(request: ChatRequest, losses: Losses): Readonly<Record<string, unknown>> | null {
  const { toolChoice: choice, tools } = request
  const path = request.paths['toolChoice'] ?? ''
  switch (choice?.type) {
    case undefined:
      return null
    case 'auto':
      return { mode: 'AUTO' }
    case 'none':
      return { mode: 'NONE' }
    case 'required':
      return { mode: 'ANY' }
    case 'tool':
      if (!tools.some((tool) => tool.type === 'server' && tool.name === choice.name))
        return { mode: 'ANY', allowedFunctionNames: [choice.name] }
      losses.severe(path, 'a tool that the provider runs cannot be forced')
      return null
    case 'allowed':
      // Names are taken in the modes ANY and VALIDATED alone; the latter leaves the choice to the model.
      return { mode: choice.isRequired ? 'ANY' : 'VALIDATED', allowedFunctionNames: choice.names }
    case 'opaque':
      losses.severe(path, 'Gemini knows no such choice')
      return null
    default: {
      const missed: never = choice
      throw new Error(`no mode for ${String(missed)}`)
    }
  }
}
