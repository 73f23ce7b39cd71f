import { asksForJson } from '#codecs/asks-for-json.ts'
import { writeMessages } from '#codecs/openai-chat/encode-messages.ts'
import { writeTools } from '#codecs/openai-chat/encode-tools.ts'
import { isObject, type Members } from '#codecs/openai-chat/members.ts'
import { withinOutputLimit } from '#codecs/output-limit.ts'
import { loseSchema, schemaInstruction } from '#codecs/schema-words.ts'
import type { EncodedRequest, TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { ownMembersOf, sayable } from './sayable.ts'
import { encodeSettings, encodeThinking } from './settings.ts'

/** A body for `POST /v2/chat`. */
export function encodeRequest(asked: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest {
  const limited = withinOutputLimit(asked, target, losses)
  const own = ownMembersOf(limited, losses)
  const request = sayable(limited, target, losses)
  // The messages are those of a chat host that takes no member of OpenAI's own making.
  const dialect: TargetTraits = { ...target, hasDeveloperRole: false, takesReasoningContent: true, reasoning: 'none' }
  const messages = writeMessages(request, { target: dialect, losses, emulatesCustomTools: true }).map(messageOf)
  const { members, emulatedCustomTools } = writeTools(request, { target: dialect, losses, emulatesCustomTools: true })
  const tools = encodeTools(members, request, losses)
  const format = encodeFormat(request, 'tools' in tools || hasDocuments(own), losses)
  if (format.instruction !== null) messages.unshift({ role: 'system', content: format.instruction })
  const body = {
    model: target.model,
    messages,
    ...tools,
    ...format.members,
    ...encodeSettings(request, losses),
    ...encodeThinking(request, target, losses),
    ...own,
    stream: request.stream,
  }
  return { body, emulatedCustomTools, formatTool: null }
}

const hasDocuments = ({ documents }: Members): boolean => Array.isArray(documents) && documents.length > 0

/** Reasoning before calls is their plan, and else a part of the content. */
function messageOf(message: Members): Members {
  const { reasoning_content: thought, content, ...rest } = message
  if (rest['role'] !== 'assistant') return message
  const hasText = content !== null && content !== ''
  const said = hasText ? { content } : rest['tool_calls'] === undefined ? { content: '' } : {}
  if (typeof thought !== 'string') return { ...rest, ...said }
  if (rest['tool_calls'] !== undefined) return { ...rest, ...said, tool_plan: thought }
  const parts = Array.isArray(content) ? content : hasText ? [{ type: 'text', text: content }] : []
  return { ...rest, content: [{ type: 'thinking', thinking: thought }, ...(parts as unknown[])] }
}

/** Cohere knows the choices `NONE` and `REQUIRED`, and one switch for the schemas of all tools. */
function encodeTools(members: Members, request: ChatRequest, losses: Losses): Members {
  const choice = members['tool_choice']
  const path = request.paths['toolChoice'] ?? '/tool_choice'
  if (request.parallelToolCalls === false)
    losses.dropped(request.paths['parallelToolCalls'] ?? '/parallel_tool_calls', 'Cohere has no such switch')
  const all = (Array.isArray(members['tools']) ? members['tools'] : []) as Members[]
  const name = isObject(choice) ? (choice['function'] as Members)['name'] : undefined
  const tools = name === undefined ? all : all.filter((tool) => (tool['function'] as Members)['name'] === name)
  if (tools.length === 0) return {}
  if (name !== undefined && tools.length < all.length)
    losses.emulated(path, 'only the tool that is to be called was declared')
  const word = choice === 'none' ? 'NONE' : choice === 'required' || name !== undefined ? 'REQUIRED' : null
  return {
    tools: tools.map(withoutStrict),
    ...(word === null ? {} : { tool_choice: word }),
    ...strictOf(request, tools, losses),
  }
}

function withoutStrict(tool: Members): Members {
  const { strict: _, ...declared } = tool['function'] as Members
  // Cohere refuses a tool without a schema.
  return {
    ...tool,
    function: { ...declared, parameters: declared['parameters'] ?? { type: 'object', properties: {} } },
  }
}

function strictOf({ tools }: ChatRequest, written: readonly Members[], losses: Losses): Members {
  const strict = tools.filter((tool) => tool.type === 'function' && tool.strict === true)
  if (strict.length === 0) return {}
  const isStrict = (tool: Members): boolean => (tool['function'] as Members)['strict'] === true
  if (written.every(isStrict)) return { strict_tools: true }
  for (const { path } of strict) losses.dropped(`${path}/strict`, 'Cohere binds all tools to their schemas or none')
  return {}
}

/** Cohere refuses a format beside tools and documents: then the model is told in words. */
function encodeFormat(
  request: ChatRequest,
  isTaken: boolean,
  losses: Losses,
): { readonly members: Members; readonly instruction: string | null } {
  const { format, paths } = request
  const path = paths['format'] ?? '/response_format'
  if (!format || format.type === 'text') return { members: {}, instruction: null }
  if (!isTaken) {
    if (format.type === 'json') return { members: { response_format: { type: 'json_object' } }, instruction: null }
    if (format.description) losses.dropped(path, 'Cohere takes no description of a format')
    return { members: { response_format: { type: 'json_object', json_schema: format.schema } }, instruction: null }
  }
  if (format.type === 'schema') {
    loseSchema(format, path, losses)
    return { members: {}, instruction: schemaInstruction(format) }
  }
  if (asksForJson(request)) {
    losses.narrowed(path, 'JSON without a schema is asked for in the words of the prompt alone')
    return { members: {}, instruction: null }
  }
  losses.emulated(path, 'an instruction stands for the format')
  return { members: {}, instruction: 'Answer with one JSON object and nothing else.' }
}
