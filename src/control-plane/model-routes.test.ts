import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SUGGESTION_ID_LENGTH_MAX } from './models.ts'
import { startTestbed, type Testbed } from './testbed.ts'

const ANTHROPIC = { 'anthropic-version': '2023-06-01' }

describe('model lists', () => {
  let bed: Testbed
  let key: string
  let google: { 'x-goog-api-key': string }
  before(async () => {
    bed = await startTestbed()
    const { id } = await bed.accounts.create({ email: 'a@example.com', mode: 'prepaid', actor: 'test' })
    key = (await bed.keys.create({ name: 'user', accountId: id })).plaintext
    google = { 'x-goog-api-key': key }
  })
  after(() => bed.close())

  const ids = (list: { id?: string; name?: string }[]) =>
    list.map((one) => one.id ?? one.name!.replace(/^models\//, '')).sort()

  test('the same ids in four shapes', async () => {
    const openai = (await bed.ask('GET', '/v1/models', { key })).json
    assert.equal(openai.object, 'list')
    assert.ok(openai.data.length > 3)
    assert.equal(openai.data[0].object, 'model')
    const expected = ids(openai.data)
    const anthropic = (await bed.ask('GET', '/v1/models', { key, headers: ANTHROPIC })).json
    assert.equal(anthropic.data[0].type, 'model')
    assert.equal(anthropic.has_more, false)
    assert.deepEqual(ids(anthropic.data), expected)
    const gemini = (await bed.ask('GET', '/v1/models', { headers: google })).json
    assert.deepEqual(ids(gemini.models), expected)
    const openrouter = (await bed.ask('GET', '/api/v1/models?output_modalities=all', { key })).json
    assert.deepEqual(ids(openrouter.data), expected)
    assert.equal(openrouter.total_count, expected.length)
  })

  test('aliases answer in the shape of their prefix', async () => {
    const shape = async (path: string, headers: Record<string, string> = {}) => {
      const { status, json } = await bed.ask('GET', path, { key, headers })
      assert.equal(status, 200, path)
      if (json.models) return 'gemini'
      if ('has_more' in json) return 'anthropic'
      return 'total_count' in json ? 'openrouter' : 'openai'
    }
    assert.equal(await shape('/v1/v1/models', ANTHROPIC), 'anthropic')
    assert.equal(await shape('/v1/v1/models'), 'openai')
    assert.equal(await shape('/anthropic/v1/models'), 'anthropic')
    assert.equal(await shape('/api/v1/models', ANTHROPIC), 'anthropic')
    for (const path of ['/v1beta', '/v1beta/v1beta', '/v1beta/v1', '/api/v1beta']) {
      assert.equal(await shape(`${path}/models`), 'gemini')
    }
    assert.equal(await shape('/api/v1/models'), 'openrouter')
  })

  test('one model, its id with slashes and percent-encoded', async () => {
    const { data } = (await bed.ask('GET', '/v1/models', { key })).json
    const { id } = data[0]
    assert.equal((await bed.ask('GET', `/v1/models/${id}`, { key })).json.id, id)
    assert.equal((await bed.ask('GET', `/v1/models/${encodeURIComponent(id)}`, { key })).json.id, id)
    assert.equal((await bed.ask('GET', `/v1/models/${id}`, { key, headers: ANTHROPIC })).json.type, 'model')
    assert.equal((await bed.ask('GET', `/v1beta/models/${id}`, { key })).json.name, `models/${id}`)
    assert.equal((await bed.ask('GET', `/api/v1/models/${id}`)).json.id, id)
    const slug = (await bed.ask('GET', `/api/v1/models/${id}`)).json.canonical_slug
    assert.match(slug, /\//)
    assert.equal((await bed.ask('GET', `/api/v1/model/${slug}`)).json.data.id, id)
    const endpoints = (await bed.ask('GET', `/api/v1/models/${slug}/endpoints`)).json.data
    assert.equal(endpoints.id, id)
    for (const name of [
      'name',
      'model_id',
      'pricing',
      'provider_name',
      'tag',
      'uptime_last_5m',
      'throughput_last_30m',
    ]) {
      assert.ok(name in endpoints.endpoints[0], name)
    }
  })

  test('401 and 404 in the dialect of the path', async () => {
    const none = await bed.ask('GET', '/v1/models')
    assert.equal(none.status, 401)
    assert.equal(none.json.error.code, 'api_key_required')
    assert.equal((await bed.ask('GET', '/v1/models', { headers: ANTHROPIC })).json.error.type, 'authentication_error')
    const wrong = await bed.ask('GET', '/v1/models', { headers: { 'x-goog-api-key': 'wrong' } })
    assert.equal(wrong.json.error.status, 'UNAUTHENTICATED')
    assert.equal((await bed.ask('GET', '/v1beta/models')).json.error.status, 'UNAUTHENTICATED')
    const missing = await bed.ask('GET', '/v1/models/gpt-4p', { key })
    assert.equal(missing.status, 404)
    assert.equal(missing.json.error.code, 'model_not_found')
    assert.equal(missing.json.error.param, 'model')
    const openrouter = await bed.ask('GET', '/api/v1/models/x/y/endpoints')
    assert.equal(openrouter.status, 404)
    assert.equal(openrouter.json.error.availability.code, 'model_not_found')
    const anthropic = await bed.ask('GET', '/anthropic/v1/models/claude-none', { key })
    assert.equal(anthropic.json.error.type, 'not_found_error')
    assert.equal(anthropic.headers['request-id'], anthropic.headers['x-request-id'])
  })

  test('suggestions stop where an id is no misspelling', async () => {
    const near = (await bed.ask('GET', '/v1/models', { key })).json.data[0].id
    const told = await bed.ask('GET', `/v1/models/${near}x`, { key })
    assert.match(told.json.error.message, /Did you mean/)
    const long = await bed.ask('GET', `/v1/models/${'x'.repeat(SUGGESTION_ID_LENGTH_MAX + 1)}`, { key })
    assert.equal(long.status, 404)
    assert.doesNotMatch(long.json.error.message, /Did you mean/)
  })

  test('OpenRouter catalog without a key; an unknown key is still refused', async () => {
    const open = await bed.ask('GET', '/api/v1/models')
    assert.equal(open.status, 200)
    const wanted =
      'id canonical_slug name created pricing context_length architecture top_provider per_request_limits supported_parameters default_parameters supported_voices links'
    for (const name of wanted.split(' ')) assert.ok(name in open.json.data[0], name)
    assert.equal(typeof open.json.data[0].pricing.prompt, 'string')
    assert.equal((await bed.ask('GET', '/api/v1/models', { key: 'wrong' })).status, 401)
    assert.equal((await bed.ask('GET', '/api/v1/models/count')).json.data.count, open.json.data.length)
    assert.equal((await bed.ask('GET', '/api/v1/models/user', { key })).status, 200)
    assert.equal((await bed.ask('GET', '/api/v1/models?offset=1&limit=2')).json.data.length, 2)
    assert.equal((await bed.ask('GET', '/api/v1/models?limit=0')).status, 400)
    const embeddings = (await bed.ask('GET', '/api/v1/embeddings/models')).json.data
    assert.ok(embeddings.length > 0 && embeddings.length < open.json.data.length)
    const providers = (await bed.ask('GET', '/api/v1/providers')).json.data
    assert.ok(providers.every((one: object) => 'privacy_policy_url' in one && 'slug' in one))
  })

  test('?kind= and ?route_groups=', async () => {
    const count = async (query: string) => (await bed.ask('GET', `/v1/models?${query}`, { key })).json.data.length
    const all = await count('')
    assert.equal((await count('kind=llm')) + (await count('kind=embedding')), all)
    assert.equal(await count('route_groups=default'), all)
    assert.equal(await count('route_groups=none'), 0)
    assert.equal((await bed.ask('GET', '/v1/models?kind=car', { key })).status, 400)
  })
})
