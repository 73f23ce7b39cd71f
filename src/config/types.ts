import type { Timeouts } from '#catalog/types.ts'
import type { BillingMode } from '#ledger/types.ts'
import type { RateLimitSettings } from '#limits/types.ts'
import type { CatalogSettings } from '#catalog/settings.ts'
import type { AlertRules } from './alerts.ts'
import type { BudgetRule } from './budgets.ts'
import type {
  FailoverRoute,
  FailureHandlingSettings,
  HybridSettings,
  ModelRule,
  PortalSettings,
  RoutingSettings,
  ThinkingSettings,
} from './routing-types.ts'

/** Where an effective value came from, for `trivium config print` (R112: CLI > env > file > default). */
export type Source = 'flag' | 'env' | 'file' | 'default'

/** Everything a running gateway is told, after merging, validated. Host, port and database need a restart; the rest reloads (R115). */
export interface Settings {
  readonly configFile: string | null
  readonly host: string
  readonly port: number
  readonly dataDir: string
  /** Null: SQLite in the data folder. */
  readonly databaseUrl: string | null
  /** Public root without trailing slash; null: the listen address. */
  readonly gatewayUrl: string | null
  /** Null: generated once and kept in the data folder. */
  readonly masterKey: string | null
  readonly disableAuth: boolean
  readonly billingMode: BillingMode
  readonly currency: string
  /** Whether answers without content are charged that ended in an error (R91). */
  readonly billsEmpty: boolean
  readonly timeouts: Timeouts
  readonly reservation: { readonly minOutputTokens: number; readonly defaultMaxOutput: number }
  /** Whether a parameter that a translation has to drop is told of or refused (R81). */
  readonly unsupportedParams: 'lenient' | 'strict'
  /** `anthropic-version` of requests that are translated (R88). */
  readonly anthropicUpstreamVersion: string
  /** Where the seals of tool calls are kept for clients that lose them (B3). */
  readonly stashSeals: 'store' | 'memory' | 'off'
  /** Whether long prompts of Claude are marked for its cache (R89). */
  readonly automaticCaching: boolean
  readonly limits: {
    readonly bodyBytesMax: number
    readonly upstreamBodyBytesMax: number
    readonly eventBytesMax: number
    readonly jsonDepthMax: number
  }
  /** Time-based limits (R78) and the free tier (R96). */
  readonly rateLimits: RateLimitSettings
  /** Networks in CIDR notation that requests to addresses chosen by a client may reach although they are private (R122). */
  readonly outboundAllowPrivate: readonly string[]
  readonly logLevel: string
  readonly corsAllowedOrigins: readonly string[]
  /** Client keys of single-user mode (API_KEYS). Secrets. */
  readonly apiKeys: readonly string[]
  /** Port that serves only the Anthropic protocol; null: none. */
  readonly anthropicPort: number | null
  /** Absolute path; null: standard error. */
  readonly logFile: string | null
  /** Absolute path of the file of one line per request; null: none. */
  readonly captureFile: string | null
  /** Whether rows and costs of requests are kept (R108). */
  readonly accounting: boolean
  /** Days that request rows are kept; 0: for ever (R101). */
  readonly logRetentionDays: number
  /** Percent by which an invoice may differ without an alert (B6). */
  readonly reconcileAlertPct: number
  readonly routing: RoutingSettings
  readonly failureHandling: FailureHandlingSettings
  readonly modelRules: readonly ModelRule[]
  readonly failoverRoutes: Readonly<Record<string, FailoverRoute>>
  readonly hybrid: HybridSettings
  readonly thinking: ThinkingSettings
  readonly portal: PortalSettings
  /** Where the days of budgets and limits of keys begin (R97). */
  readonly budgetTimeZone: string
  readonly budgets: readonly BudgetRule[]
  readonly alerts: AlertRules
  /** Validated file sections the catalog is built from. */
  readonly catalog: CatalogSettings
}

export type { PortalSettings } from './routing-types.ts'

/** Opaque to everyone but `config/` and `catalog/`. */
export type { CatalogSettings } from '#catalog/settings.ts'
