import type { AnswerFacts, StreamReader } from '#codecs/codec.ts'

/** How the protocols say that an answer came to its natural end; anything else explains why nothing came. */
const NATURAL_ENDS: ReadonlySet<string | null> = new Set(['stop', 'end_turn', 'STOP', 'completed'])

type Seen = Pick<AnswerFacts & StreamReader, 'usage' | 'finishReason' | 'toolCallsCount' | 'contentBytes'>

/**
 * Whether an answer that is whole says nothing at all: no text, no call, no tokens that the upstream reports, and no reason for it.
 * Another backend may do better (B10).
 */
export function isEmptyAnswer(answer: Seen & Pick<AnswerFacts, 'hasOtherOutput'>): boolean {
  const { usage, finishReason, toolCallsCount, contentBytes, hasOtherOutput } = answer
  if (contentBytes > 0 || toolCallsCount > 0 || hasOtherOutput || usage?.output) return false
  return NATURAL_ENDS.has(finishReason)
}

/** Whether all that a stream has said so far is that it ends: what follows, its usage for one, decides what it is. */
export const endsWithoutContent = ({ finishReason, toolCallsCount, contentBytes }: StreamReader): boolean =>
  contentBytes === 0 && toolCallsCount === 0 && NATURAL_ENDS.has(finishReason)
