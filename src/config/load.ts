import { resolve } from 'node:path'
import { ANY_ORIGIN, originFault } from '#base/cross-origin.ts'
import type { CatalogSettings } from '#catalog/settings.ts'
import { readAlerts } from './alerts.ts'
import { readBudgets } from './budgets.ts'
import { readCatalog } from './catalog-sections.ts'
import { implicitBackends, isOwnName, readProviders, type ProviderInput } from './backends.ts'
import { readAllDiscovered, readChecks } from './discovered.ts'
import { readDocument } from './document.ts'
import { readEnvironment, type Environment } from './environment.ts'
import { ConfigError } from './error.ts'
import type { ManagedRoute } from './managed-routes.ts'
import { mergeOptions, readFlags, type Merged, type Values } from './merge.ts'
import { CONFIG_OPTION } from './options.ts'
import { readRateLimits } from './rate-limits.ts'
import { addDefaultBackend, normalise } from './normalise.ts'
import { pendingWarnings } from './pending.ts'
import { checkSelectors, readFeatures } from './features.ts'
import { validate, type ConfigFile } from './schema.ts'
import { readTimeouts } from './sections.ts'
import type { Settings, Source } from './types.ts'

export { ConfigError } from './error.ts'

export interface ConfigInput {
  /** Parsed command line, by flag name with dashes or in camel case; unset flags are undefined. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly env: Environment
  readonly cwd: string
  /** Routes of the database, which stand below those of the file. */
  readonly managedRoutes?: readonly ManagedRoute[]
}

export interface LoadedConfig {
  readonly settings: Settings
  /** Origin of every effective leaf, by its path in the file (`server.port`, `models[0].id`). */
  readonly sources: Readonly<Record<string, Source>>
  readonly warnings: readonly string[]
  /** Providers whose key was found outside the file, with the variable or flag that gave it. */
  readonly providersFound: readonly { readonly name: string; readonly env: string }[]
  /** The effective values in the file's own shape, secrets included: only for `print.ts`. */
  readonly effective: Values
}

/**
 * Reads flags, environment, `.env` and the YAML file into settings (R112). Synchronous, no network. Throws ConfigError with
 * one line per problem. Loads the reference data only when something is left to it.
 */
export function loadConfig({ flags: rawFlags, env: rawEnv, cwd, managedRoutes = [] }: ConfigInput): LoadedConfig {
  const flags = readFlags(rawFlags)
  const env = readEnvironment(rawEnv, cwd)
  const named = flags[CONFIG_OPTION.flag] ?? env[CONFIG_OPTION.env]
  const document = readDocument(named === undefined ? undefined : String(named), cwd, env)
  const errors: string[] = []
  const warnings: string[] = []
  const merged = mergeOptions(normalise(document.values, errors), flags, env, { errors, warnings })
  const providers = readProviders(flags, env, { errors, warnings })
  if (merged.values['backends'] === undefined) addImplicit(merged, providers)
  const checked = validate(merged.values)
  errors.push(...checked.errors.map((line) => nameOrigin(line, merged)))
  warnings.push(...checked.warnings)
  if (checked.file === null) throw new ConfigError(errors)
  addDefaultBackend(checked.file, merged)
  const dataDir = resolve(cwd, checked.file.server?.data_dir ?? '')
  const discovered = readAllDiscovered(dataDir, checked.file, warnings)
  const configured = readCatalog(checked.file, providers, env, discovered, managedRoutes, { errors, warnings })
  const catalog = { ...configured, checks: readChecks(dataDir, warnings) }
  checkSelectors(checked.file, catalog, { errors, warnings })
  const settings = readSettings(checked.file, catalog, document.path, cwd, merged, errors)
  if (errors.length > 0) throw new ConfigError([...new Set(errors.map((line) => nameOrigin(line, merged)))])
  warnings.push(...pendingWarnings(merged))
  showProviders(merged, catalog, providers)
  return {
    settings,
    sources: merged.sources,
    warnings: [...new Set(warnings)],
    providersFound: findUsed(catalog, providers),
    effective: merged.values,
  }
}

/** What flags and environment say of a backend stands in the effective values instead of what the file says. */
function showProviders(
  { values, sources }: Merged,
  catalog: CatalogSettings,
  providers: ReadonlyMap<string, ProviderInput>,
): void {
  const backends = values['backends'] as Record<string, Values | null>
  for (const [id, { type, credentialSource }] of Object.entries(catalog.backends)) {
    const provider = providers.get(type)
    if (provider === undefined) continue
    const show = (key: string, value: unknown, source: Source): void => {
      const path = `backends.${id}.${key}`
      for (const name of Object.keys(sources)) if (name.startsWith(`${path}[`)) delete sources[name]
      backends[id] = { ...backends[id], [key]: value }
      sources[path] = source
    }
    const own = isOwnName(id, type)
    if (credentialSource === provider.keySource && provider.keys.length > 0)
      show('api_key', provider.keys, provider.keyOrigin)
    if (provider.apiUrl !== null && (own || !backends[id]?.['api_url']))
      show('api_url', provider.apiUrl, provider.apiUrlOrigin)
    const seconds = provider.requestMs === null ? null : provider.requestMs / 1000
    if (seconds !== null && (own || backends[id]?.['timeout'] === undefined)) show('timeout', seconds, 'env')
  }
}

/** Providers whose key came from outside the file and serves a backend. */
function findUsed(
  catalog: CatalogSettings,
  providers: ReadonlyMap<string, ProviderInput>,
): { name: string; env: string }[] {
  const sources = new Set(Object.values(catalog.backends).map((backend) => backend.credentialSource))
  return [...providers].flatMap(([name, { keySource }]) =>
    keySource !== null && sources.has(keySource) ? [{ name, env: keySource }] : [],
  )
}

function addImplicit(merged: Merged, providers: ReadonlyMap<string, ProviderInput>): void {
  const backends = implicitBackends(providers)
  merged.values['backends'] = backends
  for (const id of Object.keys(backends)) {
    merged.sources[`backends.${id}.type`] = providers.get(id)?.keyOrigin ?? 'default'
  }
}

/** A fault of a value that a variable or flag gave is told under that name, and of a part of it under that name and its place. */
function nameOrigin(line: string, { givenBy }: Merged): string {
  const path = line.slice(0, line.indexOf(':'))
  for (const [given, name] of Object.entries(givenBy)) {
    if (path === given) return `${name}${line.slice(path.length)}`
    if (path.startsWith(`${given}[`) || path.startsWith(`${given}.`)) return `${name}: ${line}`
  }
  return line
}

function readSettings(
  file: ConfigFile,
  catalog: CatalogSettings,
  configFile: string | null,
  cwd: string,
  merged: Merged,
  errors: string[],
): Settings {
  const name = (path: string): string => merged.givenBy[path] ?? path
  const host = file.server?.host ?? ''
  const disableAuth = file.auth?.disable_auth ?? false
  if (disableAuth && !isLoopback(host)) {
    errors.push(
      `${name('server.host')}: "${host}" is not a loopback address, which ${name('auth.disable_auth')} requires; ` +
        'use 127.0.0.1 or keep authentication on',
    )
  }
  const databaseUrl = file.server?.database_url ?? null
  if (databaseUrl !== null && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
    errors.push(`${name('server.database_url')}: expected a postgres:// URL`)
  }
  // Every default comes from the option table and the schema has checked the types, so only optional leaves can be absent.
  const { reservation, limits, billing } = file
  return {
    configFile,
    host,
    port: file.server?.port ?? 0,
    dataDir: resolve(cwd, file.server?.data_dir ?? ''),
    databaseUrl,
    gatewayUrl: readGatewayUrl(file.server?.gateway_url, name('server.gateway_url'), errors),
    masterKey: file.auth?.master_key ?? null,
    apiKeys: file.auth?.api_keys ?? [],
    disableAuth,
    billingMode: billing?.mode ?? (disableAuth ? 'off' : 'prepaid'),
    currency: billing?.currency ?? '',
    billsEmpty: billing?.bill_empty ?? false,
    timeouts: { connectMs: 0, ttftMs: 0, streamIdleMs: 0, totalMs: 0, requestMs: 0, ...readTimeouts(file.timeouts) },
    reservation: {
      minOutputTokens: reservation?.min_output_tokens ?? 0,
      defaultMaxOutput: reservation?.default_max_output ?? 0,
    },
    automaticCaching: file.caching?.automatic ?? true,
    unsupportedParams: file.translation?.unsupported_params ?? 'lenient',
    anthropicUpstreamVersion: file.anthropic?.upstream_version ?? '',
    stashSeals: file.translation?.stash_seals ?? 'store',
    limits: {
      bodyBytesMax: limits?.body_bytes_max ?? 0,
      upstreamBodyBytesMax: limits?.upstream_body_bytes_max ?? 0,
      eventBytesMax: limits?.event_bytes_max ?? 0,
      jsonDepthMax: limits?.json_depth_max ?? 0,
    },
    rateLimits: readRateLimits(file, errors),
    outboundAllowPrivate: file.outbound?.allow_private ?? [],
    logLevel: file.logging?.level ?? '',
    corsAllowedOrigins: readOrigins(file, disableAuth, errors),
    anthropicPort: file.server?.anthropic_port ?? null,
    logFile: file.logging?.file === undefined ? null : resolve(cwd, file.logging.file),
    captureFile: file.logging?.capture_file === undefined ? null : resolve(cwd, file.logging.capture_file),
    ...readFeatures(file, disableAuth),
    logRetentionDays: file.logs?.retention_days ?? 0,
    reconcileAlertPct: file.reconcile?.alert_pct ?? 0,
    accounting: readAccounting(file, disableAuth, name, errors),
    budgetTimeZone: billing?.budget_tz ?? 'UTC',
    budgets: readBudgets(file.budgets ?? [], errors),
    alerts: readAlerts(file.alerts ?? {}, errors),
    catalog,
  }
}

/** Origins whose pages may use a key (R20). Without client authentication any page of the browser would spend. */
function readOrigins(file: ConfigFile, disableAuth: boolean, errors: string[]): readonly string[] {
  const origins = file.cors?.allowed_origins ?? []
  for (const [index, origin] of origins.entries()) {
    const fault = originFault(origin)
    if (fault !== null) errors.push(`cors.allowed_origins[${index}]: ${fault}`)
  }
  if (disableAuth && origins.includes(ANY_ORIGIN)) {
    errors.push(`cors.allowed_origins: ${ANY_ORIGIN} needs client authentication; name the origins`)
  }
  return origins
}

/** Money cannot be counted without rows (R108). */
function readAccounting(
  file: ConfigFile,
  disableAuth: boolean,
  name: (path: string) => string,
  errors: string[],
): boolean {
  const enabled = file.usage_tracking?.enabled ?? true
  const mode = file.billing?.mode ?? (disableAuth ? 'off' : 'prepaid')
  if (!enabled && mode !== 'off') {
    errors.push(
      `${name('usage_tracking.enabled')}: accounting can only be off with billing off (billing.mode is ${mode})`,
    )
  }
  return enabled
}

/** Whether only this machine can reach the address (R16). */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare) || bare.startsWith('::ffff:127.')
}

/** R10: an absolute URL without path; a trailing slash is trimmed. */
function readGatewayUrl(text: string | undefined, path: string, errors: string[]): string | null {
  if (text === undefined) return null
  const url = URL.canParse(text) ? new URL(text) : null
  const plain = url !== null && /^https?:$/.test(url.protocol) && /^\/*$/.test(url.pathname)
  if (!plain || url.search || url.hash || url.username || url.password) {
    errors.push(`${path}: expected an absolute http(s) URL without path, such as https://gateway.example.com`)
    return null
  }
  return url.origin
}
