import type { PicoUsd } from '#base/money.ts'
import type { Protocol } from '#base/protocols.ts'
import type { AccessSource, Cloud } from '#providers/cloud.ts'
import type { Check } from './discovery/checked-file.ts'
import type { BackendProbe, Deprecation, Identity, ParamRule, Timeouts } from './types.ts'

/** The file's `backends`, `models`, `routes` and `groups`, validated and in our units, together with what zero config adds. */
export interface CatalogSettings {
  readonly backends: Readonly<Record<string, BackendSettings>>
  readonly models: readonly ModelSettings[]
  readonly routes: readonly RouteSettings[]
  readonly groups: Readonly<Record<string, GroupSettings>>
  /** Names of the tiers of accounts, the lowest first. */
  readonly tiers?: readonly string[]
  /** What an unpriced model costs, when the operator says so (R92). */
  readonly fallbackPrice: PriceNumbers | null
  /** What live checks found (R121). */
  readonly checks?: readonly Check[]
}

/** Pico-USD per token, `image` and `request` each. Null: the class has no price of its own. */
export interface PriceNumbers {
  readonly input: PicoUsd
  readonly output: PicoUsd
  readonly cacheRead: PicoUsd | null
  readonly cacheWrite: PicoUsd | null
  readonly cacheWrite1h: PicoUsd | null
  readonly reasoning: PicoUsd | null
  readonly image: PicoUsd | null
  readonly request: PicoUsd | null
  readonly tiers: readonly PriceTierNumbers[]
}

export interface PriceTierNumbers extends Omit<PriceNumbers, 'tiers'> {
  readonly aboveInputTokens: number
}

export interface BackendSettings {
  /** A preset's type, in its canonical spelling. */
  readonly type: string
  /** Null: the preset's own. */
  readonly apiUrl: string | null
  readonly credentials: readonly string[]
  readonly credentialSource: string | null
  /** Null: those of the preset. */
  readonly protocols: readonly Protocol[] | null
  readonly protocolUrls: Readonly<Partial<Record<Protocol, string>>>
  readonly headers: Readonly<Record<string, string>>
  readonly timeouts: Partial<Timeouts>
  readonly enabled: boolean
  readonly paramRules: readonly ParamRule[]
  readonly region: string | null
  readonly accessKeyId: string | null
  readonly secretAccessKey: string | null
  readonly sessionToken: string | null
  /** What only clouds have. */
  readonly cloud: Cloud | null
  readonly access: AccessSource | null
  /** All reference models of its vendor are routed to it, because nothing else was said. */
  readonly offersReference: boolean
  readonly identity: Identity
  /** What happens to prompts there (R65); a key or group may demand one of them. */
  readonly dataPolicy: readonly string[]
  /** Whose bill a call is on; the backend's own name unless said. */
  readonly billingDomain: string
  /** Top-level members that every request to this backend gets, stronger than the client's (R32). */
  readonly force: Readonly<Record<string, unknown>>
  /** What one credential may be given at a time (R72); null: no bound. */
  readonly caps: { readonly rpm: number | null; readonly concurrency: number | null }
  /** The upstream's model list is read regularly and applied (R56). */
  readonly autoSync: boolean
  /** Absent: nobody asks whether it works (R71). */
  readonly probe?: BackendProbe
  /** Decimal text by which a list price is multiplied to tell what the operator pays (R93); null: 1. */
  readonly costFactor: string | null
  /** Whether it tells with each answer what that cost (R27, B11). */
  readonly reportsCost: boolean
  /** Fields of later features, as written. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** Null: not said, so taken from the reference data where the id is known there. */
export interface ModelSettings {
  readonly id: string
  readonly vendor: string | null
  readonly displayName: string | null
  readonly description: string | null
  readonly contextWindow: number | null
  readonly maxOutput: number | null
  readonly capabilities: readonly string[] | null
  readonly inputModalities: readonly string[] | null
  readonly outputModalities: readonly string[] | null
  readonly tags: readonly string[]
  readonly releasedAt: string | null
  readonly free: boolean
  readonly price: PriceNumbers | null
  readonly paramRules: readonly ParamRule[]
  readonly timeouts: Partial<Timeouts>
  /** Selectors that are tried when no backend of this model answers (R68). */
  readonly fallbacks: readonly string[]
  /** Selectors for prompts that do not fit (R73). */
  readonly contextFallbacks: readonly string[]
  /** The sibling with the larger window. */
  readonly larger: string | null
  /** How reasoning is asked for (R34), as written; null: by the vendor's rule. */
  readonly thinking: Readonly<Record<string, unknown>> | null
  readonly strategy: Strategy | null
  readonly hedge?: boolean
  /** Whether prompt caching has to be asked for (R89). */
  readonly cache: 'explicit' | 'implicit' | 'off' | null
  readonly minTier: string | null
  /** Since when the id is outdated, and until when it works (R44); null: it is not. */
  readonly deprecation: Deprecation | null
  /** Absent: none. */
  readonly breakGlass?: readonly BreakGlassRule[]
  readonly extra: Readonly<Record<string, unknown>>
}

/** How one of several equal routes is picked (R66). */
export const STRATEGIES = [
  'weighted_random',
  'round_robin',
  'least_recently_used',
  'hash_affinity',
  'lowest_price',
  'price_weighted',
  'lowest_latency',
  'highest_throughput',
] as const
export type Strategy = (typeof STRATEGIES)[number]

export interface RouteSettings {
  readonly model: string
  readonly backend: string
  readonly group: string
  readonly upstreamModel: string
  /** Null: those of the backend. */
  readonly protocols: readonly Protocol[] | null
  readonly priority: number
  readonly weight: number
  readonly price: PriceNumbers | null
  readonly active: boolean
  /** Members laid under the client's body (R64). */
  readonly defaultParams: Readonly<Record<string, unknown>>
  readonly maxContext: number | null
  readonly minTier: string | null
  /** How its host keeps the weights, in OpenRouter's words; null: not said. */
  readonly quantization: string | null
  /** Decimal text by which the charged price is multiplied; null: 1. */
  readonly factor: string | null
  readonly extra: Readonly<Record<string, unknown>>
}

/** A backend that is asked when all others fail, until its money is spent (B11). */
export interface BreakGlassRule {
  /** Why all others failed: their accounts have no money (402), or they do not work. */
  readonly on: readonly ('402' | 'outage')[]
  readonly use: string
  readonly maxNano: bigint
  readonly period: 'daily' | 'weekly' | 'monthly'
  readonly notify: boolean
}

export interface GroupSettings {
  /** Absent: none. */
  readonly breakGlass?: readonly BreakGlassRule[]
  readonly public: boolean
  /** Whether ids that no route claims go to the default backend (C14). */
  readonly allowDefaultBackend: boolean
  /** In place of the global one; null: that. */
  readonly defaultBackend: string | null
  readonly strategy: Strategy | null
  readonly vendorPrefixPolicy: 'strip' | 'reject' | null
  /** Backends its keys may name; null: those that its routes lead to. */
  readonly backends: readonly string[] | null
  /** Used when a request names no model. */
  readonly defaultModel: string | null
  readonly fallbacks: readonly string[]
  /** Demands on backends (R65); empty: none. */
  readonly regions: readonly string[]
  readonly dataPolicy: readonly string[]
  /** Decimal text by which the charged price is multiplied (R93); null: 1. */
  readonly chargeFactor: string | null
  readonly extra: Readonly<Record<string, unknown>>
}
