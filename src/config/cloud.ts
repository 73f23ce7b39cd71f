import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { BackendSettings } from '#catalog/settings.ts'
import { readProfile } from '#providers/aws-credentials.ts'
import type { AccessSource, AwsSource, Cloud } from '#providers/cloud.ts'
import type { Preset } from '#providers/presets.ts'
import type { Environment } from './environment.ts'
import type { BackendFile } from './schema.ts'

type CloudSettings = Pick<
  BackendSettings,
  'cloud' | 'access' | 'region' | 'accessKeyId' | 'secretAccessKey' | 'sessionToken'
>

/**
 * What a cloud's backend is told: its place, and where its credential comes from. What stands in the file wins; then come
 * the variables and files that the clouds' own tools read. `hasKey`: an API key was given, which needs nothing else.
 */
export function readCloud(entry: BackendFile, preset: Preset, env: Environment, hasKey: boolean): CloudSettings {
  const {
    region = null,
    access_key_id: id = null,
    secret_access_key: secret = null,
    session_token: token = null,
  } = entry
  const own = { region, accessKeyId: id, secretAccessKey: secret, sessionToken: token }
  switch (preset.adapter) {
    case 'http':
      return { ...own, cloud: null, access: null }
    case 'azure':
      return { ...own, cloud: azureOf(entry), access: entraOf(entry, hasKey) }
    case 'vertex':
      return { ...own, cloud: vertexOf(entry, env), access: googleOf(entry, env, hasKey) }
    case 'bedrock':
      return bedrockOf(entry, env, hasKey)
    default: {
      const missed: never = preset.adapter
      throw new Error(`unknown adapter ${String(missed)}`)
    }
  }
}

function azureOf({ api_url: url = '', api_version: version }: BackendFile): Cloud {
  const isModelInference = /\/models\/?$/.test(url)
  return { kind: 'azure', apiVersion: version || null, ...(isModelInference && { isModelInference }) }
}

function entraOf(entry: BackendFile, hasKey: boolean): AccessSource | null {
  const { tenant_id: tenant, client_id: clientId, client_secret: clientSecret } = entry
  if (hasKey || !clientId || !clientSecret || (!tenant && !entry.token_url)) return null
  const ownUrl = `https://login.microsoftonline.com/${encodeURIComponent(tenant ?? '')}/oauth2/v2.0/token`
  return { kind: 'entra', tokenUrl: entry.token_url ?? ownUrl, clientId, clientSecret }
}

function vertexOf(entry: BackendFile, env: Environment): Cloud {
  const file = entry.credentials_file ?? env['GOOGLE_APPLICATION_CREDENTIALS']
  const project = entry.project ?? env['GOOGLE_CLOUD_PROJECT'] ?? projectIn(file) ?? null
  const location = entry.location ?? entry.region ?? env['GOOGLE_CLOUD_LOCATION'] ?? 'global'
  return { kind: 'vertex', project, location }
}

/** A service account belongs to a project, which its file names. */
function projectIn(file: string | undefined): string | undefined {
  if (file === undefined) return undefined
  try {
    const { project_id: project } = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>
    return typeof project === 'string' && project !== '' ? project : undefined
  } catch {
    // A file that cannot be read is told when its token is needed.
    return undefined
  }
}

/** Google's application default credentials. */
function googleOf(entry: BackendFile, env: Environment, hasKey: boolean): AccessSource | null {
  if (hasKey) return null
  const named = entry.credentials_file ?? env['GOOGLE_APPLICATION_CREDENTIALS']
  const usual = join(
    env['CLOUDSDK_CONFIG'] ?? join(homeOf(env), '.config', 'gcloud'),
    'application_default_credentials.json',
  )
  return {
    kind: 'google',
    files: [named ?? usual],
    isFileNamed: named !== undefined,
    tokenUrl: entry.token_url ?? null,
    metadataUrl: `http://${env['GCE_METADATA_HOST'] ?? 'metadata.google.internal'}`,
  }
}

function bedrockOf(entry: BackendFile, env: Environment, hasKey: boolean): CloudSettings {
  const files = [
    env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(homeOf(env), '.aws', 'credentials'),
    env['AWS_CONFIG_FILE'] ?? join(homeOf(env), '.aws', 'config'),
  ]
  const profile = entry.profile ?? env['AWS_PROFILE'] ?? 'default'
  const region =
    entry.region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? settingOf(files, profile, 'region') ?? null
  const isWritten = entry.access_key_id !== undefined || entry.secret_access_key !== undefined
  const usesEnv = !isWritten && entry.profile === undefined && !hasKey
  const keys = {
    accessKeyId: entry.access_key_id ?? (usesEnv ? env['AWS_ACCESS_KEY_ID'] : undefined) ?? null,
    secretAccessKey: entry.secret_access_key ?? (usesEnv ? env['AWS_SECRET_ACCESS_KEY'] : undefined) ?? null,
    sessionToken: entry.session_token ?? (usesEnv ? env['AWS_SESSION_TOKEN'] : undefined) ?? null,
  }
  const cloud: Cloud = { kind: 'bedrock' }
  const isGiven = hasKey || keys.accessKeyId !== null || keys.secretAccessKey !== null
  if (isGiven || region === null) return { ...keys, region, cloud, access: null }
  const source = awsSource(entry, env, profile, files, region)
  return { ...keys, region, cloud, access: { kind: 'aws', region, source } }
}

/** In the order in which AWS's own libraries look. */
function awsSource(
  entry: BackendFile,
  env: Environment,
  profile: string,
  files: readonly string[],
  region: string,
): AwsSource {
  const isNamed = entry.profile !== undefined || env['AWS_PROFILE'] !== undefined
  if (isNamed) return { from: 'profile', profile, files }
  const { AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile, AWS_ROLE_ARN: roleArn } = env
  if (tokenFile !== undefined && roleArn !== undefined) {
    const stsUrl = env['AWS_ENDPOINT_URL_STS'] ?? `https://sts.${region}.amazonaws.com/`
    return { from: 'web-identity', tokenFile, roleArn, stsUrl }
  }
  if (settingOf(files, profile, 'aws_access_key_id') !== undefined) return { from: 'profile', profile, files }
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const url = relative === undefined ? env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] : `http://169.254.170.2${relative}`
  if (url !== undefined) {
    const token = env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? null
    return { from: 'container', url, tokenFile: env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? null, token }
  }
  return { from: 'instance', url: env['AWS_EC2_METADATA_SERVICE_ENDPOINT']?.replace(/\/+$/, '') ?? IMDS }
}

const IMDS = 'http://169.254.169.254'

const homeOf = (env: Environment): string => env['HOME'] ?? homedir()

/** A setting of an AWS profile; the first file that has it wins. */
function settingOf(files: readonly string[], profile: string, name: string): string | undefined {
  for (const file of files) {
    try {
      const value = readProfile(readFileSync(file, 'utf8'), profile)[name]
      if (value) return value
    } catch {
      // Most machines have no such file.
    }
  }
  return undefined
}
