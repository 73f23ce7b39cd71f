import { createSign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Lease } from './access-token.ts'
import type { GoogleAccess } from './cloud.ts'
import { AccessError, askForToken, readFields, readOAuthToken } from './token-request.ts'

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const JWT_GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** The longest that Google allows an assertion to live. */
const ASSERTION_SECONDS = 3600
/** The metadata server is in the machine: where it is not there, nobody should wait for it. */
const METADATA_WAIT_MS_MAX = 3000

export async function fetchGoogleToken(access: GoogleAccess): Promise<Lease<string>> {
  for (const file of access.files) {
    const text = await readFile(file, 'utf8').catch(() => null)
    if (text !== null) return fromFile(readFields(text), access)
    if (access.isFileNamed) throw new AccessError('the file with the Google credentials cannot be read')
  }
  const url = `${access.metadataUrl}/computeMetadata/v1/instance/service-accounts/default/token`
  const text = await askForToken(url, {
    method: 'GET',
    headers: { 'metadata-flavor': 'Google' },
    waitMs: METADATA_WAIT_MS_MAX,
  })
  return readOAuthToken(text, Date.now())
}

async function fromFile(file: Readonly<Record<string, unknown>>, access: GoogleAccess): Promise<Lease<string>> {
  const url = access.tokenUrl ?? textOf(file, 'token_uri', TOKEN_URL)
  const nowMs = Date.now()
  switch (file['type']) {
    case 'service_account': {
      const assertion = signAssertion(file, textOf(file, 'token_uri', TOKEN_URL), nowMs)
      const text = await askForToken(url, { method: 'POST', form: { grant_type: JWT_GRANT, assertion } })
      return readOAuthToken(text, nowMs)
    }
    case 'authorized_user': {
      const form = {
        grant_type: 'refresh_token',
        client_id: textOf(file, 'client_id'),
        client_secret: textOf(file, 'client_secret'),
        refresh_token: textOf(file, 'refresh_token'),
      }
      return readOAuthToken(await askForToken(url, { method: 'POST', form }), nowMs)
    }
    default:
      throw new AccessError('Google credentials must be of type service_account or authorized_user')
  }
}

/** A JWT that says who asks (RFC 7523), signed with the account's own key. */
function signAssertion(file: Readonly<Record<string, unknown>>, audience: string, nowMs: number): string {
  const issuedAt = Math.floor(nowMs / 1000)
  const keyId = file['private_key_id']
  const header = { alg: 'RS256', typ: 'JWT', ...(typeof keyId === 'string' ? { kid: keyId } : {}) }
  const claims = {
    iss: textOf(file, 'client_email'),
    scope: SCOPE,
    aud: audience,
    iat: issuedAt,
    exp: issuedAt + ASSERTION_SECONDS,
  }
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  try {
    const signature = createSign('RSA-SHA256').update(text).sign(textOf(file, 'private_key'), 'base64url')
    return `${text}.${signature}`
  } catch (error) {
    if (error instanceof AccessError) throw error
    // The cause could quote the key.
    throw new AccessError('the private key of the service account cannot be used')
  }
}

function textOf(file: Readonly<Record<string, unknown>>, name: string, fallback?: string): string {
  const value = file[name] ?? fallback
  if (typeof value === 'string' && value !== '') return value
  throw new AccessError(`the Google credentials have no ${name}`)
}
