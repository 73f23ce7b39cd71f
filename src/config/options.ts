import { PRESETS } from '#providers/presets.ts'
import type { Option } from './option.ts'
import { IDENTITY_OPTIONS, PORTAL_OPTIONS, USAGE_OPTIONS } from './options-others.ts'
import { ROUTING_OPTIONS } from './options-routing.ts'

export type { Option, OptionType } from './option.ts'

const MIB = 1024 * 1024

/** Every setting that has a variable, a flag or a default (R110, R111). */
export const OPTIONS: readonly Option[] = [
  {
    path: 'server.port',
    env: 'APP_PORT',
    flag: 'port',
    type: 'integer',
    default: 8000,
    description: 'Port to listen on; 0 picks a free one.',
  },
  {
    path: 'server.host',
    env: 'APP_HOST',
    flag: 'host',
    type: 'text',
    default: '127.0.0.1',
    description: 'Address to listen on.',
  },
  {
    path: 'server.data_dir',
    env: 'DATA_DIR',
    flag: 'data-dir',
    type: 'text',
    default: './data',
    description: 'Folder of the embedded database and of generated secrets.',
  },
  {
    path: 'server.database_url',
    env: 'DATABASE_URL',
    flag: 'database-url',
    type: 'text',
    description: 'postgres:// URL; unset: SQLite in the data folder.',
    secret: true,
  },
  {
    path: 'server.gateway_url',
    env: 'GATEWAY_URL',
    flag: 'gateway-url',
    type: 'text',
    description: 'Public root of the gateway without a path; unset: the listen address.',
  },
  {
    path: 'server.anthropic_port',
    env: 'ANTHROPIC_PORT',
    flag: 'anthropic-port',
    type: 'integer',
    description: 'A second port that serves only the Anthropic protocol; 0 picks a free one.',
  },
  {
    path: 'auth.master_key',
    env: 'GATEWAY_MASTER_KEY',
    type: 'text',
    description: 'The admin key; unset: generated once and kept in the data folder.',
    secret: true,
  },
  {
    path: 'auth.disable_auth',
    env: 'DISABLE_AUTH',
    flag: 'disable-auth',
    type: 'boolean',
    default: false,
    description: 'Single-user mode without client keys; only on a loopback address.',
  },
  {
    path: 'auth.api_keys',
    env: 'API_KEYS',
    type: 'list',
    default: [],
    description: 'Client keys of single-user mode, separated by commas.',
    secret: true,
  },
  {
    path: 'billing.mode',
    env: 'BILLING_MODE',
    flag: 'billing-mode',
    type: 'text',
    description: 'prepaid, postpaid or off; default prepaid, off with --disable-auth.',
  },
  {
    path: 'billing.currency',
    env: 'BILLING_CURRENCY',
    type: 'text',
    default: 'USD',
    description: 'Currency of all prices and balances.',
  },
  {
    path: 'billing.budget_tz',
    env: 'BUDGET_TZ',
    type: 'text',
    default: 'UTC',
    description: 'Time zone in which the days, weeks and months of budgets and key limits begin.',
  },
  {
    path: 'billing.bill_empty',
    type: 'boolean',
    default: false,
    description: 'Charges answers without content that end in an error or a filter.',
  },
  {
    path: 'reservation.min_output_tokens',
    type: 'integer',
    default: 256,
    description: 'Least output limit worth admitting when the balance is short.',
  },
  {
    path: 'reservation.default_max_output',
    type: 'integer',
    default: 32_768,
    description: 'Output bound of a model that names none.',
  },
  {
    path: 'translation.unsupported_params',
    env: 'UNSUPPORTED_PARAMS',
    type: 'text',
    default: 'lenient',
    description: 'What a translation drops: lenient tells of it in x-gateway-warnings, strict answers 400.',
  },
  {
    path: 'anthropic.upstream_version',
    type: 'text',
    default: '2023-06-01',
    description: 'anthropic-version of translated requests; from 2026-10-21 on sampling values are dropped.',
  },
  {
    path: 'translation.stash_seals',
    env: 'STASH_SEALS',
    type: 'text',
    default: 'store',
    description: 'Where signed reasoning of tool calls is kept for 24 h: store (encrypted), memory or off.',
  },
  {
    path: 'caching.automatic',
    env: 'PROMPT_CACHING',
    type: 'boolean',
    default: true,
    description: 'Long prompts of Claude are marked for its cache when the client marked none.',
  },
  { path: 'timeouts.connect_timeout', type: 'seconds', default: 10, description: 'Connecting to an upstream.' },
  { path: 'timeouts.ttft_timeout', type: 'seconds', default: 60, description: 'First content of a stream.' },
  {
    path: 'timeouts.stream_idle_timeout',
    type: 'seconds',
    default: 30,
    description: 'Silence between two chunks of a stream.',
  },
  { path: 'timeouts.total_timeout', type: 'seconds', default: 600, description: 'A whole stream.' },
  {
    path: 'timeouts.request_timeout',
    env: 'PROXY_TIMEOUT',
    flag: 'timeout',
    type: 'seconds',
    default: 120,
    description: 'A whole answer that is not streamed.',
  },
  {
    path: 'timeouts.min_tokens_per_second',
    type: 'number',
    description: 'Slower backends are given up before their first content, measured over 5 s; unset or 0: none is.',
  },
  { path: 'limits.body_bytes_max', type: 'integer', default: 32 * MIB, description: 'Largest request body.' },
  {
    path: 'limits.upstream_body_bytes_max',
    type: 'integer',
    default: 64 * MIB,
    description: 'Largest unary upstream body.',
  },
  { path: 'limits.event_bytes_max', type: 'integer', default: 16 * MIB, description: 'Largest single stream event.' },
  { path: 'limits.json_depth_max', type: 'integer', default: 128, description: 'Deepest nesting of a request body.' },
  {
    path: 'outbound.allow_private',
    env: 'OUTBOUND_ALLOW_PRIVATE',
    type: 'list',
    default: [],
    description: 'Private networks (CIDR) that the gateway may load media from; empty: none.',
  },
  {
    path: 'logging.level',
    env: 'LOG_LEVEL',
    flag: 'log-level',
    type: 'text',
    default: 'info',
    description: 'fatal, error, warn, info, debug, trace or silent.',
  },
  {
    path: 'logging.file',
    env: 'LOG_FILE',
    flag: 'log',
    type: 'text',
    description: 'File the log is appended to; unset: standard error.',
  },
  {
    path: 'logging.capture_file',
    env: 'CAPTURE_FILE',
    flag: 'capture-file',
    type: 'text',
    description: 'File of one JSON line per request: who asked whom, status, times, tokens; no secrets, no content.',
  },
  {
    path: 'cors.allowed_origins',
    type: 'list',
    default: [],
    description: 'Origins whose pages may call with a key; *: any; empty: none.',
  },
  ...IDENTITY_OPTIONS,
  ...ROUTING_OPTIONS,
  ...USAGE_OPTIONS,
  ...PORTAL_OPTIONS,
]

/** A switch that turns something off has the opposite default of what it turns off. */
export const shownDefault = (option: {
  readonly default?: Option['default'] | undefined
  readonly inverted?: true | undefined
}): Option['default'] => (option.inverted ? !option.default : option.default)

/** Names the file itself, so it cannot stand in it. */
export const CONFIG_OPTION = {
  env: 'CONFIG_FILE',
  flag: 'config',
  description: 'YAML file; default ./config.yaml, then ./config/config.yaml, when present.',
} as const

/** Providers whose key and base URL may be given by flag too (R110). */
const FLAG_PROVIDERS = new Set(['openai', 'anthropic', 'gemini', 'openrouter'])

/** Variables and flags of one preset (R58, R111); numbered keys (`_1`, `_2` …) rotate. */
export interface ProviderOption {
  readonly type: string
  readonly setting: 'api_key' | 'api_base_url' | 'timeout'
  readonly env: string
  readonly flag?: string
  readonly description: string
  readonly secret?: true
}

export const PROVIDER_OPTIONS: readonly ProviderOption[] = PRESETS.flatMap((preset) =>
  preset.envPrefixes.flatMap((prefix, index): ProviderOption[] => {
    const flag = (setting: string): { flag?: string } =>
      index === 0 && FLAG_PROVIDERS.has(preset.type) ? { flag: `${preset.type}-${setting}` } : {}
    return [
      {
        type: preset.type,
        setting: 'api_key',
        env: `${prefix}_API_KEY`,
        ...flag('api-key'),
        description: `Key of ${preset.label}; ${prefix}_API_KEY_1, _2 … rotate, and so do flags given several times.`,
        secret: true,
      },
      {
        type: preset.type,
        setting: 'api_base_url',
        env: `${prefix}_API_BASE_URL`,
        ...flag('api-base-url'),
        description: `Base URL of ${preset.label}.`,
      },
      {
        type: preset.type,
        setting: 'timeout',
        env: `${prefix}_TIMEOUT`,
        description: `Seconds for a whole answer of ${preset.label}.`,
      },
    ]
  }),
)
