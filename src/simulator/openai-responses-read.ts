import { Refusal, readCount, readFields, readFieldsList, readText } from './fields.ts'
import type { Fields } from './fields.ts'
import { readContent, readEffort, readFormat, readFunctionTools, readToolChoice } from './openai-chat-read.ts'
import type { Part, Prompt, Turn } from './prompt.ts'
import type { Transcripts } from './transcripts.ts'

/** Reads a Responses body; a stored conversation goes before the new input. Throws Refusal 400. */
export function readResponses(body: Fields, model: string, transcripts: Transcripts): Prompt {
  const format = readFields(readFields(body.text, 'text').format, 'text.format')
  const instructions = readText(body.instructions, 'instructions')
  const system: Turn[] = instructions ? [{ role: 'system', parts: [{ type: 'text', text: instructions }] }] : []
  const turns = [...readPrevious(body.previous_response_id, transcripts), ...readInput(body.input)]
  if (!turns.length) throw new Refusal(400, "'input' must hold something.", null, 'input')
  return {
    model,
    turns: [...system, ...turns],
    tools: readFunctionTools(body.tools, (tool) => tool),
    toolChoice: readToolChoice(body.tool_choice),
    parallelCalls: body.parallel_tool_calls !== false,
    reasoning: readEffort(readFields(body.reasoning, 'reasoning').effort),
    json: readFormat(format),
    stopSequences: [],
    outputTokensMax: readCount(body.max_output_tokens, 'max_output_tokens'),
  }
}

function readPrevious(value: unknown, transcripts: Transcripts): readonly Turn[] {
  const responseId = readText(value, 'previous_response_id')
  if (!responseId) return []
  const turns = transcripts.find(responseId)
  if (turns) return turns
  const message = `Previous response with id '${responseId}' not found.`
  throw new Refusal(400, message, 'previous_response_not_found', 'previous_response_id')
}

function readInput(input: unknown): Turn[] {
  if (typeof input === 'string') return [{ role: 'user', parts: [{ type: 'text', text: input }] }]
  return readFieldsList(input, 'input').flatMap((item, index) => readItem(item, `input[${index}]`))
}

function readItem(item: Fields, name: string): Turn[] {
  switch (item.type ?? 'message') {
    case 'message': {
      const role = readText(item.role, `${name}.role`)
      const parts = readContent(item.content, `${name}.content`)
      if (role === 'user' || role === 'assistant') return [{ role, parts }]
      if (role === 'system' || role === 'developer') return [{ role: 'system', parts }]
      throw new Refusal(400, `Unknown role '${role}' in ${name}.`, 'invalid_value', `${name}.role`)
    }
    case 'reasoning': {
      const texts = [...readFieldsList(item.summary, `${name}.summary`), ...readFieldsList(item.content, name)]
      const text = texts.map((part) => readText(part.text, `${name}.text`)).join('')
      const seal = typeof item.encrypted_content === 'string' ? item.encrypted_content : null
      return [{ role: 'assistant', parts: [{ type: 'think', text, seal }] }]
    }
    case 'function_call':
    case 'custom_tool_call': {
      const text = readText(item.arguments ?? item.input, `${name}.arguments`)
      return [{ role: 'assistant', parts: [{ type: 'call', name: readText(item.name, name), arguments: text }] }]
    }
    case 'function_call_output':
    case 'custom_tool_call_output':
      return [{ role: 'user', parts: readOutput(item.output, `${name}.output`) }]
    default:
      // Items of built-in tools carry nothing that a script could use.
      return []
  }
}

function readOutput(output: unknown, name: string): Part[] {
  const parts = readContent(output, name)
  const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
  return [{ type: 'result', text }, ...parts.filter((part) => part.type === 'file')]
}
