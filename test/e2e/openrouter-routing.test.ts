import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { OpenRouter } from '@openrouter/sdk'
import { NotFoundResponseError } from '@openrouter/sdk/models/errors'
import { errorBody, messages, model, PRICES, type Rig, rigOf, startNative } from './openrouter-rig.ts'

/** What OpenRouter's clients say about routing, at backends of our own and at OpenRouter itself (openrouter-api.md section 5). */

suite('provider preferences at backends of our own', () => {
  let rig: Rig
  before(async () => {
    rig = await startNative()
  })
  after(() => rig[Symbol.asyncDispose]())

  const sdk = () =>
    new OpenRouter({
      apiKey: rig.gateway.key,
      serverURL: `${rig.gateway.url}/api/v1`,
      retryConfig: { strategy: 'none' },
    })
  const routedTo = async (provider: object): Promise<string> => {
    const told = await rig.chat({ model: 'acme/one', provider })
    assert.equal(told.status, 200, told.text)
    return told.json.choices[0].message.content.replace('from ', '')
  }
  const refusedWith = async (provider: object) => {
    const told = await rig.chat({ model: 'acme/one', provider })
    assert.equal(told.status, 404, told.text)
    const { availability } = told.json.error
    assert.deepEqual([availability.retryable, availability.requested_models], [false, ['acme/one']])
    return availability
  }

  test('order, only, ignore: by the name of a backend, by its type, by its region', async () => {
    assert.equal(await routedTo({}), 'dear')
    assert.equal(await routedTo({ order: ['private', 'cheap'] }), 'private')
    assert.equal(await routedTo({ order: ['nobody', 'cheap'] }), 'cheap')
    assert.equal(await routedTo({ only: ['cheap', 'private'] }), 'cheap')
    assert.equal(await routedTo({ only: ['openai/eu-1'] }), 'cheap')
    assert.equal(await routedTo({ ignore: ['DEAR'] }), 'cheap')
    assert.equal(await routedTo({ ignore: ['dear/eu-1'] }), 'dear')
    assert.equal(await routedTo({ ignore: ['openai/us-1'] }), 'cheap')
  })

  test('only and ignore that leave nothing: 404 no_endpoints, and nobody is called', async () => {
    const before = Object.values(rig.upstreams).map((upstream) => upstream.count())
    for (const provider of [
      { only: ['nobody'] },
      { only: ['cheap/us-1'] },
      { ignore: ['openai'] },
      { order: ['nobody'], allow_fallbacks: false },
    ]) {
      const { code, excluded_by } = await refusedWith(provider)
      assert.deepEqual([code, excluded_by], ['no_endpoints', ['allowed_providers']], JSON.stringify(provider))
    }
    const refused = sdk().chat.send({ chatRequest: { model: 'acme/one', messages, provider: { only: ['nobody'] } } })
    await assert.rejects(refused, NotFoundResponseError)
    assert.deepEqual(
      Object.values(rig.upstreams).map((upstream) => upstream.count()),
      before,
    )
  })

  test('sort, as a name and as an object', async () => {
    assert.equal(await routedTo({ sort: 'price' }), 'cheap')
    assert.equal(await routedTo({ sort: { by: 'price', partition: 'model' } }), 'cheap')
    assert.equal(await routedTo({ sort: 'exacto' }), 'dear')
    const wrong = await rig.chat({ model: 'acme/one', provider: { sort: 'mood' } })
    assert.deepEqual([wrong.status, wrong.json.error.metadata.param], [400, 'provider.sort'])
  })

  test('sort over all models: the cheapest route of any of them', async () => {
    const body = { model: 'acme/two', models: ['acme/one'] }
    assert.equal((await rig.chat({ ...body, provider: { sort: 'price' } })).json.model, 'acme/two')
    const told = await rig.chat({ ...body, provider: { sort: { by: 'price', partition: 'none' } } })
    assert.deepEqual([told.json.model, await rig.backendsOf(told)], ['acme/one', ['cheap']])
  })

  test('max_price: USD per million tokens and per request, as numbers and as texts', async () => {
    assert.equal(await routedTo({ max_price: { prompt: 9 } }), 'cheap')
    assert.equal(await routedTo({ max_price: { completion: '3' }, order: ['dear'] }), 'cheap')
    assert.equal(await routedTo({ max_price: { request: 0.001 }, order: ['private'] }), 'dear')
    const { code, constraint, excluded_by } = await refusedWith({ max_price: { prompt: '0.5' } })
    assert.deepEqual([code, constraint.field, excluded_by], ['constraint_filtered', 'max_price', ['max_price']])
  })

  test('zdr and data_collection: who promises nothing is not used', async () => {
    assert.equal(await routedTo({ zdr: true }), 'private')
    assert.equal(await routedTo({ data_collection: 'deny' }), 'private')
    assert.equal(await routedTo({ zdr: false, data_collection: 'allow' }), 'dear')
    const { code, excluded_by } = await refusedWith({ zdr: true, ignore: ['private'] })
    assert.equal(code, 'privacy_restricted')
    assert.deepEqual(new Set(excluded_by), new Set(['data_policy:zdr', 'allowed_providers']))
  })

  test('quantizations that nobody tells are not there', async () => {
    const { code, constraint } = await refusedWith({ quantizations: ['fp8'] })
    assert.deepEqual([code, constraint.field], ['constraint_filtered', 'quantizations'])
    assert.equal(await routedTo({ quantizations: ['fp8', 'unknown'] }), 'dear')
  })

  test('models are gone through in order, and the one that answered is named and billed', async () => {
    rig.upstreams['dear']!.script({ status: 500, body: errorBody })
    const answer = await sdk().chat.send({
      chatRequest: {
        model: 'acme/two',
        models: ['acme/nothing', 'acme/one'],
        messages,
        provider: { order: ['cheap'] },
      },
    })
    assert.ok('choices' in answer)
    // 10 x 1 + 5 x 3 per million.
    assert.deepEqual([answer.model, answer.usage!.cost], ['acme/one', 0.000025])
  })

  test('what only OpenRouter hears is not sent on, and is told', async () => {
    const told = await rig.chat({
      model: 'acme/one',
      provider: { order: ['dear'] },
      session_id: 's',
      route: 'fallback',
      transforms: ['middle-out'],
      plugins: [{ id: 'context-compression' }, { id: 'web', enabled: false }],
      temperature: 0.5,
    })
    assert.equal(told.status, 200)
    assert.deepEqual(Object.keys(rig.upstreams['dear']!.received.at(-1)!.fields).toSorted(), [
      'messages',
      'model',
      'temperature',
    ])
    // What shortens a prompt is done here, where it has to be.
    assert.doesNotMatch(told.headers.get('x-gateway-warnings') ?? '', /transforms/)
  })

  test('Messages under /api/v1 are refused with the same status, in their own envelope', async () => {
    const body = { model: 'acme/one', max_tokens: 9, messages, provider: { only: ['dear'], zdr: true } }
    const told = await rig.gateway.ask('/api/v1/messages', { body })
    assert.deepEqual(
      [told.status, told.json.error.type, told.json.error.error_type],
      [404, 'not_found_error', 'not_found'],
    )
    // Elsewhere it is the gateway that lacks a backend (R65), and providers that are not here are nobody's (R79).
    assert.equal((await rig.gateway.ask('/v1/messages', { body })).status, 503)
    const nobody = { ...body, provider: { only: ['nobody'] } }
    assert.equal((await rig.gateway.ask('/api/v1/messages', { body: nobody })).status, 404)
    assert.equal((await rig.gateway.ask('/v1/messages', { body: nobody })).status, 200)
  })

  test('a plugin that the answer depends on needs OpenRouter', async () => {
    const told = await rig.chat({ model: 'acme/one', plugins: [{ id: 'web' }] })
    assert.deepEqual([told.status, told.json.error.metadata.code], [400, 'unsupported_tool'])
    assert.match(told.json.error.message, /"web"/)
  })

  test('variants: floor sorts by price, nitro by throughput, exacto changes nothing, others are not there', async () => {
    const answer = async (id: string) => rig.chat({ model: id })
    assert.deepEqual(await rig.backendsOf(await answer('acme/one:floor')), ['cheap'])
    assert.equal((await answer('acme/one:nitro')).status, 200)
    assert.deepEqual(await rig.backendsOf(await answer('acme/one:exacto')), ['dear'])
    assert.deepEqual(await rig.backendsOf(await answer('acme/one:exacto:floor')), ['cheap'])
    assert.equal((await answer('acme/one:online')).status, 400)
    assert.equal((await answer('acme/one:thinking')).json.error.metadata.code, 'thinking_not_supported')
    const { status, json } = await answer('acme/one:free')
    assert.deepEqual([status, json.error.availability.code], [404, 'free_variant_ended'])
    assert.deepEqual(json.error.availability.fallback_models, ['acme/one'])
    assert.equal((await answer('acme/none')).json.error.availability.code, 'model_not_found')
  })

  test('an upstream that does not know the model: 404 model_unavailable_upstream', async () => {
    rig.upstreams['dear']!.script({ status: 404, body: errorBody })
    const { status, json } = await rig.chat({ model: 'acme/two' })
    assert.deepEqual([status, json.error.availability.code], [404, 'model_unavailable_upstream'])
  })

  test('allow_fallbacks: false tries the first one, or those in order, and nobody else', async () => {
    // Failures of the others' tests do not matter here, and these do not matter there.
    await using rig = await startNative()
    const attempts = async (provider: object, failing: readonly string[]) => {
      for (const name of failing) rig.upstreams[name]!.script({ status: 500, body: errorBody })
      const told = await rig.chat({ model: 'acme/one', provider })
      return [told.status, await rig.backendsOf(told)]
    }
    assert.deepEqual(await attempts({}, ['dear']), [200, ['dear', 'cheap']])
    assert.deepEqual(await attempts({ allow_fallbacks: false }, ['dear']), [503, ['dear']])
    const order = ['cheap', 'private']
    assert.deepEqual(await attempts({ order, allow_fallbacks: false }, ['cheap']), [200, ['cheap', 'private']])
    assert.deepEqual(await attempts({ order, allow_fallbacks: false }, order), [503, order])
    assert.deepEqual(await attempts({ order }, order), [200, ['cheap', 'private', 'dear']])
  })
})

const OWN = {
  provider: {
    only: ['anthropic'],
    zdr: true,
    max_price: { prompt: 1 },
    data_collection: 'deny',
    quantizations: ['fp8'],
  },
  plugins: [{ id: 'web', max_results: 3 }],
  transforms: ['middle-out'],
  session_id: 's-1',
  route: 'fallback',
  seed: 12345678901234567890n,
}
/** JSON with its big integer and its spaces. */
const written = (fields: object): string =>
  JSON.stringify(fields, (_, value) => (typeof value === 'bigint' ? `#${value}` : value))
    .replace(/"#(\d+)"/g, '$1')
    .replaceAll(',"', ' , "')

/** Two models at OpenRouter, and one that is elsewhere first. */
const startOpenRouter = (rest: object = {}): Promise<Rig> =>
  rigOf(['openrouter', 'native'], (urlOf) => ({
    ...rest,
    models: [model('acme/one'), model('acme/two'), model('kept'), model('plain')].map((one) => ({
      ...one,
      price: PRICES.cheap,
    })),
    routes: [
      { model: 'acme/one', backend: 'openrouter', upstream_model: 'acme/one' },
      { model: 'acme/two', backend: 'openrouter', upstream_model: 'acme/two' },
      { model: 'kept', backend: 'compatible', upstream_model: 'kept' },
      { model: 'plain', backend: 'native', upstream_model: 'plain', priority: 0 },
      { model: 'plain', backend: 'openrouter', upstream_model: 'acme/plain', priority: 1 },
    ],
    backends: {
      openrouter: { type: 'openrouter', api_url: `${urlOf('openrouter')}/api/v1`, api_key: 'sk-or-1' },
      compatible: { type: 'openai-compatible', api_url: `${urlOf('native')}/v1`, api_key: 'sk-1' },
      native: { type: 'openai', api_url: `${urlOf('native')}/v1`, api_key: 'sk-1' },
    },
  }))

suite('provider preferences at an OpenRouter backend', () => {
  let rig: Rig
  before(async () => {
    rig = await startOpenRouter()
  })
  after(() => rig[Symbol.asyncDispose]())

  const ask = (body: string) => rig.gateway.ask('/api/v1/chat/completions', { body })
  const last = (name = 'openrouter') => rig.upstreams[name]!.received.at(-1)!

  test('passes as it was written, to the byte', async () => {
    const alone = written({ model: 'acme/one', messages, ...OWN })
    assert.equal((await ask(alone)).status, 200)
    assert.equal(last().bytes.toString(), alone)
  })

  test('another model without a price is not there where calls are billed', async () => {
    const told = await ask(written({ model: 'acme/one', messages, models: ['no/such'] }))
    assert.equal(told.status, 200, told.text)
    assert.equal(last().fields['models'], undefined)
  })

  test('other models that are not gone through here are OpenRouter’s own, where nothing is billed', async () => {
    const provider = { allow_fallbacks: false }
    const body = written({ model: 'acme/one', messages, models: ['acme/two'], provider })
    assert.equal((await ask(body)).status, 200)
    assert.deepEqual([last().fields['models'], last().fields['provider']], [undefined, provider])
    await using local = await startOpenRouter({ billing: { mode: 'off' } })
    assert.equal((await local.gateway.ask('/api/v1/chat/completions', { body })).status, 200)
    assert.equal(local.upstreams['openrouter']!.received.at(-1)!.bytes.toString(), body)
  })

  test('a chain is gone through here; each of its calls keeps what OpenRouter must know', async () => {
    rig.upstreams['openrouter']!.script({ status: 500, body: errorBody })
    const told = await ask(written({ model: 'acme/one', messages, models: ['acme/two'], ...OWN }))
    assert.deepEqual([told.status, told.json.model], [200, 'acme/two'])
    const { fields } = last()
    assert.deepEqual([fields['model'], fields['models'], fields['provider']], ['acme/two', undefined, OWN.provider])
    assert.deepEqual([fields['plugins'], fields['transforms']], [OWN.plugins, OWN.transforms])
    assert.match(last().bytes.toString(), /12345678901234567890/)
  })

  test('a route elsewhere that cannot promise the same is passed by', async () => {
    const told = await ask(written({ model: 'plain', messages, provider: { zdr: true } }))
    assert.deepEqual(await rig.backendsOf(told), ['openrouter'])
    assert.deepEqual(last().fields['provider'], { zdr: true })
    const searched = await ask(written({ model: 'plain', messages, plugins: [{ id: 'web' }] }))
    assert.deepEqual(await rig.backendsOf(searched), ['openrouter'])
    const plain = await ask(written({ model: 'plain', messages, provider: { order: ['x'] }, transforms: [] }))
    assert.deepEqual(await rig.backendsOf(plain), ['native'])
    assert.deepEqual(Object.keys(last('native').fields), ['model', 'messages'])
  })

  test('a backend that may understand them gets the members as they are, and follows what can be followed', async () => {
    const provider = { order: ['compatible'] }
    const body = {
      model: 'kept',
      messages,
      provider,
      plugins: OWN.plugins,
      transforms: OWN.transforms,
      route: 'fallback',
    }
    const told = await ask(written(body))
    assert.equal(told.status, 200, told.text)
    assert.equal(last('native').bytes.toString(), written(body))
    assert.equal((await ask(written({ ...body, provider: { zdr: true } }))).status, 404)
  })

  test('where it is the provider that is named, the object is for the gateway', async () => {
    const told = await ask(written({ model: 'plain', messages, provider: { only: ['openrouter'] } }))
    assert.deepEqual(await rig.backendsOf(told), ['openrouter'])
    assert.equal(last().fields['provider'], undefined)
    const { status, json } = await ask(
      written({ model: 'plain', messages, provider: { only: ['openrouter'], zdr: true } }),
    )
    assert.deepEqual([status, json.error.availability.code], [404, 'privacy_restricted'])
  })

  test('wishes are not passed through a translation: what they demand is demanded of the route', async () => {
    const body = { model: 'acme/one', contents: [{ parts: [{ text: 'hi' }] }], provider: { zdr: true } }
    const { status } = await rig.gateway.ask('/v1beta/models/acme%2Fone:generateContent', { body })
    assert.equal(status, 503)
  })

  test('variants are OpenRouter’s', async () => {
    for (const variant of ['nitro', 'floor', 'exacto', 'online', 'exacto:online']) {
      const told = await ask(written({ model: `acme/one:${variant}`, messages }))
      assert.equal(told.status, 200, told.text)
      assert.equal(last().fields['model'], `acme/one:${variant}`)
      assert.equal(told.json.model, 'acme/one')
    }
    assert.deepEqual(await rig.backendsOf(await ask(written({ model: 'plain:online', messages }))), ['openrouter'])
    assert.equal(last().fields['model'], 'acme/plain:online')
  })
})
