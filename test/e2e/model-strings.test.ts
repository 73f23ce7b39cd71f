import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What becomes of each model string of the seeds, from the client's socket to the upstream's body (R24-R45). */

const CHAT = { context_window: 200_000, max_output: 32_000, price: PRICE }
const model = (id: string, vendor: string, rest: object = {}) => ({
  id,
  vendor,
  capabilities: ['tools', 'reasoning'],
  ...CHAT,
  ...rest,
})
const PLAIN = { capabilities: ['tools'] }

/** Model -> its vendor's backend and its name there. */
const OWN: readonly (readonly [id: string, backend: string, upstream: string])[] = [
  ['gpt-5', 'openai', 'gpt-5'],
  ['gpt-4o', 'openai', 'gpt-4o'],
  ['claude-opus-4-7', 'anthropic', 'claude-opus-4-7'],
  ['claude-sonnet-4-5', 'anthropic', 'claude-sonnet-4-5-20250929'],
  ['gemini-2.5-pro', 'gemini', 'gemini-2.5-pro'],
  ['gemini-3-flash-preview', 'gemini', 'gemini-3-flash-preview'],
  ['deepseek-r1', 'other', 'deepseek-reasoner'],
  ['kimi-k2-thinking', 'other', 'kimi-k2-thinking'],
]

const BEDROCK = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'

const config = (url: string): Record<string, Json> => ({
  billing: { mode: 'off' },
  logging: { level: 'warn', file: 'gateway.log' },
  groups: {
    default: { backends: ['openai', 'anthropic', 'gemini', 'other'] },
    or: { backends: ['openrouter'] },
    aws: {},
  },
  models: [
    model('gpt-5', 'openai'),
    model('gpt-4o', 'openai', PLAIN),
    model('claude-opus-4-7', 'anthropic', { name: 'Claude Opus 4.7' }),
    model('claude-sonnet-4-5', 'anthropic'),
    model('gemini-2.5-pro', 'google'),
    model('gemini-3-flash-preview', 'google'),
    model('deepseek-r1', 'deepseek', { thinking: { param: { thinking: { type: 'enabled' } } } }),
    model('kimi-k2-thinking', 'moonshot'),
    model('old-model', 'openai', { ...PLAIN, deprecation: { since: '2026-01-31', sunset: '2027-01-31' } }),
    model('off-model', 'openai', PLAIN),
  ],
  routes: [
    ...OWN.map(([id, backend, upstream]) => ({ model: id, backend, upstream_model: upstream })),
    { model: 'old-model', backend: 'openai', upstream_model: 'old' },
    { model: 'off-model', backend: 'openai', status: 'disabled' },
    { model: 'claude-opus-4-7', backend: 'openrouter', group: 'or', upstream_model: 'anthropic/claude-opus-4-7' },
    { model: 'claude-sonnet-4-5', backend: 'bedrock', group: 'aws', upstream_model: BEDROCK },
    { model: 'gpt-5', backend: 'openrouter', group: 'or', upstream_model: 'openai/gpt-5' },
  ],
  backends: {
    bedrock: { type: 'bedrock', api_url: url, api_key: 'k', region: 'us-east-1' },
    other: { type: 'openai-compatible', api_url: `${url}/v1`, api_key: 'k' },
    openrouter: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' },
  },
})

let gateway: TestGateway
/** A key of the group with the OpenRouter account. */
let routed: string
/** A key of the group with Bedrock. */
let aws: string
before(async () => {
  gateway = await startTestGateway({ config })
  routed = (await gateway.fund({ newKey: { groups: ['or'] } })).key
  aws = (await gateway.fund({ newKey: { groups: ['aws'] } })).key
})
after(() => gateway.close())

const messages = [{ role: 'user', content: 'hi' }]
const last = () => gateway.upstream.received.at(-1)!
const chat = (id: string, rest: object = {}, key = gateway.key) =>
  gateway.ask('/v1/chat/completions', { key, body: { model: id, messages, ...rest } })
const claude = (id: string, rest: object = {}) =>
  gateway.ask('/v1/messages', { body: { model: id, max_tokens: 4000, messages, ...rest } })
const gemini = (id: string, generationConfig: object = {}) =>
  gateway.ask(`/v1beta/models/${id}:generateContent`, {
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }], generationConfig },
  })
const responses = (id: string, rest: object = {}) =>
  gateway.ask('/v1/responses', { body: { model: id, input: 'hi', ...rest } })

/** The upstream's body without what every request has. */
async function sent(asked: Promise<Told>): Promise<Json> {
  const told = await asked
  assert.equal(told.status, 200, told.text)
  const { messages: _, contents: __, input: ___, ...rest } = last().fields as Json
  return rest
}

async function refused(asked: Promise<Told>, status: number, code: string): Promise<Told> {
  const calls = gateway.upstream.count()
  const told = await asked
  assert.deepEqual([told.status, told.json.error.code], [status, code], told.text)
  assert.equal(gateway.upstream.count(), calls)
  return told
}

test('R24: switching the vendor needs another model name and nothing else', async () => {
  for (const id of ['gpt-5', 'claude-opus-4-7', 'gemini-2.5-pro', 'deepseek-r1']) {
    const { status, json } = await chat(id)
    assert.deepEqual([status, json.object, json.model], [200, 'chat.completion', id])
  }
  assert.equal((await gateway.ask('/v1/chat/completions', { body: { messages } })).json.error.code, 'missing_model')
})

test('R25: a bare id becomes the name at its backend, which no client sees', async () => {
  const told = await chat('claude-sonnet-4-5')
  assert.equal(last().fields['model'], 'claude-sonnet-4-5-20250929')
  assert.equal(told.json.model, 'claude-sonnet-4-5')
  assert.doesNotMatch(told.text, /20250929/)
})

test('R26: every model is callable on every surface', async () => {
  for (const id of ['gpt-5', 'claude-opus-4-7', 'gemini-2.5-pro']) {
    assert.equal((await chat(id)).json.object, 'chat.completion')
    assert.equal((await responses(id)).json.object, 'response')
    assert.equal((await claude(id)).json.type, 'message')
    assert.ok((await gemini(id)).json.candidates)
  }
})

test('R27: vendor prefixes pass an OpenRouter group unchanged, known or not', async () => {
  for (const id of [
    'anthropic/claude-opus-4-7',
    'google/gemini-2.5-pro',
    'openai/gpt-5',
    'deepseek/deepseek-r1',
    'meta-llama/llama-3-70b-instruct',
    'anthropic/claude-3-haiku:beta',
    'deepseek/deepseek-r1:free',
  ]) {
    assert.equal((await sent(chat(id, {}, routed))).model, id)
    assert.equal(last().path, '/api/v1/chat/completions')
  }
})

test('R28: elsewhere a vendor prefix is left out, and only where it is the model’s own', async () => {
  const told = await chat('anthropic/claude-opus-4-7')
  assert.deepEqual([told.status, last().fields['model']], [200, 'claude-opus-4-7'])
  assert.equal(told.headers.get('x-gateway-model'), 'claude-opus-4-7')
  assert.match(told.headers.get('x-gateway-warnings')!, /param=model;action=rewrite;reason=model_normalized/)
  await refused(chat('google/claude-opus-4-7'), 404, 'model_not_found')
})

test('R29: a backend before a colon is pinned, where the group may use it', async () => {
  assert.equal((await sent(chat('openrouter:openai/gpt-4o', {}, routed))).model, 'openai/gpt-4o')
  assert.equal((await sent(chat('openai:gpt-4o-mini'))).model, 'gpt-4o-mini')
  await refused(chat('openrouter:openai/gpt-4o'), 403, 'backend_not_allowed')
  await refused(chat('nosuch:gpt-4o'), 404, 'model_not_found')
})

test('R30: parameters of the string stand where the upstream has them', async () => {
  const seed = 'openrouter:anthropic/claude-3-5-sonnet?temperature=0.7&top_p=0.9'
  assert.deepEqual(await sent(chat(seed, {}, routed)), {
    model: 'anthropic/claude-3-5-sonnet',
    temperature: 0.7,
    top_p: 0.9,
  })
  const sampling = '?temperature=0.7&top_k=5&max_tokens=9'
  const onClaude = await sent(claude(`claude-sonnet-4-5${sampling}`))
  assert.deepEqual([onClaude.temperature, onClaude.top_k, onClaude.max_tokens], [0.7, 5, 9])
  const onGemini = await sent(chat(`gemini-2.5-pro${sampling}&top_p=0.9`))
  assert.deepEqual(onGemini.generationConfig, { temperature: 0.7, topK: 5, maxOutputTokens: 9, topP: 0.9 })
  const native = await sent(responses('gpt-5?reasoning_effort=low&verbosity=high&max_tokens=99'))
  assert.deepEqual(
    [native.reasoning, native.text, native.max_output_tokens],
    [{ effort: 'low' }, { verbosity: 'high' }, 99],
  )
  // On the Gemini path the query of the model is part of the path.
  assert.equal((await sent(gemini('gemini-2.5-pro%3Ftop_p=0.5'))).generationConfig.topP, 0.5)
})

test('R31: what is wrong in a parameter is left out, told and logged, and the request goes on', async () => {
  const told = await chat('gpt-4o?temperature=3.5&foo=1&top_p=0.5&invalid')
  assert.equal(told.status, 200)
  assert.deepEqual(
    [last().fields['top_p'], last().fields['temperature'], last().fields['foo'], last().fields['model']],
    [0.5, undefined, undefined, 'gpt-4o'],
  )
  const warnings = told.headers.get('x-gateway-warnings')!
  for (const name of ['temperature', 'foo', 'invalid'])
    assert.match(warnings, new RegExp(`param=model.${name};action=drop`))
  const row = await gateway.log(told.headers.get('x-request-id')!)
  assert.deepEqual(
    row.warnings.map(({ path }: Json) => path),
    ['/model/temperature', '/model/foo', '/model/invalid'],
  )
  const file = join(dirname(gateway.configFile), 'gateway.log')
  const lines = await eventually('three lines', 5000, async () => {
    const found = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line.includes(row.request_id))
    return found.length === 3 ? found.map((line): Json => JSON.parse(line)) : undefined
  })
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [
      [50, 'temperature: 3.5 above maximum value (2.0)'],
      [40, 'foo: unknown parameter'],
      [40, 'invalid: has no value'],
    ],
  )
})

suite('R33: the suffix', () => {
  test('is stripped where the rest reasons, and kept where it is part of a name', async () => {
    const told = await chat('claude-opus-4-7-thinking')
    assert.deepEqual([last().fields['model'], told.json.model], ['claude-opus-4-7', 'claude-opus-4-7'])
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.thinking, row.requested_model], [true, 'claude-opus-4-7-thinking'])
    assert.deepEqual(await sent(chat('kimi-k2-thinking')), { model: 'kimi-k2-thinking' })
    await refused(chat('gpt-4o-thinking'), 400, 'thinking_not_supported')
  })

  test('works with prefixes, queries and the Gemini path', async () => {
    const onRouter = await sent(chat('anthropic/claude-opus-4-7-thinking?top_p=0.9', {}, routed))
    assert.deepEqual(onRouter, { model: 'anthropic/claude-opus-4-7', reasoning: { enabled: true }, top_p: 0.9 })
    assert.deepEqual((await sent(gemini('gemini-2.5-pro-thinking'))).generationConfig.thinkingConfig, {
      thinkingBudget: -1,
      includeThoughts: true,
    })
    assert.equal((await sent(chat('vendor/x-thinking', {}, routed))).model, 'vendor/x-thinking')
  })
})

suite('R34: what the suffix asks the upstream for', () => {
  const adaptive = { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'high' } }
  const STYLES: Readonly<Record<string, readonly [() => Promise<Told>, object]>> = {
    'OpenAI, chat': [() => chat('gpt-5-thinking'), { model: 'gpt-5', reasoning_effort: 'high' }],
    'OpenAI, responses': [() => responses('gpt-5-thinking'), { model: 'gpt-5', reasoning: { effort: 'high' } }],
    OpenRouter: [() => chat('gpt-5-thinking', {}, routed), { model: 'openai/gpt-5', reasoning: { enabled: true } }],
    'OpenRouter with an effort': [
      () => chat('gpt-5-thinking?reasoning_effort=low', {}, routed),
      { model: 'openai/gpt-5', reasoning: { effort: 'low' } },
    ],
    'Claude with a budget': [
      () => claude('claude-sonnet-4-5-thinking', { max_tokens: 500, temperature: 0.5, top_p: 0.9, top_k: 4 }),
      { model: 'claude-sonnet-4-5-20250929', max_tokens: 1280, thinking: { type: 'enabled', budget_tokens: 1024 } },
    ],
    'Claude with a larger limit': [
      () => claude('claude-sonnet-4-5-thinking', { max_tokens: 10_000, temperature: 1 }),
      {
        model: 'claude-sonnet-4-5-20250929',
        max_tokens: 10_000,
        temperature: 1,
        thinking: { type: 'enabled', budget_tokens: 8000 },
      },
    ],
    'Claude that decides itself': [
      () => claude('claude-opus-4-7-thinking', { temperature: 0.5, top_p: 0.9 }),
      { model: 'claude-opus-4-7', max_tokens: 4000, ...adaptive },
    ],
    'Claude on Bedrock': [
      () => {
        const content = [{ type: 'text', text: 'hi' }]
        const usage = { input_tokens: 1, output_tokens: 1 }
        const answer = { id: 'msg_1', type: 'message', role: 'assistant', model: BEDROCK, content, usage }
        gateway.upstream.script({ body: { ...answer, stop_reason: 'end_turn' } })
        return chat('claude-sonnet-4-5-thinking', { max_tokens: 500 }, aws)
      },
      {
        anthropic_version: 'bedrock-2023-05-31',
        max_tokens: 1280,
        thinking: { type: 'enabled', budget_tokens: 1024 },
      },
    ],
    'Gemini 2.5': [
      () => gemini('gemini-2.5-pro-thinking'),
      { generationConfig: { thinkingConfig: { thinkingBudget: -1, includeThoughts: true } } },
    ],
    'Gemini 3': [
      () => gemini('gemini-3-flash-preview-thinking'),
      { generationConfig: { thinkingConfig: { thinkingLevel: 'high', includeThoughts: true } } },
    ],
    'a style of the operator': [
      () => chat('deepseek-r1-thinking'),
      { model: 'deepseek-reasoner', thinking: { type: 'enabled' } },
    ],
    'what the body says wins': [
      () => chat('gpt-5-thinking', { reasoning_effort: 'low' }),
      { model: 'gpt-5', reasoning_effort: 'low' },
    ],
    'what the string says wins over both': [
      () => chat('gpt-5-thinking?reasoning_effort=minimal', { reasoning_effort: 'low' }),
      { model: 'gpt-5', reasoning_effort: 'minimal' },
    ],
    'thinking of a Claude body wins': [
      () => claude('claude-sonnet-4-5-thinking', { thinking: { type: 'enabled', budget_tokens: 2000 } }),
      {
        model: 'claude-sonnet-4-5-20250929',
        max_tokens: 4000,
        thinking: { type: 'enabled', budget_tokens: 2000 },
      },
    ],
  }
  for (const [name, [ask, body]] of Object.entries(STYLES)) {
    test(name, async () => assert.deepEqual(await sent(ask()), body))
  }
})

test('R36: the catalog tells what supports the suffix and which prefixes a group takes', async () => {
  const { json } = await gateway.ask('/catalog/models', { key: null })
  const of = (id: string) => json.data.find((each: Json) => each.id === id)
  assert.deepEqual([of('claude-opus-4-7').supports_thinking, of('gpt-4o').supports_thinking], [true, false])
  assert.deepEqual(of('gpt-5').vendor_prefixes_by_group, { default: [], or: ['anthropic', 'openai'] })
})

test('R44: an outdated id works and says so; a display name is answered with its id', async () => {
  const told = await chat('old-model')
  assert.equal(told.status, 200)
  assert.equal(told.headers.get('deprecation'), `@${Date.parse('2026-01-31') / 1000}`)
  assert.equal(told.headers.get('sunset'), 'Sun, 31 Jan 2027 00:00:00 GMT')
  assert.equal((await chat('gpt-5')).headers.get('deprecation'), null)
  const { json } = await refused(chat('Claude Opus 4.7'), 404, 'model_not_found')
  assert.match(json.error.message, /claude-opus-4-7/)
})

test('R45: each case of an unknown model, before any call', async () => {
  const { json } = await refused(chat('gpt-40'), 404, 'model_not_found')
  assert.match(json.error.message, /gpt-4o/)
  assert.equal(json.error.param, 'model')
  await refused(chat('gpt-4o', {}, routed), 403, 'model_not_allowed')
  await refused(chat('off-model'), 503, 'no_available_backend')
  assert.equal((await claude('gpt-40')).json.error.type, 'not_found_error')
  assert.equal((await gemini('gpt-40')).json.error.status, 'NOT_FOUND')
})
