import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { createOpenRouter } from '@openrouter/ai-sdk-provider'
import { OpenRouter } from '@openrouter/sdk'
import { generateText } from 'ai'
import type { Json } from './gateway.ts'
import { model, type Rig, rigOf } from './openrouter-rig.ts'

/** `transforms` and the plugin `context-compression` at backends of our own and at OpenRouter (openrouter-api.md section 5). */

const PRICE = { price: { input: 1, output: 1 } }
const MODELS = {
  'acme/small': { context_window: 8000, max_output: 500 },
  'acme/medium': { context_window: 16_000, max_output: 500 },
  'acme/growing': { context_window: 8000, max_output: 500, larger: 'acme/medium' },
  'acme/claude': { context_window: 8000, max_output: 500 },
  'acme/routed': { context_window: 8000, max_output: 500 },
}
const BACKENDS: Readonly<Record<string, string>> = { 'acme/claude': 'claude', 'acme/routed': 'openrouter' }

let rig: Rig
before(async () => {
  rig = await rigOf(['own'], (urlOf) => ({
    models: Object.entries(MODELS).map(([id, rest]) => model(id, { ...PRICE, ...rest })),
    routes: Object.keys(MODELS).map((id) => ({ model: id, backend: BACKENDS[id] ?? 'openai' })),
    backends: {
      openai: { type: 'openai', api_url: `${urlOf('own')}/v1`, api_key: 'k' },
      claude: { type: 'anthropic', api_url: urlOf('own'), api_key: 'k' },
      openrouter: { type: 'openrouter', api_url: `${urlOf('own')}/api/v1`, api_key: 'k' },
    },
  }))
})
after(() => rig[Symbol.asyncDispose]())

/** About as many tokens, in messages of 100 each. */
const chat = (tokens: number) =>
  Array.from({ length: tokens / 100 }, (_, index) => ({
    role: 'user' as const,
    content: `${index} ${'word'.repeat(92)}`,
  }))
const long = chat(12_000)
const last = () => rig.upstreams['own']!.received.at(-1)!
const sentTexts = () =>
  (last().fields as Json).messages.map(({ content }: Json) => parseInt(content[0].text ?? content, 10))
const V1 = '/v1/chat/completions'
const ask = (body: object, path = '/api/v1/chat/completions') =>
  rig.gateway.ask(path, { body: { model: 'acme/small', messages: long, ...body } })
const PLUGINS = [{ id: 'context-compression' }]

suite('context compression', () => {
  test('asked for by its older and by its newer name: the middle is left out, and that is told', async () => {
    for (const wish of [{ transforms: ['middle-out'] }, { plugins: PLUGINS }]) {
      const told = await ask(wish, V1)
      assert.equal(told.status, 200, told.text)
      const texts = sentTexts()
      assert.ok(texts.length > 60 && texts.length < 81, String(texts.length))
      assert.deepEqual([texts[0], texts.at(-1)], [0, 119])
      assert.deepEqual([last().fields['transforms'], last().fields['plugins']], [undefined, undefined])
      assert.match(told.headers.get('x-gateway-warnings')!, /param=messages;action=narrow/)
      assert.doesNotMatch(told.headers.get('x-gateway-warnings')!, /transforms|plugins/)
    }
  })

  test('a prompt that fits goes as it was written', async () => {
    const told = await ask({ messages: chat(2000), transforms: ['middle-out'] }, V1)
    assert.deepEqual([told.status, sentTexts().length, told.headers.get('x-gateway-warnings')], [200, 20, null])
  })

  test('under /api/v1 small windows have it unless it is refused; elsewhere nobody has', async () => {
    assert.equal((await ask({})).status, 200)
    assert.ok(sentTexts().length < 81)
    for (const refusal of [{ transforms: [] }, { plugins: [{ ...PLUGINS[0], enabled: false }] }]) {
      const { status, json } = await ask(refusal)
      assert.deepEqual(
        [status, json.error.metadata.error_type],
        [400, 'context_length_exceeded'],
        JSON.stringify(refusal),
      )
    }
    assert.equal((await ask({}, V1)).status, 400)
    assert.equal((await ask({ model: 'acme/medium', messages: chat(20_000) })).status, 400)
    assert.equal((await ask({ model: 'acme/medium', messages: chat(20_000), plugins: PLUGINS })).status, 200)
    // A larger model loses nothing.
    assert.equal((await ask({ model: 'acme/growing' })).json.model, 'acme/medium')
    assert.equal(sentTexts().length, 120)
    assert.equal((await ask({ model: 'acme/growing', plugins: PLUGINS })).json.model, 'acme/growing')
  })

  test('before a translation; the limit of the answer has its place; what nobody can shorten is refused', async () => {
    assert.equal((await ask({ model: 'acme/claude', transforms: ['middle-out'], max_tokens: 4000 }, V1)).status, 200)
    assert.equal(last().path, '/v1/messages')
    const { messages } = last().fields as Json
    const kept = messages.flatMap(({ content }: Json) => (typeof content === 'string' ? [content] : content))
    assert.ok(kept.length > 25 && kept.length < 41, String(kept.length))
    const calls = rig.upstreams['own']!.count()
    const content = [{ type: 'text', text: 'word'.repeat(12_000) }]
    const told = await ask({ messages: [{ role: 'user', content }], plugins: PLUGINS })
    assert.deepEqual([told.status, told.json.error.metadata.error_type], [400, 'context_length_exceeded'])
    assert.equal(rig.upstreams['own']!.count(), calls)
  })

  test('explained: where it would happen, and nobody is called', async () => {
    const calls = rig.upstreams['own']!.count()
    const body = { model: 'acme/small', messages: long, transforms: ['middle-out'] }
    const { json } = await rig.gateway.ask('/v1/route/explain', { body: { protocol: 'chat', body } })
    const [endpoint] = json.endpoints
    assert.deepEqual(
      endpoint.losses.map(({ path, action }: Json) => [path, action]),
      [['/messages', 'narrowed']],
    )
    const strict = { model: 'acme/claude', messages: [], logit_bias: { 5: 1 }, provider: { require_parameters: true } }
    const told = await rig.gateway.ask('/v1/route/explain', { body: { protocol: 'chat', body: strict } })
    assert.match(told.text, /require|supports all/)
    assert.equal(rig.upstreams['own']!.count(), calls)
  })

  test('OpenRouter does it itself', async () => {
    const wish = { transforms: ['middle-out'], plugins: PLUGINS }
    assert.equal((await ask({ model: 'acme/routed', ...wish })).status, 200)
    assert.equal(sentTexts().length, 120)
    assert.deepEqual([last().fields['transforms'], last().fields['plugins']], [wish.transforms, wish.plugins])
  })

  test('@openrouter/sdk and @openrouter/ai-sdk-provider', async () => {
    const serverURL = `${rig.gateway.url}/api/v1`
    const sdk = new OpenRouter({ apiKey: rig.gateway.key, serverURL, retryConfig: { strategy: 'none' } })
    const chatRequest = {
      model: 'acme/medium',
      messages: chat(20_000),
      plugins: [{ id: 'context-compression' as const }],
    }
    const answer = await sdk.chat.send({ chatRequest })
    assert.ok('choices' in answer)
    assert.ok(sentTexts().length < 161)
    const openrouter = createOpenRouter({ apiKey: rig.gateway.key, baseURL: serverURL })
    const asking = openrouter.chat('acme/medium', { extraBody: { transforms: ['middle-out'] } })
    const { text } = await generateText({ model: asking, messages: chat(20_000), maxRetries: 0 })
    assert.equal(text, 'from own')
    assert.ok(sentTexts().length < 161)
  })
})
