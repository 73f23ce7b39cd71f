import { createHash } from 'node:crypto'
import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'

/** What an id of a tool call may be, on both sides. Source: the API's own complaint, `String should match pattern '^[a-zA-Z0-9_-]+$'`. */
const LEGAL = /^[a-zA-Z0-9_-]+$/
const ILLEGAL_CHARACTERS = /[^a-zA-Z0-9_-]/g
const HASH_CHARACTERS = 8

/** The id itself where it is legal; else one that is legal, readable and the same whenever the same id comes. */
export function legalToolId(id: string): string {
  if (LEGAL.test(id)) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, HASH_CHARACTERS)
  return `${id.replace(ILLEGAL_CHARACTERS, '_')}_${hash}`
}

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
