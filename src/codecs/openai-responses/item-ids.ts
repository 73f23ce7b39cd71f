import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import { CALL_IDS, legalCallId as legalIdOf } from '#codecs/legal-call-id.ts'

/** A call's id as the API takes it: the same for the call and its result, because nothing but the id itself decides. */
export const legalCallId = (id: string): string => legalIdOf(id, CALL_IDS['openai-responses'])

/** Ids of the calls of one answer to a client of this protocol. */
export const answerCallIds = (answerId: string): AnswerCallIds => new AnswerCallIds(answerId, legalCallId)

/** The id of an item of an answer that the gateway wrote. */
export function itemId(prefix: ItemPrefix, answerId: string, outputIndex: number): string {
  return `${prefix}_${answerId}_${outputIndex}`
}

export type ItemPrefix = 'msg' | 'rs' | 'fc' | 'ctc' | 'ig'

const OURS = /^(?:msg|rs|fc|ctc|ig)_[A-Za-z0-9]{26}_\d+$/

/** Whether the gateway issued this id of an item: no upstream knows it. */
export function isOurItemId(id: unknown): boolean {
  return typeof id === 'string' && OURS.test(id)
}

const OUR_RESPONSE = /^resp_[A-Za-z0-9]{26}$/

/** Whether the gateway issued this id of a response: what it stands for is in the input already. */
export function isOurResponseId(id: unknown): boolean {
  return typeof id === 'string' && OUR_RESPONSE.test(id)
}
