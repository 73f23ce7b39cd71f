import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import type { Group, Model, Price, Route, Strategy } from '#catalog/types.ts'
import { boundOf as costBound } from '#ledger/cost.ts'
import type { Loss } from '#ir/extensions.ts'
import { RAISED_LIMIT_MAX, raisesLimit } from '#codecs/raised-limit.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import { speedKeyOf } from '#data-plane/speed-key.ts'
import { orderTargets } from './order.ts'
import { hasImage } from './inputs.ts'
import {
  excludedBy,
  isNamed,
  knownPreferences,
  NO_PREFERENCES,
  type Preferences,
  readPreferences,
} from './preferences.ts'
import { isWithinWindow, promptEstimate, windowOf } from './window.ts'
import type { Heading } from '#data-plane/4-resolve/resolve.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'

/** A model at a backend, and how it is spoken to. */
export interface Target {
  readonly route: Route
  readonly protocol: Protocol
  /** How the client came to this model: its parameters and its suffix belong to the request. */
  readonly selection: Selection
  /** What the fault lab does to it (B12); absent nearly always. */
  readonly fault?: TargetFault
}

/** An attempt that the simulator plays, with what the client wants to go wrong. */
export interface TargetFault {
  /** As `X-Fault` says it. */
  readonly asked: string
  /** The only attempt that it concerns, from 1; null: every one. */
  readonly attempt: number | null
  /** The simulator in the place of the target's own upstream. */
  readonly route: Route
  readonly protocol: Protocol
}

/** Why a route is not among the targets (B7). */
export type Exclusion = 'protocol' | 'policy' | 'price' | 'whitelist' | 'context' | 'capability' | 'credential'

export interface Excluded {
  readonly route: Route
  readonly reasons: readonly Exclusion[]
}

/** Where the request may go, in order, and what it can cost at most. */
export interface Plan {
  /** The one that was asked for; another one may answer (R68). */
  readonly model: Model
  readonly targets: readonly [Target, ...Target[]]
  /** Null: counting is free and holds nothing (B4). */
  readonly bound: Bound | null
  readonly group: string
  /** What the client asked to go wrong, and gets (B12). */
  readonly fault?: string
  /** Told to the client beside those of the attempt. */
  readonly losses?: readonly Loss[]
  /** Attempts that may be made for this request, all targets together; 1 when the client wants no failover. */
  readonly attemptsMax: number
  /** The model whose window was too small for the prompt (R73); null nearly always. */
  readonly reroutedFrom: string | null
  readonly excluded: readonly Excluded[]
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

/**
 * Chooses the routes that can serve the request, best first, each in the best of its protocols (R66). What is left out and why is
 * put into `excluded`, also when nothing is left and it throws.
 */
export function planTargets(
  gateway: Gateway,
  caller: Caller,
  parsed: Parsed,
  selection: Selection,
  exchange: Heading,
  excluded: Excluded[] = [],
): Plan {
  checkKind(parsed, selection.model)
  const wished = readPreferences(parsed.wishes?.provider ?? null)
  // On OpenRouter's own surface a provider that is not there is an answer; elsewhere the member is nobody's (R79).
  const preferences = exchange.openRouter ? wished : knownPreferences(wished, gateway.catalog.current.backends.values())
  const staysPut = !preferences.allowsFallbacks || exchange.request.headers['x-gateway-no-fallback'] === 'true'
  const select = (each: Selection): readonly Target[] => targetsOf(gateway, caller, parsed, each, preferences, excluded)
  const chain = staysPut ? [selection] : inTurn(gateway, selection)
  let targets = chain.flatMap(select)
  const reroutedFrom = targets.length === 0 && excluded.some(isTooSmall) ? selection.model.id : null
  // The prompt does not fit: only then the larger models are looked at, unless the client wants no other (R73, C24).
  if (reroutedFrom !== null && !staysPut) targets = selection.larger.flatMap(select)
  if (!isFilled(targets)) throw noTarget(parsed, selection, excluded)
  const { enabled, maxFailoverHops } = gateway.settings.failureHandling
  return {
    model: selection.model,
    targets,
    bound: parsed.operation === 'count' ? null : boundOf(gateway, caller, parsed, targets),
    group: selection.group,
    attemptsMax: enabled && !staysPut ? 1 + maxFailoverHops : 1,
    reroutedFrom,
    excluded,
  }
}

/** The selection and its fallbacks; a chain that takes turns begins with another one each time. */
function inTurn(gateway: Gateway, selection: Selection): readonly Selection[] {
  const chain = [selection, ...selection.fallbacks]
  if (selection.rotation === null) return chain
  const at = gateway.speeds.turn(`chain ${selection.rotation}`) % chain.length
  return [...chain.slice(at), ...chain.slice(0, at)]
}

/** Targets of one model of the chain, in order; what is left out and why goes to `excluded`. */
function targetsOf(
  gateway: Gateway,
  caller: Caller,
  parsed: Parsed,
  selection: Selection,
  preferences: Preferences,
  excluded: Excluded[],
): readonly Target[] {
  const { model, routes } = selection
  let eligible: Target[] = []
  for (const route of routes) {
    const protocol = protocolFor(parsed, route)
    // OpenRouter gets the client's preferences and follows them among its own providers.
    const wishes = route.backend.type === 'openrouter' && protocol === parsed.surface ? NO_PREFERENCES : preferences
    const reasons = reasonsAgainst(gateway, parsed, selection, route, wishes)
    if (protocol === null) excluded.push({ route, reasons: ['protocol', ...reasons] })
    else if (reasons.length > 0) excluded.push({ route, reasons })
    else eligible.push({ route, protocol, selection })
  }
  if (eligible.length < 2) return eligible
  // A backend whose key is missing is only asked where there is no other: its error names the variable (R23, R66).
  if (!eligible.every(hasCredential) && eligible.some(hasCredential)) {
    for (const { route } of eligible) if (!hasCredential({ route })) excluded.push({ route, reasons: ['credential'] })
    eligible = eligible.filter(hasCredential)
  }
  const ordered = orderTargets(eligible, model, {
    surface: parsed.surface,
    strategy: strategyOf(gateway, selection),
    sort: preferences.sort ?? selection.sort,
    affinity: `${parsed.wishes?.session ?? caller.account.id} ${model.id} ${selection.group} ${parsed.surface}`,
    random: gateway.random,
    speedOf: (target) => gateway.speeds.speedOf(speedKeyOf(target)),
    turn: (name) => gateway.speeds.turn(name),
    lastUsed: (target) => gateway.speeds.lastUsed(speedKeyOf(target)),
  })
  return preferred(ordered, preferences.order)
}

function strategyOf(gateway: Gateway, { model, group }: Selection): Strategy {
  return model.strategy ?? gateway.catalog.current.groups.get(group)?.strategy ?? gateway.settings.routing.strategy
}

/** Those that the client names first come first, in its order. */
function preferred(targets: readonly Target[], order: readonly string[]): readonly Target[] {
  if (order.length === 0) return targets
  const place = ({ route }: Target): number => {
    const at = order.findIndex((name) => isNamed(route, name))
    return at < 0 ? order.length : at
  }
  return targets.toSorted((left, right) => place(left) - place(right))
}

function reasonsAgainst(
  gateway: Gateway,
  parsed: Parsed,
  selection: Selection,
  route: Route,
  preferences: Preferences,
): readonly Exclusion[] {
  const reasons: Exclusion[] = []
  const group = gateway.catalog.current.groups.get(selection.group)
  if (group && !meetsPolicy(route, group)) reasons.push('policy')
  const unwanted = excludedBy(route, preferences)
  if (unwanted) reasons.push(unwanted)
  if (isBlind(route.model) && hasImage(parsed)) reasons.push('capability')
  if (!isWithinWindow(gateway, parsed, route)) reasons.push('context')
  return reasons
}

/** A model that takes no images, as somebody said and nobody guessed (R74). */
const isBlind = ({ knowsInputs, inputModalities }: Model): boolean =>
  knowsInputs === true && !inputModalities.includes('image')

/** What a backend does not promise it does not keep (R65). */
function meetsPolicy({ backend }: Route, { regions, dataPolicy }: Group): boolean {
  if (regions.length > 0 && (backend.region === null || !regions.includes(backend.region))) return false
  return dataPolicy.every((policy) => backend.dataPolicy.includes(policy))
}

function hasCredential({ route: { backend } }: Pick<Target, 'route'>): boolean {
  return (
    backend.credentials.length > 0 || backend.auth === 'none' || backend.aws !== null || backend.access !== undefined
  )
}

const isTooSmall = ({ reasons }: Excluded): boolean => reasons.includes('context')

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

/** Why there is no target, told by what stood in the way of the most. */
function noTarget(parsed: Parsed, { model, routes }: Selection, excluded: readonly Excluded[]): GatewayError {
  // Those of the model that was asked for: its fallbacks are second choices.
  const own = excluded.filter(({ route }) => route.model.id === model.id)
  const reasons = new Set(own.flatMap((each) => each.reasons))
  if (reasons.has('capability')) {
    const message = `"${model.id}" has no vision: it takes no images.`
    return new GatewayError('unsupported_capability', message, { param: 'messages' })
  }
  if (reasons.has('context')) {
    const window = Math.max(...routes.map(windowOf))
    const message = `The request has about ${promptEstimate(parsed)} tokens and "${model.id}" takes ${window}.`
    return new GatewayError('context_length_exceeded', message, { param: 'messages' })
  }
  const isUnwanted = reasons.has('policy') || reasons.has('price') || reasons.has('whitelist')
  if (isUnwanted) {
    const message = `No backend of "${model.id}" meets what the request or its group asks of one.`
    return new GatewayError('no_backend_meets_policy', message, { param: 'provider' })
  }
  return untranslatable(parsed.surface, model, routes)
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
function boundOf(gateway: Gateway, caller: Caller, parsed: Parsed, targets: readonly Target[]): Bound {
  const { facts, body } = parsed
  const { defaultMaxOutput } = gateway.settings.reservation
  // Any of them may answer, so the largest of each bound counts.
  const models = [...new Set(targets.map(({ route }) => route.model))]
  const window = Math.max(...models.map((model) => model.contextWindow ?? Number.MAX_SAFE_INTEGER))
  const visible = body.length + facts.unseen.mediaCount * MEDIA_TOKENS_MAX
  const inputTokensMax = facts.unseen.unbounded && window < Number.MAX_SAFE_INTEGER ? window : Math.min(window, visible)
  const given = targets.map(({ selection }) => selection.parameters.max_tokens).filter((tokens) => tokens !== undefined)
  const named = given.length > 0 ? Math.max(...given, facts.outputTokensMax ?? 0) : facts.outputTokensMax
  const asked = named ?? Math.max(...models.map(({ maxOutput }) => maxOutput ?? defaultMaxOutput))
  const limit = targets.some(({ protocol, selection }) => selection.thinking || raisesLimit(parsed.surface, protocol))
    ? Math.max(asked, RAISED_LIMIT_MAX)
    : asked
  const outputTokensMax = parsed.operation === 'embed' ? 0 : limit
  const candidates = Math.max(1, facts.candidates)
  const price = dearest(targets, (each) => costBound({ inputTokensMax, outputTokensMax, n: candidates, price: each }))
  if (price === null && caller.billing !== 'off') {
    const message = `The model "${models[0]!.id}" has no price, and a request that cannot be billed is not served.`
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
