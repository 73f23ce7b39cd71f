import { createHash } from 'node:crypto'
import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'

/** Longest id of a tool call. Source: OpenAI's own complaint, `string too long. Expected a string with maximum length 40`. */
const CHARACTERS_MAX = 40
const HASH_CHARACTERS = 8

/** The id itself where it is short enough; else one that is readable and the same whenever the same id comes. */
export function fitCallId(id: string): string {
  if (id.length <= CHARACTERS_MAX) return id
  const hash = createHash('sha256').update(id).digest('hex').slice(0, HASH_CHARACTERS)
  return `${id.slice(0, CHARACTERS_MAX - HASH_CHARACTERS - 1)}_${hash}`
}

/** Ids of the calls of one answer to a client of this protocol. */
export const answerCallIds = (answerId: string): AnswerCallIds => new AnswerCallIds(answerId, fitCallId)

interface Call {
  readonly id: string
  isAnswered: boolean
}

/** Calls in the order they were made; those that were answered are skipped, each once. */
class CallQueue {
  private readonly calls: Call[] = []
  private next = 0

  add(call: Call): void {
    this.calls.push(call)
  }

  /** The first that is not answered, which then is; null when there is none. */
  take(): Call | null {
    while (this.next < this.calls.length) {
      const call = this.calls[this.next++]!
      if (call.isAnswered) continue
      call.isAnswered = true
      return call
    }
    return null
  }
}

/**
 * Ids of the calls of one conversation, and the pairing of results with them, in the order of the turns. Every call must
 * have an id here, and some protocols give none: then the name pairs, and among equals the order.
 */
export class ConversationCallIds {
  private readonly byId = new Map<string, CallQueue>()
  private readonly byName = new Map<string, CallQueue>()
  private readonly all = new CallQueue()
  private readonly used = new Set<string>()
  private made = 0

  forCall({ id: givenId, name }: ToolCallBlock): string {
    const hasId = givenId !== null && givenId !== ''
    const id = hasId ? fitCallId(givenId) : this.makeId()
    this.used.add(id)
    const call = { id, isAnswered: false }
    if (hasId) queueOf(this.byId, givenId).add(call)
    queueOf(this.byName, name).add(call)
    this.all.add(call)
    return id
  }

  forResult({ callId, name }: ToolResultBlock): string {
    const hasId = callId !== null && callId !== ''
    if (hasId) return this.byId.get(callId)?.take()?.id ?? fitCallId(callId)
    const call = name === null ? this.all.take() : this.byName.get(name)?.take()
    return call?.id ?? this.makeId()
  }

  private makeId(): string {
    let id = `call_${this.made++}`
    while (this.used.has(id)) id = `call_${this.made++}`
    return id
  }
}

function queueOf(queues: Map<string, CallQueue>, key: string): CallQueue {
  const queue = queues.get(key) ?? new CallQueue()
  queues.set(key, queue)
  return queue
}
