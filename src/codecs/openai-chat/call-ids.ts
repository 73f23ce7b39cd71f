import { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import { CALL_IDS, type CallIdRule, legalCallId } from '#codecs/legal-call-id.ts'
import type { ToolCallBlock, ToolResultBlock } from '#ir/blocks.ts'

const fitCallId = (id: string): string => legalCallId(id, CALL_IDS['openai-chat'])

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
  private readonly rule: CallIdRule

  /** `rule`: what the host takes; some want less than OpenAI. */
  constructor(rule: CallIdRule = CALL_IDS['openai-chat']) {
    this.rule = rule
  }

  forCall({ id: givenId, name }: ToolCallBlock): string {
    const hasId = givenId !== null && givenId !== ''
    const id = hasId ? legalCallId(givenId, this.rule) : this.makeId()
    this.used.add(id)
    const call = { id, isAnswered: false }
    if (hasId) queueOf(this.byId, givenId).add(call)
    queueOf(this.byName, name).add(call)
    this.all.add(call)
    return id
  }

  forResult({ callId, name }: ToolResultBlock): string {
    const hasId = callId !== null && callId !== ''
    if (hasId) return this.byId.get(callId)?.take()?.id ?? legalCallId(callId, this.rule)
    const call = name === null ? this.all.take() : this.byName.get(name)?.take()
    return call?.id ?? this.makeId()
  }

  private makeId(): string {
    for (;;) {
      const id = legalCallId(`call_${this.made++}`, this.rule)
      if (!this.used.has(id)) return id
    }
  }
}

function queueOf(queues: Map<string, CallQueue>, key: string): CallQueue {
  const queue = queues.get(key) ?? new CallQueue()
  queues.set(key, queue)
  return queue
}
