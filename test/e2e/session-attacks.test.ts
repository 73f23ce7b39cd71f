import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS, ATTEMPTS_MAX } from '#sessions/attempts.ts'
import { type Browser, browserAt, PASSWORD, person } from './browser.ts'
import { dumpOf } from './dump.ts'
import { startTestGateway, type TestGateway } from './gateway.ts'

let nowMs = Date.now()
const COOKIE = 'trivium.session_token'

describe('attacks on sessions', () => {
  let gateway: TestGateway
  let ada: Browser
  before(async () => {
    gateway = await startTestGateway({ now: () => nowMs })
    ada = browserAt(gateway.url)
    assert.equal((await ada.auth('/sign-up/email', person('ada@example.com'))).status, 200)
  })
  after(() => gateway.close())
  beforeEach(() => void (nowMs += ATTEMPT_WINDOW_MS))

  const statusWith = async (cookie: string): Promise<number> => {
    const thief = browserAt(gateway.url)
    thief.cookies.set(COOKIE, cookie)
    return (await thief.ask('GET', '/api/session')).status
  }

  test('S25: ten tries a minute, then 429, whatever headers say about the address', async () => {
    const wrong = { email: 'ada@example.com', password: 'wrong password' }
    const tries: number[] = []
    for (let at = 0; at <= ATTEMPTS_MAX; at++) {
      const spoof = { 'x-forwarded-for': `10.0.0.${at}`, 'x-real-ip': `10.0.0.${at}`, 'x-trivium-peer': `10.0.0.${at}` }
      const guesser = browserAt(gateway.url)
      const told = await guesser.ask('POST', '/api/auth/sign-in/email', wrong, spoof)
      tries.push(told.status)
      if (told.status === 429) assert.match(told.headers.get('retry-after') ?? '', /^\d+$/)
    }
    assert.deepEqual(tries, [...Array<number>(ATTEMPTS_MAX).fill(401), 429])
    const right = await browserAt(gateway.url).auth('/sign-in/email', person('ada@example.com'))
    assert.equal(right.status, 429)
    nowMs += ATTEMPT_WINDOW_MS
    assert.equal((await browserAt(gateway.url).auth('/sign-in/email', person('ada@example.com'))).status, 200)
  })

  test('S25: ten tries a minute for one person, from however many addresses and in whatever spelling', async () => {
    const from = (localAddress: string, email: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request(`${gateway.url}/api/auth/sign-in/email`, {
          method: 'POST',
          localAddress,
          headers: { 'content-type': 'application/json', origin: gateway.url },
        })
        sent.on('response', (response) => {
          response.resume().on('end', () => resolve(response.statusCode!))
        })
        sent.on('error', reject)
        sent.end(JSON.stringify({ email, password: 'wrong password' }))
      })
    const spellings = ['ada@example.com', 'ADA@example.com', 'Ada@Example.COM']
    const tries: number[] = []
    for (let at = 0; at < 2 * ATTEMPTS_MAX; at++) {
      tries.push(await from(`127.0.1.${at + 1}`, spellings[at % spellings.length]!))
    }
    assert.deepEqual(tries, [...Array<number>(ATTEMPTS_MAX).fill(401), ...Array<number>(ATTEMPTS_MAX).fill(429)])
    // Others sign in meanwhile.
    assert.equal(await from('127.0.2.1', 'bob@example.com'), 401)
  })

  test('S25: a hash is told by no answer, and opens nothing in place of its password', async () => {
    const [hash] = /scrypt\$32768\$8\$3\$[\w-]+\$[\w-]+/.exec(dumpOf(gateway.running.dataDir))!
    const stolen = await browserAt(gateway.url).auth('/sign-in/email', { email: 'ada@example.com', password: hash })
    assert.equal(stolen.status, 401)
    for (const path of [
      '/api/session',
      '/v1/me',
      '/api/auth/get-session',
      '/api/auth/list-sessions',
      '/api/auth/list-accounts',
      '/api/auth/passkey/list-user-passkeys',
      '/api/auth/organization/list',
    ]) {
      const { status, text } = await ada.ask('GET', path)
      assert.equal(status, 200, `${path}: ${text}`)
      assert.doesNotMatch(text, /scrypt|"password"/, path)
    }
  })

  test('S24: a changed, cut, unsigned or foreign cookie opens nothing', async () => {
    const cookie = ada.cookies.get(COOKIE)!
    assert.equal(await statusWith(cookie), 200)
    const [token, signature] = decodeURIComponent(cookie).split('.') as [string, string]
    const forged = [
      token,
      `${token}.`,
      `.${signature}`,
      `${token.slice(0, -1)}.${signature}`,
      `${token.slice(0, 8)}.${signature}`,
      `${token}x.${signature}`,
      // One in sixteen signatures ends with this letter already.
      `${token}.${signature.slice(0, -2)}${signature.at(-2) === 'A' ? 'E' : 'A'}=`,
      `${token}.${createHash('sha256').update(token).digest('base64')}`,
      'undefined',
      '%',
    ]
    for (const value of forged) assert.equal(await statusWith(encodeURIComponent(value)), 401, value)
    assert.equal(await statusWith('%E0%A4%A'), 401)
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    assert.equal(await statusWith(`${none}.${Buffer.from('{"sub":"1"}').toString('base64url')}.`), 401)
  })

  test('S24: the session of one gateway means nothing to another', async () => {
    await using other = await startTestGateway()
    const there = browserAt(other.url)
    await there.auth('/sign-up/email', person('ada@example.com'))
    assert.equal(await statusWith(there.cookies.get(COOKIE)!), 401)
  })

  test('S11, S13: neither password, token nor cookie stands in the database or in a log', async () => {
    const cookie = decodeURIComponent(ada.cookies.get(COOKIE)!)
    const [token] = cookie.split('.') as [string]
    const dump = dumpOf(gateway.running.dataDir)
    assert.ok(dump.includes('ada@example.com'))
    for (const secret of [PASSWORD, cookie, token]) assert.ok(!dump.includes(secret))
    assert.match(dump, /scrypt\$32768\$8\$3\$/)
  })

  test('S24: what is stored of a token is no token, even with the right signature', async () => {
    const { createHmac } = await import('node:crypto')
    const { key_pepper: pepper } = JSON.parse(readFileSync(join(gateway.running.dataDir, 'secrets.json'), 'utf8'))
    const secret = createHmac('sha256', pepper).update('sessions').digest('base64url')
    const sign = (text: string) => `${text}.${createHmac('sha256', secret).update(text).digest('base64')}`
    const [token] = decodeURIComponent(ada.cookies.get(COOKIE)!).split('.') as [string]
    // The thief knows how to sign: with the token itself it works.
    assert.equal(await statusWith(encodeURIComponent(sign(token))), 200)
    const stored = `sha256:${createHash('sha256').update(token).digest('base64url')}`
    assert.ok(dumpOf(gateway.running.dataDir).includes(stored))
    assert.equal(await statusWith(encodeURIComponent(sign(stored))), 401)
  })

  test('S30: an answer to nonsense shows no stack, no SQL and no path', async () => {
    const nonsense: unknown[] = [null, [], 'x', { email: { $ne: '' } }, { email: "' or 1=1 --", password: [] }]
    for (const path of [
      '/sign-in/email',
      '/sign-up/email',
      '/two-factor/verify-totp',
      '/organization/create',
      '/nothing',
    ]) {
      for (const body of nonsense) {
        nowMs += ATTEMPT_WINDOW_MS
        const { status, text } = await browserAt(gateway.url).auth(path, body)
        assert.ok(status >= 400 && status < 500, `${path} ${JSON.stringify(body)}: ${status}`)
        assert.doesNotMatch(text, /node_modules|\bat \w+ \(|select |insert |sqlite|\/src\//i)
      }
    }
  })
})
