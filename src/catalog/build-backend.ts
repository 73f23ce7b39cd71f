import type { Protocol } from '#base/protocols.ts'
import type { BackendSettings } from './settings.ts'
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
  const apiUrl = (ownUrl ?? preset.apiUrl ?? regionalUrl(settings, preset) ?? '').replace(/\/+$/, '')
  const protocols = settings.protocols ?? preset.protocols
  return {
    id,
    type: preset.type,
    apiUrl,
    auth: authOf(settings, preset),
    credentials: settings.credentials,
    aws,
    credentialSource: settings.credentialSource,
    protocols,
    headers: settings.headers,
    identity: settings.identity,
    protocolUrls: urlsOf(settings, preset, apiUrl, ownUrl !== null, protocols),
    timeouts: { ...timeouts, ...settings.timeouts },
    region: settings.region,
    dataPolicy: settings.dataPolicy,
    ...(settings.paramRules.length === 0 ? {} : { paramRules: settings.paramRules }),
    enabled:
      settings.enabled && SERVED_ADAPTERS.has(preset.adapter) && apiUrl !== '' && hasAccess(settings, preset, aws),
  }
}

/** Null when the operator gave no keys; a Bedrock API key is sent as a bearer then. */
function awsOf(settings: BackendSettings): AwsAccess | null {
  const { region, accessKeyId, secretAccessKey, sessionToken } = settings
  if (region === null || accessKeyId === null || secretAccessKey === null) return null
  return { region, accessKeyId, secretAccessKey, sessionToken }
}

function regionalUrl(settings: BackendSettings, preset: Preset): string | null {
  if (preset.adapter !== 'bedrock' || settings.region === null) return null
  return `https://bedrock-runtime.${settings.region}.amazonaws.com`
}

function hasAccess(settings: BackendSettings, preset: Preset, aws: AwsAccess | null): boolean {
  return preset.adapter !== 'bedrock' || aws !== null || settings.credentials.length > 0
}

/** A local server that wants a key gets it as a bearer; a generic one without key gets nothing. */
function authOf(settings: BackendSettings, preset: Preset): Backend['auth'] {
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
    const url = settings.protocolUrls[protocol] ?? protocolUrl(preset, protocol, apiUrl, moved)
    if (url !== apiUrl) urls[protocol] = url
  }
  return urls
}
