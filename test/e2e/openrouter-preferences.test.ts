import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { OpenRouter } from '@openrouter/sdk'
import { NotFoundResponseError } from '@openrouter/sdk/models/errors'
import { APICallError, generateText } from 'ai'
import type { Json } from './gateway.ts'
import { errorBody, messages, model, type Rig, rigOf } from './openrouter-rig.ts'

/** Each member of `provider`, `models`, variants and `transforms`, as both of OpenRouter's own clients send them (openrouter-api.md section 5). */

const PRICES = {
  dear: { input: 10, output: 30 },
  cheap: { input: 1, output: 3 },
  private: { input: 5, output: 15, request: 0.01 },
} as const
const NAMES = ['dear', 'cheap', 'private'] as const
type Name = (typeof NAMES)[number]

const BACKENDS = {
  dear: { type: 'openai', region: 'us-1' },
  cheap: { type: 'openai', region: 'eu-1' },
  // A translation, which leaves out what Messages have no place for.
  private: { type: 'anthropic-compatible', region: 'us-1', data_policy: ['zdr', 'no_collection'] },
}

/** One model at three backends, in this order; and two more at one of them each. */
const start = (): Promise<Rig> =>
  rigOf(NAMES, (urlOf) => ({
    models: [
      model('acme/one', { tags: ['distillable'] }),
      model('acme/two', { price: { input: 2, output: 2 }, capabilities: ['tools'] }),
      model('acme/three', { price: { input: 3, output: 3 }, capabilities: ['tools', 'json_schema', 'reasoning'] }),
    ],
    routes: [
      ...NAMES.map((name, priority) => ({
        model: 'acme/one',
        backend: name,
        upstream_model: `${name}-one`,
        priority,
        price: PRICES[name],
        ...(name === 'cheap' ? { quantization: 'fp8' } : {}),
      })),
      { model: 'acme/two', backend: 'dear', upstream_model: 'two' },
      { model: 'acme/three', backend: 'cheap', upstream_model: 'three' },
    ],
    backends: Object.fromEntries(
      NAMES.map((name) => [
        name,
        { ...BACKENDS[name], api_url: name === 'private' ? urlOf(name) : `${urlOf(name)}/v1`, api_key: 'sk-1' },
      ]),
    ),
  }))

let rig: Rig
before(async () => {
  rig = await start()
})
after(() => rig[Symbol.asyncDispose]())

const at = () => ({ apiKey: rig.gateway.key, url: `${rig.gateway.url}/api/v1` })

/** What a client asks for in each of the clients' own spelling. */
interface Wish {
  readonly model?: string
  readonly models?: readonly string[]
  readonly provider?: Json
  /** Other members of the body. */
  readonly rest?: Json
}

interface Told {
  readonly text: string
  readonly model: string | undefined
}

/** Names of members in the SDK's camel case; what is inside of lists and texts stays. */
const camel = (value: Json): Json =>
  value === null || typeof value !== 'object' || Array.isArray(value)
    ? value
    : Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [
          name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
          camel(inner),
        ]),
      )

/** The SDK writes prices as texts, the other client as it is given them. */
const priced = ({ max_price: max, ...rest }: Json): Json =>
  max ? { ...rest, max_price: Object.fromEntries(Object.entries(max).map(([name, usd]) => [name, String(usd)])) } : rest

const CLIENTS = {
  async '@openrouter/sdk'({ model: id = 'acme/one', models, provider, rest = {} }: Wish): Promise<Told> {
    const { apiKey, url } = at()
    const sdk = new OpenRouter({ apiKey, serverURL: url, retryConfig: { strategy: 'none' } })
    const chatRequest = {
      model: id,
      messages,
      ...camel({ ...rest, ...(provider && { provider: priced(provider) }) }),
      ...(models ? { models } : {}),
    }
    const answer = await sdk.chat.send({ chatRequest })
    assert.ok('choices' in answer)
    return { text: String(answer.choices[0]!.message.content), model: answer.model }
  },
  async '@openrouter/ai-sdk-provider'({ model: id = 'acme/one', models, provider, rest = {} }: Wish): Promise<Told> {
    const { apiKey, url } = at()
    const settings = { ...(provider ? { provider } : {}), ...(models ? { models: [...models] } : {}), extraBody: rest }
    const chat = createOpenRouter({ apiKey, baseURL: url }).chat(id, settings)
    const { text, response } = await generateText({ model: chat, prompt: 'hi', maxRetries: 0 })
    return { text, model: response.modelId }
  },
} as const

/** Availability of the 404 that a client tells of. */
function availabilityOf(error: unknown): Json {
  if (error instanceof NotFoundResponseError) return JSON.parse(error.body).error.availability
  assert.ok(APICallError.isInstance(error), String(error))
  assert.deepEqual([error.statusCode, error.isRetryable], [404, false])
  return JSON.parse(error.responseBody!).error.availability
}

/** Where each wish leads: a backend, or why to none (code, `excluded_by`, and the constraint's field). */
const PREFERENCES: Readonly<Record<string, readonly (readonly [Json, Name | readonly unknown[], Json?])[]>> = {
  order: [
    [{ order: ['private', 'cheap'] }, 'private'],
    [{ order: ['nobody', 'cheap'] }, 'cheap'],
    [{ order: ['openai/eu-1'] }, 'cheap'],
  ],
  allow_fallbacks: [
    [{ order: ['cheap'], allow_fallbacks: false }, 'cheap'],
    [{ order: ['nobody'], allow_fallbacks: false }, ['no_endpoints', ['allowed_providers']]],
  ],
  require_parameters: [
    [{ require_parameters: false, order: ['private'] }, 'private', { logit_bias: { 5: 1 } }],
    [{ require_parameters: true, order: ['private'] }, 'dear', { logit_bias: { 5: 1 } }],
    [{ require_parameters: true, order: ['private'] }, 'private', { temperature: 0.5 }],
    [
      { require_parameters: true, only: ['private'] },
      ['constraint_filtered', ['require_parameters'], 'require_parameters'],
      { logit_bias: { 5: 1 } },
    ],
  ],
  data_collection: [
    [{ data_collection: 'deny' }, 'private'],
    [{ data_collection: 'allow' }, 'dear'],
    [
      { data_collection: 'deny', only: ['cheap'] },
      ['privacy_restricted', ['allowed_providers', 'data_policy:training']],
    ],
  ],
  zdr: [
    [{ zdr: true }, 'private'],
    [{ zdr: false }, 'dear'],
    [{ zdr: true, ignore: ['private'] }, ['privacy_restricted', ['allowed_providers', 'data_policy:zdr']]],
  ],
  only: [
    [{ only: ['cheap', 'private'] }, 'cheap'],
    [{ only: ['openai'] }, 'dear'],
    [{ only: ['nobody'] }, ['no_endpoints', ['allowed_providers']]],
  ],
  ignore: [
    [{ ignore: ['dear'] }, 'cheap'],
    [{ ignore: ['openai'] }, 'private'],
    [{ ignore: [...NAMES] }, ['no_endpoints', ['allowed_providers']]],
  ],
  quantizations: [
    [{ quantizations: ['fp8', 'fp6'] }, 'cheap'],
    [{ quantizations: ['unknown'] }, 'dear'],
    [{ quantizations: ['int4'] }, ['constraint_filtered', ['quantization'], 'quantizations']],
  ],
  sort: [
    [{ sort: 'price' }, 'cheap'],
    [{ sort: { by: 'price', partition: 'model' } }, 'cheap'],
    [{ sort: 'exacto' }, 'dear'],
  ],
  max_price: [
    [{ max_price: { prompt: 9 } }, 'cheap'],
    [{ max_price: { completion: 15 }, ignore: ['cheap'] }, 'private'],
    [{ max_price: { request: 0.001 }, order: ['private'] }, 'dear'],
    [{ max_price: { prompt: 100, audio: 0, image: 0 } }, 'dear'],
    [{ max_price: { prompt: 0.5 } }, ['constraint_filtered', ['max_price'], 'max_price']],
  ],
}

for (const [client, send] of Object.entries(CLIENTS)) {
  const isSdk = client === '@openrouter/sdk'

  suite(`${client}: provider`, () => {
    for (const [member, cases] of Object.entries(PREFERENCES)) {
      test(member, async () => {
        for (const [provider, expected, rest] of cases) {
          const about = JSON.stringify({ ...provider, ...rest })
          if (typeof expected === 'string') {
            const { text } = await send({ provider, rest })
            assert.equal(text, `from ${expected}`, about)
            continue
          }
          const refused = await send({ provider, rest }).then(
            () => assert.fail(`${about} was served`),
            (error: unknown) => availabilityOf(error),
          )
          const { code, excluded_by: by, constraint, retryable, requested_models: requested } = refused
          const [wanted, excludedBy, field] = expected
          assert.deepEqual([code, by.toSorted(), constraint?.field], [wanted, excludedBy, field], about)
          assert.deepEqual([retryable, requested], [false, ['acme/one']], about)
        }
      })
    }

    test('enforce_distillable_text', async () => {
      const wish = { enforce_distillable_text: true }
      const ask = (id: string, models?: readonly string[]) =>
        // The AI SDK has no such member in its settings, and so it goes beside them.
        isSdk
          ? send({ model: id, provider: wish, ...(models && { models }) })
          : send({ model: id, rest: { provider: wish }, ...(models && { models }) })
      assert.equal((await ask('acme/one')).text, 'from dear')
      assert.equal((await ask('acme/two', ['acme/one'])).model, 'acme/one')
      const { code, constraint } = await ask('acme/two').then(() => assert.fail('served'), availabilityOf)
      assert.deepEqual([code, constraint.field], ['constraint_filtered', 'enforce_distillable_text'])
    })

    test('require_parameters: a model that is known to lack one is passed by', async () => {
      const schema = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object', properties: {} } } }
      const wish = { model: 'acme/two', models: ['acme/three'], provider: { require_parameters: true } }
      assert.equal((await send(wish)).model, 'acme/two')
      assert.equal((await send({ ...wish, rest: { reasoning: { effort: 'low' } } })).model, 'acme/three')
      if (!isSdk) assert.equal((await send({ ...wish, rest: { response_format: schema } })).model, 'acme/three')
      const alone = send({ model: 'acme/two', provider: wish.provider, rest: { reasoning: { effort: 'low' } } })
      const { code, excluded_by: by } = await alone.then(() => assert.fail('served'), availabilityOf)
      assert.deepEqual([code, by], ['constraint_filtered', ['require_parameters']])
    })

    test('models: gone through in order; partition none sorts over all of them', async () => {
      rig.upstreams['dear']!.script({ status: 500, body: errorBody })
      const told = await send({ model: 'acme/two', models: ['acme/nothing', 'acme/three'] })
      assert.deepEqual(told, { text: 'from cheap', model: 'acme/three' })
      const all = { sort: { by: 'price', partition: 'none' } }
      const sorted = isSdk ? { provider: all } : { rest: { provider: all } }
      assert.equal((await send({ model: 'acme/two', models: ['acme/one'], ...sorted })).model, 'acme/one')
      assert.equal(
        (await send({ model: 'acme/two', models: ['acme/one'], provider: { sort: 'price' } })).model,
        'acme/two',
      )
    })

    test('variants: floor, nitro, exacto, and those that are not there', async () => {
      assert.equal((await send({ model: 'acme/one:floor' })).text, 'from cheap')
      assert.equal((await send({ model: 'acme/one:exacto' })).text, 'from dear')
      assert.equal((await send({ model: 'acme/one:exacto:floor' })).text, 'from cheap')
      assert.deepEqual(await send({ model: 'acme/one:nitro', provider: { only: ['private'] } }), {
        text: 'from private',
        model: 'acme/one',
      })
      const free = await send({ model: 'acme/one:free' }).then(() => assert.fail('served'), availabilityOf)
      assert.deepEqual([free.code, free.fallback_models], ['free_variant_ended', ['acme/one']])
      await assert.rejects(send({ model: 'acme/one:online' }), /searches the web/)
    })

    test('transforms and context-compression are left out; another plugin needs OpenRouter', async () => {
      const plugins = [{ id: 'context-compression' }]
      // The SDK knows `transforms` no more and leaves it out itself.
      const rest = isSdk ? { plugins } : { plugins, transforms: ['middle-out'] }
      assert.equal((await send({ rest })).text, 'from dear')
      const sent = rig.upstreams['dear']!.received.at(-1)!.fields
      assert.deepEqual([sent['plugins'], sent['transforms'], sent['provider']], [undefined, undefined, undefined])
      await assert.rejects(send({ model: 'acme/two', rest: { plugins: [{ id: 'web' }] } }), /runs the plugin \\?"web/)
    })
  })
}

suite('speeds', () => {
  const chunk = (delta: object, rest: object = {}): string =>
    `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'x', choices: [{ index: 0, delta, finish_reason: null }], ...rest })}\n\n`
  const usage = { prompt_tokens: 5, completion_tokens: 50, total_tokens: 55 }

  test('sort by latency and throughput, preferred_max_latency and preferred_min_throughput: who is known to be slow goes last', async () => {
    const sdk = new OpenRouter({ apiKey: at().apiKey, serverURL: at().url, retryConfig: { strategy: 'none' } })
    rig.upstreams['dear']!.script({
      frames: [
        chunk({ content: 'from' }),
        { text: chunk({ content: ' dear' }), delayMs: 60 },
        chunk({}, { usage }),
        'data: [DONE]\n\n',
      ],
    })
    const stream = await sdk.chat.send({ chatRequest: { model: 'acme/one', messages, stream: true } })
    assert.ok(!('choices' in stream))
    for await (const each of stream) assert.ok(each)
    for (const send of Object.values(CLIENTS)) {
      for (const provider of [
        { preferred_max_latency: 0.000001 },
        { preferred_max_latency: { p90: 0.000001 } },
        { preferred_min_throughput: 1e6 },
        { preferred_min_throughput: { p50: 1e6 } },
        // Nobody has measured the others yet: they go first, so that somebody does.
        { sort: 'latency' },
        { sort: 'throughput' },
      ])
        assert.equal((await send({ rest: { provider } })).text, 'from cheap', JSON.stringify(provider))
      // It is a wish and excludes nobody.
      const alone = { only: ['dear'], preferred_max_latency: 0.000001, preferred_min_throughput: 1e6 }
      assert.equal((await send({ rest: { provider: alone } })).text, 'from dear')
      const lax = { preferred_max_latency: 100, preferred_min_throughput: 0.001 }
      assert.equal((await send({ rest: { provider: lax } })).text, 'from dear')
      assert.equal((await send({ model: 'acme/one:nitro' })).text, 'from cheap')
    }
  })
})
