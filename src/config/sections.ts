import { parseUsd } from '#base/money.ts'
import type { BreakGlassRule } from '#catalog/settings.ts'
import type { BreakGlassFile } from './feature-schema.ts'
import { DEFAULT_GROUP, isEmbedding } from '#catalog/kinds.ts'
import type { Deprecation, Timeouts } from '#catalog/types.ts'
import type { GroupSettings, ModelSettings, PriceNumbers, RouteSettings } from '#catalog/settings.ts'
import { readPrice } from '#catalog/read-price.ts'
import { readParamRules } from './param-rules.ts'
import type { BackendFile, ConfigFile, ModelFile, RouteFile, TimeoutsFile } from './schema.ts'

const TIMEOUT_NAMES = {
  connect_timeout: 'connectMs',
  ttft_timeout: 'ttftMs',
  stream_idle_timeout: 'streamIdleMs',
  total_timeout: 'totalMs',
  request_timeout: 'requestMs',
} as const

/** A `timeouts:` block in seconds as milliseconds; what it does not name stays absent. */
export function readTimeouts(block: TimeoutsFile | undefined): Partial<Timeouts> {
  const result: { -readonly [name in keyof Timeouts]?: number } = {}
  for (const [name, ours] of Object.entries(TIMEOUT_NAMES) as [keyof typeof TIMEOUT_NAMES, keyof Timeouts][]) {
    const seconds = block?.[name]
    if (seconds !== undefined) result[ours] = Math.round(seconds * 1000)
  }
  if (block?.min_tokens_per_second !== undefined) result.minTokensPerSecond = block.min_tokens_per_second
  return result
}

/** `models:` in our units; faults are pushed as `path: reason`. */
export function readModels(models: readonly ModelFile[], faults: string[]): ModelSettings[] {
  const seen = new Map<string, number>()
  return models.map((model, index) => {
    const path = `models[${index}]`
    const before = seen.get(model.id)
    if (before !== undefined) faults.push(`${path}.id: "${model.id}" is already defined by models[${before}]`)
    seen.set(model.id, index)
    const embedding = isEmbedding(model.capabilities ?? [])
    return {
      id: model.id,
      vendor: model.vendor?.toLowerCase() ?? null,
      displayName: model.name ?? null,
      description: model.description ?? null,
      contextWindow: model.context_window || null,
      maxOutput: model.max_output || null,
      capabilities: model.capabilities ?? null,
      inputModalities: model.input_modalities ?? null,
      outputModalities: model.output_modalities ?? null,
      tags: model.tags ?? [],
      releasedAt: model.released_at ?? null,
      free: model.free ?? false,
      price: model.price ? readPrice(model.price, `${path}.price`, faults, embedding) : freePrice(model.free),
      paramRules: readParamRules(model.params, `${path}.params`, faults),
      timeouts: readTimeouts(model.timeouts),
      fallbacks: model.fallbacks ?? [],
      contextFallbacks: model.context_fallbacks ?? [],
      larger: model.larger ?? null,
      thinking: model.thinking ?? null,
      strategy: model.strategy ?? null,
      ...(model.hedge ? { hedge: true } : {}),
      cache: model.cache ?? null,
      minTier: model.min_tier ?? null,
      deprecation: readDeprecation(model.deprecation),
      ...readBreakGlass(model.break_glass),
      extra: pick(model, ['thinking', 'fallbacks', 'free_tier', 'metadata']),
    }
  })
}

/** `true`, the date since when, or an object with that and the end. */
function readDeprecation(said: NonNullable<ConfigFile['models']>[number]['deprecation']): Deprecation | null {
  if (said === undefined || said === false) return null
  const { since, sunset } = said === true ? {} : typeof said === 'string' ? { since: said } : said
  const msOf = (day: string | undefined): number | null => (day === undefined ? null : Date.parse(day))
  return { sinceMs: msOf(since), sunsetMs: msOf(sunset) }
}

/** `free: true` without a price is a price of nothing, said on purpose. */
const freePrice = (free: boolean | undefined): PriceNumbers | null =>
  free ? readPrice({ input: 0, output: 0 }, '', []) : null

/** A model that only a backend's `models:` list names: nothing is known of it but its id. */
export const unknownModel = (id: string): ModelSettings => ({
  id,
  vendor: null,
  displayName: null,
  description: null,
  contextWindow: null,
  maxOutput: null,
  capabilities: null,
  inputModalities: null,
  outputModalities: null,
  tags: [],
  releasedAt: null,
  free: false,
  price: null,
  paramRules: [],
  timeouts: {},
  fallbacks: [],
  contextFallbacks: [],
  larger: null,
  thinking: null,
  strategy: null,
  cache: null,
  minTier: null,
  deprecation: null,
  extra: {},
})

/** One entry of `routes:`. `embedding` tells whether its price may leave `output` out. */
export function readRoute(route: RouteFile, path: string, embedding: boolean, faults: string[]): RouteSettings {
  const key = route.price_override ? 'price_override' : 'price'
  const price = route.price_override ?? route.price
  return {
    model: route.model,
    backend: route.backend,
    group: route.group ?? DEFAULT_GROUP,
    upstreamModel: route.upstream_model ?? route.model,
    protocols: route.protocols ?? null,
    priority: route.priority ?? 0,
    weight: route.weight ?? 1,
    price: price ? readPrice(price, `${path}.${key}`, faults, embedding) : null,
    active: route.status !== 'disabled',
    defaultParams: route.default_params ?? {},
    maxContext: route.max_context || null,
    minTier: route.min_tier ?? null,
    quantization: route.quantization ?? null,
    factor: route.factor ?? null,
    extra: pick(route, ['default_params', 'max_context', 'min_tier']),
  }
}

/** A backend's own `models:` list as routes: `id` or `{id, upstream_model, …}`. */
export function offeredRoutes(backend: string, entry: BackendFile): RouteFile[] {
  return (entry.models ?? []).map((offer) => {
    if (typeof offer === 'string') return { model: offer, backend }
    const { id, ...rest } = offer
    return { ...rest, model: id, backend }
  })
}

/** `groups:` with the default group, and with every group that a route names. */
export function readGroups(file: ConfigFile, routes: readonly RouteSettings[]): Record<string, GroupSettings> {
  const groups: Record<string, GroupSettings> = {}
  // In single-user mode nobody is kept from the default backend (C14).
  const read = (group: GroupFile): GroupSettings => ({
    public: group.public ?? true,
    allowDefaultBackend: group.allow_default_backend ?? file.auth?.disable_auth ?? false,
    defaultBackend: group.default_backend ?? null,
    strategy: group.strategy ?? null,
    vendorPrefixPolicy: group.vendor_prefix_policy ?? null,
    backends: group.backends ?? null,
    defaultModel: group.default_model ?? null,
    fallbacks: group.fallbacks ?? [],
    regions: group.regions ?? [],
    dataPolicy: group.data_policy ?? [],
    ...readBreakGlass(group.break_glass),
    chargeFactor: group.charge_factor ?? null,
    extra: pick(group, ['label', 'description']),
  })
  for (const id of [DEFAULT_GROUP, ...routes.map(({ group }) => group)]) groups[id] ??= read({})
  for (const [id, group] of Object.entries(file.groups ?? {})) groups[id] = read(group)
  return groups
}

/** Each rule is for any failure of all others, and for a month, where it does not say. */
function readBreakGlass(rules: BreakGlassFile | undefined): { breakGlass?: readonly BreakGlassRule[] } {
  if (!rules || rules.length === 0) return {}
  const read = rules.map(({ on, use, max_usd: max, period = 'monthly', notify = true }) => ({
    on: on && on.length > 0 ? on : (['402', 'outage'] as const),
    use,
    maxNano: parseUsd(max) ?? 0n,
    period,
    notify,
  }))
  return { breakGlass: read }
}

type GroupFile = NonNullable<ConfigFile['groups']>[string]

export function pick<T extends object>(from: T, keys: readonly (keyof T & string)[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => from[key] !== undefined).map((key) => [key, from[key]]))
}
