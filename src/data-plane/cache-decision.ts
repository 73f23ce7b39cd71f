import { formatUsd, roundToNano } from '#base/money.ts'
import type { Price, Route } from '#catalog/types.ts'
import { type CacheDecision, type TurnPrices, TTL_MS } from '#health/prompt-caches.ts'
import type { CacheDecisionRecord } from '#observe/request-row.ts'
import { isClaude } from '#providers/cloud-paths.ts'
import type { Plan } from './5-plan/plan.ts'
import type { Answer } from './7-call/answer.ts'
import { speedKeyOf } from './speed-key.ts'

/** What is decided about one conversation with one model, and what its next turn is remembered by (B5). */
export interface Caching {
  /** Stable per account, model and conversation; tells nothing of what was said. */
  readonly conversation: string
  /** The class that the client asks for; null: it says nothing. */
  readonly ttlMs: number | null
  /** Null: nothing was cached. */
  readonly decision: CacheDecision | null
  /** Whether the client is told (`x-gateway-metadata: enabled`). */
  readonly isTold: boolean
}

/** The name under which a route's caches and its speed are kept. */
export const routeKeyOf = (route: Route): string => speedKeyOf({ route })

/** Whether anything is known of this route's cache that makes it worth coming back. */
export function caches({ model, price }: Route): boolean {
  if (model.cache !== undefined) return model.cache !== 'off'
  return price !== null && price.cacheRead !== null && price.cacheRead < price.input
}

/** Whether the upstream caches by itself, without telling what it wrote. */
export function cachesByItself({ model, upstreamModel, price }: Route): boolean {
  if (model.cache !== undefined) return model.cache === 'implicit'
  return !isClaude(upstreamModel, model.vendor) && (price === null || price.cacheWrite === null)
}

/** In pico-USD per token; classes without a price of their own cost what R91 says. */
export function turnPrices(price: Price | null, ttlMs: number | null): TurnPrices | null {
  if (price === null) return null
  const write = price.cacheWrite ?? price.input
  const fresh = ttlMs === TTL_MS['1h'] ? (price.cacheWrite1h ?? write) : write
  return { fresh, read: price.cacheRead ?? price.input, output: price.output }
}

/** The decision as it came out: a route that was to be kept and then failed was left all the same. */
export function cacheDecisionOf({ caching, targets }: Plan, answer: Answer | undefined): CacheDecisionRecord | null {
  const route = (answer?.target ?? targets[0]).route
  const { decision, ttlMs } = caching?.get(route.model.id) ?? {}
  if (!decision) return null
  const { prefixTokens, reason } = decision
  if (decision.route === null || decision.route === routeKeyOf(route))
    return { decision: decision.decision, reason, cache_break_cost: textOf(decision.breakCost) }
  const prices = turnPrices(route.price, ttlMs ?? null)
  const breakCost = prices && BigInt(prefixTokens) * (prices.fresh - prices.read)
  return { decision: 'switched', reason: 'route_failed', cache_break_cost: textOf(breakCost) }
}

/** The same for a header. */
export function cacheDecisionText({ decision, reason, cache_break_cost: cost }: CacheDecisionRecord): string {
  return `${decision};reason=${reason}${cost === null ? '' : `;cache_break_cost=${cost}`}`
}

/** A price that is lower than that of reading is nobody's; it must not make a cost negative. */
const textOf = (pico: bigint | null): string | null =>
  pico === null ? null : formatUsd(roundToNano(pico < 0n ? 0n : pico))
