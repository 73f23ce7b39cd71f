import { GatewayError } from '#base/errors.ts'
import { formatPriceEach, type PicoUsd } from '#base/money.ts'
import type { Catalog, Model, Price, PriceTier } from '#catalog/types.ts'
import {
  createdSeconds,
  findModel,
  listModels,
  movingFlag,
  supportsThinking,
  vendorSlug,
  type ListedModel,
  type ListingFilter,
} from './select.ts'

/** Bounds of OpenRouter's paging (openrouter-api section 6). */
export const OPENROUTER_LIMIT_MAX = 1000
export const OPENROUTER_LIMIT_DEFAULT = 500
/** OpenRouter's own way to say that a price is not known in advance; its schema has no null here. */
const UNKNOWN_PRICE = '-1'

/** All required keys of OpenRouter's `Model`, besides those that OpenAI clients read (openrouter-api section 3). */
export interface OpenRouterModel {
  readonly id: string
  readonly object: 'model'
  readonly owned_by: string
  readonly canonical_slug: string
  readonly name: string
  readonly description: string
  readonly created: number
  readonly pricing: OpenRouterPricing
  readonly context_length: number | null
  readonly architecture: {
    readonly input_modalities: readonly string[]
    readonly output_modalities: readonly string[]
    readonly modality: string
    readonly tokenizer: 'Other'
    readonly instruct_type: null
  }
  readonly top_provider: {
    readonly is_moderated: false
    readonly context_length: number | null
    readonly max_completion_tokens: number | null
  }
  readonly per_request_limits: null
  readonly supported_parameters: readonly string[]
  readonly default_parameters: null
  readonly supported_voices: null
  readonly links: { readonly details: string }
  /** Present where the id does not always mean the same model (R44). */
  readonly alias?: true
}

/** Strings in USD per token; `image` and `request` in USD each. */
export interface OpenRouterPricing {
  readonly prompt: string
  readonly completion: string
  readonly request?: string
  readonly image?: string
  readonly input_cache_read?: string
  readonly input_cache_write?: string
  readonly input_cache_write_1h?: string
  readonly internal_reasoning?: string
  readonly overrides?: readonly (OpenRouterPricing & { readonly min_prompt_tokens: number })[]
}

export interface OpenRouterModelList {
  readonly object: 'list'
  readonly data: readonly OpenRouterModel[]
  readonly total_count: number
  readonly links: { readonly next: string | null }
}

export interface OpenRouterQuery {
  readonly q?: string
  readonly supportedParameters?: readonly string[]
  /** Null: all; the wire's default is text. */
  readonly outputModalities: readonly string[] | null
  /** Both absent: the whole list. */
  readonly offset?: number
  readonly limit?: number
}

/** The filters of `GET /api/v1/models` that this version knows. Throws GatewayError invalid_parameter. */
export function parseOpenRouterQuery(query: Readonly<Record<string, unknown>>): OpenRouterQuery {
  const text = (name: string): string | undefined => {
    const value = query[name]
    const joined = Array.isArray(value) ? value.join(',') : value
    return typeof joined === 'string' && joined !== '' ? joined : undefined
  }
  const list = (name: string): string[] | undefined =>
    text(name)
      ?.split(',')
      .map((part) => part.trim().toLowerCase())
  const count = (name: string, min: number, max: number): number | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (/^\d{1,9}$/.test(value) && Number(value) >= min && Number(value) <= max) return Number(value)
    throw new GatewayError('invalid_parameter', `${name} must be an integer from ${min} to ${max}.`, { param: name })
  }
  const q = text('q')
  const parameters = list('supported_parameters')
  const modalities = list('output_modalities') ?? ['text']
  const offset = count('offset', 0, 999_999_999)
  const limit = count('limit', 1, OPENROUTER_LIMIT_MAX)
  return {
    ...(q !== undefined && { q }),
    ...(parameters && { supportedParameters: parameters }),
    outputModalities: modalities.includes('all') ? null : modalities,
    ...(offset !== undefined && { offset }),
    ...(limit !== undefined && { limit }),
  }
}

/** `GET /api/v1/models`. Without a query object every kind of model is listed. */
export function openrouterModels(
  catalog: Catalog,
  filter: ListingFilter = {},
  query: OpenRouterQuery = { outputModalities: null },
): OpenRouterModelList {
  const matching = listModels(catalog, filter)
    .map(openrouterItem)
    .filter((model) => matches(model, query))
  const paged = query.offset !== undefined || query.limit !== undefined
  const start = query.offset ?? 0
  const end = paged ? start + (query.limit ?? OPENROUTER_LIMIT_DEFAULT) : matching.length
  return {
    object: 'list',
    data: matching.slice(start, end),
    total_count: matching.length,
    links: { next: end < matching.length ? nextLink(query, end) : null },
  }
}

/** `GET /api/v1/models/count`. */
export const openrouterModelCount = (catalog: Catalog, filter: ListingFilter, query: OpenRouterQuery) => ({
  data: { count: openrouterModels(catalog, filter, query).total_count },
})

/** `GET /api/v1/model/{author}/{slug}`: a bare id is addressed as `{vendor}/{id}` too; undefined when there is none. */
export function openrouterModel(
  catalog: Catalog,
  id: string,
  filter: ListingFilter = {},
): { readonly data: OpenRouterModel } | undefined {
  const slash = id.indexOf('/')
  const exact = findModel(catalog, id, filter)
  const bare = exact === undefined && slash > 0 ? findModel(catalog, id.slice(slash + 1), filter) : undefined
  const entry = exact ?? (bare && vendorSlug(bare.model) === id.slice(0, slash) ? bare : undefined)
  return entry && { data: openrouterItem(entry) }
}

function openrouterItem({ model, price }: ListedModel): OpenRouterModel {
  const slug = model.id.includes('/') ? model.id : `${vendorSlug(model)}/${model.id}`
  return {
    id: model.id,
    object: 'model',
    owned_by: vendorSlug(model),
    canonical_slug: slug,
    name: model.displayName,
    description: model.description,
    created: createdSeconds(model),
    pricing: pricingOf(price),
    context_length: model.contextWindow,
    architecture: {
      input_modalities: model.inputModalities,
      output_modalities: model.outputModalities,
      modality: `${model.inputModalities.join('+')}->${model.outputModalities.join('+')}`,
      tokenizer: 'Other',
      instruct_type: null,
    },
    top_provider: {
      is_moderated: false,
      context_length: model.contextWindow,
      max_completion_tokens: model.maxOutput,
    },
    per_request_limits: null,
    supported_parameters: supportedParameters(model),
    default_parameters: null,
    supported_voices: null,
    links: { details: `/api/v1/models/${slug.split('/').map(encodeURIComponent).join('/')}/endpoints` },
    ...movingFlag(model),
  }
}

function pricingOf(price: Price | null): OpenRouterPricing {
  if (price === null) return { prompt: UNKNOWN_PRICE, completion: UNKNOWN_PRICE }
  const overrides = price.tiers.map((tier) => ({ min_prompt_tokens: tier.aboveInputTokens + 1, ...classesOf(tier) }))
  return { ...classesOf(price), ...(overrides.length > 0 && { overrides }) }
}

function classesOf(price: Price | PriceTier): OpenRouterPricing {
  const optional = (name: string, value: PicoUsd | null) => (value === null ? {} : { [name]: formatPriceEach(value) })
  return {
    prompt: formatPriceEach(price.input),
    completion: formatPriceEach(price.output),
    ...optional('request', price.request),
    ...optional('image', price.image),
    ...optional('input_cache_read', price.cacheRead),
    ...optional('input_cache_write', price.cacheWrite),
    ...optional('input_cache_write_1h', price.cacheWrite1h),
    ...optional('internal_reasoning', price.reasoning),
  }
}

/** Names as OpenRouter spells them. */
function supportedParameters(model: Model): string[] {
  if (model.kind === 'embedding') return model.capabilities.has('dimensions') ? ['dimensions'] : []
  const has = (...names: string[]): boolean => names.some((name) => model.capabilities.has(name))
  return [
    'max_tokens',
    'stop',
    'temperature',
    'top_p',
    ...(has('tools') ? ['tools', 'tool_choice'] : []),
    ...(has('json_mode', 'json_schema') ? ['response_format'] : []),
    ...(has('json_schema') ? ['structured_outputs'] : []),
    ...(supportsThinking(model) ? ['reasoning', 'include_reasoning'] : []),
  ]
}

function matches(model: OpenRouterModel, query: OpenRouterQuery): boolean {
  const wanted = query.q?.toLowerCase()
  if (wanted !== undefined && ![model.id, model.name].some((field) => field.toLowerCase().includes(wanted))) {
    return false
  }
  if (query.supportedParameters?.some((name) => !model.supported_parameters.includes(name))) return false
  const { outputModalities } = query
  return (
    outputModalities === null || model.architecture.output_modalities.some((name) => outputModalities.includes(name))
  )
}

function nextLink(query: OpenRouterQuery, offset: number): string {
  const next = new URLSearchParams()
  if (query.q !== undefined) next.set('q', query.q)
  if (query.supportedParameters) next.set('supported_parameters', query.supportedParameters.join(','))
  next.set('output_modalities', query.outputModalities?.join(',') ?? 'all')
  next.set('offset', String(offset))
  next.set('limit', String(query.limit ?? OPENROUTER_LIMIT_DEFAULT))
  return `/api/v1/models?${next}`
}
