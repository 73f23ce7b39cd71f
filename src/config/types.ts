import type { Timeouts } from '#catalog/types.ts'
import type { BillingMode } from '#ledger/types.ts'
import type { CatalogSettings } from '#catalog/settings.ts'

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
  readonly timeouts: Timeouts
  readonly reservation: { readonly minOutputTokens: number; readonly defaultMaxOutput: number }
  /** Whether a parameter that a translation has to drop is told of or refused (R81). */
  readonly unsupportedParams: 'lenient' | 'strict'
  /** Whether long prompts of Claude are marked for its cache (R89). */
  readonly automaticCaching: boolean
  readonly limits: {
    readonly bodyBytesMax: number
    readonly upstreamBodyBytesMax: number
    readonly eventBytesMax: number
    readonly jsonDepthMax: number
  }
  readonly logLevel: string
  readonly corsAllowedOrigins: readonly string[]
  /** Client keys of single-user mode (API_KEYS). Secrets. */
  readonly apiKeys: readonly string[]
  /** File sections that later features read (aliases, identity, routing …): checked to be a list or an object, as written. */
  readonly sections: Readonly<Record<string, unknown>>
  /** Validated file sections the catalog is built from. */
  readonly catalog: CatalogSettings
}

/** Opaque to everyone but `config/` and `catalog/`. */
export type { CatalogSettings } from '#catalog/settings.ts'
