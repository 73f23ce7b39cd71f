import { GatewayError } from '#base/errors.ts'
import { reachesTier } from '#base/tiers.ts'
import { chargedPrice } from '#catalog/price.ts'
import type { Catalog, Model, Price, Route } from '#catalog/types.ts'

export const MODEL_KINDS = ['all', 'llm', 'image', 'audio', 'embedding'] as const
export type ModelKind = (typeof MODEL_KINDS)[number]

/** Who may see what: the caller's groups and allow-list, and what the query narrows it to. */
export interface ListingFilter {
  /** Group names in any case; null is all of them. */
  readonly groups?: ReadonlySet<string> | null
  /** Groups with `public: false` are left out (C17); for callers without a key. */
  readonly publicOnly?: boolean
  readonly kind?: ModelKind
  /** Allow-list of a key. */
  readonly permits?: (modelId: string) => boolean
  /** Tier of the viewer's account (R22); absent: nothing is above it. */
  readonly tier?: string
  /** Whether what OpenRouter serves is listed under OpenRouter's own names too, besides ours (R28, R54). */
  readonly vendorForms?: boolean
}

/** A model with the active routes that the viewer may use; there is at least one. */
export interface ListedModel {
  readonly model: Model
  readonly routes: readonly Route[]
  /** What an account pays at the first of those routes; null is unpriced. */
  readonly price: Price | null
  /** The vendor's public price there (R93). */
  readonly listPrice: Price | null
}

/** `default, FREE,,free` -> {default, free}; null (all groups) when nothing is named (R48). */
export function parseRouteGroups(csv: string | undefined | null): ReadonlySet<string> | null {
  const names = (csv ?? '').split(',').map((name) => name.trim().toLowerCase())
  const groups = new Set(names.filter((name) => name !== ''))
  return groups.size === 0 ? null : groups
}

/** `?kind=`; absent is all (C15). Throws GatewayError invalid_parameter. */
export function parseKind(text: string | undefined): ModelKind {
  const kind = text === undefined || text === '' ? 'all' : text
  if ((MODEL_KINDS as readonly string[]).includes(kind)) return kind as ModelKind
  throw new GatewayError('invalid_parameter', `kind must be one of ${MODEL_KINDS.join(', ')}.`, { param: 'kind' })
}

/** Models with an active route that the filter lets through, in catalog order. */
export function listModels(catalog: Catalog, filter: ListingFilter = {}): ListedModel[] {
  const listed: ListedModel[] = []
  for (const id of catalog.routes.keys()) {
    const found = findModel(catalog, id, filter)
    if (found !== undefined) listed.push(found)
  }
  return filter.vendorForms ? [...listed, ...vendorForms(catalog, listed)] : listed
}

/** One model by its exact id, if the filter lets it through. */
export function findModel(catalog: Catalog, id: string, filter: ListingFilter = {}): ListedModel | undefined {
  const own = findOwn(catalog, id, filter)
  if (own !== undefined || !filter.vendorForms || !id.includes('/')) return own
  return listModels(catalog, filter).find(({ model }) => model.id === id)
}

/** `vendor/model` for each route to an OpenRouter backend: there this name is accepted as well (R27). */
function vendorForms(catalog: Catalog, listed: readonly ListedModel[]): readonly ListedModel[] {
  const forms = new Map<string, ListedModel>()
  for (const { model, routes } of listed) {
    for (const route of routes) {
      const name = route.upstreamModel
      if (route.backend.type !== 'openrouter' || !name.includes('/') || catalog.models.has(name)) continue
      if (!forms.has(name)) forms.set(name, { model: { ...model, id: name }, routes: [route], ...pricesOf(route) })
    }
  }
  return [...forms.values()]
}

function findOwn(catalog: Catalog, id: string, filter: ListingFilter): ListedModel | undefined {
  const model = catalog.models.get(id)
  if (model === undefined || !isKind(model, filter.kind ?? 'all') || filter.permits?.(id) === false) return undefined
  const groups = filter.groups === null || filter.groups === undefined ? null : lowerCased(filter.groups)
  const { tier } = filter
  const routes = (catalog.routes.get(id) ?? []).filter(({ group, minTier }) => {
    if (tier !== undefined && minTier !== undefined && !reachesTier(catalog.tiers ?? [], tier, minTier)) return false
    if (filter.publicOnly && catalog.groups.get(group)?.public === false) return false
    return groups === null || groups.has(group.toLowerCase())
  })
  return routes.length === 0 ? undefined : { model, routes, ...pricesOf(routes[0]!) }
}

const pricesOf = ({ price }: Route): Pick<ListedModel, 'price' | 'listPrice'> => ({
  price: price && chargedPrice(price),
  listPrice: price,
})

const lowerCasedSets = new WeakMap<ReadonlySet<string>, ReadonlySet<string>>()

function lowerCased(groups: ReadonlySet<string>): ReadonlySet<string> {
  let lower = lowerCasedSets.get(groups)
  if (lower === undefined) {
    lower = new Set([...groups].map((name) => name.toLowerCase()))
    lowerCasedSets.set(groups, lower)
  }
  return lower
}

function isKind(model: Model, kind: ModelKind): boolean {
  switch (kind) {
    case 'all':
      return true
    case 'llm':
      return model.kind === 'chat'
    case 'embedding':
      return model.kind === 'embedding'
    case 'image':
    case 'audio':
      return false
    default:
      return kind satisfies never
  }
}

/** Vendor slug for display; a model without one is nobody's. */
export const vendorSlug = (model: Model): string => model.vendor || 'other'

/** R36: whether the model can be asked to think. */
export const supportsThinking = (model: Model): boolean =>
  model.capabilities.has('thinking') || model.capabilities.has('reasoning')

/** Names by which a vendor means whatever is newest (R44): `x-latest`, `x:latest`, and what OpenRouter chooses by itself. */
const MOVING = /[-:@]latest$|^~|^openrouter\/(?:auto|free)$/

/** The flag of an id that does not always mean the same model. */
export const movingFlag = ({ id }: Model): { readonly alias?: true } => (MOVING.test(id) ? { alias: true } : {})

/** Release date in whole seconds; 0 where the protocol wants a number and the date is not known. */
export const createdSeconds = (model: Model): number =>
  model.releasedAt === null ? 0 : Math.floor(Date.parse(model.releasedAt) / 1000) || 0
