import type { CatalogSettings } from '#catalog/settings.ts'
import { type NanoUsd, parsePriceEach, parseUsd } from '#base/money.ts'
import { findReference } from '#catalog/reference.ts'
import { checkAliases, selectorFaults, type Known } from './aliases.ts'
import type { Findings } from './backends.ts'
import { readModelRules } from './model-rules.ts'
import type { HybridSettings, PortalSettings, RoutingSettings } from './routing-types.ts'
import type { ConfigFile } from './schema.ts'
import type { Settings } from './types.ts'

/** The blocks about routing, limits and the portal in our units. Defaults come from the table of options. */

type Features = Pick<
  Settings,
  'routing' | 'failureHandling' | 'modelRules' | 'failoverRoutes' | 'hybrid' | 'thinking' | 'portal'
>

const ms = (seconds: number | undefined): number => Math.round((seconds ?? 0) * 1000)

/** `drain_on_disconnect: true` (R77). */
const DRAIN_MS = 90_000

export function readFeatures(file: ConfigFile, disableAuth: boolean): Features {
  const { failure_handling: failure, thinking } = file
  return {
    routing: readRouting(file, disableAuth),
    failureHandling: {
      enabled: failure?.enabled ?? true,
      maxSilentWaitMs: ms(failure?.max_silent_wait),
      totalTimeoutBudgetMs: ms(failure?.total_timeout_budget),
      keepaliveIntervalMs: ms(failure?.keepalive_interval),
      maxFailoverHops: failure?.max_failover_hops ?? 0,
      minRetryWaitMs: ms(failure?.min_retry_wait),
    },
    modelRules: readModelRules(file.model_rules ?? []),
    failoverRoutes: Object.fromEntries(
      Object.entries(file.failover_routes ?? {}).map(([name, { policy, elements }]) => [
        name,
        { policy: policy ?? 'ordered', elements },
      ]),
    ),
    hybrid: readHybrid(file),
    thinking: { defaultEffort: thinking?.default_effort ?? '', budget: thinking?.budget ?? null },
    portal: readPortal(file),
  }
}

function readRouting(file: ConfigFile, disableAuth: boolean): RoutingSettings {
  const routing = file.routing ?? {}
  const drain = routing.drain_on_disconnect ?? false
  return {
    defaultBackend: file.default_backend ?? null,
    forceModel: file.force_model ?? null,
    staticRoute: file.static_route ?? null,
    modelAliases: file.model_aliases ?? [],
    listExactAliases: routing.list_exact_aliases ?? false,
    vendorPrefixPolicy: routing.vendor_prefix_policy ?? 'strip',
    strictUriParameters: routing.strict_uri_parameters ?? false,
    disableBackendIds: routing.disable_backend_ids ?? false,
    disableBackendNames: routing.disable_backend_names ?? false,
    disableModelNames: routing.disable_model_names ?? false,
    forceContextWindow: routing.force_context_window ?? null,
    strategy: routing.strategy ?? 'weighted_random',
    allUnhealthy: routing.all_unhealthy ?? 'try',
    upstreamErrorPassthrough: routing.upstream_error_passthrough ?? disableAuth,
    drainOnDisconnectMs: drain === true ? DRAIN_MS : ms(drain === false ? 0 : drain),
    latencyValuePico: parsePriceEach(routing.latency_value_usd_per_s ?? '0') ?? 0n,
  }
}

function readHybrid({ routing }: ConfigFile): HybridSettings {
  return {
    enabled: !(routing?.disable_hybrid_backend ?? false),
    repeatMessages: routing?.hybrid_backend_repeat_messages ?? false,
    reasoningInjectionProbability: routing?.reasoning_injection_probability ?? 1,
    reasoningForceInitialTurns: routing?.hybrid_reasoning_force_initial_turns ?? 0,
    reasoningModelTimeoutMs: ms(routing?.hybrid_reasoning_model_timeout),
    executionModelTimeoutMs: ms(routing?.hybrid_execution_model_timeout),
  }
}

/** What is asked of an identity provider: who somebody is. */
const LOGIN_SCOPES: readonly string[] = ['openid', 'email', 'profile']

function readPortal({ portal, billing }: ConfigFile): PortalSettings {
  return {
    port: portal?.port ?? null,
    catalogCacheSeconds: portal?.catalog_cache_seconds ?? 0,
    catalogRouteGroups: portal?.catalog_route_groups ?? null,
    catalogOverridesPath: portal?.catalog_overrides_path ?? null,
    sessionSecret: portal?.session_secret ?? null,
    smtpUrl: portal?.smtp_url ?? null,
    mailFrom: portal?.mail_from ?? '',
    signUp: portal?.sign_up ?? 'open',
    loginProviders: Object.entries(portal?.login_providers ?? {}).map(([id, provider]) => ({
      id,
      clientId: provider.client_id,
      clientSecret: provider.client_secret ?? null,
      discoveryUrl: provider.discovery_url ?? null,
      authorizationUrl: provider.authorization_url ?? null,
      tokenUrl: provider.token_url ?? null,
      userInfoUrl: provider.user_info_url ?? null,
      scopes: provider.scopes ?? LOGIN_SCOPES,
    })),
    stripeSecretKey: billing?.stripe_secret_key ?? null,
    stripeWebhookSecret: billing?.stripe_webhook_secret ?? null,
    stripeApiUrl: billing?.stripe_api_url ?? null,
    signupBonus: billing?.signup_bonus ?? '0',
  }
}

/** What a new account is credited with (R95). */
export const signupBonusOf = ({ signupBonus }: PortalSettings): NanoUsd => parseUsd(signupBonus) ?? 0n

/** Every selector that the settings name must lead to a configured backend (R38, R41, R42). */
export function checkSelectors(file: ConfigFile, catalog: CatalogSettings, findings: Findings): void {
  const models = new Set([...catalog.models.map(({ id }) => id), ...catalog.routes.map(({ model }) => model)])
  const known: Known = {
    backends: Object.keys(file.backends ?? {}),
    isModel: (id) => models.has(id) || findReference(id, Date.now()) !== undefined,
  }
  checkAliases(file.model_aliases ?? [], known, findings)
  const check = (path: string, selector: string): void => {
    for (const fault of selectorFaults(selector, known)) findings.errors.push(`${path}: ${fault}`)
  }
  if (file.force_model !== undefined) check('force_model', file.force_model)
  if (file.static_route !== undefined) checkStaticRoute(file.static_route, known, findings)
  for (const [index, rule] of (file.model_rules ?? []).entries()) check(`model_rules[${index}].model`, rule.model)
  for (const [name, { elements }] of Object.entries(file.failover_routes ?? {})) {
    for (const [index, element] of elements.entries()) check(`failover_routes.${name}.elements[${index}]`, element)
  }
  for (const [index, { fallbacks = [], context_fallbacks: larger = [] }] of (file.models ?? []).entries()) {
    for (const selector of [...fallbacks, ...larger]) check(`models[${index}].fallbacks`, selector)
  }
  checkTiers(catalog, findings)
  for (const [name, group] of Object.entries(file.groups ?? {})) {
    if (group.default_model !== undefined) check(`groups.${name}.default_model`, group.default_model)
    for (const backend of [...(group.backends ?? []), ...(group.default_backend?.split(':').slice(0, 1) ?? [])]) {
      if (!known.backends.includes(backend)) {
        findings.errors.push(`groups.${name}: unknown backend "${backend}"; configured: ${known.backends.join(', ')}`)
      }
    }
  }
}

/** Strictly `backend:model` (R41). */
function checkStaticRoute(selector: string, { backends }: Known, { errors }: Findings): void {
  const colon = selector.indexOf(':')
  const backend = selector.slice(0, Math.max(colon, 0))
  if (colon <= 0 || colon === selector.length - 1) errors.push('static_route: expected backend:model')
  else if (!backends.includes(backend)) {
    errors.push(`static_route: unknown backend "${backend}"; configured: ${backends.join(', ')}`)
  }
}

/** A tier that is not there would close its models to everybody. */
function checkTiers({ tiers = [], models, routes }: CatalogSettings, { errors }: Findings): void {
  const named = [
    ...models.map(({ id, minTier }) => [id, minTier] as const),
    ...routes.map(({ model, minTier }) => [model, minTier] as const),
  ]
  for (const [model, wanted] of named) {
    if (wanted === null || tiers.includes(wanted)) continue
    errors.push(`min_tier of "${model}": unknown tier "${wanted}"; configured: ${tiers.join(', ') || 'none'}`)
  }
}
