import type { Finish, FinishReason } from '#ir/chat-event.ts'

/** The API's words and what they mean. Source: `BetaStopReason` of @anthropic-ai/sdk 1.10. */
const REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['end_turn', 'stop'],
  ['stop_sequence', 'stop'],
  ['tool_use', 'tool-calls'],
  ['max_tokens', 'length'],
  ['model_context_window_exceeded', 'length'],
  ['refusal', 'content-filter'],
  ['pause_turn', 'pause'],
  // The server made room in the context and waits to be asked again, as after a pause.
  ['compaction', 'pause'],
])

/** A word that nobody knows is an ordinary end. Client-side calls make an ordinary end one that waits for their results. */
export function readStopReason(raw: string | null, hasToolCalls: boolean): FinishReason {
  const reason = (raw === null ? undefined : REASONS.get(raw)) ?? 'stop'
  if (reason === 'stop' || reason === 'tool-calls') return hasToolCalls ? 'tool-calls' : 'stop'
  return reason
}

export interface AnswerTraits {
  readonly hasToolCalls: boolean
  readonly hasRefusal: boolean
  /** Whether the upstream speaks this protocol: its word is then the client's, whatever it is. */
  readonly isNative: boolean
}

/**
 * The API's word for an end. That of another upstream stays where it is one of the API's and says the same, which Bedrock's
 * do. Null: the API has no word, the answer failed.
 */
export function writeStopReason(finish: Finish | null, traits: AnswerTraits): string | null {
  const { hasToolCalls, hasRefusal, isNative } = traits
  const reason = finish?.reason ?? 'stop'
  const raw = finish?.raw ?? null
  if (raw !== null && (isNative || REASONS.get(raw) === reason)) return raw
  switch (reason) {
    case 'stop':
      if (hasRefusal) return 'refusal'
      if (hasToolCalls) return 'tool_use'
      return finish?.stopSequence == null ? 'end_turn' : 'stop_sequence'
    case 'tool-calls':
      return hasToolCalls ? 'tool_use' : 'end_turn'
    case 'length':
      return 'max_tokens'
    case 'content-filter':
      return 'refusal'
    case 'pause':
      return 'pause_turn'
    case 'error':
      return hasToolCalls ? 'tool_use' : null
    default: {
      const missed: never = reason
      throw new Error(`unknown reason ${String(missed)}`)
    }
  }
}
