import type { Caller } from '#accounts/types.ts'
import { caches, type Caching, routeKeyOf, turnPrices } from '#data-plane/cache-decision.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Heading } from '#data-plane/4-resolve/resolve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { TTL_MS } from '#health/prompt-caches.ts'
import { conversationOf } from './conversation.ts'
import { rankOf } from './order.ts'
import type { Target } from './plan.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'

export interface Cached {
  readonly targets: readonly Target[]
  /** Null: none of the targets caches. */
  readonly caching: Caching | null
}

/** The targets of one model with the one in front where the conversation is best continued (B5). */
export function byCache(
  gateway: Gateway,
  caller: Caller,
  parsed: Parsed,
  exchange: Heading,
  targets: readonly Target[],
): Cached {
  if (parsed.operation !== 'generate' || !targets.some(({ route }) => caches(route))) return { targets, caching: null }
  const model = targets[0]!.route.model.id
  const conversation = conversationOf(parsed, exchange, `${caller.account.id} ${model}`)
  const ttlMs = ttlOf(parsed.body)
  const candidates = targets
    .filter(({ route }) => caches(route) && gateway.health.admits(route))
    .map((target) => ({
      route: routeKeyOf(target.route),
      prices: turnPrices(target.route.price, ttlMs),
      ttftMs: gateway.speeds.speedOf(routeKeyOf(target.route)).ttftMs,
      rank: rankOf(target, parsed.surface),
    }))
  const decision = gateway.promptCaches.decide(conversation, candidates, {
    promptTokens: promptEstimate(parsed),
    secondValue: gateway.settings.routing.latencyValuePico,
  })
  const first = targets.find(({ route }) => routeKeyOf(route) === decision?.route)
  const isTold = exchange.request.headers['x-gateway-metadata'] === 'enabled'
  return {
    targets: first ? [first, ...targets.filter((target) => target !== first)] : targets,
    caching: { conversation, ttlMs, decision, isTold },
  }
}

const TTL = Buffer.from('"ttl"')
const TTL_CHARACTERS_MAX = 16
/** Marks beyond these are more than any provider takes. */
const MARKS_MAX = 8

/** The longest lifetime that a mark of the body asks for; null: there is none. */
function ttlOf(body: Buffer): number | null {
  let longest: number | null = null
  let at = body.indexOf(TTL)
  for (let marks = 0; at >= 0 && marks < MARKS_MAX; marks++) {
    const from = at + TTL.length
    const [, written] = /^\s*:\s*"(5m|30m|1h)"/.exec(body.toString('latin1', from, from + TTL_CHARACTERS_MAX)) ?? []
    if (written) longest = Math.max(longest ?? 0, TTL_MS[written as keyof typeof TTL_MS])
    at = body.indexOf(TTL, from)
  }
  return longest
}
