import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export const CLIENT_ID = 'gateway'

/** An OpenID provider that everybody is signed in at, as `claims` says, and that a test may spoil. */
export interface IdentityProvider extends AsyncDisposable {
  readonly url: string
  /** Of the next ID tokens, over the right ones. */
  claims: Record<string, unknown>
  header: Record<string, unknown>
  /** Null: unsigned. Undefined: the published key. A secret: an HMAC, as if the published key were one. */
  signer: KeyObject | null | undefined
  /** The published key, as a text that everybody knows. */
  readonly publicText: string
  /** An ID token as the next sign-in would get it, outside of any. */
  mint(): string
  /** What a browser does at the authorization address: it comes back with a code. */
  authorize(address: string): string
}

export async function startIdentityProvider(): Promise<IdentityProvider> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }
  const grants = new Map<string, { nonce: string | null; challenge: string | null }>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const path = new URL(request.url!, provider.url).pathname
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    }
    if (path === '/.well-known/openid-configuration') return answer(200, discovery(provider.url))
    if (path === '/jwks') return answer(200, { keys: [jwk] })
    if (path !== '/token') return answer(404, {})
    const form = new URLSearchParams(body)
    const grant = grants.get(form.get('code') ?? '')
    grants.delete(form.get('code') ?? '')
    const proof = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (!grant || proof !== grant.challenge) return answer(400, { error: 'invalid_grant' })
    const key = provider.signer === undefined ? privateKey : provider.signer
    answer(200, {
      access_token: 'at-canary-secret',
      token_type: 'Bearer',
      expires_in: 60,
      id_token: token(provider, grant.nonce, key),
    })
  })
  const provider: IdentityProvider = {
    url: '',
    claims: {},
    header: {},
    signer: undefined,
    publicText: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    mint: () => token(provider, null, provider.signer === undefined ? privateKey : provider.signer),
    authorize(address) {
      const { searchParams } = new URL(address)
      const code = `code-${grants.size}-${Math.random()}`
      grants.set(code, { nonce: searchParams.get('nonce'), challenge: searchParams.get('code_challenge') })
      return `${searchParams.get('redirect_uri')}?${new URLSearchParams({ code, state: searchParams.get('state')! })}`
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return Object.assign(provider, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
}

const discovery = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  jwks_uri: `${issuer}/jwks`,
  id_token_signing_alg_values_supported: ['RS256'],
})

function token(provider: IdentityProvider, nonce: string | null, key: KeyObject | null): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: provider.url,
    aud: CLIENT_ID,
    sub: 'subject-1',
    email: 'oidc@example.com',
    email_verified: true,
    name: 'Oidc',
    iat: now,
    exp: now + 60,
    ...(nonce && { nonce }),
    ...provider.claims,
  }
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = `${part({ alg: 'RS256', kid: 'one', typ: 'JWT', ...provider.header })}.${part(claims)}`
  if (key === null) return `${text}.`
  const signature =
    key.type === 'secret' ? createHmac('sha256', key).update(text).digest() : sign('sha256', Buffer.from(text), key)
  return `${text}.${signature.toString('base64url')}`
}
