import { findPreset, PRESETS, SERVED_ADAPTERS, type Preset } from '#providers/presets.ts'
import type { BackendSettings } from '#catalog/settings.ts'
import { readCloud } from './cloud.ts'
import { numberedKeys, parseNumber, type Environment } from './environment.ts'
import type { IdentityFile } from './feature-schema.ts'
import { readIdentity } from './identity.ts'
import { readParamRules } from './param-rules.ts'
import { PROVIDER_OPTIONS, type ProviderOption } from './options.ts'
import type { BackendFile } from './schema.ts'
import { pick, readTimeouts } from './sections.ts'
import { nearest } from './suggest.ts'
import type { Source } from './types.ts'

/** What the environment and the flags say of one provider. */
export interface ProviderInput {
  readonly keys: readonly string[]
  /** The variable or flag that gave the keys. */
  readonly keySource: string | null
  readonly keyOrigin: Source
  readonly apiUrl: string | null
  readonly apiUrlOrigin: Source
  readonly requestMs: number | null
}

/** Where faults and remarks about backends are collected, as `path: reason`. */
export interface Findings {
  readonly errors: string[]
  readonly warnings: string[]
}

const NOTHING: ProviderInput = {
  keys: [],
  keySource: null,
  keyOrigin: 'default',
  apiUrl: null,
  apiUrlOrigin: 'default',
  requestMs: null,
}

/** Keys, base URLs and time limits of all presets from flags and environment (R58, R111). */
export function readProviders(
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  findings: Findings,
): ReadonlyMap<string, ProviderInput> {
  const providers = new Map<string, ProviderInput>()
  for (const option of PROVIDER_OPTIONS) {
    const before = providers.get(option.type) ?? NOTHING
    const after = { ...before, ...readProviderOption(option, before, flags, env, findings) }
    providers.set(option.type, after)
  }
  return providers
}

function readProviderOption(
  option: ProviderOption,
  before: ProviderInput,
  flags: Readonly<Record<string, unknown>>,
  env: Environment,
  findings: Findings,
): Partial<ProviderInput> {
  const flag = option.flag === undefined ? undefined : flags[option.flag]
  const [given] = givenOf(flag)
  if (option.setting === 'api_key') {
    if (before.keys.length > 0) return {}
    // A flag that is given several times is several keys, which rotate like numbered ones.
    if (given !== undefined) return { keys: givenOf(flag), keySource: `--${option.flag}`, keyOrigin: 'flag' }
    const { keys, plainIgnored } = numberedKeys(env, option.env)
    if (plainIgnored)
      findings.warnings.push(`${option.env} is ignored because numbered keys (${option.env}_1 …) are set`)
    return keys.length > 0 ? { keys, keySource: option.env, keyOrigin: 'env' } : {}
  }
  const text = given ?? env[option.env]
  if (text === undefined) return {}
  const name = given === undefined ? option.env : `--${option.flag}`
  if (option.setting === 'api_base_url') {
    if (before.apiUrl !== null) return {}
    return { apiUrl: readUrl(text, name, findings), apiUrlOrigin: given === undefined ? 'env' : 'flag' }
  }
  const seconds = parseNumber(text)
  if (seconds === undefined || seconds < 0) {
    findings.errors.push(`${name}: expected seconds, got "${text}"`)
    return {}
  }
  return { requestMs: Math.round(seconds * 1000) }
}

const givenOf = (flag: unknown): string[] =>
  [flag].flat().filter((one): one is string => typeof one === 'string' && one !== '')

function readUrl(text: string, path: string, findings: Findings): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    findings.errors.push(`${path}: expected an absolute http(s) URL without query`)
    return null
  }
  return text.replace(/\/+$/, '')
}

/** One entry of `backends:` with what environment and flags add. Undefined when it is faulty. */
export function readBackend(
  id: string,
  entry: BackendFile,
  providers: ReadonlyMap<string, ProviderInput>,
  env: Environment,
  identity: IdentityFile | undefined,
  findings: Findings,
): BackendSettings | undefined {
  const path = `backends.${id}`
  const preset = presetOf(id, entry, path, findings)
  if (preset === undefined) return undefined
  const provider = providers.get(preset.type) ?? NOTHING
  const own = isOwnName(id, preset.type)
  const fileUrl = entry.api_url === undefined ? null : readUrl(entry.api_url, `${path}.api_url`, findings)
  const apiUrl = own ? (provider.apiUrl ?? fileUrl) : (fileUrl ?? provider.apiUrl)
  const needsUrl = preset.apiUrl === null && preset.adapter === 'http' && preset.type !== 'simulator'
  if (needsUrl && apiUrl === null && entry.api_url === undefined) {
    findings.errors.push(`${path}.api_url: missing, and type ${preset.type} has no default`)
  }
  if (!SERVED_ADAPTERS.has(preset.adapter)) {
    findings.warnings.push(`${path}: type ${preset.type} is not served by this version yet; its routes stay inactive`)
  }
  const { credentials, credentialSource } = readCredentials(entry, path, preset, provider, own, env, findings)
  const requestMs = own
    ? (provider.requestMs ?? seconds(entry.timeout))
    : (seconds(entry.timeout) ?? provider.requestMs)
  return {
    type: preset.type,
    apiUrl,
    credentials,
    credentialSource,
    protocols: entry.protocols ?? null,
    protocolUrls: readProtocolUrls(entry, path, findings),
    headers: readHeaders(entry.headers ?? {}, `${path}.headers`, findings),
    timeouts: { ...(requestMs === null ? {} : { requestMs }), ...readTimeouts(entry.timeouts) },
    paramRules: readParamRules(entry.params, `${path}.params`, findings.errors),
    enabled: entry.enabled ?? true,
    ...readCloud(entry, preset, env, credentials.length > 0),
    offersReference: false,
    identity: readIdentity(identityBlocks(path, entry, identity), findings.errors, findings.warnings),
    dataPolicy: entry.data_policy ?? [],
    billingDomain: entry.billing_domain ?? id,
    force: entry.extra?.force ?? {},
    caps: { rpm: entry.rpm || null, concurrency: entry.concurrency || null },
    autoSync: entry.auto_sync ?? false,
    costFactor: entry.cost_factor ?? null,
    reportsCost: entry.reports_cost ?? preset.type === 'openrouter',
    ...readProbe(entry, preset, path, findings),
    extra: pick(entry, ['extra', 'label']),
  }
}

const PROBE = { path: null, intervalMs: 60_000, timeoutMs: 10_000, failuresMax: 2 }

/** `probe: true` is all of its defaults. */
function readProbe(
  { probe }: BackendFile,
  { adapter }: Preset,
  path: string,
  { errors }: Findings,
): Pick<BackendSettings, 'probe'> {
  if (probe === undefined || probe === false) return {}
  if (adapter !== 'http') errors.push(`${path}.probe: not for a cloud, where a request has to be signed`)
  const block = probe === true ? {} : probe
  return {
    probe: {
      path: block.path ?? PROBE.path,
      intervalMs: seconds(block.interval) ?? PROBE.intervalMs,
      timeoutMs: seconds(block.timeout) ?? PROBE.timeoutMs,
      failuresMax: block.failures ?? PROBE.failuresMax,
    },
  }
}

/** The backend's own words first; what it does not speak of is said for all. */
const identityBlocks = (path: string, { identity: own }: BackendFile, shared: IdentityFile | undefined) => [
  { path: `${path}.identity`, block: own },
  { path: 'identity', block: shared },
]

const seconds = (value: number | undefined): number | null => (value === undefined ? null : Math.round(value * 1000))

function presetOf(id: string, entry: BackendFile, path: string, findings: Findings): Preset | undefined {
  const preset = findPreset(entry.type ?? id)
  if (preset !== undefined) return preset
  const near = nearest(
    entry.type ?? id,
    PRESETS.map((row) => row.type),
  )
  const hint = near ? `; did you mean ${near}?` : ''
  findings.errors.push(
    entry.type === undefined
      ? `${path}.type: missing, and "${id}" is no built-in provider${hint}`
      : `${path}.type: unknown type "${entry.type}"${hint}`,
  )
  return undefined
}

/** What AWS's own libraries call an API key of Bedrock. */
const BEDROCK_KEY = 'AWS_BEARER_TOKEN_BEDROCK'

function readCredentials(
  entry: BackendFile,
  path: string,
  preset: Preset,
  provider: ProviderInput,
  own: boolean,
  env: Environment,
  findings: Findings,
): Pick<BackendSettings, 'credentials' | 'credentialSource'> {
  const fromProvider = { credentials: provider.keys, credentialSource: provider.keySource }
  if (own && provider.keys.length > 0) return fromProvider
  if (entry.api_key !== undefined) {
    const credentials = [entry.api_key].flat().filter((key) => key !== '')
    if (credentials.length > 0) return { credentials, credentialSource: null }
  }
  if (entry.api_key_env !== undefined) {
    const { keys } = numberedKeys(env, entry.api_key_env)
    if (keys.length === 0) findings.warnings.push(`${path}: no key yet; set ${entry.api_key_env}`)
    return { credentials: keys, credentialSource: entry.api_key_env }
  }
  if (provider.keys.length > 0) return fromProvider
  const bedrockKey = preset.adapter === 'bedrock' ? env[BEDROCK_KEY] : undefined
  if (bedrockKey !== undefined) return { credentials: [bedrockKey], credentialSource: BEDROCK_KEY }
  const variable = preset.envPrefixes[0] === undefined ? null : `${preset.envPrefixes[0]}_API_KEY`
  const fetchesToken = entry.client_secret !== undefined
  if (variable !== null && preset.auth !== 'none' && !fetchesToken)
    findings.warnings.push(`${path}: no key yet; set ${variable} or ${path}.api_key`)
  return { credentials: [], credentialSource: variable }
}

function readProtocolUrls(entry: BackendFile, path: string, findings: Findings): BackendSettings['protocolUrls'] {
  const urls: Record<string, string> = {}
  for (const [protocol, text] of Object.entries(entry.protocol_urls ?? {})) {
    const url = text === undefined ? null : readUrl(text, `${path}.protocol_urls.${protocol}`, findings)
    if (url !== null) urls[protocol] = url
  }
  return urls
}

/** Header values must not be able to start another header (R113). */
function readHeaders(headers: Record<string, string>, path: string, findings: Findings): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) findings.errors.push(`${path}.${name}: not a header name`)
    // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
    if (/[\u0000-\u0008\u000a-\u001f\u007f]/.test(value)) {
      findings.errors.push(`${path}.${name}: must not contain control characters`)
    }
  }
  return headers
}

/** The environment speaks for the backend that is named as its preset; others of the type only borrow what they lack (R112). */
export const isOwnName = (id: string, type: string): boolean => findPreset(id)?.type === type

/** Backends that nobody wrote down: one for each provider whose key was found, else the built-in simulator. */
export function implicitBackends(providers: ReadonlyMap<string, ProviderInput>): Record<string, BackendFile> {
  const found = [...providers].filter(([type, { keys }]) => keys.length > 0 && findPreset(type)?.auth !== 'none')
  if (found.length === 0) return { simulator: { type: 'simulator' } }
  return Object.fromEntries(found.map(([type]) => [type, { type }]))
}
