import type { PicoUsd } from '#base/money.ts'
import type { Strategy } from '#catalog/settings.ts'

/** How a model string finds its backend (R29, R37 to R43). */
export interface RoutingSettings {
  /** A backend or `backend:model`; null: unclaimed ids are unknown. */
  readonly defaultBackend: string | null
  /** Any selector. */
  readonly forceModel: string | null
  /** `backend:model`; stronger than the forced model. */
  readonly staticRoute: string | null
  /** In order; checked to compile. */
  readonly modelAliases: readonly AliasRule[]
  readonly listExactAliases: boolean
  readonly vendorPrefixPolicy: 'strip' | 'reject'
  readonly strictUriParameters: boolean
  readonly disableBackendIds: boolean
  readonly disableBackendNames: boolean
  readonly disableModelNames: boolean
  /** Tokens. */
  readonly forceContextWindow: number | null
  readonly strategy: Strategy
  readonly allUnhealthy: 'try' | 'fail'
  /** Whether a client sees the upstream's own 401, 402 and 403 (R23). */
  readonly upstreamErrorPassthrough: boolean
  /** How long an answer is read on after its client left (R77); 0: not at all. */
  readonly drainOnDisconnectMs: number
  /** What a second until the first token is worth (B5). */
  readonly latencyValuePico: PicoUsd
}

/** RE2 syntax; the replacement may name groups as `\1`, `\g<name>`, `$1`. */
export interface AliasRule {
  readonly pattern: string
  readonly replacement: string
}

/** A class of requests, and the model that is enough for it (R75). A condition that is null asks nothing; all others must hold. */
export interface ModelRule {
  readonly name: string
  /** Ids as clients write them, or beginnings with a star behind. */
  readonly models: readonly string[] | null
  /** Names of keys. */
  readonly keys: readonly string[] | null
  /** Systems of keys. */
  readonly systems: readonly string[] | null
  /** Of the header x-gateway-task. */
  readonly task: string | null
  /** Tokens, estimated. */
  readonly promptTokensBelow: number | null
  readonly tools: boolean | null
  /** Any selector. */
  readonly model: string
}

/** Second tries and other backends (R67, R70). */
export interface FailureHandlingSettings {
  readonly enabled: boolean
  readonly maxSilentWaitMs: number
  readonly totalTimeoutBudgetMs: number
  readonly keepaliveIntervalMs: number
  readonly maxFailoverHops: number
  readonly minRetryWaitMs: number
}

/** Models of two legs (R40). */
export interface HybridSettings {
  readonly enabled: boolean
  readonly repeatMessages: boolean
  /** 0 to 1. */
  readonly reasoningInjectionProbability: number
  readonly reasoningForceInitialTurns: number
  readonly reasoningModelTimeoutMs: number
  readonly executionModelTimeoutMs: number
}

/** A chain of selectors in place of a model (R68). */
export interface FailoverRoute {
  readonly policy: 'ordered' | 'round-robin'
  readonly elements: readonly string[]
}

export interface ThinkingSettings {
  readonly defaultEffort: string
  /** Tokens. */
  readonly budget: number | null
}

/** An identity provider that people may sign in with: OpenID Connect by its discovery document, else the three addresses. */
export interface LoginProviderSettings {
  readonly id: string
  readonly clientId: string
  readonly clientSecret: string | null
  readonly discoveryUrl: string | null
  readonly authorizationUrl: string | null
  readonly tokenUrl: string | null
  readonly userInfoUrl: string | null
  readonly scopes: readonly string[]
}

/** The portal, sign-up and payments. Secrets among them. */
export interface PortalSettings {
  readonly port: number | null
  readonly catalogCacheSeconds: number
  readonly catalogRouteGroups: string | null
  readonly catalogOverridesPath: string | null
  readonly sessionSecret: string | null
  /** `console`: printed. Null: no mail. */
  readonly smtpUrl: string | null
  readonly mailFrom: string
  readonly signUp: 'open' | 'approval' | 'off'
  readonly loginProviders: readonly LoginProviderSettings[]
  readonly stripeSecretKey: string | null
  readonly stripeWebhookSecret: string | null
  /** Root of Stripe's API; null: Stripe itself. */
  readonly stripeApiUrl: string | null
  /** Decimal text. */
  readonly signupBonus: string
}
