import { type OpenRouterModel, openrouterModel } from '#catalog/listings/openrouter-models.ts'
import type { ListedModel, ListingFilter } from '#catalog/listings/select.ts'
import type { Catalog, Route } from '#catalog/types.ts'
import type { StatsSnapshot } from '#analytics/target-stats.ts'
import { findPreset } from '#providers/presets.ts'
import { percentilesObject, statsObject } from './stats-object.ts'

/** What is measured, and whether the caller may see how fast: OpenRouter tells that only with a key. */
interface Measured {
  readonly stats: StatsSnapshot | null
  readonly showsSpeed: boolean
}

/** `GET /api/v1/models/{id}/endpoints`: one endpoint per route; providers by label, never by host (R105). */
export function openRouterEndpoints(
  entry: ListedModel,
  catalog: Catalog,
  filter: ListingFilter,
  measured: Measured,
): unknown {
  const { data: model } = openrouterModel(catalog, entry.model.id, filter)!
  const { id, name, created, description, architecture } = model
  const endpoints = entry.routes.map((route) => ({
    ...endpointOf(model, route, pricingOf(route, catalog, filter)),
    ...figuresOf(route, measured),
  }))
  return { data: { id, name, created, description, architecture, endpoints } }
}

/** `GET /api/v1/providers`: the providers behind the listed models, each once. */
export function openRouterProviders(listed: readonly ListedModel[]): unknown {
  const types = new Set(listed.flatMap(({ routes }) => routes.map((route) => route.backend.type)))
  const data = [...types].sort().map((type) => ({
    name: labelOf(type),
    slug: type,
    privacy_policy_url: null,
    terms_of_service_url: null,
    status_page_url: null,
  }))
  return { data }
}

function endpointOf(model: OpenRouterModel, route: Route, pricing: OpenRouterModel['pricing']): object {
  const label = labelOf(route.backend.type)
  const hasTools = model.supported_parameters.includes('tool_choice')
  return {
    name: `${label} | ${model.id}`,
    model_id: model.id,
    model_name: model.name,
    // Never null there, unlike in the list of models.
    context_length: model.context_length ?? 0,
    pricing,
    provider_name: label,
    tag: route.backend.type,
    quantization: route.quantization ?? null,
    max_completion_tokens: model.top_provider.max_completion_tokens,
    max_prompt_tokens: null,
    supported_parameters: model.supported_parameters,
    status: 0,
    supports_implicit_caching: route.price?.cacheRead != null,
    supports_tool_choice: { auto: hasTools, function: hasTools, none: hasTools, required: hasTools },
  }
}

/**
 * OpenRouter's latency is the time to the first token. Null is "no data", which is not 0; how many measurements there are stands in
 * `stats`, which is ours (B20).
 */
function figuresOf(route: Route, { stats, showsSpeed }: Measured): object {
  const recent = stats?.ofTarget(route.model.id, route.backend.id, '30m')
  const known = stats?.ofTarget(route.model.id, route.backend.id)
  return {
    uptime_last_5m: recent?.uptime.last5m?.percent ?? null,
    uptime_last_30m: recent?.uptime.last30m?.percent ?? null,
    uptime_last_1d: recent?.uptime.last1d?.percent ?? null,
    latency_last_30m: showsSpeed ? percentilesObject(recent?.ttft) : null,
    throughput_last_30m: showsSpeed ? percentilesObject(recent?.throughput) : null,
    stats: showsSpeed && known ? statsObject(known) : null,
  }
}

/** A model is listed with its first route's price, so a catalog of this one route tells this route's. */
function pricingOf(route: Route, catalog: Catalog, filter: ListingFilter): OpenRouterModel['pricing'] {
  const alone = { ...catalog, routes: new Map([[route.model.id, [route]]]) }
  return openrouterModel(alone, route.model.id, filter)!.data.pricing
}

const labelOf = (type: string): string => findPreset(type)?.label ?? type
