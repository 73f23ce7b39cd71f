import { readFile } from 'node:fs/promises'
import type { Lease } from './access-token.ts'
import type { AwsSource } from './cloud.ts'
import { AccessError, askForToken, readFields } from './token-request.ts'

/** Keys that sign, without the region they are used in. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string | null
}

/** What stands in a file is read again this often: it may have been rotated. */
export const PROFILE_LIFETIME_MS = 15 * 60_000
const SESSION_NAME = 'trivium'
const IMDS_TOKEN_SECONDS = '21600'
/** The metadata service is in the machine: where it is not there, nobody should wait for it. */
const METADATA_WAIT_MS_MAX = 3000

export async function fetchAwsKeys(source: AwsSource): Promise<Lease<AwsKeys>> {
  switch (source.from) {
    case 'profile':
      return fromProfile(source.profile, source.files)
    case 'web-identity':
      return fromWebIdentity(source.tokenFile, source.roleArn, source.stsUrl)
    case 'container': {
      const token = source.tokenFile === null ? source.token : await readSecret(source.tokenFile)
      const headers: Record<string, string> = token === null ? {} : { authorization: token }
      return readKeys(await askForToken(source.url, { method: 'GET', headers, waitMs: METADATA_WAIT_MS_MAX }))
    }
    case 'instance':
      return fromInstance(source.url)
    default: {
      const missed: never = source
      throw new Error(`unknown source of AWS keys: ${String(missed)}`)
    }
  }
}

async function fromProfile(profile: string, files: readonly string[]): Promise<Lease<AwsKeys>> {
  let found: Readonly<Record<string, string>> = {}
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '')
    // The file of credentials stands before that of settings.
    found = { ...readProfile(text, profile), ...found }
  }
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: token } = found
  if (!accessKeyId || !secretAccessKey)
    throw new AccessError(`the AWS profile "${profile}" has no aws_access_key_id and aws_secret_access_key`)
  const value = { accessKeyId, secretAccessKey, sessionToken: token ?? null }
  return { value, expiresAtMs: Date.now() + PROFILE_LIFETIME_MS }
}

/** The settings of one profile: `[name]` in the file of credentials, `[profile name]` in that of settings. */
export function readProfile(text: string, profile: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {}
  let isOurs = false
  for (const line of text.split(/\r?\n/)) {
    const section = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1]
    if (section !== undefined) isOurs = section.replace(/^(["'])(.*)\1$/, '$2') === profile
    // Lines that are indented belong to a nested block, and `#` or `;` begins a comment.
    const entry = isOurs ? /^([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line) : null
    if (entry) found[entry[1]!.toLowerCase()] = entry[2]!.replace(/\s+[#;].*$/, '')
  }
  return found
}

async function fromWebIdentity(tokenFile: string, roleArn: string, stsUrl: string): Promise<Lease<AwsKeys>> {
  const text = await askForToken(stsUrl, {
    method: 'POST',
    form: {
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: roleArn,
      RoleSessionName: SESSION_NAME,
      WebIdentityToken: await readSecret(tokenFile),
    },
  })
  const element = (name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]?.trim() ?? ''
  return leaseOf(element('AccessKeyId'), element('SecretAccessKey'), element('SessionToken'), element('Expiration'))
}

async function fromInstance(url: string): Promise<Lease<AwsKeys>> {
  const waitMs = METADATA_WAIT_MS_MAX
  const token = await askForToken(`${url}/latest/api/token`, {
    method: 'PUT',
    headers: { 'x-aws-ec2-metadata-token-ttl-seconds': IMDS_TOKEN_SECONDS },
    waitMs,
  })
  const headers = { 'x-aws-ec2-metadata-token': token }
  const roles = `${url}/latest/meta-data/iam/security-credentials/`
  const role = (await askForToken(roles, { method: 'GET', headers, waitMs })).split('\n')[0]!.trim()
  if (role === '') throw new AccessError('this machine has no AWS role')
  return readKeys(await askForToken(roles + encodeURIComponent(role), { method: 'GET', headers, waitMs }))
}

/** `{AccessKeyId, SecretAccessKey, Token, Expiration}`, as containers and machines tell it. */
function readKeys(text: string): Lease<AwsKeys> {
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = readFields(text)
  return leaseOf(String(AccessKeyId ?? ''), String(SecretAccessKey ?? ''), String(Token ?? ''), String(Expiration))
}

function leaseOf(accessKeyId: string, secretAccessKey: string, token: string, expiration: string): Lease<AwsKeys> {
  const expiresAtMs = Date.parse(expiration)
  if (accessKeyId === '' || secretAccessKey === '' || Number.isNaN(expiresAtMs))
    throw new AccessError('a source of AWS credentials sent no keys')
  return { value: { accessKeyId, secretAccessKey, sessionToken: token === '' ? null : token }, expiresAtMs }
}

async function readSecret(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  if (text.trim() === '') throw new AccessError('a file with a token of the cluster cannot be read')
  return text.trim()
}
