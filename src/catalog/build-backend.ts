import { factorOf } from '#base/factors.ts'
import type { Protocol } from '#base/protocols.ts'
import type { BackendSettings } from './settings.ts'
import { isDatedAzure } from '#providers/cloud-paths.ts'
import { findPreset, protocolUrl, SERVED_ADAPTERS, type Preset } from '#providers/presets.ts'
import type { AwsAccess, Backend, Timeouts } from './types.ts'

/** A backend ready to be called. It is disabled when its type cannot be served or its address is not known. */
export function buildBackend(
  id: string,
  settings: BackendSettings,
  timeouts: Timeouts,
  simulatorUrl: string | null,
): Backend {
  const preset = findPreset(settings.type)
  if (preset === undefined) throw new Error(`backend ${id} has no preset for type ${settings.type}`)
  const ownUrl = preset.type === 'simulator' ? (settings.apiUrl ?? simulatorUrl) : settings.apiUrl
  const aws = preset.adapter === 'bedrock' ? awsOf(settings) : null
  const apiUrl = rootOf(settings, (ownUrl ?? preset.apiUrl ?? regionalUrl(settings) ?? '').replace(/\/+$/, ''))
  const protocols = settings.protocols ?? usualProtocols(settings, preset)
  return {
    id,
    type: preset.type,
    apiUrl,
    auth: authOf(settings, preset),
    credentials: settings.credentials,
    ...(settings.billingDomain !== id && { billingDomain: settings.billingDomain }),
    ...(isCapped(settings) && { caps: settings.caps }),
    aws,
    ...(settings.cloud && { cloud: settings.cloud }),
    ...(settings.access && { access: settings.access }),
    credentialSource: settings.credentialSource,
    protocols,
    headers: settings.headers,
    identity: settings.identity,
    protocolUrls: urlsOf(settings, preset, apiUrl, ownUrl !== null, protocols),
    timeouts: { ...timeouts, ...settings.timeouts },
    region: settings.region,
    dataPolicy: settings.dataPolicy,
    ...(settings.paramRules.length === 0 ? {} : { paramRules: settings.paramRules }),
    ...(settings.probe && { probe: settings.probe }),
    ...(settings.costFactor === null ? {} : { costFactor: factorOf(settings.costFactor) }),
    ...(settings.reportsCost && { reportsCost: true as const }),
    ...(Object.keys(settings.force).length === 0 ? {} : { force: settings.force }),
    enabled: settings.enabled && SERVED_ADAPTERS.has(preset.adapter) && apiUrl !== '' && hasAccess(settings, aws),
  }
}

const isCapped = ({ caps }: BackendSettings): boolean => caps.rpm !== null || caps.concurrency !== null

/** The built-in simulator where no configuration names it. */
export function simulatedBackend(timeouts: Timeouts, url: string): Backend {
  const nobody = { from: [], value: null }
  const settings: BackendSettings = {
    type: 'simulator',
    apiUrl: null,
    credentials: [],
    credentialSource: null,
    protocols: null,
    protocolUrls: {},
    headers: {},
    timeouts: {},
    enabled: true,
    paramRules: [],
    region: null,
    accessKeyId: null,
    secretAccessKey: null,
    sessionToken: null,
    cloud: null,
    access: null,
    offersReference: false,
    identity: { userAgent: nobody, referer: nobody, title: nobody },
    dataPolicy: [],
    billingDomain: 'simulator',
    force: {},
    caps: { rpm: null, concurrency: null },
    autoSync: false,
    costFactor: null,
    reportsCost: false,
    extra: {},
  }
  return buildBackend('simulator', settings, timeouts, url)
}

/** Null when the operator gave no keys; a Bedrock API key is sent as a bearer then. */
function awsOf(settings: BackendSettings): AwsAccess | null {
  const { region, accessKeyId, secretAccessKey, sessionToken } = settings
  if (region === null || accessKeyId === null || secretAccessKey === null) return null
  return { region, accessKeyId, secretAccessKey, sessionToken }
}

function regionalUrl({ cloud, region }: BackendSettings): string | null {
  if (cloud?.kind === 'bedrock' && region !== null) return `https://bedrock-runtime.${region}.amazonaws.com`
  if (cloud?.kind !== 'vertex') return null
  return vertexUrl(cloud.location)
}

/** Regions, the two that span a continent, and the one that is everywhere each have their own form of host. */
function vertexUrl(location: string): string {
  if (location === 'global') return 'https://aiplatform.googleapis.com'
  if (location === 'us' || location === 'eu') return `https://aiplatform.${location}.rep.googleapis.com`
  return `https://${location}-aiplatform.googleapis.com`
}

/** Azure's Responses API is younger than most of its dated versions, so that it has to be asked for with those. */
function usualProtocols({ cloud }: BackendSettings, preset: Preset): readonly Protocol[] {
  const lacks = cloud?.kind === 'azure' && (cloud.isModelInference || isDatedAzure(cloud.apiVersion))
  return lacks ? preset.protocols.filter((protocol) => protocol !== 'openai-responses') : preset.protocols
}

/** The root of an Azure resource, however much of the path behind it was copied along. */
const rootOf = (settings: BackendSettings, url: string): string =>
  settings.cloud?.kind === 'azure' ? url.replace(/\/openai(?:\/v1)?$/, '') : url

/** Of the clouds, Bedrock signs with keys or has an API key, and Vertex has a project or an API key. */
function hasAccess({ cloud, access, credentials }: BackendSettings, aws: AwsAccess | null): boolean {
  if (!cloud || cloud.kind === 'azure') return true
  const isPlaced = cloud.kind !== 'vertex' || cloud.project !== null
  return credentials.length > 0 || ((aws !== null || access !== null) && isPlaced)
}

/** A local server that wants a key gets it as a bearer; a generic one without key gets nothing. */
function authOf(settings: BackendSettings, preset: Preset): Backend['auth'] {
  // Vertex takes an API key as Gemini does; what is fetched is a bearer everywhere but on AWS.
  if (settings.access) return settings.access.kind === 'aws' ? 'none' : 'bearer'
  if (preset.adapter === 'vertex') return settings.credentials.length > 0 ? 'x-goog-api-key' : 'none'
  const takesBearer = preset.adapter === 'http' || preset.adapter === 'bedrock'
  if (preset.auth === 'none') return settings.credentials.length > 0 && takesBearer ? 'bearer' : 'none'
  return settings.credentials.length === 0 && settings.credentialSource === null ? 'none' : preset.auth
}

function urlsOf(
  settings: BackendSettings,
  preset: Preset,
  apiUrl: string,
  moved: boolean,
  protocols: readonly Protocol[],
): Partial<Record<Protocol, string>> {
  const urls: Partial<Record<Protocol, string>> = {}
  if (apiUrl === '') return urls
  for (const protocol of protocols) {
    const usual = preset.adapter === 'http' ? protocolUrl(preset, protocol, apiUrl, moved) : apiUrl
    const url = settings.protocolUrls[protocol] ?? usual
    if (url !== apiUrl) urls[protocol] = url
  }
  return urls
}
