import { z } from 'zod'
import { parseUsd } from '#base/money.ts'
import { STRATEGIES } from '#catalog/settings.ts'

/** Shapes of the blocks about routing, limits and identity, as written in the file; a part of schema.ts. */
const filled = z.string().min(1, 'must not be empty')
const count = z.number().int('expected integer').min(0, 'must not be negative')
const seconds = z.number().min(0, 'must not be negative')
const selectors = z.array(filled)
/** An amount stays text, so that it stays exact. */
const decimal = z
  .union([z.number(), z.string()], 'expected number or decimal string')
  .transform(String)
  .pipe(z.string().regex(/^\d+(\.\d+)?$/, 'expected a decimal number that is not negative'))
/** A factor of money: exact in parts per million, and no slip of the keys. */
const factor = decimal.pipe(
  z
    .string()
    .regex(/^\d{1,3}(\.\d{1,6})?$/, 'expected a factor from 0 to 999.999999 with at most 6 digits behind the point'),
)
export const strategy = z.enum(STRATEGIES, `expected one of ${STRATEGIES.join(', ')}`)
const prefixPolicy = z.enum(['strip', 'reject'], 'expected strip or reject')

export const aliasRules = z.array(z.strictObject({ pattern: filled, replacement: filled }))

export const routing = z.strictObject({
  disable_backend_ids: z.boolean().optional(),
  disable_backend_names: z.boolean().optional(),
  disable_model_names: z.boolean().optional(),
  vendor_prefix_policy: prefixPolicy.optional(),
  strict_uri_parameters: z.boolean().optional(),
  list_exact_aliases: z.boolean().optional(),
  strategy: strategy.optional(),
  all_unhealthy: z.enum(['try', 'fail'], 'expected try or fail').optional(),
  latency_value_usd_per_s: decimal.optional(),
  force_context_window: count.min(1, 'must be positive').optional(),
  upstream_error_passthrough: z.boolean().optional(),
  drain_on_disconnect: z.union([z.boolean(), seconds], 'expected true, false or seconds').optional(),
  disable_hybrid_backend: z.boolean().optional(),
  hybrid_backend_repeat_messages: z.boolean().optional(),
  reasoning_injection_probability: z.number().min(0, 'expected 0 to 1').max(1, 'expected 0 to 1').optional(),
  hybrid_reasoning_force_initial_turns: count.optional(),
  hybrid_reasoning_model_timeout: seconds.optional(),
  hybrid_execution_model_timeout: seconds.optional(),
})

/** Settings of `routing` that other documents write at the top level; they are moved. */
export const ROUTING_KEYS: readonly string[] = Object.keys(routing.shape)

export const thinking = z.strictObject({
  budget: count.min(1, 'must be positive').optional(),
  default_effort: z.enum(['minimal', 'low', 'medium', 'high', 'xhigh', 'max'], 'expected an effort').optional(),
})

export const failureHandling = z.strictObject({
  enabled: z.boolean().optional(),
  max_silent_wait: seconds.optional(),
  total_timeout_budget: seconds.optional(),
  keepalive_interval: seconds.optional(),
  max_failover_hops: count.optional(),
  min_retry_wait: seconds.optional(),
})

export const freeTier = z.strictObject({
  rpm: count.optional(),
  rpd: count.optional(),
  rpd_paid: count.optional(),
  threshold: decimal.optional(),
})

/** Limits over time (R78); 0 is off. */
export const limitSet = z.strictObject({
  rpm: count.optional(),
  tpm: count.optional(),
  rp5h: count.optional(),
  rpd: count.optional(),
  rp7d: count.optional(),
  concurrency: count.optional(),
})
export type LimitsFile = z.output<typeof limitSet>

const tier = limitSet.extend({
  name: filled,
  min_lifetime_credits: decimal.optional(),
  free_rpd: count.optional(),
  models: z.record(filled, limitSet).optional(),
})
export const tiers = z.array(tier)

const failoverRoute = z.strictObject({
  policy: z
    .enum(['ordered', 'round-robin', 'round_robin'], 'expected ordered or round-robin')
    .transform((policy) => (policy === 'ordered' ? policy : ('round-robin' as const)))
    .optional(),
  elements: selectors.min(1, 'must not be empty'),
})
export const failoverRoutes = z.record(filled, failoverRoute)

const identityHeader = z.strictObject({
  mode: z.enum(['passthrough', 'override', 'default'], 'expected passthrough, override or default').optional(),
  override_value: filled.optional(),
  default_value: filled.optional(),
  passthrough_name: filled.optional(),
})
export const identity = z.strictObject({
  user_agent: identityHeader.optional(),
  referer: identityHeader.optional(),
  x_title: identityHeader.optional(),
})
export type IdentityFile = z.output<typeof identity>
export type IdentityHeaderFile = z.output<typeof identityHeader>

/** Limits over time look back as long as this when the gateway starts. */
const RETENTION_DAYS_MIN = 7

export const logs = z.strictObject({
  retention_days: count
    .refine((days) => days === 0 || days >= RETENTION_DAYS_MIN, `expected 0 or at least ${RETENTION_DAYS_MIN}`)
    .optional(),
})

export const reconcile = z.strictObject({ alert_pct: z.number().min(0).max(1000).optional() })

export const usageTracking = z.strictObject({
  enabled: z.boolean().optional(),
  persistence_path: filled.optional(),
  flush_interval_seconds: seconds.optional(),
  max_records_in_memory: count.optional(),
})

/** An OpenID Connect provider by its discovery document, or an OAuth one by its three addresses. */
const loginProvider = z
  .strictObject({
    client_id: filled,
    client_secret: filled.optional(),
    discovery_url: z.url('expected an absolute URL').optional(),
    authorization_url: z.url('expected an absolute URL').optional(),
    token_url: z.url('expected an absolute URL').optional(),
    user_info_url: z.url('expected an absolute URL').optional(),
    scopes: z.array(filled).optional(),
  })
  .refine(
    ({ discovery_url: discovery, authorization_url: authorization, token_url: token, user_info_url: info }) =>
      discovery !== undefined || (authorization !== undefined && token !== undefined && info !== undefined),
    'expected discovery_url, or authorization_url, token_url and user_info_url',
  )

export const portal = z.strictObject({
  port: count.max(65_535, 'expected a port (0 to 65535)').optional(),
  catalog_cache_seconds: seconds.optional(),
  catalog_route_groups: filled.optional(),
  catalog_overrides_path: filled.optional(),
  session_secret: filled.optional(),
  smtp_url: filled.optional(),
  mail_from: filled.optional(),
  sign_up: z.enum(['open', 'approval', 'off'], 'expected open, approval or off').optional(),
  login_providers: z.record(filled, loginProvider).optional(),
})

export const payments = {
  stripe_secret_key: filled.optional(),
  stripe_webhook_secret: filled.optional(),
  stripe_api_url: z.url('expected an absolute URL').optional(),
  signup_bonus: decimal
    .refine((text) => parseUsd(text) !== undefined, 'expected an amount with at most 9 digits behind the point')
    .optional(),
}

/** When all others fail: where to, and for how much (B11). */
const breakGlass = z.array(
  z.strictObject({
    on: z
      .preprocess((on) => [on].flat().map(String), z.array(z.enum(['402', 'outage'], 'expected 402 or outage')))
      .optional(),
    use: filled,
    max_usd: decimal,
    period: z.enum(['daily', 'weekly', 'monthly'], 'expected daily, weekly or monthly').optional(),
    notify: z.boolean().optional(),
  }),
)
export type BreakGlassFile = z.output<typeof breakGlass>

export const group = z.strictObject({
  break_glass: breakGlass.optional(),
  public: z.boolean().optional(),
  allow_default_backend: z.boolean().optional(),
  default_backend: filled.optional(),
  default_model: filled.optional(),
  strategy: strategy.optional(),
  vendor_prefix_policy: prefixPolicy.optional(),
  backends: selectors.optional(),
  fallbacks: selectors.optional(),
  regions: selectors.optional(),
  data_policy: z.union([filled.transform((one) => [one]), selectors], 'expected string or list').optional(),
  limits: limitSet.optional(),
  charge_factor: factor.optional(),
  label: z.string().optional(),
  description: z.string().optional(),
})

/** Members of a model that routing reads. */
export const modelRouting = {
  fallbacks: selectors.optional(),
  context_fallbacks: selectors.optional(),
  larger: filled.optional(),
  strategy: strategy.optional(),
  hedge: z.boolean().optional(),
  cache: z.enum(['explicit', 'implicit', 'off'], 'expected explicit, implicit or off').optional(),
  limits: limitSet.optional(),
  min_tier: filled.optional(),
  free_tier: freeTier.optional(),
  break_glass: breakGlass.optional(),
}

/** A second at least: who asks more often is a load of its own. */
const probe = z.strictObject({
  path: z.string().startsWith('/', 'expected a path that begins with /').optional(),
  interval: seconds.min(1, 'expected at least 1 second').optional(),
  timeout: seconds.optional(),
  failures: count.min(1, 'expected at least 1').optional(),
})
export type ProbeFile = z.output<typeof probe>

/** As OpenRouter calls them. */
export const quantization = z.enum(
  ['int4', 'int8', 'fp4', 'mxfp4', 'nvfp4', 'fp6', 'fp8', 'mxfp8', 'fp16', 'bf16', 'fp32', 'unknown'],
  'expected a quantization such as fp8',
)

/** Members of a backend that routing reads. */
export const backendRouting = {
  probe: z.union([z.boolean(), probe], 'expected true, false or a block').optional(),
  identity: identity.optional(),
  data_policy: z.union([filled.transform((one) => [one]), selectors], 'expected string or list').optional(),
  billing_domain: filled.optional(),
  reports_cost: z.boolean().optional(),
  rpm: count.optional(),
  concurrency: count.optional(),
}
export { decimal, factor }
