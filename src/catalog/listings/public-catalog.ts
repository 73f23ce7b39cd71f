import { ONE_PPM } from '#base/factors.ts'
import { formatPriceEach, formatPricePerMillion, type PicoUsd } from '#base/money.ts'
import type { Protocol } from '#base/protocols.ts'
import type { Catalog, Price, PriceTier, Route } from '#catalog/types.ts'
import type { Check } from '#catalog/discovery/checked-file.ts'
import { cheaperAlternatives } from './cheaper.ts'
import {
  findModel,
  listModels,
  parseRouteGroups,
  supportsThinking,
  vendorSlug,
  type ListedModel,
  type ListingFilter,
} from './select.ts'

/** Client protocol families of the public catalog, in the order they are listed (R47). */
const FAMILIES = ['openai', 'anthropic', 'gemini'] as const
export type ProtocolFamily = (typeof FAMILIES)[number]

/** Prices are decimal strings in USD per million tokens, `image` and `request` in USD each. */
export interface PricingProfile {
  readonly currency: string
  readonly input: string
  readonly output: string
  readonly cache_read: string | null
  readonly cache_write: string | null
  readonly cache_write_1h: string | null
  readonly reasoning: string | null
  readonly image: string | null
  readonly request: string | null
  readonly tiers: readonly (Pick<PricingProfile, PriceClass> & {
    readonly above_input_tokens: number
  })[]
  readonly source: Price['source']
  readonly version: string
  readonly updated_at: string | null
  /** The vendor's public price, where the account pays another (R93). */
  readonly list?: Pick<PricingProfile, PriceClass>
  /** How much less than that it pays, in percent; negative: more. */
  readonly saving_percent?: string
}

type PriceClass =
  | 'input'
  | 'output'
  | 'cache_read'
  | 'cache_write'
  | 'cache_write_1h'
  | 'reasoning'
  | 'image'
  | 'request'

export interface PublicModel {
  readonly id: string
  readonly display_name: string
  readonly vendor: string
  readonly context_window: number | null
  readonly max_tokens: number | null
  readonly pricing_profile: PricingProfile | null
  readonly tags: readonly string[]
  readonly route_groups: readonly string[]
  readonly protocols: readonly ProtocolFamily[]
  readonly protocols_by_group: Readonly<Record<string, readonly ProtocolFamily[]>>
  readonly translated_protocols: readonly ProtocolFamily[]
  readonly recommended_protocol: ProtocolFamily
  readonly description: string
  readonly input_modalities: readonly string[]
  readonly output_modalities: readonly string[]
  readonly released_at: string | null
  readonly supports_thinking: boolean
  readonly vendor_prefixes_by_group: Readonly<Record<string, readonly string[]>>
  /** Ids of cheaper models that can do the same (R75). */
  readonly cheaper_alternatives: readonly string[]
  readonly free: boolean
  /** What live checks of these groups found, beside what is declared (R121); empty: nobody checked it. */
  readonly verified: readonly PublicCheck[]
  /** Measured figures (R104); null while there are none. */
  readonly stats: object | null
}

export interface PublicCheck {
  readonly route_group: string
  readonly protocol: string
  /** ISO 8601. */
  readonly checked_at: string
  /** By the name of the probe: pass, fail or unsupported. */
  readonly results: Readonly<Record<string, string>>
}

export interface PublicCatalog {
  readonly object: 'list'
  readonly generated_at: string
  readonly data: readonly PublicModel[]
}

export interface PublicCatalogQuery {
  /** The raw `route_groups` parameter. */
  readonly routeGroups?: string | undefined
  readonly currency?: string
  /** Measured figures of a model; null: none. */
  readonly statsOf?: (modelId: string) => object | null
}

/** `GET /catalog/models`: public groups only, nothing that names a backend, a host, a key or an upstream's model (R46 to R48). */
export function publicCatalog(catalog: Catalog, query: PublicCatalogQuery = {}): PublicCatalog {
  const filter = publicFilter(query)
  const listed = listModels(catalog, filter)
  const prefixes = vendorPrefixes(listed)
  const cheaper = cheaperAlternatives(listed)
  return {
    object: 'list',
    generated_at: new Date(catalog.generatedMs).toISOString(),
    data: listed.map((entry) => publicItem(catalog, entry, prefixes, cheaper, query)),
  }
}

/** One item of the public catalog; undefined when it is not public. */
export function publicModel(catalog: Catalog, id: string, query: PublicCatalogQuery = {}): PublicModel | undefined {
  const filter = publicFilter(query)
  const entry = findModel(catalog, id, filter)
  if (!entry) return undefined
  const listed = listModels(catalog, filter)
  return publicItem(catalog, entry, vendorPrefixes(listed), cheaperAlternatives(listed), query)
}

const publicFilter = ({ routeGroups }: PublicCatalogQuery): ListingFilter => ({
  groups: parseRouteGroups(routeGroups),
  publicOnly: true,
})

function publicItem(
  { checks }: Catalog,
  { model, routes, price, listPrice }: ListedModel,
  prefixes: ReadonlyMap<string, readonly string[]>,
  cheaper: ReadonlyMap<string, readonly string[]>,
  { currency = 'USD', statsOf = () => null }: PublicCatalogQuery,
): PublicModel {
  const groups = [...new Set(routes.map((route) => route.group))]
  const inGroup = (group: string): Route[] => routes.filter((route) => route.group === group)
  const protocols = familiesOf(routes)
  return {
    id: model.id,
    display_name: model.displayName,
    vendor: vendorSlug(model),
    context_window: model.contextWindow,
    max_tokens: model.maxOutput,
    pricing_profile: price && { ...pricingProfile(price, currency), ...savingOf(listPrice) },
    tags: model.tags,
    route_groups: groups,
    protocols,
    protocols_by_group: Object.fromEntries(groups.map((group) => [group, familiesOf(inGroup(group))])),
    translated_protocols: model.kind === 'embedding' ? [] : FAMILIES.filter((family) => !protocols.includes(family)),
    recommended_protocol: recommendedProtocol(model.vendor, protocols),
    description: model.description,
    input_modalities: model.inputModalities,
    output_modalities: model.outputModalities,
    released_at: model.releasedAt,
    supports_thinking: supportsThinking(model),
    vendor_prefixes_by_group: Object.fromEntries(groups.map((group) => [group, prefixes.get(group) ?? []])),
    cheaper_alternatives: cheaper.get(model.id) ?? [],
    free: model.free,
    verified: (checks?.get(model.id) ?? []).filter(({ group }) => groups.includes(group)).map(publicCheck),
    stats: statsOf(model.id),
  }
}

const publicCheck = ({ group, protocol, checked_at, results }: Check): PublicCheck => ({
  route_group: group,
  protocol,
  checked_at,
  results,
})

/** Every model is callable through OpenAI's protocol; the others count where a route speaks them natively. */
function familiesOf(routes: readonly Route[]): ProtocolFamily[] {
  const native = new Set(routes.flatMap((route) => route.protocols.map(familyOf)))
  return FAMILIES.filter((family) => family === 'openai' || native.has(family))
}

function familyOf(protocol: Protocol): ProtocolFamily | null {
  switch (protocol) {
    case 'openai-chat':
    case 'openai-responses':
    case 'openai-embeddings':
      return 'openai'
    case 'anthropic-messages':
      return 'anthropic'
    case 'gemini':
      return 'gemini'
    case 'bedrock-converse':
    case 'cohere-chat':
      return null
    default:
      return protocol satisfies never
  }
}

/** The best native fit (R47): the vendor's own protocol where a route speaks it. */
export function recommendedProtocol(vendor: string, protocols: readonly ProtocolFamily[]): ProtocolFamily {
  if (vendor === 'anthropic' && protocols.includes('anthropic')) return 'anthropic'
  if (vendor === 'google' && protocols.includes('gemini')) return 'gemini'
  return 'openai'
}

/** R36: per group the authors in front of its OpenRouter models; a group without OpenRouter has none. */
function vendorPrefixes(listed: readonly ListedModel[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>()
  for (const route of listed.flatMap((entry) => entry.routes)) {
    const slash = route.upstreamModel.indexOf('/')
    if (route.backend.type !== 'openrouter' || slash <= 0) continue
    const group = found.get(route.group) ?? new Set()
    found.set(route.group, group.add(route.upstreamModel.slice(0, slash).toLowerCase()))
  }
  return new Map([...found].map(([group, slugs]) => [group, [...slugs].sort()]))
}

const perMillion = (price: PicoUsd | null): string | null => (price === null ? null : formatPricePerMillion(price))
const each = (price: PicoUsd | null): string | null => (price === null ? null : formatPriceEach(price))

/** A price as the catalog, the models page and the receipts show it. */
export function pricingProfile(price: Price, currency = 'USD'): PricingProfile {
  return {
    currency,
    ...priceClasses(price),
    tiers: price.tiers.map((tier) => ({ above_input_tokens: tier.aboveInputTokens, ...priceClasses(tier) })),
    source: price.source,
    version: price.version,
    updated_at: price.updatedAt,
  }
}

/** What stands beside a price that is not the list price; the percent is that of every class. */
function savingOf(list: Price | null): Pick<PricingProfile, 'list' | 'saving_percent'> {
  if (!list?.factors || list.factors.charged === ONE_PPM) return {}
  // Parts per million to percent: four digits behind the point.
  return { list: priceClasses(list), saving_percent: formatPricePerMillion((ONE_PPM - list.factors.charged) * 100n) }
}

const priceClasses = (price: Price | PriceTier) => ({
  input: formatPricePerMillion(price.input),
  output: formatPricePerMillion(price.output),
  cache_read: perMillion(price.cacheRead),
  cache_write: perMillion(price.cacheWrite),
  cache_write_1h: perMillion(price.cacheWrite1h),
  reasoning: perMillion(price.reasoning),
  image: each(price.image),
  request: each(price.request),
})
