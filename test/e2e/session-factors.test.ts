import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { type Browser, browserAt, PASSWORD, person } from './browser.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'
import { createPasskey } from './passkey.ts'

let nowMs = Date.now()

describe('R22: a second factor, and a key in place of a password', () => {
  let gateway: TestGateway
  let ada: Browser
  before(async () => {
    gateway = await startTestGateway({ now: () => nowMs })
    ada = browserAt(gateway.url)
    await ada.auth('/sign-up/email', person('ada@example.com'))
  })
  after(() => gateway.close())
  beforeEach(() => void (nowMs += ATTEMPT_WINDOW_MS))

  test('R22: with a second factor the password alone signs nobody in', async () => {
    const enabled = await ada.auth('/two-factor/enable', { password: PASSWORD })
    assert.equal(enabled.status, 200, enabled.text)
    const secret = new URL(enabled.json.totpURI).searchParams.get('secret')!
    assert.equal((await ada.auth('/two-factor/verify-totp', { code: codeOf(secret) })).status, 200)

    const other = browserAt(gateway.url)
    const half = await other.auth('/sign-in/email', person('ada@example.com'))
    assert.equal(half.json.twoFactorRedirect, true)
    assert.equal((await other.ask('GET', '/api/session')).status, 401)
    assert.equal((await other.auth('/two-factor/verify-totp', { code: '000000' })).status, 401)
    assert.equal((await other.ask('GET', '/api/session')).status, 401)
    assert.equal((await other.auth('/two-factor/verify-totp', { code: codeOf(secret) })).status, 200)
    assert.equal((await other.ask('GET', '/api/session')).status, 200)

    const spare = browserAt(gateway.url)
    await spare.auth('/sign-in/email', person('ada@example.com'))
    const [backup] = enabled.json.backupCodes as [string]
    assert.equal((await spare.auth('/two-factor/verify-backup-code', { code: backup })).status, 200)
    nowMs += ATTEMPT_WINDOW_MS
    const twice = browserAt(gateway.url)
    await twice.auth('/sign-in/email', person('ada@example.com'))
    assert.equal((await twice.auth('/two-factor/verify-backup-code', { code: backup })).status, 401)
  })

  test('R22: a passkey signs in without a password; a copy of its answer does not', async () => {
    const bob = browserAt(gateway.url)
    await bob.auth('/sign-up/email', person('bob@example.com'))
    const origin = gateway.url
    const passkey = createPasskey('127.0.0.1', origin)
    const options = await bob.ask('GET', '/api/auth/passkey/generate-register-options')
    assert.equal(options.status, 200, options.text)
    const response = passkey.register(options.json.challenge)
    const registered = await bob.auth('/passkey/verify-registration', { response, name: 'laptop' })
    assert.equal(registered.status, 200, registered.text)

    const other = browserAt(gateway.url)
    const asked = await other.ask('GET', '/api/auth/passkey/generate-authenticate-options')
    const answer = passkey.answer(asked.json.challenge)
    const signedIn = await other.auth('/passkey/verify-authentication', { response: answer })
    assert.equal(signedIn.status, 200, signedIn.text)
    assert.equal((await other.ask('GET', '/api/session')).json.user.email, 'bob@example.com')

    const thief = browserAt(gateway.url)
    await thief.ask('GET', '/api/auth/passkey/generate-authenticate-options')
    assert.ok((await thief.auth('/passkey/verify-authentication', { response: answer })).status >= 400)
    assert.equal((await thief.ask('GET', '/api/session')).status, 401)
    const phished = createPasskey('127.0.0.1', 'https://evil.example', passkey)
    const again = await thief.ask('GET', '/api/auth/passkey/generate-authenticate-options')
    const elsewhere = phished.answer(again.json.challenge)
    assert.ok((await thief.auth('/passkey/verify-authentication', { response: elsewhere })).status >= 400)
  })
})

/** RFC 6238 with the defaults of every app: SHA-1, six digits, 30 seconds. */
function codeOf(secret: string): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)))
  const digest = createHmac('sha1', base32(secret)).update(counter).digest()
  const at = digest[19]! & 15
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

function base32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...text.replace(/=+$/, '')]
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0'))
    .join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
}
