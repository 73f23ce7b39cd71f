import type { ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { isObject, type Members, namesIn, PROTOCOL, restOf } from './members.ts'

/**
 * What an answer of this protocol says beside the neutral form travels in opaque events, for clients of the same protocol:
 * - `message`: members of the message, those of its `usage` inside
 * - `message_delta`: members of that event, those of its `delta` and its `usage` inside
 * - `content_block`: members of the block that starts next
 * - `event`: an event that nobody here knows, whole
 */
export interface AnswerMembers {
  readonly at: 'message' | 'message_delta' | 'content_block' | 'event'
  readonly members: Members
}

const MESSAGE = new Set(['id', 'type', 'role', 'model', 'content', 'stop_reason', 'stop_sequence', 'usage'])
const MESSAGE_DELTA = new Set(['type', 'delta', 'usage'])
const DELTA = new Set(['stop_reason', 'stop_sequence'])
const USAGE = namesIn(
  'input_tokens output_tokens output_tokens_details cache_creation cache_creation_input_tokens cache_read_input_tokens',
)

export function messageMembers(message: Members): Members {
  return withUsage(restOf(message, MESSAGE), message['usage'])
}

export function messageDeltaMembers(event: Members): Members {
  const delta = restOf(fieldsOf(event['delta']), DELTA)
  const members = withUsage(restOf(event, MESSAGE_DELTA), event['usage'])
  return Object.keys(delta).length === 0 ? members : { ...members, delta }
}

function withUsage(members: Members, usage: unknown): Members {
  const rest = restOf(fieldsOf(usage), USAGE)
  return Object.keys(rest).length === 0 ? members : { ...members, usage: rest }
}

/** An event for these members; none when there are none. */
export function pushMembers(into: ChatEvent[], at: AnswerMembers['at'], members: Members): void {
  if (Object.keys(members).length === 0) return
  const value: AnswerMembers = { at, members }
  into.push({ type: 'opaque', issuer: PROTOCOL, value })
}

/** The members in an opaque event of this protocol; null for one that came from elsewhere. */
export function readMembers(value: unknown): AnswerMembers | null {
  const { at, members } = fieldsOf(value)
  if (!isObject(members)) return null
  return at === 'message' || at === 'message_delta' || at === 'content_block' || at === 'event' ? { at, members } : null
}
