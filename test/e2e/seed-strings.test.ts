import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type Json, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** Every model string of the seeds travels to an upstream, and the whole body that arrives there (R25, R27, R29, R30, R33, R34, R37, R41, R42). */

const messages = [{ role: 'user', content: 'Hello' }]
const chat = (gateway: TestGateway, id: string, key = gateway.key): Promise<Told> =>
  gateway.ask('/v1/chat/completions', { key, body: { model: id, messages } })

interface Arrived {
  readonly path: string
  readonly body: Json
}

async function arrived(gateway: TestGateway, asked: Promise<Told>): Promise<Arrived> {
  const told = await asked
  assert.equal(told.status, 200, told.text)
  const { path, fields } = gateway.upstream.received.at(-1)!
  return { path, body: fields }
}

const OPENROUTER_PATH = '/api/v1/chat/completions'
const openrouter = (url: string) => ({ type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'sk-or-1' })
const toOpenRouter = (id: string, rest: object = {}): Arrived => ({
  path: OPENROUTER_PATH,
  body: { model: id, messages, ...rest },
})

suite('S1: one OpenRouter backend, which is the default', () => {
  const start = (config: object = {}, flags: object = {}) =>
    startTestGateway({
      config: (url) => ({
        models: [] as Json,
        routes: [] as Json,
        backends: { openrouter: openrouter(url) },
        default_backend: 'openrouter' as Json,
        ...config,
      }),
      env: { OPENAI_API_KEY: '', ANTHROPIC_API_KEY: '', GEMINI_API_KEY: '' },
      flags: { 'disable-auth': true, ...flags },
    })
  /** Names that are passed on as they are. */
  const LISTED = [
    'openai/gpt-4o',
    'openai/gpt-4-turbo',
    'openai/gpt-3.5-turbo',
    'openai/gpt-5',
    'anthropic/claude-3-5-sonnet',
    'anthropic/claude-3-opus',
    'anthropic/claude-3-haiku',
    'anthropic/claude-opus-4-7',
    'google/gemini-pro',
    'google/gemini-pro-vision',
    'google/gemini-2.5-pro',
    'meta-llama/llama-3-70b-instruct',
    'meta-llama/llama-3-8b-instruct',
    'mistralai/mistral-large',
    'mistralai/mistral-medium',
    'qwen/qwen-2-72b-instruct',
    'qwen/qwen3-coder',
    'deepseek/deepseek-r1',
  ]
  let gateway: TestGateway
  before(async () => {
    gateway = await start()
  })
  after(() => gateway.close())

  test('R27, R42: vendor/model: as it is, and nothing beside it', async () => {
    for (const id of LISTED) assert.deepEqual(await arrived(gateway, chat(gateway, id)), toOpenRouter(id))
  })

  test('R29, R30: backend prefix and parameters', async () => {
    const SONNET = 'anthropic/claude-3-5-sonnet'
    const cases: readonly (readonly [string, Arrived])[] = [
      ['openrouter:openai/gpt-4o', toOpenRouter('openai/gpt-4o')],
      [`openrouter:${SONNET}?temperature=0.7`, toOpenRouter(SONNET, { temperature: 0.7 })],
      [`openrouter:${SONNET}?temperature=0.7&top_p=0.9`, toOpenRouter(SONNET, { temperature: 0.7, top_p: 0.9 })],
    ]
    for (const [id, expected] of cases) assert.deepEqual(await arrived(gateway, chat(gateway, id)), expected, id)
  })

  test('R37, C38: the alias of the page, with what follows it', async () => {
    const model_aliases = [{ pattern: '^gpt-(.*)', replacement: 'openrouter:openai/gpt-\\1' }]
    const models = [{ id: 'openai/gpt-5', vendor: 'openai', capabilities: ['reasoning'], price: PRICE }]
    const routes = [{ model: 'openai/gpt-5', backend: 'openrouter' }]
    await using aliased = await start({ model_aliases, models, routes })
    const cases: readonly (readonly [string, Arrived])[] = [
      ['gpt-4o', toOpenRouter('openai/gpt-4o')],
      ['gpt-4o?temperature=0.3', toOpenRouter('openai/gpt-4o', { temperature: 0.3 })],
      ['gpt-5-thinking', toOpenRouter('openai/gpt-5', { reasoning: { enabled: true } })],
      ['my-gpt-4o', toOpenRouter('my-gpt-4o')],
    ]
    for (const [id, expected] of cases) assert.deepEqual(await arrived(aliased, chat(aliased, id)), expected, id)
  })

  test('R41: the forced model, on each surface', async () => {
    await using forced = await start({}, { 'force-model': 'anthropic/claude-3-5-sonnet' })
    const expected = toOpenRouter('anthropic/claude-3-5-sonnet')
    assert.deepEqual(await arrived(forced, chat(forced, 'openai/gpt-4o')), expected)
    const claude = { model: 'x', max_tokens: 9, messages }
    const { body } = await arrived(forced, forced.ask('/v1/messages', { body: claude }))
    assert.equal(body.model, expected.body.model)
    const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }]
    const told = forced.ask('/v1beta/models/gemini-pro:generateContent', { body: { contents } })
    assert.equal((await arrived(forced, told)).body.model, expected.body.model)
  })
})

suite('S0, S2, S4: vendors of their own, and a group with an OpenRouter account', () => {
  const reasons = { capabilities: ['tools', 'thinking', 'reasoning'] }
  const model = (id: string, vendor: string, rest: object = reasons) => ({
    id,
    vendor,
    context_window: 200_000,
    max_output: 32_000,
    price: PRICE,
    ...rest,
  })
  const OPENAI = ['gpt-5', 'gpt-5-mini', 'o3']
  const CLAUDE = ['claude-opus-4-7', 'claude-sonnet-4-7']
  const GEMINI = ['gemini-3-flash-preview', 'gemini-2.5-pro']
  const EMBEDDING = 'text-embedding-3-large'
  const PREFIXED = ['anthropic/claude-opus-4-7', 'google/gemini-2.5-pro', 'openai/gpt-5', 'deepseek/deepseek-r1']

  let gateway: TestGateway
  let routed: string
  before(async () => {
    gateway = await startTestGateway({
      config: (url) => ({
        billing: { mode: 'off' },
        groups: { default: { backends: ['openai', 'anthropic', 'gemini'] }, or: { backends: ['openrouter'] } },
        models: [
          ...OPENAI.map((id) => model(id, 'openai')),
          ...CLAUDE.map((id) => model(id, 'anthropic')),
          ...GEMINI.map((id) => model(id, 'google')),
          model(EMBEDDING, 'openai', { capabilities: ['embeddings'], price: { input: 1 } }),
        ] as Json,
        routes: [
          ...[...OPENAI, EMBEDDING].map((id) => ({ model: id, backend: 'openai' })),
          ...CLAUDE.map((id) => ({ model: id, backend: 'anthropic' })),
          ...GEMINI.map((id) => ({ model: id, backend: 'gemini' })),
          { model: 'gpt-5', backend: 'openrouter', group: 'or', upstream_model: 'openai/gpt-5' },
          { model: 'claude-opus-4-7', backend: 'openrouter', group: 'or', upstream_model: 'anthropic/claude-opus-4-7' },
        ] as Json,
        backends: { openrouter: openrouter(url) },
      }),
    })
    routed = (await gateway.fund({ newKey: { groups: ['or'] } })).key
  })
  after(() => gateway.close())

  const claude = (id: string) => gateway.ask('/v1/messages', { body: { model: id, max_tokens: 2000, messages } })
  const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }]
  const gemini = (id: string) => gateway.ask(`/v1beta/models/${id}:generateContent`, { body: { contents } })
  const responses = (id: string) => gateway.ask('/v1/responses', { body: { model: id, input: 'Hello' } })

  test('R25: bare ids, each at its vendor in the vendor’s own protocol', async () => {
    for (const id of OPENAI) {
      const expected = { path: '/v1/chat/completions', body: { model: id, messages } }
      assert.deepEqual(await arrived(gateway, chat(gateway, id)), expected)
      const input = { path: '/v1/responses', body: { model: id, input: 'Hello' } }
      assert.deepEqual(await arrived(gateway, responses(id)), input)
    }
    for (const id of CLAUDE) {
      const expected = { path: '/v1/messages', body: { model: id, max_tokens: 2000, messages } }
      assert.deepEqual(await arrived(gateway, claude(id)), expected)
    }
    for (const id of GEMINI) {
      const expected = { path: `/v1beta/models/${id}:generateContent`, body: { contents } }
      assert.deepEqual(await arrived(gateway, gemini(id)), expected)
    }
    const body = { model: EMBEDDING, input: 'Hello' }
    const embedded = await arrived(gateway, gateway.ask('/v1/embeddings', { body }))
    assert.deepEqual(embedded, { path: '/v1/embeddings', body })
  })

  test('R26: the same ids as chat completions', async () => {
    for (const id of CLAUDE) {
      const { path, body } = await arrived(gateway, chat(gateway, id))
      assert.deepEqual([path, body.model], ['/v1/messages', id])
      const [turn] = body.messages
      assert.deepEqual([turn.role, turn.content[0].text ?? turn.content, body.max_tokens], ['user', 'Hello', 32_000])
    }
    for (const id of GEMINI) {
      const { path, body } = await arrived(gateway, chat(gateway, id))
      assert.deepEqual([path, body.contents], [`/v1beta/models/${id}:generateContent`, contents])
    }
  })

  test('R33, R34: the suffix', async () => {
    const adaptive = { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'high' } }
    assert.deepEqual(await arrived(gateway, chat(gateway, 'gpt-5-thinking')), {
      path: '/v1/chat/completions',
      body: { model: 'gpt-5', messages, reasoning_effort: 'high' },
    })
    assert.deepEqual(await arrived(gateway, responses('gpt-5-thinking')), {
      path: '/v1/responses',
      body: { model: 'gpt-5', input: 'Hello', reasoning: { effort: 'high' } },
    })
    assert.deepEqual(await arrived(gateway, claude('claude-opus-4-7-thinking')), {
      path: '/v1/messages',
      body: { model: 'claude-opus-4-7', max_tokens: 2000, messages, ...adaptive },
    })
    const thinkingConfig = { includeThoughts: true, thinkingBudget: -1 }
    assert.deepEqual(await arrived(gateway, gemini('gemini-2.5-pro-thinking')), {
      path: '/v1beta/models/gemini-2.5-pro:generateContent',
      body: { contents, generationConfig: { thinkingConfig } },
    })
    for (const [id, name] of [
      ['gpt-5-thinking', 'openai/gpt-5'],
      ['claude-opus-4-7-thinking', 'anthropic/claude-opus-4-7'],
      ['anthropic/claude-opus-4-7-thinking', 'anthropic/claude-opus-4-7'],
    ] as const)
      assert.deepEqual(
        await arrived(gateway, chat(gateway, id, routed)),
        toOpenRouter(name, { reasoning: { enabled: true } }),
      )
  })

  test('R27, R28: vendor prefixes, unchanged to OpenRouter and left out elsewhere', async () => {
    for (const id of PREFIXED) assert.deepEqual(await arrived(gateway, chat(gateway, id, routed)), toOpenRouter(id))
    assert.deepEqual(await arrived(gateway, chat(gateway, 'openai/gpt-5')), {
      path: '/v1/chat/completions',
      body: { model: 'gpt-5', messages },
    })
    assert.deepEqual(await arrived(gateway, claude('anthropic/claude-opus-4-7')), {
      path: '/v1/messages',
      body: { model: 'claude-opus-4-7', max_tokens: 2000, messages },
    })
  })
})
