import type { Block } from '#ir/blocks.ts'
import type { ChatRequest } from '#ir/chat-request.ts'

/**
 * Whether the prompt itself asks for JSON. OpenAI demands it of who sets its JSON mode, so that a target without such a mode
 * seldom needs more words than the client's own.
 */
export function asksForJson({ instructions, turns }: ChatRequest): boolean {
  const isJson = (block: Block): boolean => block.type === 'text' && /json/i.test(block.text)
  return instructions.some(isJson) || turns.some(({ role, blocks }) => role !== 'assistant' && blocks.some(isJson))
}
