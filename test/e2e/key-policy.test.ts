import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { KEY_FALLBACKS_MAX } from '#accounts/key-policy.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, model, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What a key demands of where its requests go (R65, R73, C24), and where they go then (R68). */

const words = [{ role: 'user', content: 'hi' }]
const codeOf = ({ status, json }: Told) => [status, json.error?.code]

suite('R65: what a key demands of backends', () => {
  let gateway: TestGateway
  let us: Upstream
  let unsaid: Upstream
  before(async () => {
    ;[us, unsaid] = await Promise.all([startUpstream(), startUpstream()])
    gateway = await startTestGateway({
      config: (url): Record<string, Json> => ({
        failure_handling: { enabled: true, min_retry_wait: 0.001, max_silent_wait: 0.002 },
        default_backend: 'us',
        model_aliases: [{ pattern: '^quick$', replacement: 'us:only-us' }] as unknown as object,
        groups: { default: { allow_default_backend: true } },
        models: [
          model('both', { fallbacks: ['only-us'], larger: 'only-us', capabilities: ['reasoning'] }),
          model('only-us'),
          { id: 'embed', capabilities: ['embeddings'], context_window: 8000, price: { input: 1 } },
        ] as unknown as object,
        routes: [
          { model: 'both', backend: 'us', priority: 0 },
          { model: 'both', backend: 'unsaid', priority: 1 },
          { model: 'both', backend: 'eu', priority: 2 },
          { model: 'only-us', backend: 'us' },
          { model: 'embed', backend: 'us' },
          { model: 'embed', backend: 'eu', priority: 1 },
        ] as unknown as object,
        backends: {
          eu: { type: 'openai', api_url: `${url}/v1`, api_key: 'k', region: 'eu', data_policy: ['no_store', 'zdr'] },
          us: { type: 'openai', api_url: `${us.url}/v1`, api_key: 'k', region: 'us', data_policy: 'no_store' },
          unsaid: { type: 'openai', api_url: `${unsaid.url}/v1`, api_key: 'k' },
        },
      }),
    })
  })
  after(async () => {
    await gateway.close()
    await Promise.all([us.close(), unsaid.close()])
  })

  const ask = (key: string, change: object, path = '/v1/chat/completions', headers = {}) =>
    gateway.ask(path, { key, headers, body: { model: 'both', messages: words, ...change } })

  test('R65: a key with regions [eu] never reaches another backend, whatever it writes and whatever fails', async () => {
    const { key } = await gateway.fund({ newKey: { regions: ['eu'] } })
    for (const isDown of [false, true]) {
      gateway.upstream.always(isDown ? { status: 503, body: {} } : undefined)
      const told = await ask(key, {})
      assert.equal(told.status, isDown ? 502 : 200, told.text)
      for (const change of [
        { stream: true },
        { models: ['only-us'] },
        { model: 'both|only-us' },
        { model: 'both|us:both' },
        { model: 'both-thinking' },
        { model: 'hybrid:[only-us,both]' },
        { request_context_tokens: 200_000 },
        { provider: { order: ['us'], allow_fallbacks: true } },
      ])
        await ask(key, change)
      await ask(key, { max_tokens: 9 }, '/v1/messages')
      await ask(key, {}, '/v1/messages/count_tokens')
      await ask(key, { model: 'embed', input: 'hi' }, '/v1/embeddings')
      await gateway.ask('/v1beta/models/both:generateContent', {
        key,
        body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
      })
    }
    gateway.upstream.always(undefined)
    for (const id of ['only-us', 'us:both', 'us:anything', 'quick', 'unsaid:both']) {
      const told = await ask(key, { model: id })
      assert.ok(['no_backend_meets_policy', 'model_unpriced'].includes(told.json.error.code), `${id}: ${told.text}`)
    }
    const policy = await ask(key, { model: 'only-us' })
    assert.deepEqual(codeOf(policy), [503, 'no_backend_meets_policy'])
    assert.deepEqual([us.count(), unsaid.count()], [0, 0])
    // Another key has all of them.
    assert.equal((await ask(gateway.key, {})).status, 200)
    assert.equal(us.count(), 1)
  })

  test('R65: promises about data are demanded together with regions, and change from the next request on', async () => {
    const { key, hash } = await gateway.fund({ newKey: { data_policy: 'no_store' } })
    const servedBy = async () => {
      const before = [gateway.upstream.count(), us.count(), unsaid.count()]
      const told = await ask(key, {})
      const after = [gateway.upstream.count(), us.count(), unsaid.count()]
      return told.status === 200 ? ['eu', 'us', 'unsaid'].find((_, at) => after[at]! > before[at]!) : codeOf(told)
    }
    assert.equal(await servedBy(), 'us')
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { data_policy: ['no_store', 'zdr'] })
    assert.equal(await servedBy(), 'eu')
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { regions: ['us'] })
    assert.deepEqual(await servedBy(), [503, 'no_backend_meets_policy'])
    const { data } = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { regions: [], data_policy: null })
    assert.deepEqual([data.regions, data.data_policy], [[], []])
    assert.equal(await servedBy(), 'us')
  })
})

suite('C24: a key whose models stay', () => {
  const config = (): Record<string, Json> => ({
    failure_handling: { enabled: true, min_retry_wait: 0.001, max_silent_wait: 0.002 },
    models: [model('small', { context_window: 8000, larger: 'large', fallbacks: ['large'] }), model('large')],
    routes: ['small', 'large'].map((id) => ({ model: id, backend: 'openai' })),
  })

  test('R73: strict_model: no larger one, and no fallback', async () => {
    await using gateway = await startTestGateway({ config })
    const { key, hash } = await gateway.fund({ newKey: { strict_model: true } })
    const ask = (change: object = {}) =>
      gateway.ask('/v1/chat/completions', { key, body: { model: 'small', messages: words, ...change } })
    const long = { request_context_tokens: 20_000 }
    assert.deepEqual(codeOf(await ask(long)), [400, 'context_length_exceeded'])
    gateway.upstream.always(({ fields }) => (fields['model'] === 'small' ? { status: 500, body: {} } : undefined))
    assert.equal((await ask()).status, 502)
    assert.equal((await ask({ models: ['large'] })).status, 502)
    assert.ok(gateway.upstream.received.every(({ fields }) => fields['model'] === 'small'))
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { strict_model: false })
    const told = await ask(long)
    assert.deepEqual([told.status, told.json.model], [200, 'large'])
    assert.equal(told.headers.get('x-gateway-context-rerouted'), 'small')
    assert.equal((await ask()).json.model, 'large')
  })

  test('R73: an upstream that finds the prompt too long leads to the larger model once, and to none for such a key', async () => {
    const sized = (): Record<string, Json> => ({
      ...config(),
      models: [
        model('small', { context_window: 8000, larger: 'large', price: { input: 1, output: 1 } }),
        model('large', { larger: 'huge', price: { input: 2, output: 2 } }),
        model('huge'),
      ],
    })
    await using gateway = await startTestGateway({ config: sized })
    const strict = await gateway.fund({ newKey: { strict_model: true } })
    const tooLong = {
      error: { message: "This model's maximum context length is 8000 tokens.", code: 'context_length_exceeded' },
    }
    gateway.upstream.always(({ fields }) => (fields['model'] === 'small' ? { status: 400, body: tooLong } : undefined))
    const ask = (key: string) => gateway.ask('/v1/chat/completions', { key, body: { model: 'small', messages: words } })
    const told = await ask(gateway.key)
    assert.deepEqual([told.json.model, told.headers.get('x-gateway-context-rerouted')], ['large', 'small'], told.text)
    // At the price of the one that answered, out of what was held for the dearer.
    assert.equal(told.headers.get('x-gateway-cost'), '0.00003')
    assert.equal(gateway.upstream.count(), 2)
    assert.equal((await ask(strict.key)).status, 400)
    assert.equal(gateway.upstream.count(), 3)
    gateway.upstream.always({ status: 400, body: tooLong })
    assert.equal((await ask(gateway.key)).status, 400)
    assert.equal(gateway.upstream.count(), 5)
  })
})

suite('R68: a key with a chain of its own', () => {
  const config = (): Record<string, Json> => ({
    failure_handling: { enabled: true, min_retry_wait: 0.001, max_silent_wait: 0.002 },
    groups: { default: { fallbacks: ['of-group'] } },
    models: ['plain', 'of-key', 'of-group', 'of-model']
      .map((id) => model(id))
      .concat(model('chained', { fallbacks: ['of-model'] })),
    routes: ['plain', 'chained', 'of-key', 'of-group', 'of-model'].map((id) => ({ model: id, backend: 'openai' })),
  })
  const isDown = (id: unknown): boolean => id === 'plain' || id === 'chained'

  test('R68: it comes behind the chain of the model and before that of the group, with all that the key demands', async () => {
    await using gateway = await startTestGateway({ config })
    gateway.upstream.always(({ fields }) => (isDown(fields['model']) ? { status: 500, body: {} } : undefined))
    const { key, hash } = await gateway.fund({ newKey: { fallbacks: ['nobody-knows-it', 'of-key'] } })
    const ask = (id: string, headers = {}) =>
      gateway.ask('/v1/chat/completions', { key, headers, body: { model: id, messages: words } })
    const change = (fields: object) => gateway.admin('PATCH', `/api/v1/keys/${hash}`, fields)

    const told = await ask('plain')
    assert.deepEqual([told.status, told.json.model], [200, 'of-key'], told.text)
    assert.equal(told.headers.get('x-gateway-fallback-from'), 'plain')
    assert.equal((await ask('chained')).json.model, 'of-model')
    assert.equal((await ask('plain', { 'x-gateway-no-fallback': 'true' })).status, 502)

    const { data } = await change({ model_whitelist: ['plain'] })
    assert.deepEqual(data.fallbacks, ['nobody-knows-it', 'of-key'])
    assert.equal((await ask('plain')).status, 502)
    await change({ model_whitelist: null, fallbacks: null })
    assert.equal((await ask('plain')).json.model, 'of-group')
  })

  test(`R68: it has at most ${KEY_FALLBACKS_MAX} models`, async () => {
    await using gateway = await startTestGateway({ config })
    const names = (count: number) => Array.from({ length: count }, (_, at) => `m${at}`)
    await gateway.fund({ newKey: { fallbacks: names(KEY_FALLBACKS_MAX) } })
    await assert.rejects(gateway.fund({ newKey: { fallbacks: names(KEY_FALLBACKS_MAX + 1) } }), /: 400/)
  })
})
