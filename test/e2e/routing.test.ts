import assert from 'node:assert/strict'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { type Json, model, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** Who is routed where, and what the operator says about it (R32, R37-R42, R63-R65, R73-R75). */

const WAIT_MS = 5000
const messages = [{ role: 'user', content: 'hi' }]
const route = (id: string, backend: string, rest: object = {}) => ({ model: id, backend, ...rest })
const last = (gateway: TestGateway) => gateway.upstream.received.at(-1)!
const chat = (gateway: TestGateway, id: string, rest: object = {}, key = gateway.key): Promise<Told> =>
  gateway.ask('/v1/chat/completions', { key, body: { model: id, messages, ...rest } })
const codeOf = ({ status, json }: Told) => [status, json.error?.code]

/** Another backend at the same upstream; its calls are told by their credential. */
const backend = (url: string, key: string, rest: object = {}) => ({
  type: 'openai-compatible',
  api_url: `${url}/v1`,
  api_key: key,
  ...rest,
})
const start = (config: (url: string) => Record<string, Json>, flags = {}) => startTestGateway({ config, flags })
const servedBy = (gateway: TestGateway) => last(gateway).headers.authorization?.replace('Bearer ', '')

test('R32: backend, string, body and default, in this order, each parameter by itself', async () => {
  await using gateway = await start((url) => ({
    models: [model('m'), model('f')],
    routes: [
      route('m', 'plain', { default_params: { temperature: 0.8, presence_penalty: 0.1 } }),
      route('f', 'forced'),
    ],
    backends: {
      plain: backend(url, 'k'),
      forced: backend(url, 'k', { extra: { force: { temperature: 0.1, store: false, max_tokens: 9000, model: 'x' } } }),
    },
  }))
  const temperature = async (id: string, body: object = {}) => {
    assert.equal((await chat(gateway, id, body)).status, 200)
    return last(gateway).fields['temperature']
  }
  assert.equal(await temperature('m?temperature=0.5', { temperature: 0.2 }), 0.5)
  assert.equal(await temperature('m', { temperature: 0.2 }), 0.2)
  assert.equal(await temperature('m', { temperature: 0 }), 0)
  assert.equal(await temperature('m'), 0.8)
  assert.equal(await temperature('m?top_p=0.5', { temperature: 0.2 }), 0.2)
  assert.deepEqual([last(gateway).fields['top_p'], last(gateway).fields['presence_penalty']], [0.5, 0.1])
  assert.equal(await temperature('f?temperature=0.5', { temperature: 0.2, max_tokens: 5, store: true }), 0.1)
  // Money is held for the client's limit, and a backend does not say which model answers.
  const { store, max_tokens: limit, model: name } = last(gateway).fields
  assert.deepEqual([store, limit, name], [false, 5, 'f'])
})

test('R37, R39: an alias is applied to the raw string, and the row says which one', async () => {
  await using gateway = await start((url) => ({
    billing: { mode: 'off' },
    model_aliases: [
      { pattern: '^gpt-(.*)', replacement: 'openrouter:openai/gpt-\\1' },
      { pattern: '^fast$', replacement: 'claude' },
      { pattern: '^hidden$', replacement: 'nosuch' },
    ],
    routing: { list_exact_aliases: true },
    models: [model('claude')],
    routes: [route('claude', 'openai')],
    backends: { openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' } },
  }))
  const told = await chat(gateway, 'gpt-4o?temperature=0.3')
  assert.equal(told.status, 200, told.text)
  const { model: name, temperature } = last(gateway).fields
  assert.deepEqual([name, temperature, last(gateway).path], ['openai/gpt-4o', 0.3, '/api/v1/chat/completions'])
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.deepEqual(
    [row.requested_model, row.alias_rule, row.resolved_model],
    ['gpt-4o?temperature=0.3', 0, 'openai/gpt-4o'],
  )
  assert.deepEqual(codeOf(await chat(gateway, 'my-gpt-4o')), [404, 'model_not_found'])
  const { json } = await gateway.ask('/v1/models')
  const shown = json.data
    .filter((each: Json) => each.alias_of)
    .map(({ id, alias, alias_of }: Json) => [id, alias, alias_of])
  assert.deepEqual(shown, [['fast', true, 'claude']])
  assert.equal((await chat(gateway, 'fast')).json.model, 'claude')
})

test('R41, R42: a forced model goes to the default backend, on every surface', async () => {
  const flags = { 'default-backend': 'openrouter', 'force-model': 'anthropic/claude-3-5-sonnet', 'disable-auth': true }
  await using gateway = await start(
    (url) => ({ backends: { openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' } } }),
    flags,
  )
  const forced = 'anthropic/claude-3-5-sonnet'
  for (const ask of [
    () => chat(gateway, 'openai/gpt-4o'),
    () => gateway.ask('/v1/messages', { body: { model: 'gpt-4o', max_tokens: 9, messages } }),
    () =>
      gateway.ask('/v1beta/models/gemini-pro:generateContent', { body: { contents: [{ parts: [{ text: 'hi' }] }] } }),
  ]) {
    const told = await ask()
    assert.equal(told.status, 200, told.text)
    assert.equal(last(gateway).fields['model'], forced)
    assert.equal(told.headers.get('x-gateway-model'), forced)
  }
})

test('R42: what no route claims goes to the default backend as it is', async () => {
  await using gateway = await start(
    (url) => ({
      default_backend: 'openrouter',
      backends: { openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' } },
    }),
    { 'disable-auth': true },
  )
  for (const id of ['anthropic/claude-3-5-sonnet', 'qwen/qwen3-coder']) {
    assert.equal((await chat(gateway, id)).status, 200)
    assert.equal(last(gateway).fields['model'], id)
  }
})

suite('R63: groups', () => {
  const bound = (url: string) => ({
    models: [model('claude-bound', { vendor: 'anthropic' }), model('gold-only')],
    groups: { default: {}, a: {}, b: {}, hidden: { public: false } },
    routes: [
      route('claude-bound', 'first', { group: 'a', upstream_model: 'claude-a' }),
      route('claude-bound', 'second', { group: 'b', upstream_model: 'anthropic/claude-b' }),
      route('gold-only', 'second', { group: 'b' }),
    ],
    backends: { first: backend(url, 'first'), second: backend(url, 'second') },
  })

  test('R63: one id leads two keys to two backends, and a new binding counts from the next request', async () => {
    await using gateway = await start(bound)
    const [a, b] = await Promise.all(['a', 'b'].map((group) => gateway.fund({ newKey: { groups: [group] } })))
    const ask = async (key: string) => {
      assert.equal((await chat(gateway, 'claude-bound', {}, key)).status, 200)
      return [servedBy(gateway), last(gateway).fields['model']]
    }
    assert.deepEqual(await ask(a!.key), ['first', 'claude-a'])
    assert.deepEqual(await ask(b!.key), ['second', 'anthropic/claude-b'])
    const written = JSON.parse(readFileSync(gateway.configFile, 'utf8'))
    Object.assign(written.routes[0], { backend: 'second', upstream_model: 'claude-moved' })
    writeFileSync(`${gateway.configFile}.new`, JSON.stringify(written))
    renameSync(`${gateway.configFile}.new`, gateway.configFile)
    await eventually('the new binding', WAIT_MS, async () => ((await ask(a!.key))[0] === 'second' ? true : undefined))
    assert.deepEqual(await ask(a!.key), ['second', 'claude-moved'])
    assert.deepEqual(await ask(b!.key), ['second', 'anthropic/claude-b'])
  })

  test('R63: a key chooses among its groups, by the id or by a header, and among no others', async () => {
    await using gateway = await start(bound)
    const { key, hash } = await gateway.fund({ newKey: { groups: ['a', 'b'] } })
    const ask = (id: string, headers = {}) =>
      gateway.ask('/v1/chat/completions', { key, headers, body: { model: id, messages } })
    await ask('claude-bound')
    assert.equal(servedBy(gateway), 'first')
    assert.equal((await ask('claude-bound:b')).status, 200)
    assert.equal(servedBy(gateway), 'second')
    await ask('claude-bound', { 'x-gateway-group': 'b' })
    assert.equal(servedBy(gateway), 'second')
    const calls = gateway.upstream.count()
    assert.deepEqual(codeOf(await ask('claude-bound:hidden')), [403, 'group_not_allowed'])
    assert.deepEqual(codeOf(await ask('claude-bound', { 'x-gateway-group': 'default' })), [403, 'group_not_allowed'])
    assert.deepEqual(codeOf(await chat(gateway, 'claude-bound')), [403, 'model_not_allowed'])
    assert.equal(gateway.upstream.count(), calls)
    // A change of the key counts from the next request.
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { groups: ['b'] })
    await ask('claude-bound')
    assert.equal(servedBy(gateway), 'second')
    assert.deepEqual(codeOf(await ask('claude-bound:a')), [403, 'group_not_allowed'])
  })

  test('R54, R63: the model list of a key is what its groups may call', async () => {
    await using gateway = await start(bound)
    const listOf = async (groups: string[]) => {
      const { key } = await gateway.fund({ newKey: { groups } })
      return (await gateway.ask('/v1/models', { key })).json.data.map(({ id }: Json) => id)
    }
    assert.deepEqual(await listOf(['a']), ['claude-bound'])
    assert.deepEqual(await listOf(['a', 'b']), ['claude-bound', 'gold-only'])
    assert.ok(!(await listOf(['default'])).includes('gold-only'))
    const { key } = await gateway.fund({ newKey: { groups: ['a'] } })
    assert.equal((await gateway.ask('/v1/models/gold-only', { key })).status, 404)
  })
})

test('R65: what a group demands of backends is never given up', async () => {
  await using gateway = await start((url) => ({
    groups: { default: { regions: ['eu'], data_policy: 'no_store' }, us: { regions: ['us'] } },
    models: [model('m'), model('elsewhere')],
    routes: [
      route('m', 'us', { priority: 0 }),
      route('m', 'eu', { priority: 1 }),
      route('m', 'lax', { priority: 0 }),
      route('elsewhere', 'us'),
      route('elsewhere', 'us', { group: 'us' }),
    ],
    backends: {
      us: backend(url, 'us', { region: 'us', data_policy: 'no_store' }),
      eu: backend(url, 'eu', { region: 'eu', data_policy: 'no_store' }),
      lax: backend(url, 'lax', { region: 'eu' }),
    },
  }))
  for (let call = 0; call < 5; call++) {
    await chat(gateway, 'm')
    assert.equal(servedBy(gateway), 'eu')
  }
  const calls = gateway.upstream.count()
  assert.deepEqual(codeOf(await chat(gateway, 'elsewhere')), [503, 'no_backend_meets_policy'])
  assert.equal(gateway.upstream.count(), calls)
  const { key } = await gateway.fund({ newKey: { groups: ['us'] } })
  assert.equal((await chat(gateway, 'elsewhere', {}, key)).status, 200)
})

suite('R73: windows', () => {
  const windows = () => ({
    models: [
      model('small', { context_window: 8000, larger: 'large', max_output: 500 }),
      model('large', { context_window: 128_000 }),
      model('alone', { context_window: 8000, max_output: 500 }),
    ],
    routes: ['small', 'large', 'alone'].map((id) => route(id, 'openai')),
  })
  const prompt = (tokens: number) => ({ messages: [{ role: 'user', content: 'word'.repeat(tokens) }] })

  test('R73: a prompt that does not fit goes to the larger model, which is told', async () => {
    await using gateway = await start(windows)
    assert.equal((await chat(gateway, 'small', prompt(2000))).json.model, 'small')
    const told = await chat(gateway, 'small', prompt(20_000))
    assert.deepEqual([told.json.model, told.headers.get('x-gateway-context-rerouted')], ['large', 'small'])
    const stays = { headers: { 'x-gateway-no-fallback': 'true' }, body: { model: 'small', ...prompt(20_000) } }
    assert.equal((await gateway.ask('/v1/chat/completions', stays)).status, 400)
  })

  test('R73: where nothing is larger, both numbers are told', async () => {
    await using gateway = await start(windows)
    const told = await chat(gateway, 'alone', prompt(20_000))
    assert.deepEqual([...codeOf(told), told.json.error.param], [400, 'context_length_exceeded', 'messages'])
    assert.match(told.json.error.message, /20\d{3} tokens.*8000/)
    assert.equal(gateway.upstream.count(), 0)
  })

  test('R73: the client may say how long its prompt is, to this gateway alone', async () => {
    await using gateway = await start(windows)
    for (const said of [{ request_context_tokens: 20_000 }, { extra_body: { request_context_tokens: 20_000 } }]) {
      assert.equal((await chat(gateway, 'small', said)).json.model, 'large')
      assert.doesNotMatch(last(gateway).bytes.toString(), /request_context_tokens|extra_body/)
    }
    await chat(gateway, 'small', { extra_body: { request_context_tokens: 5, top_k: 3 } })
    assert.deepEqual(last(gateway).fields['extra_body'], { top_k: 3 })
    assert.equal((await chat(gateway, 'small', { request_context_tokens: 'many' })).status, 400)
  })
})

suite('R74: vision', () => {
  const seeing = () => ({
    models: [
      model('deepseek-r1', { input_modalities: ['text'], vendor: 'deepseek' }),
      model('guessed'),
      model('gpt-4o', { input_modalities: ['text', 'image'] }),
    ],
    routes: ['deepseek-r1', 'guessed', 'gpt-4o'].map((id) => route(id, 'openai')),
  })
  const url = 'data:image/png;base64,iVBORw0KGgo='
  const image = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] }
  const inline = { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } }
  const source = { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' }

  test('R74: an image for a model that takes none is refused on each surface, before any call', async () => {
    await using gateway = await start(seeing)
    const refused = await chat(gateway, 'deepseek-r1', image)
    assert.deepEqual(codeOf(refused), [400, 'unsupported_capability'])
    assert.match(refused.json.error.message, /vision/)
    const claude = {
      model: 'deepseek-r1',
      max_tokens: 9,
      messages: [{ role: 'user', content: [{ type: 'image', source }] }],
    }
    const responses = {
      model: 'deepseek-r1',
      input: [{ role: 'user', content: [{ type: 'input_image', image_url: url }] }],
    }
    assert.equal((await gateway.ask('/v1/messages', { body: claude })).status, 400)
    assert.equal((await gateway.ask('/v1/responses', { body: responses })).status, 400)
    const path = '/v1beta/models/deepseek-r1:generateContent'
    assert.equal((await gateway.ask(path, { body: { contents: [{ parts: [inline] }] } })).status, 400)
    assert.equal(gateway.upstream.count(), 0)
  })

  test('R74: a fallback that sees answers; words about images are no image; a guess refuses nothing', async () => {
    await using gateway = await start(seeing)
    const told = await chat(gateway, 'deepseek-r1', { ...image, models: ['gpt-4o'] })
    assert.deepEqual([told.status, told.json.model], [200, 'gpt-4o'], told.text)
    const parameters = { type: 'object', properties: { image_url: { type: 'string' } } }
    const tools = [{ type: 'function', function: { name: 'show', parameters } }]
    assert.equal((await chat(gateway, 'deepseek-r1', { tools })).status, 200)
    assert.equal((await chat(gateway, 'guessed', image)).status, 200)
  })
})

suite('R75: cost', () => {
  const special = { capabilities: ['tools', 'special'] }
  const priced = (url: string) => ({
    // No other model can do that.
    models: [
      model('m', { strategy: 'round_robin', ...special }),
      model('other', { ...special, price: { input: 1, output: 1 } }),
    ],
    routes: [
      route('m', 'dear', { price: { input: 2, output: 2 } }),
      route('m', 'cheap', { price: { input: 1, output: 1 } }),
      route('other', 'cheap'),
    ],
    backends: { dear: backend(url, 'dear'), cheap: backend(url, 'cheap') },
  })

  test('R75: sort and max_price choose the backend', async () => {
    await using gateway = await start(priced)
    const seen = async (id: string, provider?: object) => {
      const found = new Set<unknown>()
      for (let call = 0; call < 6; call++) {
        const told = await chat(gateway, id, provider ? { provider } : {})
        assert.equal(told.status, 200, told.text)
        found.add(servedBy(gateway))
      }
      return [...found].toSorted()
    }
    assert.deepEqual(await seen('m'), ['cheap', 'dear'])
    assert.deepEqual(await seen('m', { sort: 'price' }), ['cheap'])
    assert.deepEqual(await seen('m:floor'), ['cheap'])
    assert.deepEqual(await seen('m', { max_price: { prompt: 1.5 } }), ['cheap'])
    // A host that only speaks like OpenAI may understand the member too (R79).
    assert.deepEqual(last(gateway).fields['provider'], { max_price: { prompt: 1.5 } })
    const none = await chat(gateway, 'm', { provider: { max_price: { prompt: 0.5 } } })
    assert.deepEqual(codeOf(none), [503, 'no_backend_meets_policy'])
  })

  test('R75: the catalog names cheaper models that can do the same', async () => {
    await using gateway = await start(priced)
    const { json } = await gateway.ask('/catalog/models', { key: null })
    const named = Object.fromEntries(json.data.map((each: Json) => [each.id, each.cheaper_alternatives]))
    assert.deepEqual([named.m, named.other], [['other'], []])
  })
})

test('R66: a backend without its key is asked only where there is no other', async () => {
  const second = await startUpstream()
  await using gateway = await start((url) => ({
    models: [model('m')],
    routes: [route('m', 'keyless'), route('m', 'keyed', { priority: 1 })],
    backends: {
      keyless: { type: 'openai', api_url: `${second.url}/v1`, api_key_env: 'NO_SUCH_KEY' },
      keyed: backend(url, 'keyed'),
    },
  }))
  assert.equal((await chat(gateway, 'm')).status, 200)
  assert.equal(servedBy(gateway), 'keyed')
  assert.equal(second.count(), 0)
  await second.close()
})
