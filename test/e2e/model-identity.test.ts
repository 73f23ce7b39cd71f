import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Json, model, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What a model is called, what it costs then, and what stands in the lists (R24, R27, R28, R32, R35, R42, R44). */

const WAIT_MS = 5000
const messages = [{ role: 'user', content: 'hi' }]
const chat = (gateway: TestGateway, id: string | undefined, rest: object = {}, key = gateway.key): Promise<Told> =>
  gateway.ask('/v1/chat/completions', { key, body: { ...(id === undefined ? {} : { model: id }), messages, ...rest } })
const last = (gateway: TestGateway) => gateway.upstream.received.at(-1)!
const openrouter = (url: string) => ({ type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'k' })
const codeOf = ({ status, json }: Told) => [status, json.error?.code]

suite('R24: a request that names no model', () => {
  const gemini = { contents: [{ parts: [{ text: 'hi' }] }] }

  test('R24: is refused on each surface, unless the operator forces one', async () => {
    await using gateway = await startTestGateway()
    const bodies = {
      '/v1/chat/completions': { messages },
      '/v1/responses': { input: 'hi' },
      '/v1/messages': { max_tokens: 9, messages },
      '/v1/embeddings': { input: 'hi' },
    }
    for (const [path, body] of Object.entries(bodies)) {
      const { status, text } = await gateway.ask(path, { body })
      assert.equal(status, 400, path)
      assert.match(text, /names no model/)
    }
    const row = (await gateway.logs()).find(({ error_code: code }: Json) => code === 'missing_model')
    assert.deepEqual([row.requested_model, row.status], [null, 'rejected'])
    await using forced = await startTestGateway({ flags: { 'force-model': 'gpt-test', 'disable-auth': true } })
    for (const [path, body] of Object.entries(bodies)) {
      // Embeddings are exempt (R41).
      if (path === '/v1/embeddings') assert.deepEqual(codeOf(await forced.ask(path, { body })), [400, 'missing_model'])
      else assert.equal((await forced.ask(path, { body })).status, 200, path)
    }
    assert.equal(last(forced).fields['model'], 'gpt-upstream-2026')
  })

  test('R24: in a Gemini path the name may have models/ before it, and a name in the body is nobody’s', async () => {
    await using gateway = await startTestGateway()
    for (const path of ['gemini-test', 'models%2Fgemini-test'])
      assert.equal(
        (await gateway.ask(`/v1beta/models/${path}:generateContent`, { body: { ...gemini, model: 'other' } })).status,
        200,
        path,
      )
  })

  test('R42: means the group’s model, else that of the default backend', async () => {
    await using gateway = await startTestGateway({
      config: (url) => ({
        models: [model('small'), model('large')] as Json,
        routes: ['small', 'large'].map((id) => ({ model: id, backend: 'openai' })) as Json,
        groups: { default: { default_model: 'small' }, open: { allow_default_backend: true }, closed: {} },
        default_backend: 'openrouter:openai/gpt-4o' as Json,
        backends: { openrouter: { ...openrouter(url) } },
        billing: { mode: 'off' },
      }),
    })
    const told = await chat(gateway, undefined)
    assert.deepEqual([told.status, told.json.model, last(gateway).fields['model']], [200, 'small', 'small'], told.text)
    assert.equal((await chat(gateway, 'large')).json.model, 'large')
    const keyOf = async (group: string) => (await gateway.fund({ newKey: { groups: [group, 'default'] } })).key
    // The default backend is pinned by its name, which a group has to reach.
    const { key } = await gateway.fund({ newKey: { groups: ['open'] } })
    assert.deepEqual(codeOf(await chat(gateway, undefined, {}, key)), [403, 'backend_not_allowed'])
    assert.deepEqual(codeOf(await chat(gateway, undefined, {}, await keyOf('closed'))), [400, 'missing_model'])
    assert.deepEqual(codeOf(await gateway.ask('/v1/embeddings', { body: { input: 'hi' } })), [400, 'missing_model'])
    await using single = await startTestGateway({
      config: (url) => ({
        default_backend: 'openrouter:openai/gpt-4o?temperature=0.5' as Json,
        backends: { openrouter: openrouter(url) },
      }),
      flags: { 'disable-auth': true },
    })
    assert.equal((await chat(single, undefined)).status, 200)
    assert.deepEqual([last(single).fields['model'], last(single).fields['temperature']], ['openai/gpt-4o', 0.5])
  })
})

suite('vendor prefixes', () => {
  const start = (rest: object = {}) =>
    startTestGateway({
      config: (url) => ({
        models: [
          model('gpt-5', { capabilities: ['tools', 'reasoning'] }),
          model('claude-opus-4-7', { vendor: 'anthropic' }),
        ] as Json,
        routes: [
          { model: 'gpt-5', backend: 'openrouter', upstream_model: 'openai/gpt-5', group: 'or' },
          { model: 'claude-opus-4-7', backend: 'anthropic', group: 'claude' },
        ] as Json,
        groups: { or: { backends: ['openrouter'] }, claude: {} },
        backends: { openrouter: openrouter(url) },
        ...rest,
      }),
    })

  test('R27: what only OpenRouter knows costs what OpenRouter says, to the nano-dollar', async () => {
    await using gateway = await start()
    const { key, accountId } = await gateway.fund({ newKey: { groups: ['or'] } })
    const answer = (cost: number) => ({
      id: 'gen-1',
      object: 'chat.completion',
      model: 'meta-llama/llama-3-70b-instruct',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 20, completion_tokens: 4, total_tokens: 24, cost },
    })
    for (const [id, cost, booked] of [
      ['meta-llama/llama-3-70b-instruct', 0.001234567, '0.001234567'],
      ['anthropic/claude-3-haiku:beta', 0.0000004, '0.0000004'],
      ['deepseek/deepseek-r1:free', 0, '0'],
    ] as const) {
      const before = BigInt(Math.round(Number((await gateway.account(accountId)).balance) * 1e9))
      gateway.upstream.script({ body: answer(cost) })
      const told = await chat(gateway, id, {}, key)
      assert.deepEqual([told.status, last(gateway).fields['model']], [200, id], told.text)
      assert.deepEqual([told.json.usage.cost, told.headers.get('x-gateway-cost')], [cost, booked])
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.equal(row.charged_cost, booked)
      const after = BigInt(Math.round(Number((await gateway.account(accountId)).balance) * 1e9))
      assert.equal(before - after, BigInt(Math.round(cost * 1e9)))
    }
    gateway.upstream.script({ status: 404, body: { error: { code: 404, message: 'No endpoints found.' } } })
    const unknown = await chat(gateway, 'vendor/unknown', {}, key)
    assert.equal(unknown.status, 404)
    assert.match(unknown.json.error.message, /No endpoints found/)
  })

  test('R28: a group with OpenRouter lists both forms, in each dialect; another one bare ids only', async () => {
    await using gateway = await start()
    const idsOf = async (groups: string[]) => {
      const { key } = await gateway.fund({ newKey: { groups } })
      const [plain, claude, router] = await Promise.all([
        gateway.ask('/v1/models', { key }),
        gateway.ask('/v1/models', { key, headers: { 'anthropic-version': '2023-06-01' } }),
        gateway.ask('/api/v1/models', { key }),
      ])
      const { json: google } = await gateway.ask('/v1beta/models', { key })
      const ids = [plain!, claude!, router!].map(({ json }) => json.data.map(({ id }: Json) => id))
      ids.push(google.models.map(({ name }: Json) => name.replace('models/', '')))
      for (const each of ids) assert.deepEqual(each, ids[0])
      return { ids: ids[0], key }
    }
    const { ids, key } = await idsOf(['or'])
    assert.deepEqual(ids, ['gpt-5', 'openai/gpt-5'])
    for (const id of ids) assert.equal((await chat(gateway, id, {}, key)).status, 200)
    const { json } = await gateway.ask('/v1/models/openai/gpt-5', { key })
    assert.deepEqual([json.id, json.owned_by, json.input_price], ['openai/gpt-5', 'openai', '3'])
    assert.deepEqual((await idsOf(['claude'])).ids, ['claude-opus-4-7'])
    const { json: catalog } = await gateway.ask('/catalog/models', { key: null })
    assert.ok(!catalog.data.some(({ id }: Json) => id === 'openai/gpt-5'))
  })

  test('R28: vendor_prefix_policy reject answers with the bare id; a foreign vendor is unknown under both', async () => {
    for (const policy of ['strip', 'reject']) {
      await using gateway = await start({ routing: { vendor_prefix_policy: policy } })
      const { key } = await gateway.fund({ newKey: { groups: ['claude'] } })
      const own = await chat(gateway, 'anthropic/claude-opus-4-7', {}, key)
      if (policy === 'strip') assert.equal(last(gateway).fields['model'], 'claude-opus-4-7')
      else assert.deepEqual(codeOf(own), [404, 'model_not_found'])
      if (policy === 'reject') assert.match(own.json.error.message, /"claude-opus-4-7"/)
      const calls = gateway.upstream.count()
      assert.deepEqual(codeOf(await chat(gateway, 'google/claude-opus-4-7', {}, key)), [404, 'model_not_found'])
      assert.equal(gateway.upstream.count(), calls)
    }
  })
})

test('R34: thinking.budget: what the suffix asks for of models that take a number', async () => {
  const reasons = { capabilities: ['thinking'] }
  await using gateway = await startTestGateway({
    config: (url) => ({
      thinking: { budget: 3000 } as Json,
      models: [
        model('claude-sonnet-4-5', { vendor: 'anthropic', ...reasons }),
        model('gemini-2.5-pro', { vendor: 'google', ...reasons }),
        model('gpt-5', reasons),
        model('or/reasoner', reasons),
      ] as Json,
      routes: [
        { model: 'claude-sonnet-4-5', backend: 'anthropic' },
        { model: 'gemini-2.5-pro', backend: 'gemini' },
        { model: 'gpt-5', backend: 'openai' },
        { model: 'or/reasoner', backend: 'openrouter' },
      ] as Json,
      backends: { openrouter: openrouter(url) },
    }),
  })
  const claude = async (id: string, limit: number) => {
    const body = { model: id, max_tokens: limit, messages }
    assert.equal((await gateway.ask('/v1/messages', { body })).status, 200)
    const { max_tokens: sent, thinking } = last(gateway).fields as Json
    return [sent, thinking.budget_tokens]
  }
  assert.deepEqual(await claude('claude-sonnet-4-5-thinking', 8000), [8000, 3000])
  assert.deepEqual(await claude('claude-sonnet-4-5-thinking', 2000), [2000, 1744])
  assert.deepEqual(await claude('claude-sonnet-4-5-thinking', 9), [1280, 1024])
  assert.deepEqual(await claude('claude-sonnet-4-5-thinking?reasoning_effort=medium', 8000), [8000, 4000])
  const body = { contents: [{ parts: [{ text: 'hi' }] }] }
  await gateway.ask('/v1beta/models/gemini-2.5-pro-thinking:generateContent', { body })
  assert.equal((last(gateway).fields as Json).generationConfig.thinkingConfig.thinkingBudget, 3000)
  await chat(gateway, 'or/reasoner-thinking')
  assert.deepEqual(last(gateway).fields['reasoning'], { max_tokens: 3000 })
  await chat(gateway, 'gpt-5-thinking')
  assert.deepEqual([last(gateway).fields['reasoning_effort'], last(gateway).fields['reasoning']], ['high', undefined])
})

test('R35: reasoning is output, counted once and billed once', async () => {
  await using gateway = await startTestGateway()
  const text = { role: 'model', parts: [{ text: 'hello' }] }
  gateway.upstream.script({
    body: {
      candidates: [{ index: 0, content: text, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 10, thoughtsTokenCount: 90, totalTokenCount: 110 },
    },
  })
  const apart = await chat(gateway, 'gemini-test')
  gateway.upstream.script({
    body: {
      id: 'c',
      object: 'chat.completion',
      model: 'x',
      choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 100,
        total_tokens: 110,
        completion_tokens_details: { reasoning_tokens: 90 },
      },
    },
  })
  const within = await chat(gateway, 'gpt-test')
  for (const told of [apart, within]) {
    const { completion_tokens: output, completion_tokens_details: details } = told.json.usage
    assert.deepEqual([told.status, output, details.reasoning_tokens], [200, 100, 90], told.text)
    // 10 x 3 + 100 x 15 per million.
    assert.equal(told.headers.get('x-gateway-cost'), '0.00153')
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.charged_cost, row.tokens.output, row.tokens.reasoning], ['0.00153', 100, 90])
  }
})

test('R44: a name that moves says so in the lists, and others do not', async () => {
  const routes = ['gpt-5', 'chatgpt-4o-latest', 'latest-news', '~openai/gpt-latest']
  await using gateway = await startTestGateway({
    config: {
      models: routes.map((id) => model(id)) as Json,
      routes: routes.map((id) => ({ model: id, backend: 'openai' })) as Json,
    },
  })
  for (const path of ['/v1/models', '/api/v1/models']) {
    const { json } = await gateway.ask(path)
    const ours = json.data.filter(({ id }: Json) => routes.includes(id))
    const flagged = ours.filter((each: Json) => 'alias' in each).map((each: Json) => [each.id, each.alias])
    assert.deepEqual(
      flagged,
      [
        ['chatgpt-4o-latest', true],
        ['~openai/gpt-latest', true],
      ],
      path,
    )
  }
})

test('R32: the debug log says what was overridden by what, and no values', async () => {
  await using gateway = await startTestGateway({
    config: (url) => ({
      logging: { level: 'debug', file: 'gateway.log' },
      models: [model('m'), model('f')] as Json,
      routes: [
        { model: 'm', backend: 'plain', default_params: { temperature: 0.8, top_p: 0.9, seed: 5 } },
        { model: 'f', backend: 'forced' },
      ] as Json,
      backends: {
        plain: { type: 'openai-compatible', api_url: `${url}/v1`, api_key: 'k' },
        forced: {
          type: 'openai-compatible',
          api_url: `${url}/v1`,
          api_key: 'k',
          extra: { force: { temperature: 0.125, user: 'x' } },
        },
      },
    }),
  })
  const file = join(dirname(gateway.configFile), 'gateway.log')
  const overridden = async (told: Told): Promise<Json> => {
    const id = told.headers.get('x-request-id')!
    const line = await eventually('the line', WAIT_MS, async () =>
      readFileSync(file, 'utf8')
        .split('\n')
        .find((each) => each.includes(id) && each.includes('overridden')),
    )
    assert.doesNotMatch(line, /0\.125|0\.8\b/)
    return JSON.parse(line).overridden
  }
  assert.deepEqual(
    await overridden(await chat(gateway, 'm?temperature=0.5&top_k=4', { temperature: 0.2, top_p: 0.5 })),
    [
      { parameter: 'temperature', by: 'body', over: 'default' },
      { parameter: 'top_p', by: 'body', over: 'default' },
      { parameter: 'temperature', by: 'model string', over: 'body' },
    ],
  )
  assert.deepEqual(await overridden(await chat(gateway, 'm?seed=7')), [
    { parameter: 'seed', by: 'model string', over: 'default' },
  ])
  assert.deepEqual(await overridden(await chat(gateway, 'f?temperature=0.5', { user: 'y' })), [
    { parameter: 'temperature', by: 'backend', over: 'request' },
    { parameter: 'user', by: 'backend', over: 'request' },
  ])
})
