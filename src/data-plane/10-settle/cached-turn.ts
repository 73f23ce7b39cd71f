import { cachesByItself, routeKeyOf } from '#data-plane/cache-decision.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Seen } from '#data-plane/seen.ts'
import { TTL_MS } from '#health/prompt-caches.ts'
import type { Usage } from '#ir/usage.ts'

/** Shorter prompts are cached by nobody who does it unasked. */
export const IMPLICIT_TOKENS_MIN = 1024

/** Remembers what an answered turn has left in its upstream's cache (B5). An estimate says nothing of it. */
export function rememberCache(gateway: Gateway, { plan, answer }: Seen, usage: Usage | null): void {
  if (!plan?.caching || !answer || usage?.source !== 'upstream') return
  const { route } = answer.target
  const caching = plan.caching.get(route.model.id)
  if (!caching) return
  gateway.promptCaches.answered(caching.conversation, {
    route: routeKeyOf(route),
    prefixTokens: prefixOf(usage, cachesByItself(route)),
    outputTokens: usage.output ?? 0,
    ttlMs: (usage.cacheWrite1h ?? 0) > 0 ? TTL_MS['1h'] : caching.ttlMs,
  })
}

function prefixOf({ input, cacheRead, cacheWrite, cacheWrite1h }: Usage, isImplicit: boolean): number {
  const marked = (cacheRead ?? 0) + (cacheWrite ?? 0) + (cacheWrite1h ?? 0)
  if (!isImplicit) return marked
  const prompt = (input ?? 0) + marked
  return prompt >= IMPLICIT_TOKENS_MIN ? prompt : 0
}
