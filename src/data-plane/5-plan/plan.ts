import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Backend, Group, Model, Route, Strategy } from '#catalog/types.ts'
import type { Loss } from '#ir/extensions.ts'
import type { Caching } from '#data-plane/cache-decision.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Heading } from '#data-plane/4-resolve/resolve.ts'
import { lackOf, lacksParameter } from '#data-plane/needs.ts'
import { speedKeyOf } from '#data-plane/speed-key.ts'
import { TAKES_ANYTHING } from '#data-plane/takes-anything.ts'
import { routeFor } from './account-price.ts'
import { type Bound, boundOf } from './bound.ts'
import { byCache } from './cached-route.ts'
import { compressionOf, isShortened, shortenedTo } from './compression.ts'
import { noTarget } from './no-target.ts'
import { orderTargets, sortTargets } from './order.ts'
import {
  excludedBy,
  isFollowedBy,
  isNamed,
  isTooSlow,
  knownPreferences,
  type Preferences,
  readPreferences,
  withCompression,
} from './preferences.ts'
import { behindDoors, doorsOf, type GlassTarget, NO_DOORS, withoutDoors, withOthers } from './break-glass.ts'
import { isOutgrown, largerOf, NO_TARGETS } from './larger.ts'
import { isWithinWindow } from './window.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'

/** A model at a backend, and how it is spoken to. */
export interface Target {
  readonly route: Route
  readonly protocol: Protocol
  /** How the client came to this model: its parameters and its suffix belong to the request. */
  readonly selection: Selection
  /** To the first content of a stream or the end of a whole answer, where that is less than the backend's; 0 or absent: no such limit. */
  readonly timeoutMs?: number
  /** Tokens to which the prompt is shortened for it; absent: it goes as it is. */
  readonly shortenTo?: number
  /** Whether OpenRouter's own members are passed on to be followed there; absent: they are for the gateway alone. */
  readonly followsWishes?: boolean
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
  /** The same in OpenRouter's words, as far as it has some (`excluded_by`). */
  readonly by?: readonly string[]
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
  /** Where it goes when an upstream finds the prompt too long that seemed to fit (R73); absent nearly always. */
  readonly larger?: readonly Target[]
  /** Where it goes when all of that fails, for as long as there is money for it (B11); absent nearly always. */
  readonly glass?: readonly GlassTarget[]
  readonly excluded: readonly Excluded[]
  /** Of the model that reasons first, with its own bound (R40). */
  readonly reasoning?: LegPlan
  /** By model, where a conversation may be cached at one of several targets; absent: nowhere. */
  readonly caching?: ReadonlyMap<string, Caching>
}

/** Of a leg of its own, with the request as it is put to it. */
export interface LegPlan extends Plan {
  readonly asked: Parsed
}

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
  const known = exchange.openRouter || parsed.wishes === null ? wished : knownPreferences(wished, serving(selection))
  const preferences = withCompression(known, compressionOf(parsed, exchange.openRouter))
  const isAlone = exchange.request.headers['x-gateway-no-fallback'] === 'true'
  const staysPut = !preferences.allowsFallbacks || isAlone
  const isStrict = staysPut || caller.key?.policy?.strictModel === true
  let caching = null as Map<string, Caching> | null
  const select = (each: Selection): readonly Target[] => {
    const ordered = targetsOf(gateway, caller, parsed, each, preferences, excluded)
    if (ordered.length < 2 || isOrdered(each, preferences)) return ordered
    const cached = byCache(gateway, caller, parsed, exchange, ordered)
    if (cached.caching) (caching ??= new Map()).set(each.model.id, cached.caching)
    return cached.targets
  }
  const doors = doorsOf(gateway, caller, selection)
  const usual = withoutDoors(selection, doors)
  let targets = isStrict || usual.fallbacks.length === 0 ? select(usual) : inTurn(gateway, usual).flatMap(select)
  const reroutedFrom = isOutgrown(selection, targets, excluded) ? selection.model.id : null
  // The prompt fits into no model of the chain: only then the larger ones are looked at, unless the client wants no other (R73, C24).
  if (reroutedFrom !== null && targets.length === 0 && !isStrict) targets = selection.larger.flatMap(select)
  // Another model that cannot be billed is a second choice that is not there.
  if (targets.length > 1 && caller.billing !== 'off') targets = billableOf(targets, selection)
  targets = acrossModels(gateway, targets, preferences)
  const larger = isStrict || reroutedFrom !== null ? NO_TARGETS : largerOf(gateway, caller, selection, targets, select)
  const glass = behindDoors(staysPut ? NO_DOORS : doors, selection, select)
  if (!isFilled(targets)) throw noTarget(parsed, selection, excluded)
  const { enabled, maxFailoverHops } = gateway.settings.failureHandling
  const plan: Plan = {
    model: selection.model,
    targets,
    bound: parsed.operation === 'count' ? null : boundOf(gateway, caller, parsed, withOthers(targets, larger, glass)),
    group: selection.group,
    // Without fallbacks the providers that were put in order are tried all the same.
    attemptsMax: enabled && !isAlone && (!staysPut || preferences.order.length > 0) ? 1 + maxFailoverHops : 1,
    reroutedFrom,
    excluded,
  }
  if (caching === null && larger.length === 0 && glass.length === 0) return plan
  return {
    ...plan,
    ...(caching && { caching }),
    ...(larger.length > 0 && { larger }),
    ...(glass.length > 0 && { glass }),
  }
}

/** Those with a price and those of the model itself, where there are any. */
function billableOf(targets: readonly Target[], { model }: Selection): readonly Target[] {
  const billable = targets.filter(({ route }) => route.price !== null || route.model.id === model.id)
  return billable.length > 0 ? billable : targets
}

/** Whether the client says itself who comes first: that wins over any cache (B5). */
const isOrdered = ({ isPinned, sort }: Selection, preferences: Preferences): boolean =>
  isPinned || (preferences.sort ?? sort) !== null || preferences.order.length > 0

/** Backends of the model and of its fallbacks. */
const serving = (selection: Selection): Backend[] =>
  [selection, ...selection.fallbacks].flatMap(({ routes }) => routes.map(({ backend }) => backend))

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
  for (const listed of routes) {
    const route = routeFor(listed, caller.account.chargeFactor)
    const protocol = protocolFor(parsed, route)
    const against = exclusionOf(gateway, caller, parsed, selection, route, protocol, preferences)
    if (against !== null) excluded.push(against)
    else eligible.push(targetOf(gateway, parsed, selection, route, protocol!, preferences))
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
    affinity: `${parsed.wishes?.session ?? parsed.wishes?.cacheKey ?? caller.account.id} ${model.id} ${selection.group} ${parsed.surface}`,
    random: gateway.random,
    speedOf: (target) => gateway.speeds.speedOf(speedKeyOf(target)),
    turn: (name) => gateway.speeds.turn(name),
    lastUsed: (target) => gateway.speeds.lastUsed(speedKeyOf(target)),
  })
  return preferred(ordered, preferences.order)
}

function targetOf(
  gateway: Gateway,
  parsed: Parsed,
  selection: Selection,
  route: Route,
  protocol: Protocol,
  preferences: Preferences,
): Target {
  const target = { route, protocol, selection }
  if (parsed.wishes !== null && isFollowedBy(route, protocol === parsed.surface, preferences))
    return { ...target, followsWishes: true }
  const shortenTo = shortenedTo(gateway, parsed, route, preferences.compression)
  return shortenTo === null ? target : { ...target, shortenTo }
}

/** What the client wants of the targets of all its models together. */
function acrossModels(gateway: Gateway, targets: readonly Target[], preferences: Preferences): readonly Target[] {
  const { sort, sortsAcrossModels, latencyMax, throughputMin } = preferences
  if (targets.length < 2) return targets
  const { speeds } = gateway
  const speedOf = (target: Target) => speeds.speedOf(speedKeyOf(target))
  const sorted = sort && sortsAcrossModels ? sortTargets(targets, sort, speedOf) : targets
  if (latencyMax.length === 0 && throughputMin.length === 0) return sorted
  const slow = new Set(sorted.filter((target) => isTooSlow(speeds.recentSpeedOf(speedKeyOf(target)), preferences)))
  return [...sorted.filter((target) => !slow.has(target)), ...slow]
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

/** Everything that speaks against a route, which a client may want to know at once; null: nothing does. */
function exclusionOf(
  gateway: Gateway,
  { key }: Caller,
  parsed: Parsed,
  selection: Selection,
  route: Route,
  protocol: Protocol | null,
  preferences: Preferences,
): Excluded | null {
  const reasons: Exclusion[] = protocol === null ? ['protocol'] : []
  const by: string[] = []
  const group = gateway.catalog.current.groups.get(selection.group)
  const policy = (group && brokenPolicy(route, group)) ?? (key?.policy ? brokenPolicy(route, key.policy) : null)
  if (policy) {
    reasons.push('policy')
    by.push(policy)
  }
  const isFollowed = isFollowedBy(route, protocol === parsed.surface, preferences)
  const unwanted = excludedBy(route, preferences, isFollowed)
  if (unwanted) {
    if (!reasons.includes(unwanted.reason)) reasons.push(unwanted.reason)
    by.push(unwanted.by)
  }
  if (preferences.requiresParameters && !isFollowed && lacksParameter(route.model, parsed)) {
    if (!reasons.includes('policy')) reasons.push('policy')
    by.push('require_parameters')
  }
  const isUnable = lackOf(route.model, parsed) !== null
  if (isUnable || (parsed.wishes?.plugins?.length && !runsPlugins(route, isFollowed))) reasons.push('capability')
  if (!isWithinWindow(gateway, parsed, route) && !isShortened(gateway, parsed, route, preferences, isFollowed)) {
    reasons.push('context')
    by.push('context_length')
  }
  return reasons.length === 0 ? null : { route, reasons, by }
}

/** OpenRouter runs them, and another backend that takes anything may. */
const runsPlugins = ({ backend }: Route, isFollowed: boolean): boolean =>
  backend.type === 'openrouter' ? isFollowed : TAKES_ANYTHING.has(backend.type)

/** What a backend does not promise it does not keep (R65). */
function brokenPolicy(
  { backend }: Route,
  { regions, dataPolicy }: Pick<Group, 'regions' | 'dataPolicy'>,
): string | null {
  if (regions.length > 0 && (backend.region === null || !regions.includes(backend.region))) return 'data_region'
  const missed = dataPolicy.find((policy) => !backend.dataPolicy.includes(policy))
  if (missed === undefined) return null
  return missed === 'zdr' ? 'data_policy:zdr' : 'data_policy:training'
}

function hasCredential({ route: { backend } }: Pick<Target, 'route'>): boolean {
  return (
    backend.credentials.length > 0 || backend.auth === 'none' || backend.aws !== null || backend.access !== undefined
  )
}

/** What a chat request is translated to, the protocol that can say most first. */
const TRANSLATED: readonly Protocol[] = [
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
  'cohere-chat',
  'openai-chat',
]

const EMBEDDING: readonly Protocol[] = ['openai-embeddings', 'gemini', 'bedrock-converse', 'cohere-chat']

/** How the route is spoken to: in the client's own protocol where it can be, else through a translation; null when neither. */
function protocolFor(parsed: Parsed, route: Route): Protocol | null {
  if (route.protocols.includes(parsed.surface)) return parsed.surface
  if (parsed.operation === 'embed') return EMBEDDING.find((protocol) => route.protocols.includes(protocol)) ?? null
  return TRANSLATED.find((protocol) => route.protocols.includes(protocol)) ?? null
}

const isFilled = (targets: readonly Target[]): targets is readonly [Target, ...Target[]] => targets.length > 0

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
