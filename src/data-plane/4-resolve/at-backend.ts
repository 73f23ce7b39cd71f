import { GatewayError } from '#base/errors.ts'
import type { Backend, Catalog, Model, Route } from '#catalog/types.ts'
import type { Scope } from './scope.ts'
import type { Found } from './selection.ts'

export const THINKING_SUFFIX = '-thinking'

/** Capabilities of models that reason when asked to (R33); the catalog says the same of them (R36). */
export const REASONING: readonly string[] = ['thinking', 'reasoning']

/**
 * A model at one backend, by the upstream's own name of it. A name that the catalog knows brings its price and its facts; any
 * other one is passed on as it is, and the upstream decides (R27). Null for a name that would leave its place in a path.
 */
export function atBackend(scope: Scope, backend: Backend, name: string): Found | null {
  if (name === '' || climbs(name)) return null
  const { catalog, group } = scope
  const known = routeAt(catalog, backend.id, name)
  if (known) return { model: known.model, routes: [moved(known, backend)], group }
  const base = withoutThinking(name)
  const reasoning = base === null ? undefined : routeAt(catalog, backend.id, base)
  if (reasoning) {
    requireThinking(reasoning.model)
    return { model: reasoning.model, routes: [moved(reasoning, backend)], group, thinking: true }
  }
  return { ...unlistedAt(catalog, backend, name, group), group }
}

/** Null when the id has no such suffix. */
export function withoutThinking(id: string): string | null {
  return id.endsWith(THINKING_SUFFIX) && id.length > THINKING_SUFFIX.length
    ? id.slice(0, -THINKING_SUFFIX.length)
    : null
}

/** Throws 400 thinking_not_supported. */
export function requireThinking(model: Model): void {
  if (REASONING.some((capability) => model.capabilities.has(capability))) return
  const message = `The model "${model.id}" does not reason; call it without "${THINKING_SUFFIX}".`
  throw new GatewayError('thinking_not_supported', message, { param: 'model' })
}

/** The same route when it is at this very backend; one instance of it otherwise. */
const moved = (route: Route, backend: Backend): Route => (route.backend === backend ? route : { ...route, backend })

function unlistedAt(catalog: Catalog, backend: Backend, name: string, group: string): Pick<Found, 'model' | 'routes'> {
  const known = catalog.models.get(name)
  const model: Model = known ? { ...known } : unlisted(name, backend.type)
  const route: Route = {
    model,
    backend,
    group,
    upstreamModel: name,
    protocols: backend.protocols,
    priority: 0,
    weight: 1,
    active: true,
    price: known?.price ?? null,
    defaultParams: {},
    maxContext: null,
  }
  return { model, routes: [route] }
}

/** A name that would leave its place in an upstream's path. */
const climbs = (name: string): boolean => name.split('/').some((part) => part === '' || part === '.' || part === '..')

/** A route of this backend that the name means: by the upstream's own model name first, else by our id. */
export function routeAt(catalog: Catalog, backendId: string, name: string): Route | undefined {
  const plain = backendId.replace(/\.\d+$/, '')
  let byId: Route | undefined
  for (const routes of catalog.routes.values()) {
    for (const route of routes) {
      if (route.backend.id !== backendId && route.backend.id !== plain) continue
      if (route.upstreamModel === name) return route
      if (route.model.id === name) byId = route
    }
  }
  return byId
}

/** A model that only its backend knows: nothing is assumed of it, and it has no price. */
export function unlisted(id: string, vendor: string): Model {
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
    fallbacks: [],
    contextFallbacks: [],
    larger: null,
    strategy: null,
    thinking: null,
  }
}
