import { GatewayError } from '#base/errors.ts'
import type { Backend, Route } from '#catalog/types.ts'
import type { Loss } from '#ir/extensions.ts'
import { atBackend, requireThinking, withoutThinking } from './at-backend.ts'
import { backendsOf, groupOf, openRouterOf, routesOf, type Scope } from './scope.ts'
import { carriedFault, nameOfMock } from './lab-model.ts'
import type { Found, Sort } from './selection.ts'
import { isVendor } from './vendors.ts'

/** One way to understand an id; null when it is not meant so. Pure; throws GatewayError for what is meant so and may not be. */
export type Lookup = (scope: Scope, id: string) => Found | null

/** Steps 5 to 10 of R43, in order, and the fault lab's own names: the first that knows the id decides. */
export const LOOKUPS: readonly (readonly [step: string, lookup: Lookup])[] = [
  ['exact id', exactId],
  ['fault lab', faultLab],
  ['backend prefix', backendPrefix],
  ['group or variant', groupOrVariant],
  ['thinking suffix', thinkingSuffix],
  ['vendor prefix', vendorPrefix],
  ['default backend', defaultBackend],
]

function exactId(scope: Scope, id: string): Found | null {
  const model = scope.catalog.models.get(id)
  if (!model) return null
  refuseBareNames(scope)
  return { model, routes: routesOf(scope, model), group: scope.group }
}

/** Names that no list shows (B12): `mock/x`, and `sim/fault-x`, which is an answer that goes wrong. */
function faultLab(scope: Scope, id: string): Found | null {
  const named = nameOfMock(scope.catalog, id)
  if (named !== null) return exactId(scope, named)
  const carried = carriedFault(scope.catalog, id)
  const found = carried && exactId(scope, carried.carrier)
  if (!found) return null
  const model = { ...found.model, id, displayName: id }
  const routes = found.routes.map((route) => ({ ...route, model, upstreamModel: id }))
  return { ...found, model, routes, fault: carried.fault }
}

/** `backend:model`: the colon stands before any slash, and what precedes it is a configured backend, or one of its keys (`backend.2`) (R29, C4). */
function backendPrefix(scope: Scope, id: string): Found | null {
  const colon = id.indexOf(':')
  const slash = id.indexOf('/')
  if (colon <= 0 || (slash >= 0 && slash < colon)) return null
  const name = id.slice(0, colon)
  const backend = scope.catalog.backends.get(name) ?? instanceOf(scope, name)
  if (!backend?.enabled) return null
  const isInstance = !scope.catalog.backends.has(name)
  const { disableBackendIds, disableBackendNames } = scope.routing
  if (isInstance ? disableBackendIds : disableBackendNames) throw rejected('names a backend')
  requireBackend(scope, name.replace(/\.\d+$/, ''))
  const found = atBackend(scope, backend, id.slice(colon + 1))
  return found && { ...found, isPinned: true }
}

/** `openrouter.2`: the second credential of a backend as a backend of its own. */
function instanceOf({ catalog }: Scope, name: string): Backend | null {
  const [, base, number] = /^(.+)\.(\d{1,4})$/.exec(name) ?? []
  const backend = base === undefined ? undefined : catalog.backends.get(base)
  const index = Number(number) - 1
  const credential = backend?.credentials[index]
  if (!backend || credential === undefined) return null
  return { ...backend, id: name, credentials: [credential], part: { of: backend.id, index } }
}

function requireBackend(scope: Scope, id: string): void {
  if (backendsOf(scope).has(id)) return
  throw new GatewayError('backend_not_allowed', `Your group may not use the backend "${id}".`, { param: 'model' })
}

/** What a variant asks the routes to be sorted by. */
const SORTS: Readonly<Record<string, Sort>> = { nitro: 'throughput', floor: 'price' }
/** Variants that change how OpenRouter chooses, and mean nothing at a vendor's own endpoint. */
const IDLE = new Set(['exacto', 'extended', 'beta'])
/** Variants of one id; more of them are a name that only looks so. */
const VARIANTS_MAX = 4

/** `base:suffix` with `base` a catalog id: a group of the key, or a variant. Variants stack (`x:free:online`). */
function groupOrVariant(scope: Scope, id: string): Found | null {
  return variantOf(scope, id, VARIANTS_MAX)
}

function variantOf(scope: Scope, id: string, variantsMax: number): Found | null {
  const colon = id.lastIndexOf(':')
  if (colon <= 0 || variantsMax === 0) return null
  const base = id.slice(0, colon)
  const suffix = id.slice(colon + 1)
  const model = scope.catalog.models.get(base)
  if (!model) {
    const stacked = isVariant(suffix) ? variantOf(scope, base, variantsMax - 1) : null
    return stacked && withVariant(stacked, suffix)
  }
  refuseBareNames(scope)
  if (scope.catalog.groups.has(suffix)) {
    if (!scope.groups.includes(suffix)) throw foreignGroup(suffix)
    return { model, routes: routesOf({ ...scope, group: suffix }, model), group: suffix }
  }
  return isVariant(suffix) ? withVariant({ model, routes: routesOf(scope, model), group: scope.group }, suffix) : null
}

const isVariant = (suffix: string): boolean =>
  Object.hasOwn(SORTS, suffix) || IDLE.has(suffix) || ['free', 'thinking', 'online'].includes(suffix)

/** The model as its variant wants it; null where there is no such variant. */
function withVariant(found: Found, suffix: string): Found | null {
  const { model, warnings = [] } = found
  if (suffix === 'free') return model.free ? found : null
  if (suffix === 'thinking') {
    requireThinking(model)
    return { ...found, thinking: true }
  }
  // OpenRouter has the variant itself; nobody else is told of it.
  const routes = found.routes.map((route) => atOpenRouter(route, suffix))
  if (Object.hasOwn(SORTS, suffix)) return { ...found, routes, sort: SORTS[suffix]! }
  const isTold = (route: Route): boolean => route.backend.type === 'openrouter'
  if (suffix === 'online') {
    const searching = routes.filter(isTold)
    if (searching.length > 0) return { ...found, routes: searching }
    const message = `No backend of "${model.id}" searches the web for ":online".`
    throw new GatewayError('unsupported_parameter', message, { param: 'model' })
  }
  if (routes.some(isTold)) return { ...found, routes }
  return { ...found, warnings: [...warnings, about('dropped', `the variant ${suffix} has no effect here`)] }
}

function atOpenRouter(route: Route, suffix: string): Route {
  const { backend, upstreamModel } = route
  if (backend.type !== 'openrouter' || upstreamModel.split(':').includes(suffix)) return route
  return { ...route, upstreamModel: `${upstreamModel}:${suffix}` }
}

const about = (action: Loss['action'], reason: string): Loss => ({ path: '/model', action, reason, isSevere: false })

/** A 403 for a group that the key is not in. */
export function foreignGroup(group: string): GatewayError {
  return new GatewayError('group_not_allowed', `Your key is not in the group "${group.slice(0, 64)}".`, {
    param: 'model',
  })
}

/** `-thinking` behind a catalog id, with or without a vendor before it (R33). */
function thinkingSuffix(scope: Scope, id: string): Found | null {
  const base = withoutThinking(id)
  if (base === null) return null
  const openRouter = base.includes('/') ? openRouterOf(scope) : null
  // At OpenRouter its own ids come first, and so does what it alone may know (C7).
  if (openRouter) return null
  const found = exactId(scope, base) ?? groupOrVariant(scope, base) ?? vendorPrefix(scope, base)
  if (!found) return null
  requireThinking(found.model)
  return { ...found, thinking: true }
}

/** `vendor/model`: as it is at an OpenRouter backend; elsewhere the vendor is left out where it is the model's own (R27, R28). */
function vendorPrefix(scope: Scope, id: string): Found | null {
  const slash = id.indexOf('/')
  // No vendor has a colon: that was meant as a backend, and there is none of that name.
  if (slash <= 0 || id.slice(0, slash).includes(':')) return null
  const openRouter = openRouterOf(scope)
  if (openRouter) {
    refuseBareNames(scope)
    return atBackend(scope, openRouter, id)
  }
  const bare = id.slice(slash + 1)
  const policy = groupOf(scope).vendorPrefixPolicy ?? scope.routing.vendorPrefixPolicy
  const found = exactOrVariant(scope, bare)
  if (!found || !isVendor(id.slice(0, slash), found.model.vendor)) return null
  if (policy === 'reject') {
    const message = `The model "${id.slice(0, 100)}" does not exist; here it is called "${found.model.id}".`
    throw new GatewayError('model_not_found', message, { param: 'model', suggestions: [found.model.id] })
  }
  return { ...found, warnings: [...(found.warnings ?? []), about('rewritten', 'model_normalized')] }
}

const exactOrVariant = (scope: Scope, id: string): Found | null => exactId(scope, id) ?? groupOrVariant(scope, id)

/** What no route claims goes to the default backend, its id unchanged (R42, C14). */
function defaultBackend(scope: Scope, id: string): Found | null {
  const group = groupOf(scope)
  const named = group.defaultBackend ?? scope.routing.defaultBackend
  if (named === null || !group.allowDefaultBackend) return null
  const colon = named.indexOf(':')
  const backend = scope.catalog.backends.get(colon < 0 ? named : named.slice(0, colon))
  if (!backend?.enabled) return null
  refuseBareNames(scope)
  return atBackend(scope, backend, id)
}

function refuseBareNames({ routing }: Scope): void {
  if (routing.disableModelNames) throw rejected('names no backend')
}

const rejected = (what: string): GatewayError =>
  new GatewayError('policy_rejected', `The operator does not allow a model string that ${what}.`, { param: 'model' })
