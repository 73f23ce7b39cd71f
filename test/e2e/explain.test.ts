import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { TEXT_BODY_BYTES_MAX } from '#control-plane/mount.ts'
import { FAILURES_MAX } from '#health/circuit.ts'
import { parseUsd } from '#base/money.ts'
import { type Json, MODELS, model, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What would become of a request, told without a call and without a charge (R43, B7). */

const messages = [{ role: 'user', content: 'hi' }]
const backend = (url: string, key: string, rest: object = {}) => ({
  type: 'openai-compatible',
  api_url: `${url}/v1`,
  api_key: key,
  ...rest,
})
const resolve = (gateway: TestGateway, id: string, key = gateway.key, more = '') =>
  gateway.ask(`/api/resolve?model=${encodeURIComponent(id)}${more}`, { key })
const explain = (gateway: TestGateway, question: object | string, key = gateway.key) =>
  gateway.ask('/v1/route/explain', { key, body: question })
const chatBody = (id: string, rest: object = {}) => ({ model: id, messages, ...rest })

suite('R43: /api/resolve', () => {
  const config = (url: string): Record<string, Json> => ({
    model_aliases: [{ pattern: '^my-(.*)', replacement: 'gpt-\\1?top_p=0.5&foo=1' }],
    groups: { default: {}, gold: {} },
    models: [model('gpt-test', { capabilities: ['reasoning'], fallbacks: ['other'] }), model('other')],
    routes: [
      { model: 'gpt-test', backend: 'first', upstream_model: 'up-1' },
      { model: 'gpt-test', backend: 'second', upstream_model: 'up-2', priority: 1 },
      { model: 'other', backend: 'second' },
      { model: 'other', backend: 'first', group: 'gold' },
    ],
    backends: { first: backend(url, 'k'), second: backend(url, 'k') },
  })

  test('R43: each step of the order, and what it made of the string', async () => {
    await using gateway = await startTestGateway({ config })
    const { status, json } = await resolve(gateway, 'my-test-thinking')
    assert.equal(status, 200)
    assert.deepEqual(json, {
      requested: 'my-test-thinking',
      resolved: 'gpt-test-thinking',
      model: 'gpt-test',
      group: 'default',
      thinking: true,
      parameters: { top_p: 0.5 },
      alias_rule: 0,
      rule: null,
      pinned: false,
      sort: null,
      fallbacks: ['other'],
      warnings: [{ path: '/model/foo', action: 'dropped', reason: 'unknown parameter' }],
      trace: [
        { step: 'alias 0', input: 'my-test-thinking', output: 'gpt-test-thinking?top_p=0.5&foo=1' },
        { step: 'parameters', input: 'gpt-test-thinking?top_p=0.5&foo=1', output: 'gpt-test-thinking' },
        { step: 'thinking suffix', input: 'gpt-test-thinking', output: 'gpt-test' },
      ],
    })
    const whole = await resolve(gateway, 'my-test', gateway.masterKey)
    assert.deepEqual(
      [whole.json.backends, whole.json.upstream_models],
      [
        ['first', 'second'],
        ['up-1', 'up-2'],
      ],
    )
    assert.deepEqual((await resolve(gateway, 'other', gateway.masterKey, '&group=gold')).json.backends, ['first'])
    assert.equal(gateway.upstream.count(), 0)
  })

  test('R43: it fails as the request would', async () => {
    await using gateway = await startTestGateway({ config })
    // Under /api errors are written as OpenRouter's, whose code is the status.
    const codeOf = ({ status, text }: Told) => [
      status,
      /model_not_found|group_not_allowed|missing_model/.exec(text)?.[0],
    ]
    assert.deepEqual(codeOf(await resolve(gateway, 'gpt-tset')), [404, 'model_not_found'])
    assert.deepEqual(codeOf(await resolve(gateway, 'other:gold')), [403, 'group_not_allowed'])
    assert.deepEqual(codeOf(await resolve(gateway, 'other', gateway.key, '&group=gold')), [403, 'group_not_allowed'])
    assert.deepEqual(codeOf(await resolve(gateway, '')), [400, 'missing_model'])
    assert.equal((await gateway.ask('/api/resolve?model=other', { key: null })).status, 401)
  })
})

suite('B7: explain', () => {
  /** Twelve routes of four models, each order of which is decided. */
  const rules = ['lowest_price', 'hash_affinity', 'round_robin', 'least_recently_used']
  const config = (url: string): Record<string, Json> => ({
    failure_handling: { enabled: true },
    models: rules.map((strategy, index) =>
      model(`model-${index}`, { strategy, fallbacks: [`model-${(index + 1) % 4}`] }),
    ),
    routes: rules.flatMap((_, index) =>
      [1, 2, 3].map((price) => ({
        model: `model-${index}`,
        backend: `b${price}`,
        upstream_model: `model-${index}-${price}`,
        price: { input: price, output: 2 * price },
      })),
    ),
    backends: Object.fromEntries([1, 2, 3].map((index) => [`b${index}`, backend(url, `k${index}`)])),
  })

  test('B7: 200 requests go where explain says, at a cost within its bounds, and it calls and books nothing', async () => {
    await using gateway = await startTestGateway({ config })
    let random = 7
    const draw = (bound: number): number => (random = (random * 48_271) % 2_147_483_647) % bound
    for (let turn = 0; turn < 200; turn++) {
      const provider = [undefined, { sort: 'price' }, { only: ['b2', 'b3'] }, { ignore: ['b1'] }][draw(4)]
      const id = `model-${draw(4)}${['', '?top_p=0.5', ':floor'][draw(3)]}`
      const body = chatBody(id, { ...(provider && { provider }), ...(draw(2) && { max_tokens: 100 }) })
      const before = gateway.upstream.count()
      const told = await explain(gateway, { protocol: 'openai-chat', body })
      // Only the operator is told names; for the client the price tells the three backends of a model apart.
      const operator = await explain(gateway, { protocol: 'openai-chat', body }, gateway.masterKey)
      assert.deepEqual([told.status, operator.status], [200, 200], told.text)
      assert.equal(gateway.upstream.count(), before)
      const [first] = told.json.endpoints
      const named = operator.json.endpoints.find(
        (each: Json) => each.model === first.model && each.max_cost === first.max_cost,
      )
      const answer = await gateway.ask('/v1/chat/completions', { body })
      assert.equal(answer.status, 200, answer.text)
      assert.equal(gateway.upstream.received.at(-1)!.fields['model'], named.upstream_model, JSON.stringify(body))
      const row = await gateway.log(answer.headers.get('x-request-id')!)
      const [min, cost, max] = [told.json.cost.min, String(row.charged_cost), told.json.cost.max].map(parseUsd)
      assert.ok(min! <= cost! && cost! <= max!, `${min} ${cost} ${max}`)
    }
  })

  test('B7: a client is told no backend', async () => {
    await using gateway = await startTestGateway({ config })
    const { text, json } = await explain(gateway, { path: '/v1/chat/completions', body: chatBody('model-1') })
    assert.equal(json.endpoints.length, 6)
    assert.doesNotMatch(text, /b[123]"|model-1-/)
  })

  test('B7: count, reserve and what is left are told; nothing is booked', async () => {
    await using gateway = await startTestGateway()
    const body = { model: MODELS.chat.id, max_tokens: 100, messages }
    const before = await gateway.account(gateway.accountId)
    const { json } = await explain(gateway, { protocol: 'anthropic-messages', body })
    assert.deepEqual(await gateway.account(gateway.accountId), before)
    assert.equal((await gateway.ledger(gateway.accountId)).length, 1)
    assert.equal(json.token_count_method, 'tokenizer')
    assert.ok(json.token_count > 0 && json.token_count < 40, String(json.token_count))
    const [endpoint] = json.endpoints
    assert.deepEqual([endpoint.mode, endpoint.adapter], ['translate', 'anthropic-messages->openai-responses'])
    assert.equal(json.would_reserve, endpoint.max_cost)
    assert.equal(json.limits.available, '100')
    // The real thing holds as much.
    const told = await gateway.ask('/v1/messages', { body })
    assert.equal(told.status, 200)
  })

  test('B7: declared losses are those of the answer', async () => {
    await using gateway = await startTestGateway()
    const body = { model: MODELS.messages.id, messages, frequency_penalty: 0.5, max_tokens: 10 }
    const { json } = await explain(gateway, { protocol: 'chat', body })
    const told = await gateway.ask('/v1/chat/completions', { body })
    const row = await gateway.log(told.headers.get('x-request-id')!)
    const declared = row.warnings.map(({ path, action, reason }: Json) => ({ path, action, reason }))
    assert.ok(declared.length > 0)
    assert.deepEqual(json.endpoints[0].losses, declared)
  })

  test('B7: each surface and path, and what is no question', async () => {
    await using gateway = await startTestGateway()
    const contents = [{ parts: [{ text: 'hi' }] }]
    for (const question of [
      { protocol: 'gemini', path: `/v1beta/models/${MODELS.gemini.id}:generateContent`, body: { contents } },
      { protocol: 'gemini', body: { model: MODELS.gemini.id, contents } },
      { protocol: 'responses', body: { model: MODELS.chat.id, input: 'hi' } },
      { protocol: 'embeddings', body: { model: MODELS.embedding.id, input: 'hi' } },
      { path: '/v1/messages/count_tokens', body: { model: MODELS.messages.id, messages } },
    ]) {
      const told = await explain(gateway, question)
      assert.deepEqual([told.status, told.json.endpoints.length], [200, 1], told.text)
    }
    for (const [question, status] of [
      ['', 400],
      ['[]', 400],
      ['{', 400],
      [{ protocol: 'chat' }, 400],
      [{ protocol: 'nosuch', body: {} }, 400],
      [{ path: '/v1/nosuch', body: {} }, 400],
      [{ protocol: 7, body: {} }, 400],
      [{ protocol: 'chat', body: { messages } }, 400],
      [{ protocol: 'chat', body: chatBody('nosuch') }, 404],
      [`{"protocol":"chat","body":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400],
    ] as const) {
      const told = await explain(gateway, question)
      assert.equal(told.status, status, JSON.stringify(question).slice(0, 80))
    }
    const large = (bytes: number) => {
      const body = JSON.stringify({ protocol: 'chat', body: chatBody(MODELS.chat.id, { user: '' }) })
      return body.replace('"user":""', `"user":"${'x'.repeat(bytes - body.length)}"`)
    }
    assert.equal((await explain(gateway, large(TEXT_BODY_BYTES_MAX))).status, 200)
    assert.equal((await explain(gateway, large(TEXT_BODY_BYTES_MAX + 1))).status, 413)
    assert.equal(gateway.upstream.count(), 0)
  })

  test('B7: every reason for which an endpoint is left out', async () => {
    const image = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] },
    ]
    await using gateway = await startTestGateway({
      config: (url) => ({
        failure_handling: { enabled: true },
        groups: { default: { regions: ['eu'] }, gold: {} },
        models: [
          model('m'),
          model('blind', { input_modalities: ['text'] }),
          model('embed', { capabilities: ['embeddings'] }),
        ],
        routes: [
          { model: 'm', backend: 'eu', priority: 0 },
          { model: 'm', backend: 'us', priority: 1 },
          { model: 'm', backend: 'keyless', priority: 2 },
          { model: 'm', backend: 'narrow', priority: 3, max_context: 100 },
          { model: 'm', backend: 'dear', priority: 4, price: { input: 99, output: 99 } },
          { model: 'm', backend: 'ill', priority: 5 },
          { model: 'm', backend: 'eu', group: 'gold' },
          { model: 'blind', backend: 'eu' },
        ],
        backends: {
          eu: backend(url, 'k', { region: 'eu' }),
          us: backend(url, 'k', { region: 'us' }),
          keyless: { type: 'openai', api_url: `${url}/v1`, api_key_env: 'NO_SUCH_KEY', region: 'eu' },
          narrow: backend(url, 'k', { region: 'eu' }),
          dear: backend(url, 'k', { region: 'eu' }),
          ill: backend(url, 'ill', { region: 'eu' }),
        },
      }),
    })
    for (let call = 0; call < FAILURES_MAX; call++) {
      gateway.upstream.script({ status: 500, body: { error: { message: 'no' } } })
      await gateway.ask('/v1/chat/completions', {
        body: chatBody('ill:m'),
        headers: { 'x-gateway-no-fallback': 'true' },
      })
    }
    const body = chatBody('m', {
      messages: [{ role: 'user', content: 'word '.repeat(200) }],
      provider: { max_price: { prompt: 50 }, ignore: ['narrow'] },
    })
    const { json } = await explain(gateway, { protocol: 'chat', body }, gateway.masterKey)
    const named = Object.fromEntries(json.excluded.map((each: Json) => [each.backend, each.excluded_by]))
    assert.deepEqual(named, {
      us: ['policy'],
      narrow: ['whitelist', 'context'],
      dear: ['price'],
      keyless: ['credential'],
      ill: ['cooldown'],
      eu: ['group'],
    })
    assert.deepEqual(
      json.endpoints.map((each: Json) => each.backend),
      ['eu'],
    )
    const blind = await explain(
      gateway,
      { protocol: 'chat', body: chatBody('blind', { messages: image }) },
      gateway.masterKey,
    )
    assert.deepEqual([blind.status, blind.json.error.code, blind.json.endpoints], [200, 'unsupported_capability', []])
    assert.deepEqual(blind.json.excluded[0].excluded_by, ['capability'])
  })
})
