import { ulid } from '#base/ids.ts'
import { readMessages } from './anthropic-read.ts'
import { type Fields, jsonOrText, type Refusal } from './fields.ts'
import type { Performance, Usage } from './performance.ts'
import type { Step } from './scripts.ts'
import { frame } from './speaker.ts'
import type { Frame, Speaker } from './speaker.ts'
import { splitPieces } from './tokens.ts'

/** Messages, with signed thinking blocks. */
export const anthropic: Speaker = {
  read: (body, model) => readMessages(body, model),
  speak: (performance) => {
    const message = wholeMessage(performance)
    return { body: () => message, frames: () => messageFrames(performance, message) }
  },
  refuse,
  breakOff: (refusal) => frame(refuse(refusal), false, 'error'),
}

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'api_error',
  529: 'overloaded_error',
}

function refuse(refusal: Refusal): Fields {
  const type = TYPES[refusal.status] ?? (refusal.status >= 500 ? 'api_error' : 'invalid_request_error')
  return { type: 'error', error: { type, message: refusal.message }, request_id: `req_${ulid()}` }
}

const STOP = { stop: 'end_turn', 'stop-sequence': 'stop_sequence', length: 'max_tokens', calls: 'tool_use' } as const

const usageOf = (usage: Usage): Fields => ({
  input_tokens: usage.input,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: usage.output,
  output_tokens_details: { thinking_tokens: usage.reasoning },
  service_tier: 'standard',
})

function blockOf(step: Step): Fields {
  switch (step.kind) {
    case 'think':
      return { type: 'thinking', thinking: step.text, signature: step.seal }
    case 'say':
      return { type: 'text', text: step.text, citations: null }
    case 'call':
      return { type: 'tool_use', id: `toolu_${ulid()}`, name: step.name, input: jsonOrText(step.arguments) }
    default:
      return step satisfies never
  }
}

const wholeMessage = (performance: Performance): Fields => ({
  id: `msg_${ulid()}`,
  type: 'message',
  role: 'assistant',
  model: performance.model,
  content: performance.steps.map(blockOf),
  stop_reason: STOP[performance.finish],
  stop_sequence: performance.stopSequence,
  usage: usageOf(performance.usage),
})

function* messageFrames(performance: Performance, message: Fields): Iterable<Frame> {
  const write = (type: string, data: Fields, content = false): Frame => frame({ type, ...data }, content, type)
  const usage = usageOf({ ...performance.usage, output: 1, reasoning: 0 })
  const open = { ...message, content: [], stop_reason: null, stop_sequence: null, usage }
  yield write('message_start', { message: open })
  yield write('ping', {})
  const blocks = message.content as Fields[]
  for (const [index, step] of performance.steps.entries()) {
    yield write('content_block_start', { index, content_block: openBlock(blocks[index]!) })
    for (const delta of deltasOf(step)) yield write('content_block_delta', { index, delta }, true)
    yield write('content_block_stop', { index })
  }
  const { input, output, reasoning } = performance.usage
  yield write('message_delta', {
    delta: { stop_reason: message.stop_reason, stop_sequence: message.stop_sequence },
    usage: {
      input_tokens: input,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: output,
      output_tokens_details: { thinking_tokens: reasoning },
    },
  })
  yield write('message_stop', {})
}

function openBlock(block: Fields): Fields {
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' }
  return block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} }
}

function* deltasOf(step: Step): Iterable<Fields> {
  switch (step.kind) {
    case 'think':
      for (const thinking of splitPieces(step.text)) yield { type: 'thinking_delta', thinking }
      if (step.seal) yield { type: 'signature_delta', signature: step.seal }
      return
    case 'say':
      for (const text of splitPieces(step.text)) yield { type: 'text_delta', text }
      return
    case 'call':
      yield { type: 'input_json_delta', partial_json: '' }
      for (const text of splitPieces(step.arguments)) yield { type: 'input_json_delta', partial_json: text }
      return
    default:
      step satisfies never
  }
}
