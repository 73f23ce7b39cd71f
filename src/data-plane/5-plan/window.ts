import type { Route } from '#catalog/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'

/** A prompt that seems this much too long is still let through: it is only an estimate (R73). */
const TOLERANCE = 1.05
/** Media within the body: its bytes say nothing about tokens. */
const INLINE = [
  Buffer.from(';base64,'),
  Buffer.from('"inlineData"'),
  Buffer.from('"inline_data"'),
  Buffer.from('"base64"'),
]

/** Tokens that a route takes; a window that nobody knows is no limit. */
export function windowOf({ maxContext, model }: Route): number {
  return Math.min(maxContext ?? Infinity, model.contextWindow ?? Infinity)
}

/** Whether prompt and answer fit (R73). What cannot be told from the bytes is let through, and the upstream decides. */
export function isWithinWindow(gateway: Gateway, parsed: Parsed, route: Route): boolean {
  const window = gateway.settings.routing.forceContextWindow ?? windowOf(route)
  const needed = promptEstimate(parsed) + (parsed.facts.outputTokensMax ?? 0)
  if (needed <= window * TOLERANCE) return true
  return parsed.wishes?.contextTokens == null && INLINE.some((needle) => parsed.body.includes(needle))
}
