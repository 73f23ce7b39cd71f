import { type OpenRouterModel, openrouterModel } from '#catalog/listings/openrouter-models.ts'
import type { ListedModel, ListingFilter } from '#catalog/listings/select.ts'
import type { Catalog, Route } from '#catalog/types.ts'
import { findPreset } from '#providers/presets.ts'

/** `GET /api/v1/models/{id}/endpoints`: one endpoint per route; providers by label, never by host (R105). */
export function openRouterEndpoints(entry: ListedModel, catalog: Catalog, filter: ListingFilter): unknown {
  const { data: model } = openrouterModel(catalog, entry.model.id, filter)!
  const { id, name, created, description, architecture } = model
  const endpoints = entry.routes.map((route) => endpointOf(model, route, catalog, filter))
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

function endpointOf(model: OpenRouterModel, route: Route, catalog: Catalog, filter: ListingFilter): unknown {
  const label = labelOf(route.backend.type)
  return {
    name: `${label} | ${model.id}`,
    model_id: model.id,
    model_name: model.name,
    context_length: model.context_length,
    pricing: pricingOf(route, catalog, filter),
    provider_name: label,
    tag: route.backend.type,
    quantization: route.quantization ?? null,
    max_completion_tokens: model.top_provider.max_completion_tokens,
    max_prompt_tokens: null,
    supported_parameters: model.supported_parameters,
    status: 0,
    // Nothing is measured yet; null is "no data", which is not 0.
    uptime_last_5m: null,
    uptime_last_30m: null,
    uptime_last_1d: null,
    latency_last_30m: null,
    throughput_last_30m: null,
    supports_implicit_caching: route.price?.cacheRead != null,
  }
}

/** A model is listed with its first route's price, so a catalog of this one route tells this route's. */
function pricingOf(route: Route, catalog: Catalog, filter: ListingFilter): OpenRouterModel['pricing'] {
  const alone = { ...catalog, routes: new Map([[route.model.id, [route]]]) }
  return openrouterModel(alone, route.model.id, filter)!.data.pricing
}

const labelOf = (type: string): string => findPreset(type)?.label ?? type
