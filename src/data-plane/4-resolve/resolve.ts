import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import type { Catalog, Model, Route } from '#catalog/types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { nearest } from '#base/nearest.ts'
import { labModel } from './lab-model.ts'

/** Keys belong to this group until groups are assigned. */
const GROUP = 'default'

/** The model a request means, and every route that may serve it. */
export interface Selection {
  readonly model: Model
  readonly routes: readonly Route[]
  readonly group: string
  /** What the model's name asks to go wrong (B12). */
  readonly fault?: string
}

/** Suggestions in a 404 (R45). */
const SUGGESTIONS_MAX = 3

/**
 * Finds the model: an exact catalog id, else an explicit `backend:model`. Exact ids win, because ids may hold colons
 * themselves (C4). Pure. Throws 403 model_not_allowed, 404 model_not_found, 503 no_available_backend.
 */
export function resolve(gateway: Gateway, _caller: Caller, parsed: Parsed): Selection {
  const catalog = gateway.catalog.current
  const model = catalog.models.get(parsed.model)
  if (model) return { model, routes: routesOf(catalog, model), group: GROUP }
  return labModel(catalog, parsed.model, GROUP) ?? pinned(catalog, parsed.model) ?? unknown(catalog, parsed.model)
}

function routesOf(catalog: Catalog, model: Model): readonly Route[] {
  const active = catalog.routes.get(model.id) ?? []
  const routes = active.filter((route) => route.group === GROUP)
  if (routes.length > 0) return routes
  if (active.length > 0) {
    throw new GatewayError('model_not_allowed', `The model "${model.id}" is not in your group.`, { param: 'model' })
  }
  throw new GatewayError('no_available_backend', `No backend can serve "${model.id}" at the moment.`, {
    param: 'model',
  })
}

/** `backend:model`: the colon stands before any slash, and what precedes it is a configured backend (R29). */
function pinned(catalog: Catalog, requested: string): Selection | null {
  const colon = requested.indexOf(':')
  const slash = requested.indexOf('/')
  if (colon <= 0 || (slash >= 0 && slash < colon)) return null
  const backend = catalog.backends.get(requested.slice(0, colon))
  const name = requested.slice(colon + 1)
  if (!backend || !backend.enabled || name === '' || climbs(name)) return null
  const routed = routeAt(catalog, backend.id, name)
  if (routed) return { model: routed.model, routes: [routed], group: GROUP }
  const known = catalog.models.get(name)
  const model: Model = known ? { ...known } : unlisted(name, backend.type)
  const route: Route = {
    model,
    backend,
    group: GROUP,
    upstreamModel: name,
    protocols: backend.protocols,
    priority: 0,
    weight: 1,
    active: true,
    price: known?.price ?? null,
  }
  return { model, routes: [route], group: GROUP }
}

/** A name that would leave its place in an upstream's path. */
const climbs = (name: string): boolean => name.split('/').some((part) => part === '' || part === '.' || part === '..')

/** A route of this backend that the name means: by the upstream's own model name first, else by our id. */
function routeAt(catalog: Catalog, backendId: string, name: string): Route | undefined {
  let byId: Route | undefined
  for (const routes of catalog.routes.values()) {
    for (const route of routes) {
      if (route.backend.id !== backendId) continue
      if (route.upstreamModel === name) return route
      if (route.model.id === name) byId = route
    }
  }
  return byId
}

/** A model that only its backend knows: nothing is assumed of it, and it has no price. */
function unlisted(id: string, vendor: string): Model {
  return {
    id,
    displayName: id,
    vendor,
    kind: 'chat',
    description: '',
    contextWindow: null,
    maxOutput: null,
    capabilities: new Set(),
    inputModalities: ['text'],
    outputModalities: ['text'],
    tags: [],
    releasedAt: null,
    free: false,
    price: null,
  }
}

function unknown(catalog: Catalog, requested: string): never {
  const shown = requested.slice(0, 100)
  const suggestions = nearest(requested, catalog.routes.keys(), SUGGESTIONS_MAX)
  const byName = [...catalog.models.values()].find(
    (model) => model.displayName === requested && catalog.routes.has(model.id),
  )
  if (byName) suggestions.splice(0, suggestions.length, byName.id)
  const hint = suggestions.length > 0 ? ` Did you mean ${suggestions.map((id) => `"${id}"`).join(', ')}?` : ''
  const message = `The model "${shown}" does not exist.${hint}`
  throw new GatewayError('model_not_found', message, { param: 'model', suggestions, requestedModels: [shown] })
}
