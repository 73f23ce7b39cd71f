import type { FinishReason } from '#ir/chat-event.ts'

/** Old Vertex servers send the enum as a number. Source: google.cloud.aiplatform.v1.Candidate.FinishReason. */
const BY_NUMBER = [
  'FINISH_REASON_UNSPECIFIED',
  'STOP',
  'MAX_TOKENS',
  'SAFETY',
  'RECITATION',
  'OTHER',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MALFORMED_FUNCTION_CALL',
  'MODEL_ARMOR',
]

/** The word of a `finishReason`; null when it was not told, or not yet set. */
export function finishWordOf(value: unknown): string | null {
  const word = typeof value === 'number' ? (BY_NUMBER[value] ?? String(value)) : value
  return typeof word === 'string' && word !== '' && word !== 'FINISH_REASON_UNSPECIFIED' ? word : null
}

/** Words of a model that did not say what it could have said; `IMAGE_` stands before those of image models. */
const FILTERED = /SAFETY|RECITATION|LANGUAGE|BLOCKLIST|PROHIBITED_CONTENT|SPII|MODEL_ARMOR|^blocked:/
const FAILED = /MALFORMED|UNEXPECTED_TOOL_CALL|TOO_MANY_TOOL_CALLS|MISSING_THOUGHT_SIGNATURE/

/** What a word means. Google says STOP also when the answer is a call; a word we do not know is a stop. */
export function finishReasonOf(word: string | null, hasCalls: boolean): FinishReason {
  if (word === 'MAX_TOKENS') return 'length'
  if (word !== null && FILTERED.test(word)) return 'content-filter'
  if (word !== null && FAILED.test(word)) return 'error'
  return hasCalls ? 'tool-calls' : 'stop'
}

/** Words of an enum of Google's: what an upstream that speaks Gemini told is told on. */
const WORD = /^[A-Z][A-Z0-9_]{1,60}$/

/** The word for a client: the upstream's own where it is one of Gemini's. */
export function finishWordFor(reason: FinishReason, ownWord: string | null): string {
  if (ownWord !== null && WORD.test(ownWord)) return ownWord
  switch (reason) {
    case 'length':
    // A turn that was paused is not done, and there is no other word for that (R87).
    case 'pause':
      return 'MAX_TOKENS'
    case 'content-filter':
      return 'SAFETY'
    case 'error':
      // Gemini's one word for an answer that failed in the model itself.
      return 'MALFORMED_FUNCTION_CALL'
    case 'stop':
    case 'tool-calls':
      return 'STOP'
    default: {
      const missed: never = reason
      throw new Error(`no word for ${String(missed)}`)
    }
  }
}
