import type { AnswerFacts, StreamReader } from '#codecs/codec.ts'
import type { Cost } from '#ledger/cost.ts'
import type { Usage } from '#ir/usage.ts'

/** How answers end that are paid even where they say nothing: they did what was asked, or came to a limit that was set. */
const PAID_ENDS: ReadonlySet<string> = new Set([
  'stop',
  'end_turn',
  'STOP',
  'completed',
  'stop_sequence',
  'length',
  'max_tokens',
  'MAX_TOKENS',
  'max_output_tokens',
  'incomplete',
  'model_context_window_exceeded',
  'tool_calls',
  'tool_use',
  'function_call',
  'pause_turn',
])

/** What is known of what was said. */
export type Said = Pick<AnswerFacts & StreamReader, 'finishReason' | 'toolCallsCount' | 'contentBytes'> &
  Pick<AnswerFacts, 'hasOtherOutput'>

/**
 * Zero-completion insurance (R91, M8): an answer without a word, a call or a token of output that ends without a reason, with an
 * error or in a filter costs the account nothing. What the operator pays for it stays in the row.
 */
export function isInsured(usage: Usage, { finishReason, toolCallsCount, contentBytes, hasOtherOutput }: Said): boolean {
  if (usage.output || contentBytes > 0 || toolCallsCount > 0 || hasOtherOutput) return false
  return finishReason === null || !PAID_ENDS.has(finishReason)
}

export const unpaid = (cost: Cost): Cost => ({ ...cost, nano: 0n })
