import { createRequire } from 'node:module'
import type { ConditionalPrice, MatchLogic, ModelInfo, ModelPrice, Provider, Tier } from '@pydantic/genai-prices'
import { decimalText, parsePricePerMillion, type PicoUsd } from '#base/money.ts'
import type { PriceNumbers, PriceTierNumbers } from './settings.ts'
import { readPrice } from './read-price.ts'
import { AUTHORS, CURATED, FAMILIES, NOT_SERVED, VENDOR_NAMES, type CuratedModel } from './curated.ts'

/** A model as the shipped data knows it (R55). Not callable until a route names it. */
export interface ReferenceModel {
  readonly id: string
  /** Its name at the provider whose list it was taken from. */
  readonly upstreamModel: string
  readonly vendor: string
  readonly displayName: string
  readonly description: string
  readonly kind: 'chat' | 'embedding'
  readonly contextWindow: number | null
  readonly maxOutput: number | null
  readonly capabilities: readonly string[]
  readonly releasedAt: string | null
  readonly price: PriceNumbers | null
}

/** Providers of the data set that sell their own models, with the vendor's slug; a bare id is looked up in these. */
const FIRST_PARTY: Readonly<Record<string, string>> = {
  openai: 'openai',
  anthropic: 'anthropic',
  google: 'google',
  mistral: 'mistral',
  cohere: 'cohere',
  deepseek: 'deepseek',
  'x-ai': 'xai',
  moonshotai: 'moonshot',
  minimax: 'minimax',
  zai: 'zai',
  zhipuai: 'zai',
  perplexity: 'perplexity',
  voyageai: 'voyage',
}

/** The package is 480 kB of data: loaded on first use only, because a file that says everything itself needs none of it. */
let loaded: typeof import('@pydantic/genai-prices') | undefined
const lists = new Map<string, readonly ReferenceModel[]>()
let listsDate = ''

function dataSet(): typeof import('@pydantic/genai-prices') {
  loaded ??= createRequire(import.meta.url)('@pydantic/genai-prices') as typeof import('@pydantic/genai-prices')
  return loaded
}

/** Whether the data set has been loaded by this process; for tests and start-up figures. */
export const isReferenceLoaded = (): boolean => loaded !== undefined

/** Models that a provider of the data set sells, priced at `nowMs`; empty when it has none. */
export function referenceModels(providerId: string, nowMs: number): readonly ReferenceModel[] {
  // Prices change with the date, so only one day's lists are kept: at most one per provider of the data set.
  if (listsDate !== utcDate(nowMs)) lists.clear()
  listsDate = utcDate(nowMs)
  const list = lists.get(providerId) ?? readProvider(providerId, nowMs)
  lists.set(providerId, list)
  return list
}

/** A model by its bare id at the vendor that makes it, or by `vendor/model` as OpenRouter writes it. */
export function findReference(id: string, nowMs: number): ReferenceModel | undefined {
  const providers = id.includes('/') ? ['openrouter'] : Object.keys(FIRST_PARTY)
  for (const providerId of providers) {
    const found = referenceModels(providerId, nowMs).find((row) => row.id === id)
    if (found) return found
  }
  return undefined
}

function readProvider(providerId: string, nowMs: number): readonly ReferenceModel[] {
  const provider: Provider | undefined = dataSet().findProvider({ providerId })
  if (provider?.id !== providerId) return []
  const vendor = FIRST_PARTY[providerId] ?? null
  const curated = CURATED.filter((row) => row.vendor === vendor)
  const rows = new Map<string, ReferenceModel>()
  for (const info of provider.models) {
    const row = readModel(info, providerId, vendor, curated, nowMs)
    if (row && !rows.has(row.id)) rows.set(row.id, row)
  }
  const extra =
    providerId === 'openrouter' ? bareOpenRouter(rows) : curated.filter((row) => !rows.has(row.id)).map(fromCurated)
  for (const row of extra) rows.set(row.id, row)
  return [...rows.values()]
}

/** OpenRouter serves the well-known bare ids too (R25): same model, its name there as upstream name, its price there. */
function bareOpenRouter(rows: ReadonlyMap<string, ReferenceModel>): ReferenceModel[] {
  return CURATED.flatMap((row) => {
    const there = row.openrouterId === null ? undefined : rows.get(row.openrouterId)
    return there ? [{ ...fromCurated(row), upstreamModel: there.upstreamModel, price: there.price }] : []
  })
}

function readModel(
  info: ModelInfo,
  providerId: string,
  vendor: string | null,
  curated: readonly CuratedModel[],
  nowMs: number,
): ReferenceModel | undefined {
  const hosted = vendor === null
  if (info.deprecated || NOT_SERVED.test(info.id) || !accepts(info.match, info.id)) return undefined
  // OpenRouter's names always have an author; those without are left-overs that it no longer answers.
  if (providerId === 'openrouter' && !info.id.includes('/')) return undefined
  const free = info.id.endsWith(':free')
  const prices = currentPrices(info.prices, nowMs)
  const kind = /embed|voyage/i.test(info.id) ? 'embedding' : 'chat'
  const price = prices['input_mtok'] === undefined && !free ? undefined : readPrices(prices)
  if (price === undefined || (kind === 'chat' && !free && prices['output_mtok'] === undefined)) return undefined
  const id = info.id.toLowerCase()
  const bare = id.slice(id.lastIndexOf('/') + 1).replace(/:.*$/, '')
  const author = hosted ? vendorOf(id) : vendor
  if (!hosted && VENDOR_NAMES.some(([pattern, name]) => pattern.test(bare) && name !== vendor)) return undefined
  const row = curated.find((known) => known.id === id)
  return {
    id,
    upstreamModel: info.id,
    vendor: author,
    displayName: row?.name ?? info.name ?? info.id,
    description: plainDescription(info.description),
    kind,
    contextWindow: row?.contextWindow ?? info.context_window ?? null,
    maxOutput: row?.maxOutput ?? null,
    capabilities: row?.capabilities ?? (kind === 'embedding' ? ['embeddings'] : capabilitiesOf(bare)),
    releasedAt: row?.releasedAt ?? null,
    price,
  }
}

function fromCurated(row: CuratedModel): ReferenceModel {
  const capabilities = row.capabilities ?? capabilitiesOf(row.id)
  return {
    id: row.id,
    upstreamModel: row.id,
    vendor: row.vendor,
    displayName: row.name,
    description: '',
    kind: capabilities.includes('embeddings') ? 'embedding' : 'chat',
    contextWindow: row.contextWindow,
    maxOutput: row.maxOutput,
    capabilities,
    releasedAt: row.releasedAt,
    price: row.price && readPrice(row.price, row.id, []),
  }
}

/** Without the sentences that send the reader to the site the text was taken from. */
const plainDescription = (text: string | undefined): string =>
  (text ?? '')
    .replace(/[^.!?\n]*https?:\/\/\S*/g, '')
    .replace(/\s+/g, ' ')
    .trim()

/** Vendor slug of a hosted model's name: its author, else the family its name begins with, else `other`. */
export function vendorOf(id: string): string {
  const slash = id.indexOf('/')
  const author = slash > 0 ? id.slice(0, slash).toLowerCase() : ''
  if (author) return AUTHORS[author] ?? author
  return VENDOR_NAMES.find(([pattern]) => pattern.test(id.toLowerCase()))?.[1] ?? 'other'
}

/** What the family rules say of a bare id; `streaming` is common to all chat models. */
export function capabilitiesOf(bareId: string): readonly string[] {
  const found = new Set(['streaming'])
  for (const rule of FAMILIES) {
    if (rule.pattern.test(bareId)) for (const capability of rule.capabilities) found.add(capability)
  }
  return [...found]
}

/** Whether the data's own rule takes the id; some ids are only labels of a rule. */
function accepts(match: MatchLogic, id: string): boolean {
  if ('or' in match) return match.or.some((part) => accepts(part, id))
  if ('and' in match) return match.and.every((part) => accepts(part, id))
  if ('equals' in match) return match.equals.toLowerCase() === id.toLowerCase()
  if ('starts_with' in match) return id.toLowerCase().startsWith(match.starts_with.toLowerCase())
  if ('ends_with' in match) return id.toLowerCase().endsWith(match.ends_with.toLowerCase())
  if ('contains' in match) return id.toLowerCase().includes(match.contains.toLowerCase())
  return new RegExp(match.regex).test(id)
}

const utcDate = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 10)

/**
 * The prices in force: the last entry whose start date has come. Of prices that change with the hour the dearest is taken,
 * because a snapshot outlives the hour and an operator must not sell below cost.
 */
function currentPrices(prices: ModelInfo['prices'], nowMs: number): ModelPrice {
  if (!Array.isArray(prices)) return prices
  const today = utcDate(nowMs)
  let current: ConditionalPrice | undefined
  let hourly: ConditionalPrice[] = []
  for (const entry of prices) {
    if (entry.constraint?.type === 'time_of_date') hourly.push(entry)
    else if (entry.constraint === undefined || entry.constraint.start_date <= today) {
      current = entry
      hourly = []
    }
  }
  const base = (entry: ConditionalPrice): number => {
    const output = entry.prices['output_mtok']
    return typeof output === 'object' ? output.base : (output ?? 0)
  }
  const candidates = current === undefined ? hourly : [current, ...hourly]
  return candidates.reduce((dearest, entry) => (base(entry) > base(dearest) ? entry : dearest)).prices
}

const CLASSES = {
  input: 'input_mtok',
  output: 'output_mtok',
  cacheRead: 'cache_read_mtok',
  cacheWrite: 'cache_write_mtok',
  cacheWrite1h: 'cache_write_1h_mtok',
  reasoning: 'output_reasoning_mtok',
} as const
type ClassName = keyof typeof CLASSES

function readPrices(prices: ModelPrice): PriceNumbers {
  const starts = new Set<number>()
  for (const key of Object.values(CLASSES)) {
    const price = prices[key]
    if (typeof price === 'object') for (const tier of price.tiers) starts.add(tier.start)
  }
  const tiers = [...starts].sort((left, right) => left - right)
  return {
    ...pricesAt(prices, 0),
    tiers: tiers.map((start): PriceTierNumbers => ({ ...pricesAt(prices, start), aboveInputTokens: start })),
  }
}

/** All classes as they are for prompts of more than `start` tokens. */
function pricesAt(prices: ModelPrice, start: number): Omit<PriceNumbers, 'tiers'> {
  const at = (name: ClassName): PicoUsd | null => {
    const price = prices[CLASSES[name]]
    if (price === undefined) return null
    if (typeof price === 'number') return exactPrice(price)
    const tier = price.tiers.filter((step: Tier) => start > 0 && step.start <= start).at(-1)
    return exactPrice(tier?.price ?? price.base)
  }
  return {
    input: at('input') ?? 0n,
    output: at('output') ?? 0n,
    cacheRead: at('cacheRead'),
    cacheWrite: at('cacheWrite'),
    cacheWrite1h: at('cacheWrite1h'),
    reasoning: at('reasoning'),
    image: null,
    request: null,
  }
}

/**
 * USD per million tokens as pico-USD per token, from the number's decimal text. A few numbers of the data set are results of
 * divisions with more than six digits; those are rounded half up in decimal.
 */
export function exactPrice(usdPerMillion: number): PicoUsd {
  const text = decimalText(usdPerMillion) ?? '0'
  const exact = parsePricePerMillion(text)
  if (exact !== undefined) return exact
  const [whole = '0', fraction = ''] = text.split('.')
  const scaled = BigInt(whole + fraction.slice(0, 6).padEnd(6, '0'))
  return (fraction[6] ?? '0') >= '5' ? scaled + 1n : scaled
}
