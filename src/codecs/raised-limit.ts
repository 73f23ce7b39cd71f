import type { Protocol } from '#base/protocols.ts'

/** The least budget that Claude takes, and the room for an answer beside it (R34). */
export const BUDGET_TOKENS_MIN = 1024
export const ANSWER_TOKENS_MIN = 256

/** A lower output limit than this is raised to it where the target could not reason within it: a hold has to cover it. */
export const RAISED_LIMIT_MAX = BUDGET_TOKENS_MIN + ANSWER_TOKENS_MIN

/** Whether a translation between these may raise the limit. */
export function raisesLimit(surface: Protocol, target: Protocol): boolean {
  return surface !== target && (target === 'anthropic-messages' || target === 'bedrock-converse')
}
