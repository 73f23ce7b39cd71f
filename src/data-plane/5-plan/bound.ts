import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'
import type { Price, Route } from '#catalog/types.ts'
import { RAISED_LIMIT_MAX, raisesLimit } from '#codecs/raised-limit.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import { boundOf as costBound } from '#ledger/cost.ts'
import type { Target } from './plan.ts'

/** The worst case in tokens. */
export interface Bound {
  readonly inputTokensMax: number
  readonly outputTokensMax: number
  /** Whether the client set the output limit itself: then it is never lowered (R94). */
  readonly outputIsClients: boolean
  readonly candidates: number
  /** The dearest price among the targets; null when the model has none. */
  readonly price: Price | null
}

/** Most tokens that one referenced image or clip is counted as by any provider we know. */
export const MEDIA_TOKENS_MAX = 8192

/**
 * A token is at least one byte of the body, so the body's length bounds the prompt; what the body only refers to adds its
 * own bound, and the context window bounds everything.
 */
export function boundOf(gateway: Gateway, caller: Caller, parsed: Parsed, targets: readonly Target[]): Bound {
  const { facts, body } = parsed
  const { defaultMaxOutput } = gateway.settings.reservation
  // Any of them may answer, so the largest of each bound counts.
  let window = 0
  let longest = 0
  let given: number | null = null
  let isRaised = false
  for (const { route, selection, protocol } of targets) {
    const { contextWindow, maxOutput } = route.model
    window = Math.max(window, contextWindow ?? Number.MAX_SAFE_INTEGER)
    longest = Math.max(longest, maxOutput ?? defaultMaxOutput)
    const own = selection.parameters.max_tokens
    if (own !== undefined) given = Math.max(given ?? 0, own)
    isRaised ||= selection.thinking || raisesLimit(parsed.surface, protocol)
  }
  const visible = body.length + facts.unseen.mediaCount * MEDIA_TOKENS_MAX
  const inputTokensMax = facts.unseen.unbounded && window < Number.MAX_SAFE_INTEGER ? window : Math.min(window, visible)
  const named = given === null ? facts.outputTokensMax : Math.max(given, facts.outputTokensMax ?? 0)
  const asked = named ?? longest
  const limit = isRaised ? Math.max(asked, RAISED_LIMIT_MAX) : asked
  const outputTokensMax = parsed.operation === 'embed' ? 0 : limit
  const candidates = Math.max(1, facts.candidates)
  const price = dearest(targets, (each) => costBound({ inputTokensMax, outputTokensMax, n: candidates, price: each }))
  if (price === null && caller.billing !== 'off') {
    const message = `The model "${targets[0]!.route.model.id}" has no price, and a request that cannot be billed is not served.`
    throw new GatewayError('model_unpriced', message, { param: 'model' })
  }
  return {
    inputTokensMax,
    outputTokensMax,
    outputIsClients: named !== null || parsed.operation === 'embed',
    candidates,
    price,
  }
}

/** The same tokens at the dearest price of these routes. */
export function repriced(bound: Bound, targets: readonly { readonly route: Route }[]): Bound {
  const { inputTokensMax, outputTokensMax, candidates: n } = bound
  const price = dearest(targets, (each) => costBound({ inputTokensMax, outputTokensMax, n, price: each }))
  return { ...bound, price }
}

/** The price at which the request may cost most, over every route that may serve it (R94). An unpriced route makes the whole unpriced. */
function dearest(targets: readonly { readonly route: Route }[], bound: (price: Price) => NanoUsd): Price | null {
  let found: Price | null = null
  for (const { route } of targets) {
    if (route.price === null) return null
    if (!found || (found !== route.price && bound(route.price) > bound(found))) found = route.price
  }
  return found
}
