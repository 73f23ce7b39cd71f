import type { PicoUsd } from '#base/money.ts'
import type { Protocol } from '#base/protocols.ts'
import type { AccessSource, Cloud } from '#providers/cloud.ts'

/** Pico-USD per token, per request or per image. A class without a price of its own falls back as R91 says. */
export interface Price {
  readonly input: PicoUsd
  readonly output: PicoUsd
  readonly cacheRead: PicoUsd | null
  readonly cacheWrite: PicoUsd | null
  readonly cacheWrite1h: PicoUsd | null
  readonly reasoning: PicoUsd | null
  readonly image: PicoUsd | null
  readonly request: PicoUsd | null
  /** Prices that replace the base ones when the prompt has more than `aboveInputTokens` tokens; ascending. */
  readonly tiers: readonly PriceTier[]
  readonly source: 'config' | 'route' | 'reference' | 'fallback' | 'simulator'
  /** Identifies the price in receipts: a short digest of its numbers. */
  readonly version: string
  readonly updatedAt: string | null
}

export interface PriceTier extends Omit<Price, 'tiers' | 'source' | 'version' | 'updatedAt'> {
  readonly aboveInputTokens: number
}

export interface Model {
  readonly id: string
  readonly displayName: string
  readonly vendor: string
  readonly kind: 'chat' | 'embedding'
  readonly description: string
  readonly contextWindow: number | null
  readonly maxOutput: number | null
  readonly capabilities: ReadonlySet<string>
  readonly inputModalities: readonly string[]
  readonly outputModalities: readonly string[]
  readonly tags: readonly string[]
  /** ISO date. */
  readonly releasedAt: string | null
  readonly free: boolean
  readonly price: Price | null
  /** How prompts are cached: `explicit` where a request has to mark them; absent: by what is known of its name. */
  readonly cache?: 'off' | 'explicit' | 'implicit'
}

export interface Timeouts {
  readonly connectMs: number
  /** To the first content; 0 disables, as everywhere. */
  readonly ttftMs: number
  readonly streamIdleMs: number
  readonly totalMs: number
  /** Whole non-streaming answer. */
  readonly requestMs: number
}

/** Keys that sign requests to AWS (SigV4). Secrets: never logged, never listed. */
export interface AwsAccess {
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

export interface Backend {
  readonly id: string
  /** Preset or generic type: openai, anthropic, gemini, openrouter, openai-compatible, anthropic-compatible, gemini-compatible, bedrock, simulator … */
  readonly type: string
  /** Base URL without trailing slash, as the preset writes it (openai: ends in /v1; anthropic and gemini: the root). */
  readonly apiUrl: string
  /** How the credential is sent. */
  readonly auth: 'bearer' | 'api-key' | 'x-api-key' | 'x-goog-api-key' | 'none'
  /** Secrets: never logged, never listed. Several rotate. */
  readonly credentials: readonly string[]
  /** Requests are signed with these instead (AWS); null everywhere else. */
  readonly aws: AwsAccess | null
  /** Whose paths and bodies its calls have; absent: those of the protocols themselves. */
  readonly cloud?: Cloud
  /** Where its credential is fetched from; absent: it is written down. */
  readonly access?: AccessSource
  /** The environment variable to name when the credential is missing or refused. */
  readonly credentialSource: string | null
  readonly protocols: readonly Protocol[]
  readonly headers: Readonly<Record<string, string>>
  /** Base URL of a protocol that this backend speaks elsewhere than at `apiUrl`; written like `apiUrl` (openai-*: ends in the version segment, others: the root). */
  readonly protocolUrls?: Readonly<Partial<Record<Protocol, string>>>
  readonly timeouts: Timeouts
  readonly enabled: boolean
}

export interface Group {
  readonly id: string
  readonly public: boolean
}

/** Model x backend x group, with the upstream's own name of the model. */
export interface Route {
  readonly model: Model
  readonly backend: Backend
  readonly group: string
  readonly upstreamModel: string
  /** Native protocols of this route: a subset of the backend's. */
  readonly protocols: readonly Protocol[]
  readonly priority: number
  readonly weight: number
  readonly active: boolean
  /** The route's own price, else the model's, else null (unpriced). */
  readonly price: Price | null
  /** Present when the model has time limits of its own; replaces those of the backend (R76). */
  readonly timeouts?: Timeouts
}

/** One immutable picture of everything routable; a change makes a new one and swaps it. */
export interface Catalog {
  readonly generatedMs: number
  readonly models: ReadonlyMap<string, Model>
  readonly backends: ReadonlyMap<string, Backend>
  readonly groups: ReadonlyMap<string, Group>
  /** Active routes on enabled backends, by model id, in priority order. */
  readonly routes: ReadonlyMap<string, readonly Route[]>
}

/** Holds the current snapshot. Readers take `current` once per request and keep it to the end. */
export interface CatalogSource {
  readonly current: Catalog
}
