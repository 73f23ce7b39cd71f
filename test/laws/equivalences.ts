import type { ClientProtocol } from './exchanges.ts'

/**
 * Two bodies of one protocol that ask the same are equal after this. Each function is one equivalence: what a codec may
 * write otherwise than the client did. Whatever is not here must come out as it went in.
 */

type Members = Record<string, unknown>

export function canonical(protocol: ClientProtocol, body: unknown): unknown {
  const value = withoutNulls(body) as Members
  switch (protocol) {
    case 'openai-chat':
      return canonicalChat(value)
    case 'openai-responses':
      return canonicalResponses(value)
    case 'anthropic-messages':
      return canonicalMessages(value)
    case 'gemini':
      return canonicalGemini(value)
    default: {
      const missed: never = protocol
      throw new Error(`unknown protocol ${String(missed)}`)
    }
  }
}

const isRaw = (value: object): boolean => (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON(value)

const isMembers = (value: unknown): value is Members =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !isRaw(value)

const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** Null is absent, except among the values of a list (a schema's `enum`). */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isMembers(value)) return value
  const kept = Object.entries(value).filter(([, each]) => each !== null)
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutNulls(each)]))
}

/** The model stands in the path on some hosts, and its name is the target's. */
function withoutModel({ model: _model, ...rest }: Members): Members {
  return rest
}

/** The gateway keeps the state of stored answers itself and asks for the sealed reasoning instead. */
function canonicalResponses(body: Members): Members {
  const { store: _store, include, ...rest } = withoutModel(body)
  const others = listOf(include).filter((each) => each !== 'reasoning.encrypted_content')
  return others.length > 0 ? { ...rest, include: others } : rest
}

/** `custom` is the type of a tool that names none. */
function canonicalMessages(body: Members): Members {
  const tools = listOf(body['tools']).map((tool) =>
    isMembers(tool) && tool['type'] === undefined ? { ...tool, type: 'custom' } : tool,
  )
  return { ...withoutModel(body), ...(body['tools'] === undefined ? {} : { tools }) }
}

function canonicalChat(body: Members): Members {
  const { stream_options: options, functions, function_call: choice, ...rest } = withoutModel(body)
  // The gateway asks every stream for its usage.
  const { include_usage: _usage, ...others } = isMembers(options) ? options : {}
  const tools = [...listOf(rest['tools']), ...listOf(functions).map((each) => ({ type: 'function', function: each }))]
  const { tools: _tools, tool_choice: forced = choice, parallel_tool_calls: parallel, ...kept } = rest
  return {
    ...kept,
    ...(Object.keys(others).length > 0 ? { stream_options: others } : {}),
    ...(typeof rest['stop'] === 'string' ? { stop: [rest['stop']] } : {}),
    ...(tools.length > 0 ? { tools: tools.map(chatTool) } : {}),
    // What is said of tools means nothing without any.
    ...(tools.length > 0 && forced !== undefined ? { tool_choice: chatChoice(forced) } : {}),
    ...(tools.length > 0 && parallel !== undefined ? { parallel_tool_calls: parallel } : {}),
    ...(isMembers(rest['response_format']) ? { response_format: chatFormat(rest['response_format']) } : {}),
    messages: mergeAssistants(listOf(rest['messages']).map((message) => chatMessage(message as Members))),
  }
}

const chatTool = (tool: unknown): unknown => (isMembers(tool) ? { type: 'function', ...tool } : tool)

/** Mistral's `any` is `required`; a choice without a type is a function's. */
function chatChoice(choice: unknown): unknown {
  if (choice === 'any') return 'required'
  if (!isMembers(choice)) return choice
  return typeof choice['name'] === 'string' ? { type: 'function', function: choice } : { type: 'function', ...choice }
}

/** OpenAI demands a name of a schema, others do not. */
function chatFormat(format: Members): Members {
  const schema = format['json_schema']
  return isMembers(schema) ? { ...format, json_schema: { name: 'answer', ...schema } } : format
}

const REASONING_MEMBERS = ['reasoning_content', 'reasoning']

function chatMessage(message: Members): Members {
  const { content, tool_calls: calls, function_call: call, cache_control: breakpoint, ...rest } = message
  const parts = chatParts(content)
  // A cache breakpoint of a message stands on its last part.
  const last = parts.at(-1)
  if (breakpoint !== undefined && isMembers(last)) parts[parts.length - 1] = { ...last, cache_control: breakpoint }
  const made = [...listOf(calls), ...(call === undefined ? [] : [{ type: 'function', function: call }])].map(chatCall)
  // Reasoning has two names, and both often stand with the same text.
  const reasoning = REASONING_MEMBERS.map((name) => rest[name]).find((each) => each !== undefined && each !== '')
  for (const name of REASONING_MEMBERS) delete rest[name]
  if (rest['tool_call_id'] !== undefined) rest['tool_call_id'] = chatId(rest['tool_call_id'])
  return {
    ...rest,
    content: parts,
    ...(made.length > 0 ? { tool_calls: made } : {}),
    ...(reasoning === undefined ? {} : { reasoning }),
  }
}

/** A string is one part; an empty one is none; an address by itself is an object. */
function chatParts(content: unknown): unknown[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  return listOf(content).map((part) => {
    if (typeof part === 'string') return { type: 'text', text: part }
    const { image_url: url, ...rest } = part as Members
    return typeof url === 'string' ? { ...rest, image_url: { url } } : (part as Members)
  })
}

/** The position in the list says what `index` says. */
function chatCall(call: unknown): unknown {
  const { index: _index, id, ...rest } = call as Members
  return { type: 'function', ...rest, ...(id === undefined ? {} : { id: chatId(id) }) }
}

const ID_CHARACTERS_MAX = 40
const HASH_CHARACTERS = 9

/** OpenAI refuses longer ids: their end becomes a hash, in the call and in its result. */
function chatId(id: unknown): string {
  const text = String(id)
  return text.length < ID_CHARACTERS_MAX ? text : text.slice(0, ID_CHARACTERS_MAX - HASH_CHARACTERS)
}

/** The assistant's messages of one answer are one message. */
function mergeAssistants(messages: readonly Members[]): Members[] {
  const merged: Members[] = []
  for (const message of messages) {
    const last = merged.at(-1)
    if (last?.['role'] !== 'assistant' || message['role'] !== 'assistant') {
      merged.push(message)
      continue
    }
    const calls = [...listOf(last['tool_calls']), ...listOf(message['tool_calls'])]
    const content = [...listOf(last['content']), ...listOf(message['content'])]
    merged[merged.length - 1] = { ...last, ...message, content, ...(calls.length > 0 ? { tool_calls: calls } : {}) }
  }
  return merged
}

function canonicalGemini(body: Members): Members {
  const named = camelCased(body) as Members
  const {
    systemInstruction: system,
    tools,
    toolConfig,
    generationConfig: config,
    contents,
    ...rest
  } = withoutModel(named)
  const parts = partsOf(system).filter((part) => part['text'] !== '')
  return {
    ...rest,
    // The role of the instruction means nothing, nor does an empty one.
    ...(parts.length > 0 ? { systemInstruction: parts } : {}),
    contents: mergeContents((Array.isArray(contents) ? contents : [contents]) as Members[]),
    ...(tools === undefined ? {} : { tools: geminiTools(tools) }),
    ...(isMembers(toolConfig) ? { toolConfig: geminiChoice(toolConfig) } : {}),
    ...geminiConfig(config),
  }
}

/** Google reads the mode in any case. */
function geminiChoice({ functionCallingConfig: choice, ...rest }: Members): Members {
  if (!isMembers(choice)) return rest
  return { ...rest, functionCallingConfig: { ...choice, mode: String(choice['mode']).toUpperCase() } }
}

/** Google takes every member under both spellings. What clients name themselves (arguments, schemas, results) is left alone. */
function camelCased(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camelCased)
  if (!isMembers(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => {
      const camel = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
      return [camel, FREE.has(camel) ? each : camelCased(each)]
    }),
  )
}

const FREE = new Set(['args', 'response', 'parameters', 'parametersJsonSchema', 'responseSchema', 'responseJsonSchema'])

/** One part by itself is a list; `thought: false` is what no `thought` is; an empty text says nothing beside its signature. */
function partsOf(content: unknown): Members[] {
  const { parts } = isMembers(content) ? content : { parts: content === undefined ? [] : [{ text: content }] }
  const list = Array.isArray(parts) ? parts : parts === undefined ? [] : [parts]
  return list.map(partOf).filter((part) => Object.keys(part).length > 0)
}

function partOf(part: unknown): Members {
  if (typeof part === 'string') return { text: part }
  const { thought, text, inlineData: media, functionCall: call, functionResponse: result, ...rest } = part as Members
  return {
    ...rest,
    ...((text ?? '') === '' ? {} : { text }),
    ...(thought === true ? { thought } : {}),
    ...(isMembers(media) ? { inlineData: { ...media, data: plainBase64(media['data']) } } : {}),
    ...(isMembers(call) ? { functionCall: { args: {}, ...call } } : {}),
    ...(isMembers(result) ? { functionResponse: resultOf(result) } : {}),
  }
}

function resultOf({ parts, ...rest }: Members): Members {
  return parts === undefined ? rest : { ...rest, parts: listOf(parts).map(partOf) }
}

/** Base64 has two alphabets, and its padding says nothing. */
const plainBase64 = (data: unknown): string => String(data).replaceAll('-', '+').replaceAll('_', '/').replace(/=+$/, '')

/** Turns of one role that follow each other are one turn; a turn without a role is the user's; results are the user's. */
function mergeContents(contents: readonly Members[]): Members[] {
  const merged: { role: string; parts: Members[] }[] = []
  for (const content of contents) {
    const role = content['role'] === 'model' ? 'model' : 'user'
    const last = merged.at(-1)
    if (last?.role === role) last.parts.push(...partsOf(content))
    else merged.push({ role, parts: partsOf(content) })
  }
  return merged
}

/** Tools may stand in one object or in several, in any order of kinds. */
function geminiTools(tools: unknown): unknown {
  const all = (Array.isArray(tools) ? tools : [tools]) as Members[]
  const others = all.flatMap(({ functionDeclarations: _functions, ...rest }) => Object.entries(rest))
  const functions = all.flatMap((tool) => listOf(tool['functionDeclarations']) as Members[])
  return { functions: functions.map(geminiFunction), others: Object.fromEntries(others) }
}

/** Google's schemas are JSON schemas with types in capitals, under a name of their own. */
function geminiFunction({ parameters, parametersJsonSchema: schema = parameters, ...rest }: Members): Members {
  return schema === undefined ? rest : { ...rest, schema: lowerTypes(schema) }
}

function lowerTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(lowerTypes)
  if (!isMembers(schema)) return schema
  return Object.fromEntries(
    Object.entries(schema).map(([name, each]) => [
      name,
      name === 'type' && typeof each === 'string' ? each.toLowerCase() : lowerTypes(each),
    ]),
  )
}

/** An empty configuration is none, and thoughts are hidden unless it says otherwise. */
function geminiConfig(config: unknown): Members {
  if (!isMembers(config)) return {}
  const { responseSchema, responseJsonSchema: schema = responseSchema, thinkingConfig: thinking, ...rest } = config
  const written = {
    ...rest,
    ...(schema === undefined ? {} : { schema: lowerTypes(schema) }),
    ...(isMembers(thinking) ? { thinkingConfig: geminiThinking(thinking) } : {}),
  }
  return Object.keys(written).length > 0 ? { generationConfig: written } : {}
}

function geminiThinking({ includeThoughts = false, thinkingLevel: level, ...rest }: Members): Members {
  return { ...rest, includeThoughts, ...(level === undefined ? {} : { thinkingLevel: String(level).toLowerCase() }) }
}
