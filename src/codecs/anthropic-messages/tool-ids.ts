import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import { CALL_IDS, legalCallId } from '#codecs/legal-call-id.ts'
import type { ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'

/** The id itself where the API takes it; else one that it does. */
export const legalToolId = (id: string): string => legalCallId(id, CALL_IDS['anthropic-messages'])

/** Ids of the calls of one answer to a client of this protocol. */
export const answerToolIds = (answerId: string): AnswerCallIds => new AnswerCallIds(answerId, legalToolId)

interface PendingCall {
  readonly givenId: string | null
  readonly name: string
  readonly id: string
}

/**
 * Ids of the calls of one conversation, and the pairing of results with them, in the order of the turns. The API refuses
 * ids that repeat, which some upstreams give, and results without one, which others never had.
 */
export class ConversationToolIds {
  private readonly used = new Set<string>()
  private readonly pending: PendingCall[] = []
  private made = 0

  forCall({ id: givenId, name }: ToolCallBlock): string {
    const id = this.unique(givenId === null || givenId === '' ? `call_${this.made++}` : legalToolId(givenId))
    this.pending.push({ givenId, name, id })
    return id
  }

  forResult({ callId, name }: ToolResultBlock): string {
    const answers = (call: PendingCall): boolean =>
      callId !== null && callId !== '' && call.givenId !== null
        ? call.givenId === callId
        : (name === null || call.name === name) && (call.givenId === null || callId === null)
    const index = this.pending.findIndex(answers)
    if (index >= 0) return this.pending.splice(index, 1)[0]!.id
    return callId === null || callId === '' ? `call_${this.made++}` : legalToolId(callId)
  }

  private unique(id: string): string {
    let unique = id
    for (let count = 2; this.used.has(unique); count++) unique = `${id}_${count}`
    this.used.add(unique)
    return unique
  }
}
