import type { Failure } from '#codecs/codec.ts'
import type { Trouble } from '#health/circuit.ts'

/** What a failed attempt means for the ones after it (R67, R68, R73). */
export interface Verdict {
  /**
   * - `target`: another backend may do better
   * - `model`: every backend of this model would say the same; only another model can do better
   * - `stop`: the request itself is at fault, or nobody waits for its answer
   */
  readonly next: 'target' | 'model' | 'stop'
  /** What it says of the backend's health; null: it works. */
  readonly trouble: Trouble | null
  /** Whether the same backend may do better in a moment (R70). */
  readonly isPassing: boolean
}

const STOP: Verdict = { next: 'stop', trouble: null, isPassing: false }
const OTHER_MODEL: Verdict = { next: 'model', trouble: null, isPassing: false }
const BROKEN: Verdict = { next: 'target', trouble: 'failed', isPassing: false }
const UNREACHED: Verdict = { next: 'target', trouble: 'failed', isPassing: true }
const LIMITED: Verdict = { next: 'target', trouble: 'rate-limited', isPassing: true }
const REFUSED: Verdict = { next: 'target', trouble: 'refused', isPassing: false }

/** Codes by which providers say that the prompt is too long for the model. */
const TOO_LONG_CODES: ReadonlySet<string> = new Set(['context_length_exceeded', 'exceed_context_size_error'])
/**
 * Words of those that have no code. Whole words with spaces between them: names of members (`context_window`, `prompt_cache_key`),
 * strings that are too long for their member and limits of images or of the answer are the client's own mistakes.
 */
const TOO_LONG: readonly RegExp[] = [
  /\bcontext (?:length|window|size|limit)\b/i,
  /\b(?:input|prompt) is too (?:long|large)\b/i,
  /\b(?:input|prompt) .{0,60}\bexceeds? .{0,60}\btokens\b/i,
  /\bexceed(?:s|ed)? (?:the )?(?:model )?token limit\b/i,
  /\bmaximum (?:prompt length|number of (?:input )?tokens)\b/i,
  /\btokens in the prompt cannot exceed\b/i,
  /\brange of input length should be\b/i,
]

/** Codes by which a provider refuses what the prompt says, as another vendor's model may not. */
const MODERATED: ReadonlySet<string> = new Set([
  'content_filter',
  'content_policy_violation',
  'moderation_blocked',
  'responsible_ai_policy_violation',
])

/** Judges one failure by what failed, never by the model or the provider. Pure. */
export function judge(failure: Failure): Verdict {
  const { status, code } = failure
  if (code === 'client_closed_request') return STOP
  if (code === 'upstream_unavailable') return UNREACHED
  // Any other failure that the gateway itself found: a timeout, or an answer that cannot be read.
  if (code !== 'upstream_error') return BROKEN
  if (isModerated(failure)) return OTHER_MODEL
  if (status === 429) return LIMITED
  if (status === 401 || status === 402 || status === 403) return REFUSED
  if (status === 503) return UNREACHED
  if (status >= 500 || status === 408) return BROKEN
  return isTooLong(failure) ? OTHER_MODEL : STOP
}

/** Whether an upstream says that the prompt does not fit into the model's window (R73). */
export function isTooLong({ status, message, upstreamCode, upstreamType }: Failure): boolean {
  if (status !== 400 && status !== 413 && status !== 422) return false
  return isTooLongCode(upstreamCode) || isTooLongCode(upstreamType) || TOO_LONG.some((words) => words.test(message))
}

function isModerated({ status, upstreamCode, upstreamType }: Failure): boolean {
  if (status !== 400 && status !== 403) return false
  return MODERATED.has(upstreamCode ?? '') || MODERATED.has(upstreamType ?? '')
}

const isTooLongCode = (code: string | undefined): boolean => TOO_LONG_CODES.has(code ?? '')
