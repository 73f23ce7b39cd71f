import { GatewayError } from '#base/errors.ts'
import type { Backend, Route } from '#catalog/types.ts'
import type { Sort } from '#data-plane/4-resolve/selection.ts'
import { requiresParameters } from '#data-plane/required-parameters.ts'
import { RECENT_PERCENTS, type RecentPercent, type RecentSpeed } from '#health/recent-speeds.ts'
import type { Compression } from './compression.ts'

/** OpenRouter's `provider` object as far as a gateway's own routes can follow it (openrouter-api.md). */
export interface Preferences {
  readonly order: readonly string[]
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
  readonly allowsFallbacks: boolean
  readonly sort: Sort | null
  /** Whether the routes of all models of the request are sorted together (`partition: none`). */
  readonly sortsAcrossModels: boolean
  /** USD per million tokens, per request and per image; null: any price. */
  readonly maxPrice: MaxPrice | null
  readonly deniesCollection: boolean
  readonly requiresZdr: boolean
  /** Quantizations that will do, `unknown` for a route that tells none; null: any. */
  readonly quantizations: readonly string[] | null
  /** Whether a route has to understand all that the request says. */
  readonly requiresParameters: boolean
  /** Whether the author of the model has to allow that others learn from its texts. */
  readonly requiresDistillable: boolean
  /** Seconds to the first token; soft. All of them are wished for; empty: none. */
  readonly latencyMax: readonly Threshold[]
  /** Tokens per second; soft. */
  readonly throughputMin: readonly Threshold[]
  /** What becomes of a prompt that is too long. */
  readonly compression: Compression
}

/** What so many of a hundred answers should keep to. */
export interface Threshold {
  readonly percent: RecentPercent
  readonly value: number
}

type PriceClass = 'prompt' | 'completion' | 'request' | 'image'
type MaxPrice = Readonly<Record<PriceClass, number | null>>

export const NO_PREFERENCES: Preferences = {
  order: [],
  only: null,
  ignore: [],
  allowsFallbacks: true,
  sort: null,
  sortsAcrossModels: false,
  maxPrice: null,
  deniesCollection: false,
  requiresZdr: false,
  quantizations: null,
  requiresParameters: false,
  requiresDistillable: false,
  latencyMax: [],
  throughputMin: [],
  compression: 'off',
}

/** Most requests under `/api/v1`: made once. */
const SMALL_ONLY: Preferences = { ...NO_PREFERENCES, compression: 'small' }

/** The preferences with what becomes of a prompt that is too long. */
export function withCompression(preferences: Preferences, compression: Compression): Preferences {
  if (preferences.compression === compression) return preferences
  return preferences === NO_PREFERENCES && compression === 'small' ? SMALL_ONLY : { ...preferences, compression }
}

const SORTS: ReadonlySet<unknown> = new Set(['price', 'throughput', 'latency'])

/** Reads the object. Throws GatewayError 400 for a member that means nothing; unknown members are OpenRouter's and ours to ignore. */
export function readPreferences(provider: Readonly<Record<string, unknown>> | null): Preferences {
  if (provider === null) return NO_PREFERENCES
  const quantizations = namesOf(provider, 'quantizations')
  return {
    order: namesOf(provider, 'order') ?? [],
    only: namesOf(provider, 'only'),
    ignore: namesOf(provider, 'ignore') ?? [],
    allowsFallbacks: provider['allow_fallbacks'] !== false,
    sort: sortOf(provider['sort']),
    sortsAcrossModels: (provider['sort'] as { partition?: unknown } | null | undefined)?.partition === 'none',
    maxPrice: maxPriceOf(provider['max_price']),
    deniesCollection: provider['data_collection'] === 'deny',
    requiresZdr: provider['zdr'] === true,
    quantizations: quantizations?.length ? quantizations : null,
    requiresParameters: requiresParameters(provider),
    requiresDistillable: provider['enforce_distillable_text'] === true,
    latencyMax: thresholdsOf(provider, 'preferred_max_latency'),
    throughputMin: thresholdsOf(provider, 'preferred_min_throughput'),
    compression: 'off',
  }
}

function namesOf(provider: Readonly<Record<string, unknown>>, name: string): readonly string[] | null {
  const value = provider[name]
  if (value === undefined || value === null) return null
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw wrong(name, 'a list of names')
  return value.map((each: string) => each.trim().toLowerCase().replaceAll(' ', '-'))
}

/** `exacto` sorts by a measure of tool calls that only OpenRouter has: the usual order is kept. */
function sortOf(value: unknown): Sort | null {
  const by = typeof value === 'object' && value !== null ? (value as { by?: unknown }).by : value
  if (by === undefined || by === null || by === 'exacto') return null
  if (!SORTS.has(by)) throw wrong('sort', 'price, throughput, latency or exacto')
  return by as Sort
}

function maxPriceOf(value: unknown): MaxPrice | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object') throw wrong('max_price', 'an object')
  const { prompt, completion, request, image } = value as Readonly<Record<string, unknown>>
  return { prompt: usdOf(prompt), completion: usdOf(completion), request: usdOf(request), image: usdOf(image) }
}

function usdOf(value: unknown): number | null {
  if (value === undefined || value === null) return null
  const usd = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value)
  if (!Number.isFinite(usd) || usd < 0) throw wrong('max_price', 'amounts in USD per million tokens')
  return usd
}

/** A number, which is that of the median, or some percentiles. */
function thresholdsOf(provider: Readonly<Record<string, unknown>>, name: string): readonly Threshold[] {
  const wish = provider[name]
  if (wish === undefined || wish === null) return []
  const percentiles = typeof wish === 'object' ? (wish as Readonly<Record<string, unknown>>) : { p50: wish }
  return RECENT_PERCENTS.flatMap((percent) => {
    const value = percentiles[`p${percent}`]
    if (value === undefined || value === null) return []
    if (typeof value !== 'number') throw wrong(name, 'a number, or an object of numbers called p50, p75, p90 and p99')
    return [{ percent, value }]
  })
}

const wrong = (name: string, expected: string): GatewayError =>
  new GatewayError('invalid_parameter', `"provider.${name}" must be ${expected}.`, { param: `provider.${name}` })

/** OpenRouter's names of providers whose backend type is called otherwise here. */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['google-ai-studio', 'gemini'],
  ['google-vertex', 'vertex'],
  ['amazon-bedrock', 'bedrock'],
  ['alibaba', 'qwen'],
  ['moonshotai', 'moonshot'],
  ['z-ai', 'zai'],
])

/**
 * Whether a backend is meant by a provider's name: its id or its type, which mean every region, or one of them with its
 * region behind a slash.
 */
export function isNamed({ backend }: Pick<Route, 'backend'>, name: string): boolean {
  const isOwn = (own: string): boolean => backend.id.toLowerCase() === own || backend.type === (TYPES.get(own) ?? own)
  if (isOwn(name)) return true
  const slash = name.indexOf('/')
  return slash > 0 && isOwn(name.slice(0, slash)) && backend.region?.toLowerCase() === name.slice(slash + 1)
}

/**
 * The preferences without a list of providers of which none serves the model here: it is about somebody else's. A list that names one of
 * these backends is kept, and then nothing else will do.
 */
export function knownPreferences(preferences: Preferences, backends: Iterable<Backend>): Preferences {
  const { only, order, allowsFallbacks } = preferences
  const isClosed = !allowsFallbacks && order.length > 0
  if (only === null && !isClosed) return preferences
  const known = [...backends]
  const isOurs = (names: readonly string[]): boolean =>
    names.some((name) => known.some((backend) => isNamed({ backend }, name)))
  return {
    ...preferences,
    only: only && isOurs(only) ? only : null,
    order: isClosed && !isOurs(order) ? [] : order,
  }
}

/**
 * Whether the backend is told the object as it is and follows it itself: OpenRouter in the client's own protocol, unless it is
 * the provider that is named.
 */
export function isFollowedBy({ backend }: Pick<Route, 'backend'>, isPassedOn: boolean, { only }: Preferences): boolean {
  return isPassedOn && backend.type === 'openrouter' && !only?.some((name) => isNamed({ backend }, name))
}

/** Why a route may not be used, in our word and in OpenRouter's (`excluded_by`). */
export interface Unwanted {
  readonly reason: 'whitelist' | 'price' | 'policy'
  readonly by: string
}

const WHITELIST: Unwanted = { reason: 'whitelist', by: 'allowed_providers' }
const PRICE: Unwanted = { reason: 'price', by: 'max_price' }
const TRAINING: Unwanted = { reason: 'policy', by: 'data_policy:training' }
const ZDR: Unwanted = { reason: 'policy', by: 'data_policy:zdr' }
const QUANTIZATION: Unwanted = { reason: 'policy', by: 'quantization' }
const DISTILLATION: Unwanted = { reason: 'policy', by: 'distillable_text' }
/** The tag of models whose author allows it. */
const DISTILLABLE_TAG = 'distillable'

/** Null when the route may be used. What is not known of a backend does not satisfy a wish (B13). */
export function excludedBy(route: Route, preferences: Preferences, isFollowed: boolean): Unwanted | null {
  const { order, only, ignore, allowsFallbacks, maxPrice, deniesCollection, requiresZdr } = preferences
  if (ignore.some((name) => isNamed(route, name))) return WHITELIST
  if (isFollowed) return null
  if (only && !only.some((name) => isNamed(route, name))) return WHITELIST
  if (!allowsFallbacks && order.length > 0 && !order.some((name) => isNamed(route, name))) return WHITELIST
  if (maxPrice && isDearer(route, maxPrice)) return PRICE
  const promises = route.backend.dataPolicy
  if (deniesCollection && !promises.some((policy) => policy === 'no_collection' || policy === 'no_store'))
    return TRAINING
  if (requiresZdr && !promises.some((policy) => policy === 'zdr' || policy === 'no_store')) return ZDR
  const { quantizations } = preferences
  if (quantizations && !quantizations.includes(route.quantization ?? 'unknown')) return QUANTIZATION
  return preferences.requiresDistillable && !route.model.tags.includes(DISTILLABLE_TAG) ? DISTILLATION : null
}

const PICO_PER_USD = 1e12
/** USD per million tokens is pico-USD per token, divided by a million. */
const PICO_PER_USD_PER_MILLION = 1e6

function isDearer({ price }: Route, max: MaxPrice): boolean {
  if (price === null) return true
  const isOver = (pico: bigint | null, unit: number, usd: number | null): boolean =>
    usd !== null && Number(pico ?? 0n) / unit > usd
  return (
    isOver(price.input, PICO_PER_USD_PER_MILLION, max.prompt) ||
    isOver(price.output, PICO_PER_USD_PER_MILLION, max.completion) ||
    isOver(price.request, PICO_PER_USD, max.request) ||
    isOver(price.image, PICO_PER_USD, max.image)
  )
}

/** Whether a target is known to be slower than the client would like it; nobody is excluded for that. */
export const isTooSlow = (recent: RecentSpeed, { latencyMax, throughputMin }: Preferences): boolean =>
  latencyMax.some(({ percent, value }) => (recent.ttftMs(percent) ?? 0) > value * 1000) ||
  throughputMin.some(({ percent, value }) => (recent.tokensPerSecond(percent) ?? Infinity) < value)
