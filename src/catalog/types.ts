import type { Factors } from '#base/factors.ts'
import type { PicoUsd } from '#base/money.ts'
import type { Check } from './discovery/checked-file.ts'
import type { BreakGlassRule, Strategy } from './settings.ts'
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
  /** `reported`: only the upstream knows it, and tells the cost of each answer. */
  readonly source: 'config' | 'route' | 'reference' | 'fallback' | 'simulator' | 'reported'
  /** Identifies the price in receipts: a short digest of its numbers. */
  readonly version: string
  readonly updatedAt: string | null
  /** Where the operator pays or charges something else than this list price (R93); absent: both are the list price. */
  readonly factors?: Factors
}

export interface PriceTier extends Omit<Price, 'tiers' | 'source' | 'version' | 'updatedAt' | 'factors'> {
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
  /** Selectors that are tried when no backend of this model answers (R68). */
  readonly fallbacks: readonly string[]
  /** Selectors for prompts that do not fit (R73). */
  readonly contextFallbacks: readonly string[]
  /** The sibling with the larger window. */
  readonly larger: string | null
  readonly strategy: Strategy | null
  /** Whether a second backend is asked when the first output is late (B10); absent: it is not. */
  readonly hedge?: boolean
  /** How reasoning is asked for (R34), as the operator wrote it; null: by the vendor's rule. */
  readonly thinking: Readonly<Record<string, unknown>> | null
  /** Whether the modalities are said by somebody and not only guessed from the name (R74); absent: guessed. */
  readonly knowsInputs?: true
  /** The same of the capabilities. */
  readonly knowsCapabilities?: true
  /** When the id was called outdated, and until when it works at least (R44); absent: it is not. */
  readonly deprecation?: Deprecation
  /** Of all its routes that say nothing else. */
  readonly minTier?: string
  /** The operator's rules for its parameters; absent when there are none. */
  readonly paramRules?: readonly ParamRule[]
  /** How prompts are cached: `explicit` where a request has to mark them; absent: by what is known of its name. */
  readonly cache?: 'off' | 'explicit' | 'implicit'
  readonly breakGlass?: readonly BreakGlassRule[]
}

/** Unix milliseconds; null: not said. */
export interface Deprecation {
  readonly sinceMs: number | null
  readonly sunsetMs: number | null
}

/** What the operator says of one parameter of an upstream's body (R81). */
export interface ParamRule {
  /** Names of the members that lead to it, from the body's top. */
  readonly path: readonly string[]
  /** Which values it is about; absent: all. */
  readonly when?: ParamCondition
  readonly action: ParamAction
}

/** All that is said must hold. Numbers alone are above or below something. */
export interface ParamCondition {
  readonly equals?: unknown
  readonly not?: unknown
  readonly above?: number | undefined
  readonly below?: number | undefined
}

export type ParamAction =
  | { readonly type: 'drop' | 'error' }
  /** A text is replaced by a digest of itself and the account (S6): what two tenants call alike is not alike upstream. */
  | { readonly type: 'salt' }
  /** Another name in the same object, another value, or both. */
  | { readonly type: 'adapt'; readonly name?: string; readonly value?: unknown }

export type { BreakGlassRule, Strategy } from './settings.ts'

export interface Timeouts {
  readonly connectMs: number
  /** To the first content; 0 disables, as everywhere. */
  readonly ttftMs: number
  readonly streamIdleMs: number
  readonly totalMs: number
  /** Whole non-streaming answer. */
  readonly requestMs: number
  /** Below it a backend is given up before its first content (B10); 0 or absent: none is. */
  readonly minTokensPerSecond?: number
}

/** Keys that sign requests to AWS (SigV4). Secrets: never logged, never listed. */
export interface AwsAccess {
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

/** One header that tells an upstream about the calling application (R113). */
export interface IdentityHeader {
  /** The client's headers that are passed on, in lower case, the first that is there; empty: never the client's. */
  readonly from: readonly string[]
  /** Sent where none of them is there; null: nothing is. */
  readonly value: string | null
}

export interface Identity {
  readonly userAgent: IdentityHeader
  readonly referer: IdentityHeader
  readonly title: IdentityHeader
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
  /** What each of its credentials may be given (R72); absent: as much as there is. */
  readonly caps?: { readonly rpm: number | null; readonly concurrency: number | null }
  /** The backend whose credential this is under a name of its own (`openrouter.2`), and which one; absent: it stands for itself. */
  readonly part?: { readonly of: string; readonly index: number }
  /** Whose bill its calls are on; absent: its own. */
  readonly billingDomain?: string
  /** The environment variable to name when the credential is missing or refused. */
  readonly credentialSource: string | null
  readonly protocols: readonly Protocol[]
  readonly headers: Readonly<Record<string, string>>
  /** Base URL of a protocol that this backend speaks elsewhere than at `apiUrl`; written like `apiUrl` (openai-*: ends in the version segment, others: the root). */
  readonly protocolUrls?: Readonly<Partial<Record<Protocol, string>>>
  readonly timeouts: Timeouts
  readonly enabled: boolean
  /** Where it keeps data, as the operator calls it; null: not said (R65). */
  readonly region: string | null
  /** What it promises about data; what is not said is not promised (R65). */
  readonly dataPolicy: readonly string[]
  /** Absent: the client's own names pass. */
  readonly identity?: Identity
  /** Top-level members that stand above whatever a request says (R32); absent: none. */
  readonly force?: Readonly<Record<string, unknown>>
  /** As of a model, and applied before its own. */
  readonly paramRules?: readonly ParamRule[]
  /** What the operator pays of a list price, in parts per million (R93); absent: all of it. */
  readonly costFactor?: bigint
  /** Its answers tell what they cost: that is the price of what nobody else prices; absent: they do not. */
  readonly reportsCost?: true
  /** How it is asked whether it works (R71); absent: it is not. */
  readonly probe?: BackendProbe
}

export interface BackendProbe {
  /** Behind the backend's address; null: where its protocol lists models. */
  readonly path: string | null
  readonly intervalMs: number
  readonly timeoutMs: number
  /** So many in a row, and it counts as down. */
  readonly failuresMax: number
}

export interface Group {
  readonly id: string
  readonly breakGlass?: readonly BreakGlassRule[]
  readonly public: boolean
  /** Whether ids that no route claims go to the default backend (C14). */
  readonly allowDefaultBackend: boolean
  /** In place of the global one; null: that. */
  readonly defaultBackend: string | null
  readonly strategy: Strategy | null
  readonly vendorPrefixPolicy: 'strip' | 'reject' | null
  /** Backends that its keys may name; null: see the lookups of step 4. */
  readonly backends: readonly string[] | null
  /** What a request means that names no model; absent: it is refused. */
  readonly defaultModel?: string | null
  /** Selectors that are tried when no backend of a model answers (R68). */
  readonly fallbacks: readonly string[]
  /** Backends elsewhere do not serve it; empty: any region (R65). */
  readonly regions: readonly string[]
  /** What a backend must promise about data (R65). */
  readonly dataPolicy: readonly string[]
  /** By which the prices of its routes are multiplied, in parts per million (R93); absent: 1. */
  readonly chargeFactor?: bigint
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
  /** Members laid under the client's body (R64). */
  readonly defaultParams: Readonly<Record<string, unknown>>
  /** How its host keeps the weights, in OpenRouter's words; absent: not said. */
  readonly quantization?: string
  /** Accounts below this tier may not use it (R45); absent: all may. */
  readonly minTier?: string
  /** Tokens that this route takes, where it takes fewer than the model. */
  readonly maxContext: number | null
  /** Present when the model has time limits of its own; replaces those of the backend (R76). */
  readonly timeouts?: Timeouts
}

/** One immutable picture of everything routable; a change makes a new one and swaps it. */
export interface Catalog {
  readonly generatedMs: number
  readonly models: ReadonlyMap<string, Model>
  readonly backends: ReadonlyMap<string, Backend>
  readonly groups: ReadonlyMap<string, Group>
  /** Names of the tiers of accounts, the lowest first; absent: there are none. */
  readonly tiers?: readonly string[]
  /** Active routes on enabled backends, by model id, in priority order. */
  readonly routes: ReadonlyMap<string, readonly Route[]>
  /** What live checks found, by model id (R121); absent: nothing. */
  readonly checks?: ReadonlyMap<string, readonly Check[]>
}

/** Holds the current snapshot. Readers take `current` once per request and keep it to the end. */
export interface CatalogSource {
  readonly current: Catalog
}
