import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { StreamAnswer } from '#data-plane/7-call/answer.ts'

/** The chunk that a chat stream of two legs begins with: what the first one thought (R40). */
export function reasoningChunk(exchange: Exchange, { reasoning, target }: StreamAnswer): Buffer | null {
  if (!reasoning || reasoning.text === '') return null
  const name = exchange.openRouter ? 'reasoning' : 'reasoning_content'
  const chunk = {
    id: `chatcmpl-${exchange.id}`,
    object: 'chat.completion.chunk',
    created: Math.floor(exchange.startedMs / 1000),
    model: target.route.model.id,
    choices: [{ index: 0, delta: { role: 'assistant', content: '', [name]: reasoning.text }, finish_reason: null }],
  }
  return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`)
}
