import { AnswerCallIds } from '#codecs/answer-call-ids.ts'

/**
 * Gemini may give its calls no ids, other protocols always do. An id of our own is made of the answer's id and the call's
 * place in it, so that it is stable and unique, and is recognised when it comes back.
 */
export const answerCallIds = (answerId: string): AnswerCallIds => new AnswerCallIds(answerId, (id) => id)

const OWN_ID = /^call_[0-9A-Za-z]{26}_\d+$/

/** The id for an upstream: one that Gemini never gave is left out of the call and of its result alike. */
export function upstreamCallId(id: string | null): string | null {
  return id === null || id === '' || OWN_ID.test(id) ? null : id
}
