import { Refusal, isFields, readBase64, readCount, readFields, readFieldsList, readText, readTexts } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Part, Prompt, Tool, ToolChoice, Turn } from './prompt.ts'

/** Reads a Messages body; `max_tokens` is optional for counting only. Throws Refusal 400. */
export function readMessages(body: Fields, model: string, counting = false): Prompt {
  const messages = readFieldsList(body.messages, 'messages')
  if (!messages.length) throw new Refusal(400, 'messages: at least one message is required')
  const outputTokensMax = readCount(body.max_tokens, 'max_tokens')
  if (outputTokensMax === null && !counting) throw new Refusal(400, 'max_tokens: Field required')
  const choice = readFields(body.tool_choice, 'tool_choice')
  const system = readParts(body.system, 'system')
  return {
    model,
    turns: [
      ...(system.length ? [{ role: 'system' as const, parts: system }] : []),
      ...messages.map((message, index) => readMessage(message, `messages.${index}`)),
    ],
    tools: readFieldsList(body.tools, 'tools').flatMap(readTool),
    toolChoice: readChoice(choice),
    parallelCalls: choice.disable_parallel_tool_use !== true,
    reasoning: readThinking(readFields(body.thinking, 'thinking')),
    json: readOutputFormat(body),
    stopSequences: readTexts(body.stop_sequences, 'stop_sequences'),
    outputTokensMax,
  }
}

function readMessage(message: Fields, name: string): Turn {
  const { role } = message
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new Refusal(400, `${name}.role: Input should be 'user', 'assistant' or 'system'`)
  }
  return { role, parts: readParts(message.content, `${name}.content`) }
}

function readParts(content: unknown, name: string): Part[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return readFieldsList(content, name).flatMap((block, index) => readBlock(block, `${name}.${index}`))
}

function readBlock(block: Fields, name: string): Part[] {
  switch (block.type) {
    case 'text':
      return [{ type: 'text', text: readText(block.text, `${name}.text`) }]
    case 'image':
    case 'document':
      return readSource(readFields(block.source, `${name}.source`), `${name}.source`)
    case 'thinking':
      return [{ type: 'think', text: readText(block.thinking, name), seal: readText(block.signature, name) }]
    case 'tool_use':
      return [{ type: 'call', name: readText(block.name, name), arguments: JSON.stringify(block.input ?? {}) }]
    case 'tool_result': {
      const parts = readParts(block.content, `${name}.content`)
      const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
      return [{ type: 'result', text }, ...parts.filter((part) => part.type === 'file')]
    }
    default:
      // Blocks of server tools, search results and what comes next year are none of a script's business.
      if (typeof block.type === 'string') return []
      throw new Refusal(400, `${name}.type: Field required`)
  }
}

function readSource(source: Fields, name: string): Part[] {
  const mediaType = readText(source.media_type, `${name}.media_type`) || 'a file'
  switch (source.type) {
    case 'base64':
      return [{ type: 'file', mediaType, bytes: readBase64(source.data, `${name}.data`), url: null }]
    case 'text':
      return [{ type: 'text', text: readText(source.data, `${name}.data`) }]
    case 'content':
      return readParts(source.content, `${name}.content`)
    default:
      return [{ type: 'file', mediaType, bytes: null, url: readText(source.url ?? source.file_id, `${name}.url`) }]
  }
}

/** Tools of the client: a server tool has a type of its own and no schema. */
const readTool = (tool: Fields): Tool[] =>
  isFields(tool.input_schema) ? [{ name: readText(tool.name, 'tools.name'), schema: tool.input_schema }] : []

function readChoice(choice: Fields): ToolChoice {
  if (choice.type === 'none' || choice.type === 'any') return { mode: choice.type }
  if (choice.type === 'tool') return { mode: 'named', name: readText(choice.name, 'tool_choice.name') }
  return { mode: 'auto' }
}

const readThinking = (thinking: Fields): Prompt['reasoning'] =>
  thinking.type === undefined ? 'free' : thinking.type === 'disabled' ? 'refused' : 'asked'

function readOutputFormat(body: Fields): Prompt['json'] {
  const format = readFields(
    readFields(body.output_config, 'output_config').format ?? body.output_format,
    'output_format',
  )
  return format.type === 'json_schema' ? { schema: isFields(format.schema) ? format.schema : null } : null
}
