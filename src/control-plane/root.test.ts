import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CATALOG_VARIANTS_MAX } from './catalog.ts'
import { originOf } from './origin.ts'
import { startTestbed, type Testbed } from './testbed.ts'

const HTML = { accept: 'text/html,application/xhtml+xml' }

describe('open paths', () => {
  let bed: Testbed
  before(async () => {
    bed = await startTestbed({ gatewayUrl: () => 'https://gateway.example.com' })
  })
  after(() => bed.close())

  test('GET / is JSON for programs, the page for browsers', async () => {
    const { status, json } = await bed.ask('GET', '/')
    assert.equal(status, 200)
    assert.equal(json.name, 'trivium')
    assert.equal(json.version, '0.0.0-test')
    assert.equal(json.base_urls.openai, 'https://gateway.example.com/v1')
    const page = await bed.ask('GET', '/', { headers: HTML })
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type']!, /^text\/html/)
    assert.match(page.text, /https:\/\/gateway\.example\.com\/v1</)
    assert.doesNotMatch(page.text, /\{\{/)
    assert.equal((await bed.ask('HEAD', '/')).status, 200)
    assert.deepEqual((await bed.ask('GET', '/health')).json, { status: 'ok' })
  })

  test('the page has nothing inline and nothing external', async () => {
    const { headers, text } = await bed.ask('GET', '/', { headers: HTML })
    const policy = headers['content-security-policy']!
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe|\*|data:/)
    assert.doesNotMatch(text, /<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/)
    for (const [, url] of text.matchAll(/(?:src|href)="([^"]+)"/g)) assert.match(url!, /^[/#]/)
  })

  test('assets are cached for good under their digest', async () => {
    const { text } = await bed.ask('GET', '/', { headers: HTML })
    const urls = [...text.matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1]!)
    assert.equal(urls.length, 4)
    for (const url of urls) {
      const asset = await bed.ask('GET', url)
      assert.equal(asset.status, 200, url)
      assert.match(asset.headers['cache-control']!, /immutable/)
      assert.equal(asset.headers['x-content-type-options'], 'nosniff')
      const bare = await bed.ask('GET', url.split('?')[0]!)
      assert.equal(bare.headers['cache-control'], 'no-cache')
      const known = await bed.ask('GET', url, { headers: { 'if-none-match': asset.headers['etag']! } })
      assert.equal(known.status, 304)
    }
    for (const name of ['index.html', '..%2fpage.ts', 'constructor']) {
      assert.equal((await bed.ask('GET', `/assets/${name}`)).status, 404, name)
    }
  })

  test('GET /catalog/models: public, cached, open to other origins', async () => {
    const { status, json, headers, text } = await bed.ask('GET', '/catalog/models', { key: 'garbage' })
    assert.equal(status, 200)
    assert.equal(json.object, 'list')
    assert.ok(json.data.every((one: { protocols: string[] }) => one.protocols.length > 0))
    assert.match(headers['cache-control']!, /^public, max-age=\d+$/)
    assert.equal(headers['access-control-allow-origin'], '*')
    assert.doesNotMatch(text, /secret|api\.openai\.com/)
    for (const tag of [headers['etag']!, `W/${headers['etag']}`, `"x", ${headers['etag']}`]) {
      const again = await bed.ask('GET', '/catalog/models', { headers: { 'if-none-match': tag } })
      assert.equal(again.status, 304)
      assert.equal(again.text, '')
    }
    assert.equal((await bed.ask('OPTIONS', '/catalog/models')).status, 204)
    assert.equal((await bed.ask('GET', '/health')).headers['access-control-allow-origin'], undefined)
  })

  test('route_groups filters, whatever is asked', async () => {
    const ask = async (query: string) => (await bed.ask('GET', `/catalog/models?${query}`)).json.data
    const all = await ask('')
    assert.deepEqual(await ask('route_groups='), all)
    assert.deepEqual(await ask('route_groups=DEFAULT, ,default'), all)
    assert.deepEqual(await ask('route_groups=none'), [])
    for (let at = 0; at <= CATALOG_VARIANTS_MAX; at++) assert.deepEqual(await ask(`route_groups=none${at}`), [])
    assert.deepEqual(await ask('route_groups=default'), all)
  })

  test('unknown paths are 404 and wrong methods 405, each in its dialect', async () => {
    assert.equal((await bed.ask('GET', '/nowhere')).json.error.code, 'not_found')
    assert.equal((await bed.ask('POST', '/v1/messages/nowhere')).json.type, 'error')
    assert.equal((await bed.ask('GET', '/v1beta/nowhere')).json.error.status, 'NOT_FOUND')
    const openrouter = await bed.ask('GET', '/api/v1/nowhere')
    assert.equal(openrouter.json.error.code, 404)
    assert.equal(openrouter.json.error.metadata.error_type, 'not_found')
    for (const method of ['DELETE', 'OPTIONS', 'PUT', 'POST']) {
      const wrong = await bed.ask(method, '/api/v1/keys/x', { headers: { 'content-type': 'text/plain' } })
      if (method === 'DELETE') assert.equal(wrong.status, 401)
      else {
        assert.equal(wrong.status, 405, method)
        assert.equal(wrong.headers['allow'], 'DELETE, GET, HEAD, PATCH')
        assert.equal(wrong.json.error.code, 405)
      }
    }
    const models = await bed.ask('DELETE', '/v1beta/models')
    assert.equal(models.status, 405)
    assert.equal(models.json.error.code, 405)
    assert.match(models.headers['x-request-id']!, /^req_/)
    assert.equal(models.headers['cache-control'], 'private, no-store')
  })

  test('a URL that cannot be read is 400 in its dialect and is not repeated', async () => {
    const openai = await bed.ask('GET', '/v1/models/%zz')
    assert.equal(openai.status, 400)
    assert.equal(openai.json.error.code, 'invalid_request')
    assert.doesNotMatch(openai.text, /%zz/)
    assert.equal((await bed.ask('GET', '/v1beta/models/%zz')).json.error.status, 'INVALID_ARGUMENT')
    const long = await bed.ask('GET', `/api/logs/${'x'.repeat(300)}`)
    assert.equal(long.status, 400)
    assert.equal(long.json.error.metadata.code, 'invalid_request')
  })

  test('a route that refuses methods itself names the ones it serves', async () => {
    assert.equal((await bed.ask('POST', '/v1/own-refusal')).status, 404)
    const refused = await bed.ask('DELETE', '/v1/own-refusal')
    assert.equal(refused.status, 405)
    assert.equal(refused.headers['allow'], 'POST')
  })
})

test('without GATEWAY_URL the page tells the origin the client came by, when that is one', async () => {
  const bed = await startTestbed({ gatewayUrl: () => null })
  try {
    const root = async (host: string) => (await bed.ask('GET', '/', { headers: { host } })).json.gateway_url
    assert.equal(await root('gw.local:9000'), 'http://gw.local:9000')
    assert.equal(await root('evil.example/"><script>'), 'http://127.0.0.1:8000')
  } finally {
    await bed.close()
  }
})

test('origins', () => {
  const settings = { host: '0.0.0.0', port: 80 }
  assert.equal(originOf('http', '[::1]:8000', settings), 'http://[::1]:8000')
  assert.equal(originOf('https', 'a.example', settings), 'https://a.example')
  assert.equal(originOf('http', undefined, settings), 'http://localhost:80')
  assert.equal(originOf('http', 'a b', { host: '::1', port: 1 }), 'http://[::1]:1')
})
