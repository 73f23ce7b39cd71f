import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { type Browser, browserAt, type Page } from './browser.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { CLIENT_ID, type IdentityProvider, startIdentityProvider } from './identity-provider.ts'

let nowMs = Date.now()

describe('R22: signing in at an identity provider of the configuration', () => {
  let idp: IdentityProvider
  let gateway: TestGateway
  before(async () => {
    idp = await startIdentityProvider()
    const corp = {
      client_id: CLIENT_ID,
      client_secret: 'sec',
      discovery_url: `${idp.url}/.well-known/openid-configuration`,
    }
    gateway = await startTestGateway({ now: () => nowMs, config: { portal: { login_providers: { corp } } } })
  })
  after(async () => {
    await gateway.close()
    await idp[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    nowMs += ATTEMPT_WINDOW_MS
    idp.claims = {}
    idp.header = {}
    idp.signer = undefined
  })

  const start = async (browser: Browser): Promise<string> => {
    const begun = await browser.auth('/sign-in/social', { provider: 'corp', callbackURL: '/' })
    assert.equal(begun.status, 200, begun.text)
    return idp.authorize(begun.json.url)
  }
  const signIn = async (browser = browserAt(gateway.url)): Promise<{ browser: Browser; page: Page }> => {
    const back = await start(browser)
    return { browser, page: await browser.ask('GET', back) }
  }

  test('R22: who is known there is known here, with an account', async () => {
    const { browser, page } = await signIn()
    assert.equal(page.status, 302, page.text)
    const session = await browser.ask('GET', '/api/session')
    assert.equal(session.json.user.email, 'oidc@example.com', session.text)
    const { browser: again } = await signIn()
    assert.equal((await again.ask('GET', '/api/session')).json.user.id, session.json.user.id)
  })

  test('S24: an unsigned, foreign, expired or swapped ID token signs nobody in', async () => {
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const spoils: readonly [string, Partial<IdentityProvider>][] = [
      ['alg none', { header: { alg: 'none' }, signer: null }],
      ['alg None', { header: { alg: 'None' }, signer: null }],
      [
        'the published key as a secret',
        { header: { alg: 'HS256' }, signer: createSecretKey(Buffer.from(idp.publicText)) },
      ],
      ['another key', { signer: stranger }],
      ['another kid', { header: { kid: '../../etc/passwd' }, signer: stranger }],
      [
        'a key that the token brings',
        { header: { jwk: stranger.export({ format: 'jwk' }), kid: undefined }, signer: stranger },
      ],
      ['another audience', { claims: { aud: 'somebody' } }],
      ['another issuer', { claims: { iss: 'https://evil.example' } }],
      ['expired', { claims: { exp: 1 } }],
      ['another nonce', { claims: { nonce: 'replayed' } }],
    ]
    for (const [name, spoil] of spoils) {
      nowMs += ATTEMPT_WINDOW_MS
      Object.assign(idp, { claims: {}, header: {}, signer: undefined }, spoil)
      const { browser, page } = await signIn()
      assert.ok(page.status === 302 || page.status >= 400, name)
      assert.equal((await browser.ask('GET', '/api/session')).status, 401, name)
    }
  })

  test('S24: an answer of the provider counts once, and in the browser that asked', async () => {
    const mine = browserAt(gateway.url)
    const back = await start(mine)
    const other = browserAt(gateway.url)
    await other.ask('GET', back)
    assert.equal((await other.ask('GET', '/api/session')).status, 401)
    const { browser } = await signIn(mine)
    assert.equal((await browser.ask('GET', '/api/session')).status, 200)
    const replayed = browserAt(gateway.url)
    await replayed.ask('GET', back)
    assert.equal((await replayed.ask('GET', '/api/session')).status, 401)
  })

  test('S24: a token that was not asked for signs nobody in, be it forged, copied or real', async () => {
    await signIn()
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const spoils: readonly Partial<IdentityProvider>[] = [
      {},
      { header: { alg: 'none' }, signer: null },
      { header: { alg: 'HS256' }, signer: createSecretKey(Buffer.from(idp.publicText)) },
      { signer: stranger },
    ]
    for (const spoil of spoils) {
      nowMs += ATTEMPT_WINDOW_MS
      Object.assign(idp, { claims: {}, header: {}, signer: undefined }, spoil)
      const token = idp.mint()
      for (const path of ['/sign-in/social', '/link-social']) {
        for (const idToken of [{ token }, { token, nonce: 'x' }, { token, accessToken: 'at' }]) {
          const browser = browserAt(gateway.url)
          await browser.auth(path, { provider: 'corp', idToken })
          assert.equal((await browser.ask('GET', '/api/session')).status, 401, `${path} ${JSON.stringify(spoil)}`)
        }
      }
    }
  })

  test('S23: the way back never leads to a stranger', async () => {
    const tried = await browserAt(gateway.url).auth('/sign-in/social', {
      provider: 'corp',
      callbackURL: 'https://evil.example',
    })
    assert.equal(tried.status, 403)
  })
})
