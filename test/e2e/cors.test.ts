import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { PREFLIGHT_SECONDS, REQUESTED_HEADERS_CHARACTERS_MAX } from '#base/cross-origin.ts'
import { takesKeys } from '#control-plane/mount.ts'
import { ROUTES } from '#control-plane/routes.ts'
import { FIXED_PATHS, GEMINI_PREFIXES } from '#data-plane/1-receive/operations.ts'
import { eventually } from '#test/faults/gateway.ts'
import { browserAt, person } from './browser.ts'
import { eventsOf, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { BlockedError, pageAt } from './web-page.ts'

/** R20 and S33: which pages of other origins may use a key, and what they see of the answers. */

const APP = 'https://app.example.com'
const EXTENSION = 'chrome-extension://abcdefghijklmnop'
const EVIL = 'https://evil.example'

const CHAT = JSON.stringify({ model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] })

/** What the vendors' clients send from a browser, as their sources have it. */
const SDK_HEADERS: Record<string, readonly string[]> = {
  openai: [
    'authorization',
    'content-type',
    'openai-organization',
    'openai-project',
    'x-stainless-arch',
    'x-stainless-lang',
    'x-stainless-os',
    'x-stainless-package-version',
    'x-stainless-retry-count',
    'x-stainless-runtime',
    'x-stainless-runtime-version',
    'x-stainless-timeout',
  ],
  anthropic: [
    'x-api-key',
    'content-type',
    'anthropic-version',
    'anthropic-beta',
    'anthropic-dangerous-direct-browser-access',
    'x-stainless-helper-method',
  ],
  google: ['x-goog-api-key', 'content-type', 'x-goog-api-client'],
  openrouter: ['authorization', 'content-type', 'http-referer', 'x-title', 'idempotency-key'],
}

/** Every path of the data plane, the Gemini ones with a model. */
const PATHS = [
  ...FIXED_PATHS.keys(),
  ...GEMINI_PREFIXES.map((prefix) => `${prefix}${MODELS.gemini.id}:generateContent`),
]

describe('pages of other origins', () => {
  let gateway: TestGateway
  before(async () => {
    gateway = await startTestGateway({ config: { cors: { allowed_origins: [APP, EXTENSION] } } })
  })
  after(() => gateway.close())

  const ask = (page: string, path: string, init: Parameters<ReturnType<typeof pageAt>['fetch']>[1] = {}) =>
    pageAt(page).fetch(gateway.url + path, init)
  const authorization = () => `Bearer ${gateway.key}`

  test('R20: a page that the operator named calls with its key, plain and streamed, and sees id and cost', async () => {
    const headers = { authorization: authorization(), 'content-type': 'application/json' }
    for (const origin of [APP, EXTENSION]) {
      const whole = await ask(origin, '/v1/chat/completions', { method: 'POST', headers, body: CHAT })
      assert.deepEqual([whole.status, whole.preflighted], [200, true])
      assert.match(whole.headers.get('x-request-id')!, /^req_/)
      assert.match(whole.headers.get('x-gateway-cost')!, /^0\.\d+$/)
      const body = JSON.stringify({ ...JSON.parse(CHAT), stream: true })
      const stream = await ask(origin, '/v1/chat/completions', { method: 'POST', headers, body })
      assert.equal(stream.status, 200)
      assert.ok(eventsOf(stream.text).length > 0)
    }
  })

  test('R20: every path of the data plane answers a preflight with whatever the clients send', async () => {
    const before = gateway.upstream.count()
    for (const path of PATHS) {
      for (const names of Object.values(SDK_HEADERS)) {
        const told = await gateway.ask(path, {
          method: 'OPTIONS',
          key: null,
          headers: {
            origin: APP,
            'access-control-request-method': 'POST',
            'access-control-request-headers': names.join(','),
          },
        })
        assert.equal(told.status, 204, path)
        assert.equal(told.headers.get('access-control-allow-origin'), APP)
        assert.equal(told.headers.get('access-control-allow-methods'), 'POST')
        assert.equal(told.headers.get('access-control-max-age'), String(PREFLIGHT_SECONDS))
        assert.match(told.headers.get('vary') ?? '', /\bOrigin\b/)
        assert.equal(told.headers.get('access-control-allow-credentials'), null)
        const allowed = told.headers.get('access-control-allow-headers')!.split(',')
        assert.deepEqual(allowed.toSorted(), names.toSorted(), path)
      }
    }
    assert.equal(gateway.upstream.count(), before, 'a preflight asks no upstream')
    assert.ok(PATHS.length >= 20)
  })

  test('R20: errors can be read by their page: 400, 401, 402, 404, 405, a refused upstream', async () => {
    const poor = await gateway.fund({ credit: '0' })
    const json = { 'content-type': 'application/json' }
    const tries: [number, string, string, Record<string, string>, string][] = [
      [400, 'POST', '/v1/chat/completions', { ...json, authorization: authorization() }, '{'],
      [401, 'POST', '/v1/chat/completions', json, CHAT],
      [401, 'POST', '/v1/messages', { ...json, 'x-api-key': 'sk-tv-nonsense' }, CHAT],
      [402, 'POST', '/v1/chat/completions', { ...json, authorization: `Bearer ${poor.key}` }, CHAT],
      [401, 'POST', `${GEMINI_PREFIXES[0]}x:generateContent`, { ...json, 'x-goog-api-key': 'nonsense' }, '{}'],
      [401, 'GET', '/v1/models', { authorization: 'Bearer nonsense' }, ''],
      [404, 'GET', '/v1/models/nothing-like-this', { authorization: authorization() }, ''],
      [404, 'GET', '/v1/nothing-like-this', {}, ''],
      [405, 'GET', '/v1/chat/completions', {}, ''],
    ]
    for (const [status, method, path, headers, body] of tries) {
      const told = await ask(APP, path, { method, headers, ...(method === 'POST' && { body }) })
      assert.equal(told.status, status, `${method} ${path}`)
      assert.ok(JSON.parse(told.text).error, path)
      assert.match(told.headers.get('x-request-id')!, /^req_/, path)
    }
    gateway.upstream.script({ status: 429, headers: { 'retry-after': '7' }, body: '{"error":{"message":"slow down"}}' })
    const headers = { ...json, authorization: authorization() }
    const told = await ask(APP, '/v1/chat/completions', { method: 'POST', headers, body: CHAT })
    assert.deepEqual([told.status, told.headers.get('retry-after')], [429, '7'])
  })

  test('R20: who was not named gets no header at all, and no preflight', async () => {
    const strangers = [
      EVIL,
      'null',
      `${APP}:444`,
      'http://app.example.com',
      `${APP}.evil.example`,
      `x${APP}`,
      'https://APP.example.com',
    ]
    for (const origin of strangers) {
      const headers = { authorization: authorization(), 'content-type': 'application/json' }
      const blocked = ask(origin, '/v1/chat/completions', { method: 'POST', headers, body: CHAT })
      await assert.rejects(blocked, BlockedError, origin)
      for (const path of [...PATHS, '/v1/models', '/v1/me', '/v1/nothing']) {
        for (const method of ['OPTIONS', 'GET']) {
          const told = await gateway.ask(path, {
            method,
            headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
          })
          if (method === 'OPTIONS') assert.ok(told.status >= 400, `${path} ${origin}`)
          assert.deepEqual(
            [...told.headers.keys()].filter((name) => name.startsWith('access-control-')),
            [],
            `${method} ${path} ${origin}`,
          )
        }
      }
    }
  })

  test("S33: with a key a page may ask what takes keys; what is the operator's or lives by a cookie stays shut", async () => {
    for (const route of ROUTES.filter(({ method }) => method !== 'OPTIONS')) {
      const path = route.path.replace(/:\w+|\*/g, 'x')
      // The public list is open to every page, with a key or without.
      if (path === '/catalog/models') continue
      const told = await gateway.ask(path, {
        method: 'OPTIONS',
        key: null,
        headers: {
          origin: APP,
          'access-control-request-method': route.method,
          'access-control-request-headers': 'authorization',
        },
      })
      const name = `${route.method} ${route.path}`
      assert.equal(told.status === 204, takesKeys(route), name)
      if (takesKeys(route)) {
        assert.ok(told.headers.get('access-control-allow-methods')!.split(', ').includes(route.method), name)
        continue
      }
      if (route.guard !== 'master') continue
      const answer = await gateway.ask(path, { key: gateway.masterKey, headers: { origin: APP } })
      if (route.method === 'GET') assert.equal(answer.headers.get('access-control-allow-origin'), null, name)
    }
    const me = await ask(APP, '/v1/me', { headers: { authorization: authorization() } })
    assert.equal(me.status, 200)
    const changed = await ask(APP, '/api/v1/keys/x', { method: 'DELETE', headers: { authorization: authorization() } })
    assert.equal(changed.status, 403)
  })

  test('S33: a cookie never counts for another origin: no answer allows credentials, and nothing is changed by one', async () => {
    const admin = browserAt(gateway.url)
    await admin.auth('/sign-up/email', person('admin@example.com'))
    const { json } = await admin.ask('GET', '/api/session')
    assert.equal(json.user.role, 'admin')
    for (const path of ['/api/session', '/v1/me', '/api/v1/keys', '/api/admin/accounts', '/api/auth/get-session']) {
      const told = await admin.ask('GET', path, undefined, { origin: APP })
      assert.equal(told.headers.get('access-control-allow-credentials'), null, path)
    }
    const written = await admin.ask('POST', '/api/v1/keys', { name: 'x' }, { origin: APP })
    assert.equal(written.status, 403)
  })

  test('R20: an answer without an Origin header carries nothing of it, and says what it depends on', async () => {
    const told = await gateway.ask('/v1/chat/completions', { body: JSON.parse(CHAT) })
    assert.equal(told.headers.get('access-control-allow-origin'), null)
    assert.equal(told.headers.get('vary'), 'Authorization, Origin')
  })

  test('R20: a list of headers that is too long or no list is granted nothing', async () => {
    const long = `x-${'a'.repeat(REQUESTED_HEADERS_CHARACTERS_MAX - 2)}`
    const told = async (names: string) => {
      const headers = { origin: APP, 'access-control-request-method': 'POST', 'access-control-request-headers': names }
      return (await gateway.ask('/v1/messages', { method: 'OPTIONS', headers })).headers.get(
        'access-control-allow-headers',
      )
    }
    assert.equal(await told(long), long)
    assert.equal(await told(`${long}a`), null)
    assert.equal(await told('x-a: b'), null)
    assert.equal(await told('x-a,,x-b'), null)
  })
})

describe('any origin', () => {
  test('R20: the star lets every page in, by a star and never by its name; a reload shuts it', async () => {
    await using gateway = await startTestGateway({ config: { cors: { allowed_origins: ['*'] } } })
    const headers = { 'x-api-key': gateway.key, 'content-type': 'application/json' }
    const told = await pageAt(EVIL).fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body: CHAT })
    assert.equal(told.status, 200)
    const raw = await gateway.ask('/v1/models', { headers: { origin: EVIL } })
    assert.equal(raw.headers.get('access-control-allow-origin'), '*')
    assert.equal(raw.headers.get('access-control-allow-credentials'), null)
    const config = JSON.parse(readFileSync(gateway.configFile, 'utf8'))
    writeFileSync(gateway.configFile, JSON.stringify({ ...config, cors: { allowed_origins: [] } }))
    await eventually('the list is empty', 5000, async () => {
      const { headers: now } = await gateway.ask('/v1/models', { headers: { origin: EVIL } })
      return now.get('access-control-allow-origin') === null || undefined
    })
  })

  test('R20: a replayed answer has the headers of its own request, not of the first', async () => {
    await using gateway = await startTestGateway({ config: { cors: { allowed_origins: [APP] } } })
    const once = (origin?: string) =>
      gateway.ask('/v1/chat/completions', {
        body: JSON.parse(CHAT),
        headers: { 'idempotency-key': 'k', ...(origin && { origin }) },
      })
    await once(APP)
    const replayed = await once()
    assert.equal(replayed.headers.get('idempotent-replayed'), 'true')
    assert.equal(replayed.headers.get('access-control-allow-origin'), null)
    assert.equal((await once(APP)).headers.get('access-control-allow-origin'), APP)
  })
})
