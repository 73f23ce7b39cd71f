import { z } from 'zod'
import { parseNetwork } from '#base/addresses.ts'
import { PROTOCOLS } from '#base/protocols.ts'
import { alerts } from './alerts.ts'
import { budgets, isTimeZone } from './budgets.ts'
import * as feature from './feature-schema.ts'
import { modelRules } from './model-rules.ts'
import { paramRule } from './param-rules.ts'
import { nearest } from './suggest.ts'

/**
 * The shape of the file as written (snake_case, seconds, prices in USD). Objects are strict so that a misspelt key is noticed:
 * at the top level it is an error, deeper a warning (R115). What routing reads is in feature-schema.ts.
 */
const text = z.string()
const filled = z.string().min(1, 'must not be empty')
/** A secret made of digits reads as a number in YAML. */
const secret = z.union([z.string(), z.number()], 'expected string').transform(String)
const count = z.number().int('expected integer').min(0, 'must not be negative')
const seconds = z.number().min(0, 'must not be negative')
const list = z.array(filled)
const protocols = z.array(z.enum(PROTOCOLS, `expected one of ${PROTOCOLS.join(', ')}`))
const anything = z.record(text, z.unknown())
const amount = z.custom<number | string>(
  (value) => typeof value === 'number' || typeof value === 'string',
  'expected number or decimal string',
)

const timeouts = z.strictObject({
  connect_timeout: seconds.optional(),
  ttft_timeout: seconds.optional(),
  stream_idle_timeout: seconds.optional(),
  total_timeout: seconds.optional(),
  request_timeout: seconds.optional(),
  min_tokens_per_second: z.number().min(0, 'must not be negative').optional(),
})

const PRICE_CLASSES = {
  input: amount.optional(),
  output: amount.optional(),
  cache_read: amount.optional(),
  cache_write: amount.optional(),
  cache_write_1h: amount.optional(),
  reasoning: amount.optional(),
  image: amount.optional(),
  request: amount.optional(),
}
const price = z.strictObject({
  ...PRICE_CLASSES,
  tiers: z.array(z.strictObject({ ...PRICE_CLASSES, above_input_tokens: count })).optional(),
})

export const routeSchema = z.strictObject({
  model: filled,
  backend: filled,
  group: filled.optional(),
  upstream_model: filled.optional(),
  protocols: protocols.optional(),
  status: z.enum(['active', 'disabled'], 'expected active or disabled').optional(),
  priority: z.number().int('expected integer').optional(),
  weight: z.number().min(0, 'must not be negative').optional(),
  price: price.optional(),
  price_override: price.optional(),
  factor: feature.factor.optional(),
  default_params: anything.optional(),
  max_context: count.optional(),
  min_tier: text.optional(),
  quantization: feature.quantization.optional(),
})

const offered = z.union(
  [filled, routeSchema.omit({ backend: true, model: true }).extend({ id: filled })],
  'expected a model id or {id, upstream_model}',
)

const backend = z.strictObject({
  type: filled.optional(),
  api_url: filled.optional(),
  api_key: z.union([secret, z.array(secret)], 'expected string or list of strings').optional(),
  api_key_env: filled.optional(),
  protocols: protocols.min(1, 'must not be empty').optional(),
  protocol_urls: z.partialRecord(z.enum(PROTOCOLS), filled).optional(),
  timeout: seconds.optional(),
  timeouts: timeouts.optional(),
  models: z.array(offered).optional(),
  headers: z.record(text, secret).optional(),
  enabled: z.boolean().optional(),
  params: z.array(paramRule).optional(),
  region: filled.optional(),
  access_key_id: secret.optional(),
  secret_access_key: secret.optional(),
  session_token: secret.optional(),
  profile: filled.optional(),
  tenant_id: filled.optional(),
  client_id: filled.optional(),
  client_secret: secret.optional(),
  credentials_file: filled.optional(),
  token_url: z.url('expected an absolute URL').optional(),
  api_version: text.optional(),
  project: filled.optional(),
  location: filled.regex(/^[a-z0-9-]+$/, 'expected a location such as us-east5 or global').optional(),
  label: text.optional(),
  ...feature.backendRouting,
  extra: z.looseObject({ force: anything.optional() }).optional(),
  cost_factor: feature.factor.optional(),
  auto_sync: z.boolean().optional(),
})

const day = z.string().refine((text) => /^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text)), {
  message: 'expected an ISO date (2026-01-31)',
})

const model = z.strictObject({
  id: filled.regex(/^\S+$/, 'must not contain white space'),
  vendor: filled.optional(),
  name: text.optional(),
  description: text.optional(),
  context_window: count.optional(),
  max_output: count.optional(),
  capabilities: list.optional(),
  input_modalities: list.optional(),
  output_modalities: list.optional(),
  price: price.optional(),
  free: z.boolean().optional(),
  params: z.array(paramRule).optional(),
  tags: list.optional(),
  released_at: z
    .string()
    .regex(/^\d{4}-\d{2}-\d{2}/, 'expected an ISO date (2026-01-31)')
    .optional(),
  timeouts: timeouts.optional(),
  thinking: anything.optional(),
  ...feature.modelRouting,
  deprecation: z
    .union([z.boolean(), day, z.strictObject({ since: day.optional(), sunset: day.optional() })])
    .optional(),
  metadata: anything.optional(),
})

export const fileSchema = z.strictObject({
  server: z
    .strictObject({
      host: filled.optional(),
      port: count.max(65_535, 'expected a port (0 to 65535)').optional(),
      data_dir: filled.optional(),
      database_url: filled.optional(),
      gateway_url: filled.optional(),
      anthropic_port: count.max(65_535, 'expected a port (0 to 65535)').optional(),
    })
    .optional(),
  auth: z
    .strictObject({
      master_key: secret.optional(),
      disable_auth: z.boolean().optional(),
      api_keys: z.array(secret).optional(),
    })
    .optional(),
  billing: z
    .strictObject({
      mode: z.enum(['prepaid', 'postpaid', 'off'], 'expected prepaid, postpaid or off').optional(),
      currency: z
        .string()
        .regex(/^[A-Z]{3}$/, 'expected a currency code such as USD')
        .optional(),
      bill_empty: z.boolean().optional(),
      budget_tz: filled.refine(isTimeZone, 'expected a time zone such as Europe/Berlin').optional(),
      ...feature.payments,
    })
    .optional(),
  reservation: z
    .strictObject({
      min_output_tokens: count.optional(),
      default_max_output: count.min(1, 'must be positive').optional(),
    })
    .optional(),
  translation: z
    .strictObject({
      unsupported_params: z.enum(['lenient', 'strict'], 'expected lenient or strict').optional(),
      stash_seals: z.enum(['store', 'memory', 'off'], 'expected store, memory or off').optional(),
    })
    .optional(),
  caching: z.strictObject({ automatic: z.boolean().optional() }).optional(),
  limits: z
    .strictObject({
      body_bytes_max: count.min(1, 'must be positive').optional(),
      upstream_body_bytes_max: count.min(1, 'must be positive').optional(),
      event_bytes_max: count.min(1, 'must be positive').optional(),
      json_depth_max: count.min(1, 'must be positive').optional(),
      ip: feature.limitSet.optional(),
    })
    .optional(),
  outbound: z
    .strictObject({
      allow_private: list
        .refine((networks) => networks.every(parseNetwork), 'expected networks such as 10.0.0.0/8')
        .optional(),
    })
    .optional(),
  logging: z
    .strictObject({
      level: z
        .enum(
          ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
          'expected fatal, error, warn, info, debug, trace or silent',
        )
        .optional(),
      file: filled.optional(),
      capture_file: filled.optional(),
    })
    .optional(),
  logs: feature.logs.optional(),
  reconcile: feature.reconcile.optional(),
  cors: z.strictObject({ allowed_origins: list.optional() }).optional(),
  timeouts: timeouts.optional(),
  unpriced: z.strictObject({ price }).optional(),
  default_backend: filled.optional(),
  backends: z
    .record(
      filled,
      backend.nullable().transform((value) => value ?? {}),
    )
    .optional(),
  models: z.array(model).optional(),
  routes: z.array(routeSchema).optional(),
  groups: z
    .record(
      filled,
      feature.group.nullable().transform((value) => value ?? {}),
    )
    .optional(),
  force_model: filled.optional(),
  static_route: filled.optional(),
  model_aliases: feature.aliasRules.optional(),
  model_rules: modelRules.optional(),
  failover_routes: feature.failoverRoutes.optional(),
  identity: feature.identity.optional(),
  tiers: feature.tiers.optional(),
  free_tier: feature.freeTier.optional(),
  routing: feature.routing.optional(),
  failure_handling: feature.failureHandling.optional(),
  usage_tracking: feature.usageTracking.optional(),
  budgets: budgets.optional(),
  alerts: alerts.optional(),
  portal: feature.portal.optional(),
  thinking: feature.thinking.optional(),
  anthropic: z
    .strictObject({
      upstream_version: z
        .string()
        .regex(/^\d{4}-\d{2}-\d{2}$/, 'expected a version such as 2023-06-01')
        .optional(),
    })
    .optional(),
})

export type ConfigFile = z.output<typeof fileSchema>
export type BackendFile = NonNullable<ConfigFile['backends']>[string]
export type ModelFile = NonNullable<ConfigFile['models']>[number]
export type RouteFile = NonNullable<ConfigFile['routes']>[number]
export type TimeoutsFile = z.output<typeof timeouts>

export interface Validated {
  readonly file: ConfigFile | null
  readonly errors: string[]
  readonly warnings: string[]
}

/** Checks merged values. `file` is null when there are errors. Does not change its input. */
export function validate(values: Record<string, unknown>): Validated {
  const errors: string[] = []
  const warnings: string[] = []
  const first = fileSchema.safeParse(values)
  if (first.success) return { file: first.data, errors, warnings }
  const pruned = structuredClone(values)
  const known = Object.keys(fileSchema.shape)
  for (const issue of first.error.issues) {
    if (issue.code !== 'unrecognized_keys') continue
    for (const key of issue.keys) {
      const path = formatPath([...issue.path, key])
      const near = nearest(key, issue.path.length === 0 ? known : [])
      if (issue.path.length === 0) errors.push(`${path}: unknown setting${near ? `; did you mean ${near}?` : ''}`)
      else warnings.push(`${path}: unknown setting, ignored`)
      remove(pruned, issue.path, key)
    }
  }
  const second = fileSchema.safeParse(pruned)
  if (!second.success) errors.push(...second.error.issues.map(describe))
  return { file: errors.length === 0 && second.success ? second.data : null, errors, warnings }
}

function describe(issue: z.core.$ZodIssue): string {
  const path = formatPath(issue.path)
  if (issue.code === 'invalid_type') {
    return issue.input === undefined && issue.message.includes('undefined')
      ? `${path}: missing, expected ${expectation(issue.expected)}`
      : `${path}: expected ${expectation(issue.expected)}`
  }
  return `${path}: ${issue.message}`
}

/** The type's name as a reader of YAML knows it. */
function expectation(type: string): string {
  if (type === 'record') return 'object'
  if (type === 'array') return 'list'
  return type === 'int' ? 'integer' : type
}

function remove(values: unknown, path: readonly PropertyKey[], key: string): void {
  let at = values as Record<PropertyKey, unknown>
  for (const step of path) at = at[step] as Record<PropertyKey, unknown>
  delete at[key]
}

/** `['models', 0, 'price']` -> `models[0].price`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let textOfPath = ''
  for (const step of path) {
    if (typeof step === 'number') textOfPath += `[${step}]`
    else textOfPath += `${textOfPath && '.'}${String(step)}`
  }
  return textOfPath
}
