import { GatewayError } from '#base/errors.ts'
import { reachesTier } from '#base/tiers.ts'
import type { Backend, Catalog, Group, Model, Route } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import type { AllowList } from './allow-list.ts'
import type { Found } from './selection.ts'

/** The conventional first group, of every key that has no other. */
export const DEFAULT_GROUP = 'default'

/** What a lookup may know: the catalog as one key sees it. */
export interface Scope {
  readonly catalog: Catalog
  readonly routing: Settings['routing']
  /** The key's groups, its primary one first. */
  readonly groups: readonly string[]
  /** The one that this request is in. */
  readonly group: string
  /** What the key is restricted to. */
  readonly allowed: AllowList
  /** What the key falls back to where the model names nothing itself (R68). */
  readonly fallbacks: readonly string[]
  /** That of the account; null: whoever asks is the operator. */
  readonly tier: string | null
}

/** Routes of a model that its group may use. Throws 403 model_not_allowed, 503 no_available_backend. */
export function routesOf({ catalog, group }: Scope, model: Model): readonly Route[] {
  const active = catalog.routes.get(model.id) ?? []
  const routes = active.filter((route) => route.group === group)
  if (routes.length > 0) return routes
  if (active.length > 0) {
    throw new GatewayError('model_not_allowed', `The model "${model.id}" is not in your group.`, { param: 'model' })
  }
  throw new GatewayError('no_available_backend', `No backend can serve "${model.id}" at the moment.`, {
    param: 'model',
  })
}

/** What the account's tier reaches of what was found. Throws 403 tier_required where that is nothing. */
export function withinTier({ catalog, tier }: Scope, found: Found): Found {
  const { tiers } = catalog
  // Without tiers nothing asks for one, and nearly nobody has any.
  if (tier === null || !tiers?.length) return found
  const routes = found.routes.filter(({ minTier }) => minTier === undefined || reachesTier(tiers, tier, minTier))
  if (routes.length === found.routes.length) return found
  if (routes.length > 0) return { ...found, routes }
  const wanted = new Set(found.routes.map(({ minTier }) => minTier))
  const lowest = tiers.find((name) => wanted.has(name)) ?? [...wanted][0]!
  const message = `"${found.model.id}" needs the tier "${lowest}"; this account's is "${tier}".`
  throw new GatewayError('tier_required', message, { param: 'model' })
}

const NO_GROUP: Omit<Group, 'id'> = {
  public: true,
  allowDefaultBackend: false,
  defaultBackend: null,
  strategy: null,
  vendorPrefixPolicy: null,
  backends: null,
  fallbacks: [],
  regions: [],
  dataPolicy: [],
}

export const groupOf = ({ catalog, group }: Scope): Group => catalog.groups.get(group) ?? { id: group, ...NO_GROUP }

const groupsByCatalog = new WeakMap<Catalog, readonly string[]>()

/** All groups, the default one first. */
export function everyGroup(catalog: Catalog): readonly string[] {
  let groups = groupsByCatalog.get(catalog)
  if (!groups) groupsByCatalog.set(catalog, (groups = [...new Set([DEFAULT_GROUP, ...catalog.groups.keys()])]))
  return groups
}

// A catalog is one immutable picture, so what follows from it is found out once.
const reachable = new WeakMap<Catalog, Map<string, ReadonlySet<string>>>()

/**
 * The backends that a group may name: those that it lists, else those that its routes lead to; the default group, where nothing
 * is listed, all of them.
 */
export function backendsOf(scope: Scope): ReadonlySet<string> {
  const { catalog, group } = scope
  let known = reachable.get(catalog)
  if (!known) reachable.set(catalog, (known = new Map()))
  let backends = known.get(group)
  if (!backends) known.set(group, (backends = new Set(listBackends(scope))))
  return backends
}

function listBackends(scope: Scope): readonly string[] {
  const { backends, defaultBackend } = groupOf(scope)
  if (backends) return backends
  if (scope.group === DEFAULT_GROUP) return [...scope.catalog.backends.keys()]
  const routed = [...scope.catalog.routes.values()].flat().filter(({ group }) => group === scope.group)
  const ids = routed.map(({ backend }) => backend.id)
  return defaultBackend ? [...ids, defaultBackend.split(':')[0]!] : ids
}

/** The OpenRouter backend where vendor prefixes mean something (R27); null: nowhere. */
export function openRouterOf(scope: Scope): Backend | null {
  for (const id of backendsOf(scope)) {
    const backend = scope.catalog.backends.get(id)
    if (backend?.enabled && backend.type === 'openrouter') return backend
  }
  return null
}
