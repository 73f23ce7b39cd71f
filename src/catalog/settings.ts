import type { PicoUsd } from '#base/money.ts'
import type { Protocol } from '#base/protocols.ts'
import type { AccessSource, Cloud } from '#providers/cloud.ts'
import type { Timeouts } from './types.ts'

/** The file's `backends`, `models`, `routes` and `groups`, validated and in our units, together with what zero config adds. */
export interface CatalogSettings {
  readonly backends: Readonly<Record<string, BackendSettings>>
  readonly models: readonly ModelSettings[]
  readonly routes: readonly RouteSettings[]
  readonly groups: Readonly<Record<string, GroupSettings>>
  /** What an unpriced model costs, when the operator says so (R92). */
  readonly fallbackPrice: PriceNumbers | null
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
  readonly region: string | null
  readonly accessKeyId: string | null
  readonly secretAccessKey: string | null
  readonly sessionToken: string | null
  /** What only clouds have. */
  readonly cloud: Cloud | null
  readonly access: AccessSource | null
  /** All reference models of its vendor are routed to it, because nothing else was said. */
  readonly offersReference: boolean
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
  readonly cache: 'off' | 'explicit' | 'implicit' | null
  readonly price: PriceNumbers | null
  readonly timeouts: Partial<Timeouts>
  readonly extra: Readonly<Record<string, unknown>>
}

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
  readonly extra: Readonly<Record<string, unknown>>
}

export interface GroupSettings {
  readonly public: boolean
  readonly extra: Readonly<Record<string, unknown>>
}
