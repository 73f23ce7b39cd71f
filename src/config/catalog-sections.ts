import { factorOf, timesFactor } from '#base/factors.ts'
import { formatPricePerMillion } from '#base/money.ts'
import { isEmbedding } from '#catalog/kinds.ts'
import { findReference } from '#catalog/reference.ts'
import { findPreset, SERVED_ADAPTERS } from '#providers/presets.ts'
import { oneBillWarnings } from './one-bill.ts'
import { readBackend, type Findings, type ProviderInput } from './backends.ts'
import type { BackendSettings, CatalogSettings, ModelSettings, RouteSettings } from '#catalog/settings.ts'
import type { Environment } from './environment.ts'
import { readPrice } from '#catalog/read-price.ts'
import type { ConfigFile, RouteFile } from './schema.ts'
import { addManaged, type ManagedRoute } from './managed-routes.ts'
import { addDiscovered, type DiscoveredModels } from './discovered.ts'
import { offeredRoutes, readGroups, readModels, readRoute, unknownModel } from './sections.ts'
import { nearest } from './suggest.ts'

/** Everything the catalog is built from, with its references checked. Faults are pushed to `findings`. */
export function readCatalog(
  file: ConfigFile,
  providers: ReadonlyMap<string, ProviderInput>,
  env: Environment,
  discovered: DiscoveredModels,
  managed: readonly ManagedRoute[],
  findings: Findings,
): CatalogSettings {
  const backends: Record<string, BackendSettings> = {}
  for (const [id, entry] of Object.entries(file.backends ?? {})) {
    const backend = readBackend(id, entry, providers, env, file.identity, findings)
    if (backend !== undefined) backends[id] = backend
  }
  const models = readModels(file.models ?? [], findings.errors)
  const listed: ModelSettings[] = []
  const known = new Map(models.map((model) => [model.id, model]))
  const routes: RouteSettings[] = []
  for (const [id, entry] of Object.entries(file.backends ?? {})) {
    for (const [index, offer] of offeredRoutes(id, entry).entries()) {
      if (!known.has(offer.model) && !isReference(offer.model)) {
        const model = unknownModel(offer.model)
        known.set(model.id, model)
        listed.push(model)
      }
      addRoute(offer, `backends.${id}.models[${index}]`, known, file, backends, routes, findings)
    }
  }
  for (const [index, route] of (file.routes ?? []).entries()) {
    addRoute(route, `routes[${index}]`, known, file, backends, routes, findings)
  }
  warnOfLosses(routes, backends, file, findings)
  const unpriced = file.unpriced?.price
  const all = [...models, ...listed]
  checkNames(Object.keys(file.backends ?? {}), all, routes, file, findings)
  addDiscovered(discovered, backends, all, routes, findings)
  findings.warnings.push(...oneBillWarnings(file, all, routes, backends))
  const offering = offerReference(backends, routes, file, findings)
  const everyModel = new Map(all.map((model) => [model.id, model]))
  addManaged(managed, routes, findings, (entry, path, into, own) =>
    addRoute(entry, path, everyModel, file, backends, into, own),
  )
  return {
    backends: offering,
    models: all,
    routes,
    groups: readGroups(file, routes),
    tiers: (file.tiers ?? []).map(({ name }) => name),
    fallbackPrice: unpriced ? readPrice(unpriced, 'unpriced.price', findings.errors) : null,
  }
}

/** Selling below cost is the operator's right, but seldom what was meant (R93). */
function warnOfLosses(
  routes: readonly RouteSettings[],
  backends: Readonly<Record<string, BackendSettings>>,
  file: ConfigFile,
  findings: Findings,
): void {
  for (const { model, backend, group, factor } of routes) {
    const metered = factorOf(backends[backend]?.costFactor ?? null)
    const charged = timesFactor(factorOf(file.groups?.[group]?.charge_factor ?? null), factorOf(factor))
    if (charged >= metered) continue
    const text = `${formatPricePerMillion(charged)} times the list price is charged and ${formatPricePerMillion(metered)} times is paid`
    findings.warnings.push(`routes: ${model} at ${backend} for group ${group} makes a loss: ${text}`)
  }
}

/** The reference data knows the id; it is only loaded for ids that the file does not define. */
const isReference = (id: string): boolean => findReference(id, Date.now()) !== undefined

function addRoute(
  entry: RouteFile,
  path: string,
  known: ReadonlyMap<string, ModelSettings>,
  file: ConfigFile,
  backends: Readonly<Record<string, BackendSettings>>,
  routes: RouteSettings[],
  findings: Findings,
): void {
  const model = known.get(entry.model)
  if (model === undefined && !isReference(entry.model)) {
    const near = nearest(entry.model, known.keys())
    findings.errors.push(`${path}.model: unknown model "${entry.model}"${near ? `; did you mean ${near}?` : ''}`)
  }
  const route = readRoute(entry, path, isEmbedding(model?.capabilities ?? []), findings.errors)
  const backend = backends[route.backend]
  if (backend === undefined) {
    // A backend that is written down but faulty has been reported already.
    if (file.backends?.[route.backend] === undefined) {
      const names = Object.keys(file.backends ?? {})
      const near = nearest(route.backend, names)
      findings.errors.push(
        `${path}.backend: unknown backend "${route.backend}"${near ? `; did you mean ${near}?` : `; configured: ${names.join(', ')}`}`,
      )
    }
    return
  }
  const spoken = backend.protocols ?? findPreset(backend.type)?.protocols ?? []
  for (const protocol of route.protocols ?? []) {
    if (!spoken.includes(protocol)) {
      findings.errors.push(
        `${path}.protocols: backend ${route.backend} does not speak ${protocol} (it speaks ${spoken.join(', ')})`,
      )
    }
  }
  routes.push(route)
}

/** C4: `name:model` must mean one thing. R42: the default backend must exist. */
function checkNames(
  names: readonly string[],
  models: readonly ModelSettings[],
  routes: readonly RouteSettings[],
  file: ConfigFile,
  findings: Findings,
): void {
  const ids = new Set([...models.map((model) => model.id), ...routes.map((route) => route.model)])
  for (const name of names) {
    if (ids.has(name)) findings.errors.push(`backends.${name}: a backend must not be named like a model`)
    if (/[:/\s]/.test(name))
      findings.errors.push(`backends.${name}: a backend's name must not contain ":", "/" or white space`)
    if (['alias', 'auto', 'hybrid'].includes(name)) findings.errors.push(`backends.${name}: this name is reserved`)
  }
  const rules = [
    ...(file.models ?? []).map((model, index) => [`models[${index}]`, model.break_glass] as const),
    ...Object.entries(file.groups ?? {}).map(([id, group]) => [`groups.${id}`, group.break_glass] as const),
  ]
  for (const [path, own = []] of rules)
    for (const [index, { use }] of own.entries())
      if (!names.includes(use))
        findings.errors.push(
          `${path}.break_glass[${index}].use: unknown backend "${use}"; configured: ${names.join(', ')}`,
        )
  const wanted = file.default_backend?.split(':')[0]
  if (wanted !== undefined && !names.includes(wanted)) {
    findings.errors.push(`default_backend: unknown backend "${wanted}"; configured: ${names.join(', ')}`)
  }
}

/** A backend for which no model was named anywhere offers all that the reference data lists for it. */
function offerReference(
  backends: Readonly<Record<string, BackendSettings>>,
  routes: readonly RouteSettings[],
  file: ConfigFile,
  findings: Findings,
): Record<string, BackendSettings> {
  const used = new Set(routes.map((route) => route.backend))
  return Object.fromEntries(
    Object.entries(backends).map(([id, backend]) => {
      const preset = findPreset(backend.type)
      const silent = !used.has(id) && file.backends?.[id]?.models === undefined
      const offersReference = silent && (backend.type === 'simulator' || (preset?.reference ?? null) !== null)
      if (silent && !offersReference && SERVED_ADAPTERS.has(preset?.adapter ?? 'http')) {
        findings.warnings.push(`backends.${id}: no model is routed to it; add routes: or backends.${id}.models`)
      }
      return [id, { ...backend, offersReference }]
    }),
  )
}
