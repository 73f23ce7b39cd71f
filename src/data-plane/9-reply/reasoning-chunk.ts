import type { Surface } from '#base/protocols.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { StreamAnswer } from '#data-plane/7-call/answer.ts'

/**
 * What a stream of two legs begins with: the reasoning of the first one (R40). Null where there is none, and where a block of ours would
 * have the number of one of the upstream's (Messages, Responses).
 */
export function reasoningChunk(
  exchange: Exchange,
  surface: Surface,
  { reasoning, target }: StreamAnswer,
): Buffer | null {
  if (!reasoning || reasoning.text === '') return null
  const { text } = reasoning
  const model = target.route.model.id
  if (surface === 'gemini') {
    const content = { role: 'model', parts: [{ text, thought: true }] }
    return dataOf({ candidates: [{ content, index: 0 }], modelVersion: model })
  }
  if (surface !== 'openai-chat') return null
  const name = exchange.openRouter ? 'reasoning' : 'reasoning_content'
  return dataOf({
    id: `chatcmpl-${exchange.id}`,
    object: 'chat.completion.chunk',
    created: Math.floor(exchange.startedMs / 1000),
    model,
    choices: [{ index: 0, delta: { role: 'assistant', content: '', [name]: text }, finish_reason: null }],
  })
}

const dataOf = (value: object): Buffer => Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
