import { ONE_PPM, withFactors } from '#base/factors.ts'
import { GatewayError } from '#base/errors.ts'
import type { Backend, Catalog, Group, Model, Price, Route } from '#catalog/types.ts'
import { REPORTED_PRICE } from '#ledger/cost.ts'
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
  const known = routeAt(scope, backend.id, name)
  if (known) return { model: known.model, routes: [moved(catalog, known, backend, group)], group }
  const base = withoutThinking(name)
  const reasoning = base === null ? undefined : routeAt(scope, backend.id, base)
  if (reasoning) {
    requireThinking(reasoning.model)
    return { model: reasoning.model, routes: [moved(catalog, reasoning, backend, group)], group, thinking: true }
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

/** The route at this very backend, or instance of it. What another group pays and says there is not this one's. */
function moved(catalog: Catalog, route: Route, backend: Backend, group: string): Route {
  if (route.group !== group) {
    const { price } = route.model
    const own = price && priceAt(price, backend, catalog.groups.get(group))
    return { ...route, backend, group, price: own, defaultParams: NO_PARAMS }
  }
  return route.backend === backend ? route : { ...route, backend }
}

/** A price where no route says more. */
const priceAt = (price: Price, { costFactor = ONE_PPM }: Backend, group: Group | undefined): Price =>
  withFactors(price, costFactor, group?.chargeFactor ?? ONE_PPM)

const NO_PARAMS = {}

function unlistedAt(catalog: Catalog, backend: Backend, name: string, group: string): Pick<Found, 'model' | 'routes'> {
  const known = catalog.models.get(name)
  const model: Model = known ? { ...known } : unlisted(name, backend.type)
  const price = known?.price ?? (backend.reportsCost ? REPORTED_PRICE : null)
  const route: Route = {
    model,
    backend,
    group,
    upstreamModel: name,
    protocols: backend.protocols,
    priority: 0,
    weight: 1,
    active: true,
    price: price && priceAt(price, backend, catalog.groups.get(group)),
    defaultParams: {},
    maxContext: null,
    ...(known?.minTier === undefined ? {} : { minTier: known.minTier }),
  }
  return { model, routes: [route] }
}

/** A name that would leave its place in an upstream's path. */
const climbs = (name: string): boolean => name.split('/').some((part) => part === '' || part === '.' || part === '..')

// A catalog is one immutable picture: where its names lead is found once per backend.
const indexes = new WeakMap<Catalog, Map<string, RouteIndex>>()

/** By name at one backend; of several groups where it has routes in several. */
type RouteIndex = ReadonlyMap<string, readonly Route[]>

/** A route of this backend that the name means: the upstream's own model name before our id, the request's group before others. */
export function routeAt({ catalog, group }: Scope, backendId: string, name: string): Route | undefined {
  const plain = catalog.backends.has(backendId) ? backendId : backendId.replace(/\.\d+$/, '')
  let byBackend = indexes.get(catalog)
  if (!byBackend) indexes.set(catalog, (byBackend = new Map()))
  let index = byBackend.get(plain)
  if (!index) byBackend.set(plain, (index = indexOf(catalog, plain)))
  const routes = index.get(name)
  return routes?.find((route) => route.group === group) ?? routes?.[0]
}

function indexOf(catalog: Catalog, backendId: string): RouteIndex {
  const own = [...catalog.routes.values()].flat().filter(({ backend }) => backend.id === backendId)
  const byUpstream = Map.groupBy(own, ({ upstreamModel }) => upstreamModel)
  const byId = Map.groupBy(own, ({ model }) => model.id)
  return new Map([...byId, ...byUpstream])
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
