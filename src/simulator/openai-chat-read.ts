import { Refusal, isFields, readBase64, readCount, readFields, readFieldsList, readText, readTexts } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Part, Prompt, Tool, ToolChoice, Turn } from './prompt.ts'

const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function']

/** Reads a Chat Completions body. Throws Refusal 400. */
export function readChat(body: Fields, model: string): Prompt {
  const messages = readFieldsList(body.messages, 'messages')
  if (!messages.length) throw new Refusal(400, "'messages' must hold at least one message.", null, 'messages')
  const limit = body.max_completion_tokens ?? body.max_tokens
  return {
    model,
    turns: messages.map((message, index) => readMessage(message, `messages[${index}]`)),
    tools: readFunctionTools(body.tools, (tool) => tool.function),
    toolChoice: readToolChoice(body.tool_choice),
    parallelCalls: body.parallel_tool_calls !== false,
    reasoning: readEffort(body.reasoning_effort ?? readFields(body.reasoning, 'reasoning').effort),
    json: readFormat(readFields(body.response_format, 'response_format')),
    stopSequences: readTexts(body.stop, 'stop'),
    outputTokensMax: readCount(limit, 'max_completion_tokens'),
  }
}

function readMessage(message: Fields, name: string): Turn {
  const role = readText(message.role, `${name}.role`)
  if (!ROLES.includes(role))
    throw new Refusal(400, `Unknown role '${role}' in ${name}.`, 'invalid_value', `${name}.role`)
  const parts = readContent(message.content, `${name}.content`)
  if (role === 'tool' || role === 'function') {
    const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
    return { role: 'user', parts: [{ type: 'result', text }] }
  }
  if (role === 'assistant') return { role, parts: [...readReasoning(message), ...parts, ...readCalls(message, name)] }
  return { role: role === 'user' ? 'user' : 'system', parts }
}

function readReasoning(message: Fields): Part[] {
  const details = Array.isArray(message.reasoning_details) ? message.reasoning_details.filter(isFields) : []
  const text = details.map((one) => readText(one.text ?? one.summary, 'reasoning_details')).join('')
  const seal = details.map((one) => one.signature).find((one) => typeof one === 'string')
  const plain = text || readText(message.reasoning_content ?? message.reasoning, 'reasoning_content')
  return plain || seal ? [{ type: 'think', text: plain, seal: seal ?? null }] : []
}

const readCalls = (message: Fields, name: string): Part[] =>
  readFieldsList(message.tool_calls, `${name}.tool_calls`).map((call) => {
    const called = readFields(call.function ?? call.custom, `${name}.tool_calls`)
    const text = readText(called.arguments ?? called.input, `${name}.tool_calls`)
    return { type: 'call', name: readText(called.name, `${name}.tool_calls`), arguments: text }
  })

/** Reads `content` of Chat and of Responses: a string or typed parts. */
export function readContent(content: unknown, name: string): Part[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return readFieldsList(content, name).flatMap((part, index) => readPart(part, `${name}[${index}]`))
}

function readPart(part: Fields, name: string): Part[] {
  switch (part.type) {
    case 'text':
    case 'input_text':
    case 'output_text':
      return [{ type: 'text', text: readText(part.text, `${name}.text`) }]
    case 'refusal':
      return [{ type: 'text', text: readText(part.refusal, `${name}.refusal`) }]
    case 'image_url':
      return [readUrl(readFields(part.image_url, `${name}.image_url`).url, `${name}.image_url.url`)]
    case 'input_image':
      return [readUrl(part.image_url ?? part.file_id, `${name}.image_url`)]
    case 'input_audio': {
      const audio = readFields(part.input_audio, `${name}.input_audio`)
      const bytes = readBase64(audio.data, `${name}.input_audio.data`)
      return [{ type: 'file', mediaType: `audio/${readText(audio.format, name)}`, bytes, url: null }]
    }
    case 'file':
    case 'input_file': {
      const file = part.type === 'file' ? readFields(part.file, `${name}.file`) : part
      return [readUrl(file.file_data ?? file.file_url ?? file.file_id, `${name}.file_data`)]
    }
    default:
      throw new Refusal(400, `Unknown content type '${String(part.type)}' at ${name}.`, 'invalid_value', `${name}.type`)
  }
}

const DATA_URL = /^data:([^;,]+)[^,]*;base64,/

function readUrl(value: unknown, name: string): Part {
  const url = readText(value, name)
  if (!url) throw new Refusal(400, `'${name}' is missing.`, null, name)
  const data = DATA_URL.exec(url)
  if (!data) return { type: 'file', mediaType: 'a file', bytes: null, url }
  const bytes = readBase64(url.slice(data[0].length), name)
  return { type: 'file', mediaType: data[1]!, bytes, url: null }
}

/** Function tools; built-in and custom ones are not the simulator's to run. */
export const readFunctionTools = (tools: unknown, body: (tool: Fields) => unknown): Tool[] =>
  readFieldsList(tools, 'tools').flatMap((tool, index) => {
    if (tool.type !== 'function') return []
    const declared = readFields(body(tool), `tools[${index}]`)
    const name = readText(declared.name, `tools[${index}].name`)
    if (!name) throw new Refusal(400, `'tools[${index}]' has no name.`, null, 'tools')
    return [{ name, schema: readFields(declared.parameters, `tools[${index}].parameters`) }]
  })

/** `tool_choice` of Chat (name in `function`) and of Responses (name beside `type`). */
export function readToolChoice(choice: unknown): ToolChoice {
  if (choice === 'none') return { mode: 'none' }
  if (choice === 'required') return { mode: 'any' }
  if (!isFields(choice)) return { mode: 'auto' }
  const name = readText(readFields(choice.function, 'tool_choice.function').name ?? choice.name, 'tool_choice')
  return name ? { mode: 'named', name } : { mode: 'auto' }
}

export const readEffort = (effort: unknown): Prompt['reasoning'] =>
  effort === undefined || effort === null ? 'free' : effort === 'none' ? 'refused' : 'asked'

/** `response_format` of Chat and `text.format` of Responses. */
export function readFormat(format: Fields): Prompt['json'] {
  if (format.type === 'json_object') return { schema: null }
  if (format.type !== 'json_schema') return null
  const holder = isFields(format.json_schema) ? format.json_schema : format
  return { schema: isFields(holder.schema) ? holder.schema : null }
}
