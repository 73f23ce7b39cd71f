import { GatewayError } from '#base/errors.ts'
import type { Backend, Route } from '#catalog/types.ts'
import type { Sort } from '#data-plane/4-resolve/selection.ts'

/** OpenRouter's `provider` object as far as a gateway's own routes can follow it (openrouter-api.md). */
export interface Preferences {
  readonly order: readonly string[]
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
  readonly allowsFallbacks: boolean
  readonly sort: Sort | null
  /** USD per million tokens; null: any price. */
  readonly maxPrice: { readonly prompt: number | null; readonly completion: number | null } | null
  readonly deniesCollection: boolean
  readonly requiresZdr: boolean
}

export const NO_PREFERENCES: Preferences = {
  order: [],
  only: null,
  ignore: [],
  allowsFallbacks: true,
  sort: null,
  maxPrice: null,
  deniesCollection: false,
  requiresZdr: false,
}

const SORTS: ReadonlySet<unknown> = new Set(['price', 'throughput', 'latency'])

/** Reads the object. Throws GatewayError 400 for a member that means nothing; unknown members are OpenRouter's and ours to ignore. */
export function readPreferences(provider: Readonly<Record<string, unknown>> | null): Preferences {
  if (provider === null) return NO_PREFERENCES
  return {
    order: namesOf(provider, 'order') ?? [],
    only: namesOf(provider, 'only'),
    ignore: namesOf(provider, 'ignore') ?? [],
    allowsFallbacks: provider['allow_fallbacks'] !== false,
    sort: sortOf(provider['sort']),
    maxPrice: maxPriceOf(provider['max_price']),
    deniesCollection: provider['data_collection'] === 'deny',
    requiresZdr: provider['zdr'] === true,
  }
}

function namesOf(provider: Readonly<Record<string, unknown>>, name: string): readonly string[] | null {
  const value = provider[name]
  if (value === undefined || value === null) return null
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) throw wrong(name, 'a list of names')
  return value.map((each: string) => each.trim().toLowerCase().replaceAll(' ', '-'))
}

function sortOf(value: unknown): Sort | null {
  if (value === undefined || value === null) return null
  const by = typeof value === 'object' ? (value as { by?: unknown }).by : value
  if (!SORTS.has(by)) throw wrong('sort', 'price, throughput or latency')
  return by as Sort
}

function maxPriceOf(value: unknown): Preferences['maxPrice'] {
  if (value === undefined || value === null) return null
  if (typeof value !== 'object') throw wrong('max_price', 'an object')
  const { prompt, completion } = value as Readonly<Record<string, unknown>>
  return { prompt: usdOf(prompt), completion: usdOf(completion) }
}

function usdOf(value: unknown): number | null {
  if (value === undefined || value === null) return null
  const usd = Number(value)
  if (!Number.isFinite(usd) || usd < 0) throw wrong('max_price', 'amounts in USD per million tokens')
  return usd
}

const wrong = (name: string, expected: string): GatewayError =>
  new GatewayError('invalid_parameter', `"provider.${name}" must be ${expected}.`, { param: `provider.${name}` })

/** OpenRouter's names of providers whose backend type is called otherwise here. */
const TYPES: Readonly<Record<string, string>> = {
  'google-ai-studio': 'gemini',
  'google-vertex': 'vertex',
  'amazon-bedrock': 'bedrock',
  alibaba: 'qwen',
  moonshotai: 'moonshot',
  'z-ai': 'zai',
}

/** Whether a backend is meant by a provider's name: its id, its type, or either with a suffix behind a slash. */
export function isNamed({ backend }: { readonly backend: Backend }, name: string): boolean {
  const plain = name.split('/')[0]!
  return [backend.id.toLowerCase(), backend.type].some((own) => own === name || own === plain || own === TYPES[plain])
}

/**
 * The preferences without a list of providers of which this gateway knows none: it is about somebody else's. A list that names one of
 * its backends is kept, and then nothing else will do.
 */
export function knownPreferences(preferences: Preferences, backends: Iterable<Backend>): Preferences {
  const { only } = preferences
  if (only === null) return preferences
  const known = [...backends]
  const isOurs = only.some((name) => known.some((backend) => isNamed({ backend }, name)))
  return isOurs ? preferences : { ...preferences, only: null }
}

/** Why a route may not be used; null when it may. */
export function excludedBy(route: Route, preferences: Preferences): 'whitelist' | 'price' | 'policy' | null {
  const { only, ignore, maxPrice, deniesCollection, requiresZdr } = preferences
  if (only && !only.some((name) => isNamed(route, name))) return 'whitelist'
  if (ignore.some((name) => isNamed(route, name))) return 'whitelist'
  if (maxPrice && isDearer(route, maxPrice)) return 'price'
  const promises = route.backend.dataPolicy
  if (deniesCollection && !promises.some((policy) => policy === 'no_collection' || policy === 'no_store'))
    return 'policy'
  return requiresZdr && !promises.some((policy) => policy === 'zdr' || policy === 'no_store') ? 'policy' : null
}

/** USD per million tokens is pico-USD per token, divided by a million. */
const PICO_PER_USD_PER_MILLION = 1_000_000

function isDearer({ price }: Route, { prompt, completion }: NonNullable<Preferences['maxPrice']>): boolean {
  if (price === null) return true
  const usdOf = (pico: bigint): number => Number(pico) / PICO_PER_USD_PER_MILLION
  return (prompt !== null && usdOf(price.input) > prompt) || (completion !== null && usdOf(price.output) > completion)
}
