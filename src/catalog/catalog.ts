import { factorOf, ONE_PPM, timesFactor, withFactors } from '#base/factors.ts'
import { FREE_GROUP } from '#base/free-group.ts'
import type { Protocol } from '#base/protocols.ts'
import type { CatalogSettings, GroupSettings, RouteSettings } from './settings.ts'
import { cloudProtocols } from '#providers/cloud-paths.ts'
import { findPreset } from '#providers/presets.ts'
import { SIMULATOR_MODELS } from '#simulator/models.ts'
import { buildBackend } from './build-backend.ts'
import { DEFAULT_GROUP } from './kinds.ts'
import { buildModel, modelFromReference, modelFromSimulator } from './build-model.ts'
import { isFree, toPrice } from './price.ts'
import { findReference, referenceModels } from './reference.ts'
import type { Backend, Catalog, CatalogSource, Group, Model, Price, Route, Timeouts } from './types.ts'

/** Lower wins (C8): the vendor's own endpoint goes before a host that resells the same id. */
const RESELLER_PRIORITY = 10

/** The part of the settings that a catalog is built from. */
export interface BuildSettings {
  readonly catalog: CatalogSettings
  readonly timeouts: Timeouts
}

export interface CatalogInput {
  /** Root of the running simulator; null when there is none. */
  readonly simulatorUrl: string | null
  readonly nowMs: number
}

/** Settings to one immutable picture. Pure; the reference data is only touched where the settings leave something to it. */
export function buildCatalog(settings: BuildSettings, { simulatorUrl, nowMs }: CatalogInput): Catalog {
  const { catalog } = settings
  const backends = new Map<string, Backend>()
  for (const [id, backend] of Object.entries(catalog.backends)) {
    backends.set(id, buildBackend(id, backend, settings.timeouts, simulatorUrl))
  }
  const groups = new Map<string, Group>()
  for (const [id, group] of Object.entries(catalog.groups)) groups.set(id, buildGroup(id, group))
  const draft = new Draft(catalog, backends, settings.timeouts, nowMs)
  for (const model of catalog.models) draft.models.set(model.id, buildModel(model, catalog.fallbackPrice, nowMs))
  for (const route of catalog.routes) draft.addConfigured(route)
  draft.addOffered()
  const { tiers = [], checks = [] } = catalog
  return {
    generatedMs: nowMs,
    models: draft.models,
    backends,
    groups,
    tiers,
    routes: draft.sortedRoutes(),
    ...(checks.length > 0 && { checks: Map.groupBy(checks, ({ model }) => model) }),
  }
}

const buildGroup = (id: string, { chargeFactor, ...group }: GroupSettings): Group => ({
  id,
  ...group,
  ...(chargeFactor === null ? {} : { chargeFactor: factorOf(chargeFactor) }),
})

/** Collects models and routes while a catalog is built. */
class Draft {
  readonly models = new Map<string, Model>()
  private readonly routes = new Map<string, Route[]>()
  private readonly settings: CatalogSettings
  private readonly backends: ReadonlyMap<string, Backend>
  private readonly timeouts: ReadonlyMap<string, Partial<Timeouts>>
  private readonly globalTimeouts: Timeouts
  private readonly nowMs: number

  constructor(
    settings: CatalogSettings,
    backends: ReadonlyMap<string, Backend>,
    globalTimeouts: Timeouts,
    nowMs: number,
  ) {
    this.settings = settings
    this.backends = backends
    this.globalTimeouts = globalTimeouts
    this.nowMs = nowMs
    const limited = settings.models.filter((model) => Object.keys(model.timeouts).length > 0)
    this.timeouts = new Map(limited.map((model) => [model.id, model.timeouts]))
  }

  addConfigured(route: RouteSettings): void {
    const model = this.models.get(route.model) ?? this.addReference(route.model)
    if (model === undefined) return
    const price = route.price ? toPrice(route.price, 'route') : model.price
    this.add(model, route, price)
  }

  private addReference(id: string): Model | undefined {
    const row = findReference(id, this.nowMs)
    if (row === undefined) return undefined
    const model = modelFromReference(row, this.settings.fallbackPrice)
    this.models.set(id, model)
    return model
  }

  /** Backends for which no model was named: all that the reference data, or the simulator, lists for them. */
  addOffered(): void {
    const offering = Object.entries(this.settings.backends).filter(([, backend]) => backend.offersReference)
    // Vendors go first, so that a model's facts and list price are its maker's and not a reseller's.
    const vendorFirst = offering.sort(([, left], [, right]) => isReseller(left.type) - isReseller(right.type))
    for (const [backend, { type }] of vendorFirst) {
      if (type === 'simulator') {
        for (const row of SIMULATOR_MODELS) {
          const model = this.models.get(row.id) ?? modelFromSimulator(row)
          this.models.set(row.id, model)
          this.add(model, plainRoute(row.id, backend, row.id, 0), model.price)
        }
      } else this.addVendor(backend, type)
    }
  }

  private addVendor(backend: string, type: string): void {
    const reference = findPreset(type)?.reference
    if (reference == null) return
    for (const row of referenceModels(reference, this.nowMs)) {
      const offered = modelFromReference(row, this.settings.fallbackPrice)
      const model = this.models.get(row.id) ?? offered
      const route = plainRoute(row.id, backend, row.upstreamModel, isReseller(type) * RESELLER_PRIORITY)
      if (protocolsOf(model, route, this.backends.get(backend)!).length === 0) continue
      this.models.set(row.id, model)
      // The operator's own price stands above a reseller's list price (R92).
      this.add(model, route, model.price?.source === 'config' ? model.price : offered.price)
    }
  }

  private add(model: Model, settings: RouteSettings, price: Price | null): void {
    const backend = this.backends.get(settings.backend)
    if (backend === undefined) return
    const protocols = protocolsOf(model, settings, backend)
    if (!settings.active || !backend.enabled || protocols.length === 0) return
    const limits = this.timeouts.get(model.id)
    const minTier = settings.minTier ?? model.minTier
    const list = this.routes.get(model.id) ?? []
    this.routes.set(model.id, list)
    list.push({
      model,
      backend,
      group: settings.group,
      upstreamModel: settings.upstreamModel,
      protocols,
      priority: settings.priority,
      weight: settings.weight,
      active: settings.active,
      price: price && this.factored(price, settings),
      defaultParams: settings.defaultParams,
      maxContext: settings.maxContext,
      ...(minTier === undefined ? {} : { minTier }),
      ...(settings.quantization === null ? {} : { quantization: settings.quantization }),
      ...(limits && { timeouts: { ...this.globalTimeouts, ...backend.timeouts, ...limits } }),
    })
  }

  /** R93: a route's own factor stands upon that of its group. */
  private factored(price: Price, { backend, group, factor }: RouteSettings): Price {
    const { costFactor = ONE_PPM } = this.backends.get(backend)!
    const ofGroup = factorOf(this.settings.groups[group]?.chargeFactor ?? null)
    return withFactors(price, costFactor, timesFactor(ofGroup, factorOf(factor)))
  }

  sortedRoutes(): Map<string, readonly Route[]> {
    for (const list of this.routes.values())
      list.sort((left, right) => left.priority - right.priority || right.weight - left.weight)
    return this.routes
  }
}

const isReseller = (type: string): number => (findPreset(type)?.vendor === null ? 1 : 0)

/**
 * A backend's protocols that fit the model: an embedding model is not reached through a chat protocol, nor the reverse.
 * Gemini's protocol and Cohere's embed too, by methods of their own (R4, R6).
 */
function protocolsOf(model: Model, route: RouteSettings, backend: Backend): Protocol[] {
  const { cloud } = backend
  const spoken = cloud ? cloudProtocols(cloud, backend.protocols, route.upstreamModel, model.vendor) : backend.protocols
  const wanted = route.protocols ?? spoken
  const isEmbedding = model.kind === 'embedding'
  // Bedrock embeds by another method of its own, whatever its chat protocol is called (R4).
  if (isEmbedding && cloud?.kind === 'bedrock') return wanted.filter((protocol) => protocol === 'bedrock-converse')
  return wanted.filter((protocol) => EMBEDS_TOO.has(protocol) || (protocol === 'openai-embeddings') === isEmbedding)
}

const EMBEDS_TOO: ReadonlySet<Protocol> = new Set<Protocol>(['gemini', 'cohere-chat'])

const plainRoute = (model: string, backend: string, upstreamModel: string, priority: number): RouteSettings => ({
  model,
  backend,
  group: DEFAULT_GROUP,
  upstreamModel,
  protocols: null,
  priority,
  weight: 1,
  price: null,
  active: true,
  defaultParams: {},
  maxContext: null,
  minTier: null,
  quantization: null,
  factor: null,
  extra: {},
})

/** Models that cost nothing, and those that cost nothing to the group that is called free. */
export function freeModelIds({ models, routes }: Catalog): string[] {
  const isFreeRoute = ({ group, price }: Route): boolean => group === FREE_GROUP && price !== null && isFree(price)
  const isFreeModel = ({ id, free }: Model): boolean => free || (routes.get(id)?.some(isFreeRoute) ?? false)
  return [...models.values()].filter(isFreeModel).map(({ id }) => id)
}

/** The current snapshot and the way to replace it. A reader keeps what it took to the end of its request. */
export function createCatalogSource(initial: Catalog): CatalogSource & { swap(next: Catalog): void } {
  // Not a getter: V8 keeps a literal with one as a hash table, and every request comes through here.
  const source = {
    current: initial,
    swap(next: Catalog) {
      source.current = next
    },
  }
  return source
}
