import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import type { Model, Price, Route } from '#catalog/types.ts'
import { boundOf as costBound } from '#ledger/cost.ts'
import { RAISED_LIMIT_MAX, raisesLimit } from '#codecs/raised-limit.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Selection } from '#data-plane/4-resolve/resolve.ts'

/** A model at a backend, and how it is spoken to. */
export interface Target {
  readonly route: Route
  readonly protocol: Protocol
}

/** Where the request may go, in order, and what it can cost at most. */
export interface Plan {
  readonly model: Model
  readonly targets: readonly [Target, ...Target[]]
  /** Null: counting is free and holds nothing (B4). */
  readonly bound: Bound | null
  /** `passthrough`, or `<in>-><out>` once a translation is involved (R26). */
  readonly adapter: string
  readonly group: string
}

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

/** Chooses the routes that can serve the request, best first (R66: lower priority wins), each in the best of its protocols. Pure. */
export function planTargets(gateway: Gateway, caller: Caller, parsed: Parsed, selection: Selection): Plan {
  const { model, routes } = selection
  checkKind(parsed, model)
  const targets: Target[] = []
  const isForeign = ({ protocol }: Target): number => (protocol === parsed.surface ? 0 : 1)
  for (const route of routes) {
    const protocol = protocolFor(parsed, route)
    if (protocol) targets.push({ route, protocol })
  }
  if (targets.length > 1)
    targets.sort((left, right) => left.route.priority - right.route.priority || isForeign(left) - isForeign(right))
  if (!isFilled(targets)) throw untranslatable(parsed.surface, model, routes)
  return {
    model,
    targets,
    bound: parsed.operation === 'count' ? null : boundOf(gateway, caller, parsed, model, targets),
    adapter: targets[0].protocol === parsed.surface ? 'passthrough' : `${parsed.surface}->${targets[0].protocol}`,
    group: selection.group,
  }
}

/** What a chat request is translated to, the protocol that can say most first. */
const TRANSLATED: readonly Protocol[] = [
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
  'openai-chat',
]

const EMBEDDING: readonly Protocol[] = ['openai-embeddings', 'gemini', 'bedrock-converse']

/** How the route is spoken to: in the client's own protocol where it can be, else through a translation; null when neither. */
function protocolFor(parsed: Parsed, route: Route): Protocol | null {
  if (route.protocols.includes(parsed.surface)) return parsed.surface
  if (parsed.operation === 'embed') return EMBEDDING.find((protocol) => route.protocols.includes(protocol)) ?? null
  return TRANSLATED.find((protocol) => route.protocols.includes(protocol)) ?? null
}

const isFilled = (targets: Target[]): targets is [Target, ...Target[]] => targets.length > 0

function checkKind(parsed: Parsed, model: Model): void {
  const wantsEmbedding = parsed.operation === 'embed'
  if (wantsEmbedding === (model.kind === 'embedding')) return
  if (wantsEmbedding) {
    const message = `"${model.id}" is a chat model; call it at /v1/chat/completions, /v1/responses, /v1/messages or :generateContent.`
    throw new GatewayError('model_not_embedding', message, { param: 'model' })
  }
  const message = `"${model.id}" is an embedding model; call it at /v1/embeddings or :embedContent.`
  throw new GatewayError('model_not_chat', message, { param: 'model' })
}

const PATH_OF: Readonly<Partial<Record<Protocol, string>>> = {
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
  'openai-embeddings': '/v1/embeddings',
  'anthropic-messages': '/v1/messages',
  gemini: '/v1beta/models/{model}:generateContent',
}

function untranslatable(surface: Surface, model: Model, routes: readonly Route[]): GatewayError {
  const paths = [...new Set(routes.flatMap((route) => route.protocols))].map((protocol) => PATH_OF[protocol])
  const known = paths.filter((path) => path !== undefined)
  const hint = known.length > 0 ? ` Call it at ${known.join(' or ')}.` : ''
  const message = `"${model.id}" has no backend that a request of this protocol (${surface}) can be translated for.${hint}`
  return new GatewayError('translation_not_available', message, { param: 'model' })
}

/**
 * A token is at least one byte of the body, so the body's length bounds the prompt; what the body only refers to adds its
 * own bound, and the context window bounds everything.
 */
function boundOf(gateway: Gateway, caller: Caller, parsed: Parsed, model: Model, targets: readonly Target[]): Bound {
  const { facts, body } = parsed
  const { defaultMaxOutput } = gateway.settings.reservation
  const window = model.contextWindow ?? Number.MAX_SAFE_INTEGER
  const visible = body.length + facts.unseen.mediaCount * MEDIA_TOKENS_MAX
  const inputTokensMax = facts.unseen.unbounded && model.contextWindow !== null ? window : Math.min(window, visible)
  const asked = facts.outputTokensMax ?? model.maxOutput ?? defaultMaxOutput
  const limit = targets.some(({ protocol }) => raisesLimit(parsed.surface, protocol))
    ? Math.max(asked, RAISED_LIMIT_MAX)
    : asked
  const outputTokensMax = parsed.operation === 'embed' ? 0 : limit
  const candidates = Math.max(1, facts.candidates)
  const price = dearest(targets, (each) => costBound({ inputTokensMax, outputTokensMax, n: candidates, price: each }))
  if (price === null && caller.billing !== 'off') {
    const message = `The model "${model.id}" has no price, and a request that cannot be billed is not served.`
    throw new GatewayError('model_unpriced', message, { param: 'model' })
  }
  return {
    inputTokensMax,
    outputTokensMax,
    outputIsClients: facts.outputTokensMax !== null || parsed.operation === 'embed',
    candidates,
    price,
  }
}

/** The price at which the request may cost most, over every route that may serve it (R94). An unpriced route makes the whole unpriced. */
function dearest(targets: readonly Target[], bound: (price: Price) => NanoUsd): Price | null {
  let found: Price | null = null
  for (const { route } of targets) {
    if (route.price === null) return null
    if (!found || (found !== route.price && bound(route.price) > bound(found))) found = route.price
  }
  return found
}
