import type { ModelSettings, PriceNumbers } from './settings.ts'
import { isEmbedding } from './kinds.ts'
import type { SimulatorModel } from '#simulator/models.ts'
import { isFree, toPrice } from './price.ts'
import { capabilitiesOf, findReference, vendorOf, type ReferenceModel } from './reference.ts'
import type { Model, Price } from './types.ts'

const INPUT_MODALITIES: readonly (readonly [string, string])[] = [
  ['vision', 'image'],
  ['audio', 'audio'],
  ['video', 'video'],
  ['pdf', 'file'],
]

/** One configured model; what it leaves open is taken from the reference data where the id is known there. */
export function buildModel(settings: ModelSettings, fallback: PriceNumbers | null, nowMs: number): Model {
  // Only these gaps are worth loading the reference data for.
  const open = [settings.vendor, settings.contextWindow, settings.capabilities, settings.price].includes(null)
  const known = open ? findReference(settings.id, nowMs) : undefined
  const bareId = settings.id.slice(settings.id.lastIndexOf('/') + 1)
  const capabilities = settings.capabilities ?? known?.capabilities ?? capabilitiesOf(bareId.toLowerCase())
  const kind = isEmbedding(capabilities) ? 'embedding' : 'chat'
  const price = configPrice(settings, known, fallback)
  return {
    id: settings.id,
    displayName: settings.displayName ?? known?.displayName ?? settings.id,
    vendor: settings.vendor ?? known?.vendor ?? vendorOf(settings.id),
    kind,
    description: settings.description ?? known?.description ?? '',
    contextWindow: settings.contextWindow ?? known?.contextWindow ?? null,
    maxOutput: settings.maxOutput ?? known?.maxOutput ?? null,
    capabilities: new Set(capabilities),
    inputModalities: settings.inputModalities ?? inputModalities(capabilities),
    outputModalities: settings.outputModalities ?? [kind === 'embedding' ? 'embeddings' : 'text'],
    tags: settings.tags,
    releasedAt: settings.releasedAt ?? known?.releasedAt ?? null,
    ...(settings.cache === null ? {} : { cache: settings.cache }),
    free: settings.free || (price !== null && price.source !== 'fallback' && isFree(price)),
    price,
    fallbacks: settings.fallbacks,
    contextFallbacks: settings.contextFallbacks,
    larger: settings.larger,
    strategy: settings.strategy,
    ...(settings.hedge ? { hedge: true } : {}),
    thinking: settings.thinking,
    ...(settings.minTier === null ? {} : { minTier: settings.minTier }),
    ...(settings.inputModalities === null ? {} : { knowsInputs: true as const }),
    ...(settings.capabilities === null ? {} : { knowsCapabilities: true as const }),
    ...(settings.deprecation === null ? {} : { deprecation: settings.deprecation }),
    ...(settings.paramRules.length === 0 ? {} : { paramRules: settings.paramRules }),
    ...(settings.breakGlass && { breakGlass: settings.breakGlass }),
  }
}

/** R92: the operator's price, else the reference data's, else the operator's price for everything unpriced. */
function configPrice(
  settings: ModelSettings,
  known: ReferenceModel | undefined,
  fallback: PriceNumbers | null,
): Price | null {
  if (settings.price) return toPrice(settings.price, 'config')
  if (known?.price) return toPrice(known.price, 'reference')
  return fallback && toPrice(fallback, 'fallback')
}

/** What nobody but the operator can say of a model. */
const PLAINLY_ROUTED = { fallbacks: [], contextFallbacks: [], larger: null, strategy: null, thinking: null } as const

/** A model that only the reference data describes. */
export function modelFromReference(row: ReferenceModel, fallback: PriceNumbers | null): Model {
  const price = row.price ? toPrice(row.price, 'reference') : fallback && toPrice(fallback, 'fallback')
  return {
    id: row.id,
    displayName: row.displayName,
    vendor: row.vendor,
    kind: row.kind,
    description: row.description,
    contextWindow: row.contextWindow,
    maxOutput: row.maxOutput,
    capabilities: new Set(row.capabilities),
    inputModalities: inputModalities(row.capabilities),
    outputModalities: [row.kind === 'embedding' ? 'embeddings' : 'text'],
    tags: [],
    releasedAt: row.releasedAt,
    free: row.price !== null && isFree(row.price),
    price,
    ...PLAINLY_ROUTED,
  }
}

/** USD 1 in, 2 out, 0.10 cache read, 1.25 cache write per million tokens: round numbers that make receipts easy to check. */
const SIMULATOR_PRICE: PriceNumbers = {
  input: 1_000_000n,
  output: 2_000_000n,
  cacheRead: 100_000n,
  cacheWrite: 1_250_000n,
  cacheWrite1h: null,
  reasoning: null,
  image: null,
  request: null,
  tiers: [],
}

const UNPAID: PriceNumbers = { ...SIMULATOR_PRICE, input: 0n, output: 0n, cacheRead: 0n, cacheWrite: 0n }

/** A model of the built-in upstream. Models of the fault lab cost nothing, and are no free tier either. */
export function modelFromSimulator(row: SimulatorModel): Model {
  return {
    id: row.id,
    displayName: row.displayName,
    vendor: 'trivium',
    kind: row.kind,
    description: row.description,
    contextWindow: row.contextWindow || null,
    maxOutput: row.maxOutput || null,
    capabilities: new Set(row.capabilities),
    inputModalities: row.inputModalities,
    outputModalities: row.kind === 'embedding' ? ['embeddings'] : row.outputModalities,
    tags: ['simulator'],
    releasedAt: null,
    free: false,
    price: toPrice(row.isUnpaid ? UNPAID : SIMULATOR_PRICE, 'simulator'),
    ...PLAINLY_ROUTED,
  }
}

const inputModalities = (capabilities: readonly string[]): string[] => [
  'text',
  ...INPUT_MODALITIES.filter(([capability]) => capabilities.includes(capability)).map(([, modality]) => modality),
]
