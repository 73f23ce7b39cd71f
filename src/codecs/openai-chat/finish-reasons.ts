import type { FinishReason } from '#ir/chat-event.ts'

/** The words of the many hosts. Sources: their API references, and the recorded traffic. */
const REASONS: ReadonlyMap<string, FinishReason> = new Map([
  ['stop', 'stop'],
  ['eos', 'stop'],
  ['tool_calls', 'tool-calls'],
  ['function_call', 'tool-calls'],
  ['tool_use', 'tool-calls'],
  ['length', 'length'],
  ['max_tokens', 'length'],
  ['model_length', 'length'],
  ['MAX_TOKENS', 'length'],
  ['content_filter', 'content-filter'],
  ['refusal', 'content-filter'],
  ['sensitive', 'content-filter'],
  ['error', 'error'],
  ['pause', 'pause'],
])

const FILTER = /content_filter|safety/i
const ERROR = /error|malformed/i

/** A word that nobody knows is an ordinary end. Calls make an ordinary end one that waits for their results. */
export function readFinishReason(raw: string | null, hasToolCalls: boolean): FinishReason {
  const reason = raw === null ? 'stop' : (REASONS.get(raw) ?? unlistedReason(raw))
  if (reason === 'stop' || reason === 'tool-calls') return hasToolCalls ? 'tool-calls' : 'stop'
  return reason
}

function unlistedReason(raw: string): FinishReason {
  if (FILTER.test(raw)) return 'content-filter'
  return ERROR.test(raw) ? 'error' : 'stop'
}

/** The word that clients know; `error` is OpenRouter's and comes with an error beside it. */
export function writeFinishReason(reason: FinishReason, isLegacy: boolean): string {
  switch (reason) {
    case 'stop':
      return 'stop'
    case 'length':
    // A turn that was paused is not done, and there is no other word for that (R87).
    case 'pause':
      return 'length'
    case 'tool-calls':
      return isLegacy ? 'function_call' : 'tool_calls'
    case 'content-filter':
      return 'content_filter'
    case 'error':
      return 'error'
    default: {
      const missed: never = reason
      throw new Error(`unknown reason ${String(missed)}`)
    }
  }
}
