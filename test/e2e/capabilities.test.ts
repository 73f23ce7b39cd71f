import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type Json, model, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What a model cannot do, for whom a cheaper one is enough, and who may not have it (R45, R74, R75). */

const messages = [{ role: 'user', content: 'hi' }]
const routed = (models: readonly { readonly id: string }[]): Record<string, Json> => ({
  models,
  routes: models.map(({ id }) => ({ model: id, backend: 'compatible' })),
})
const start = (models: readonly { readonly id: string }[], rest: object = {}, options: object = {}) =>
  startTestGateway({
    config: (url) => ({
      ...routed(models),
      backends: { compatible: { type: 'openai-compatible', api_url: `${url}/v1`, api_key: 'k' } },
      ...rest,
    }),
    ...options,
  })

suite('R74: what a model lacks', () => {
  const DATA = 'JVBERi0xLjQK'
  const parts = {
    '/v1/chat/completions': {
      audio: { type: 'input_audio', input_audio: { data: DATA, format: 'wav' } },
      files: { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${DATA}` } },
    },
    '/v1/responses': {
      audio: { type: 'input_audio', input_audio: { data: DATA, format: 'wav' } },
      files: { type: 'input_file', filename: 'a.pdf', file_data: `data:application/pdf;base64,${DATA}` },
    },
    '/v1/messages': {
      files: { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: DATA } },
    },
    gemini: {
      audio: { inlineData: { mimeType: 'audio/wav', data: DATA } },
      files: { inline_data: { mime_type: 'application/pdf', data: DATA } },
    },
  } as const
  const parameters = { type: 'object', properties: {} }
  const tools = {
    '/v1/chat/completions': [{ type: 'function', function: { name: 'look', parameters } }],
    '/v1/responses': [{ type: 'function', name: 'look', parameters }],
    '/v1/messages': [{ name: 'look', input_schema: parameters }],
    gemini: [{ functionDeclarations: [{ name: 'look' }] }],
  } as const
  type Surface = keyof typeof parts

  const ask = (gateway: TestGateway, surface: Surface, id: string, part: unknown, rest: object = {}): Promise<Told> => {
    const turn = [{ role: 'user', content: part === null ? 'hi' : [part] }]
    const bodies: Record<Surface, object> = {
      '/v1/chat/completions': { model: id, messages: turn },
      '/v1/responses': { model: id, input: turn },
      '/v1/messages': { model: id, max_tokens: 9, messages: turn },
      gemini: { contents: [{ parts: [part ?? { text: 'hi' }] }] },
    }
    const path = surface === 'gemini' ? `/v1beta/models/${id}:generateContent` : surface
    return gateway.ask(path, { body: { ...bodies[surface], ...rest } })
  }
  const poor = model('deepseek-r1', { input_modalities: ['text'], capabilities: ['reasoning'] })
  const rich = model('gpt-4o', {
    input_modalities: ['text', 'image', 'audio', 'file'],
    capabilities: ['tools'],
  })

  test('R74: tools, audio and files are refused on each surface, before any call, and what is missing is named', async () => {
    await using gateway = await start([poor, rich, model('guessed')])
    for (const surface of Object.keys(parts) as Surface[]) {
      const told = await ask(gateway, surface, 'deepseek-r1', null, { tools: tools[surface] })
      assert.equal(told.status, 400, surface)
      assert.match(told.text, /\\"deepseek-r1\\" has no tools/)
      for (const [need, part] of Object.entries(parts[surface])) {
        const refused = await ask(gateway, surface, 'deepseek-r1', part)
        assert.equal(refused.status, 400, `${surface} ${need}`)
        assert.match(refused.text, new RegExp(`takes no ${need}`))
      }
    }
    const chat = await ask(gateway, '/v1/chat/completions', 'deepseek-r1', null, {
      tools: tools['/v1/chat/completions'],
    })
    assert.deepEqual([chat.json.error.code, chat.json.error.param], ['unsupported_capability', 'tools'])
    assert.equal(gateway.upstream.count(), 0)
    for (const id of ['gpt-4o', 'guessed']) {
      const part = parts['/v1/chat/completions'].audio
      const told = await ask(gateway, '/v1/chat/completions', id, part, { tools: tools['/v1/chat/completions'] })
      assert.equal(told.status, 200, told.text)
    }
  })

  test('R74: a member of the chain that lacks it is skipped', async () => {
    await using gateway = await start([poor, rich])
    const path = '/v1/chat/completions'
    for (const [part, rest] of [
      [null, { tools: tools[path] }],
      [parts[path].audio, {}],
      [parts[path].files, {}],
    ] as const) {
      const told = await ask(gateway, path, 'deepseek-r1', part, { ...rest, models: ['gpt-4o'] })
      assert.deepEqual([told.status, told.json.model], [200, 'gpt-4o'], told.text)
      assert.equal((await gateway.log(told.headers.get('x-request-id')!)).attempts.length, 1)
    }
  })

  test('R74: what is not needed is not missed: empty lists, tools that an upstream runs itself, plain documents', async () => {
    await using gateway = await start([poor])
    for (const none of [[], null])
      assert.equal((await ask(gateway, '/v1/chat/completions', 'deepseek-r1', null, { tools: none })).status, 200)
    const hosted = { tools: [{ type: 'web_search' }] }
    assert.doesNotMatch((await ask(gateway, '/v1/responses', 'deepseek-r1', null, hosted)).text, /has no tools/)
    const plain = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'words' } }
    assert.doesNotMatch((await ask(gateway, '/v1/messages', 'deepseek-r1', plain)).text, /takes no files/)
    const spoken = { type: 'text', text: 'an {"type":"input_audio"} and "tools"' }
    assert.equal((await ask(gateway, '/v1/chat/completions', 'deepseek-r1', spoken)).status, 200)
  })
})

suite('R75: rules that send requests to another model', () => {
  const models = [model('gpt-5'), model('gpt-5-mini', { price: { input: 0.25, output: 2 } }), model('embedder')]
  const small = { name: 'short', when: { prompt_tokens_below: 500, tools: false }, model: 'gpt-5-mini' }
  const chat = (gateway: TestGateway, rest: object = {}, headers: Record<string, string> = {}, key = gateway.key) =>
    gateway.ask('/v1/chat/completions', { key, headers, body: { model: 'gpt-5', messages, ...rest } })
  const rowOf = (gateway: TestGateway, told: Told) => gateway.log(told.headers.get('x-request-id')!)
  const long = { messages: [{ role: 'user', content: 'word'.repeat(500) }] }

  test('R75: below 500 tokens without tools: the smaller model answers, is named, billed and logged', async () => {
    await using gateway = await start(models, { model_rules: [small] })
    const told = await chat(gateway)
    assert.deepEqual(
      [told.status, told.json.model, told.headers.get('x-gateway-model')],
      [200, 'gpt-5-mini', 'gpt-5-mini'],
      told.text,
    )
    const row = await rowOf(gateway, told)
    assert.deepEqual([row.rule, row.requested_model, row.model_id], ['short', 'gpt-5', 'gpt-5-mini'])
    const { prompt_tokens: input, completion_tokens: output } = told.json.usage
    assert.equal(Number(told.headers.get('x-gateway-cost')), (input * 0.25 + output * 2) / 1e6)
    const tools = [{ type: 'function', function: { name: 'look', parameters: { type: 'object' } } }]
    for (const rest of [{ tools }, { functions: [{ name: 'look' }] }, long, { request_context_tokens: 500 }]) {
      const other = await chat(gateway, rest)
      assert.equal(other.json.model, 'gpt-5', JSON.stringify(rest).slice(0, 80))
      assert.equal((await rowOf(gateway, other)).rule, null)
    }
    // Tokens that the client counted itself are believed.
    assert.equal((await chat(gateway, { ...long, request_context_tokens: 499 })).json.model, 'gpt-5-mini')
    const claude = { model: 'gpt-5', max_tokens: 9, messages }
    assert.equal((await gateway.ask('/v1/messages', { body: claude })).json.model, 'gpt-5-mini')
  })

  test('R75: by task, key, system and name; the first rule that is met; all conditions of it', async () => {
    await using gateway = await start([...models, model('gpt-5-nano')], {
      model_rules: [
        { name: 'simple', when: { task: 'simple', models: ['gpt-5'] }, model: 'gpt-5-nano' },
        { when: { keys: ['batch'] }, model: 'gpt-5-mini?seed=5' },
        { name: 'crm', when: { systems: ['crm'], models: ['gpt-*'] }, model: 'gpt-5-mini' },
      ],
    })
    const task = { 'x-gateway-task': 'simple' }
    assert.equal((await chat(gateway)).json.model, 'gpt-5')
    assert.equal((await chat(gateway, {}, { 'x-gateway-task': 'Simple' })).json.model, 'gpt-5')
    assert.equal((await chat(gateway, {}, task)).json.model, 'gpt-5-nano')
    assert.equal((await chat(gateway, { model: 'gpt-5?seed=25' }, task)).json.model, 'gpt-5-nano')
    // The parameters of the string go along.
    assert.equal(gateway.upstream.received.at(-1)!.fields['seed'], 25)
    const batch = await gateway.fund({ newKey: { name: 'batch' } })
    const told = await chat(gateway, { seed: 1 }, {}, batch.key)
    assert.deepEqual([told.json.model, (await rowOf(gateway, told)).rule], ['gpt-5-mini', 'model_rules[1]'])
    assert.equal(gateway.upstream.received.at(-1)!.fields['seed'], 5)
    assert.equal((await chat(gateway, {}, task, batch.key)).json.model, 'gpt-5-nano')
    const crm = await gateway.fund({ newKey: { system: 'crm' } })
    assert.equal((await rowOf(gateway, await chat(gateway, {}, {}, crm.key))).rule, 'crm')
    assert.equal((await chat(gateway, { model: 'embedder' }, {}, crm.key)).json.model, 'embedder')
  })

  test('R75: no rule leads where the key may not go; a forced model is above them; explain tells it', async () => {
    const routes = [...routed(models)['routes'], { model: 'gpt-5', backend: 'compatible', group: 'large' }]
    await using gateway = await start(models, { routes, groups: { large: {} }, model_rules: [small] })
    const { key } = await gateway.fund({ newKey: { groups: ['large'] } })
    const told = await chat(gateway, {}, {}, key)
    assert.deepEqual([told.json.model, (await rowOf(gateway, told)).rule], ['gpt-5', null])
    const body = { protocol: 'chat', body: { model: 'gpt-5', messages } }
    const { json } = await gateway.ask('/v1/route/explain', { body })
    assert.deepEqual([json.rule, json.model], ['short', 'gpt-5-mini'])
    await using forced = await start(models, { model_rules: [small] }, { flags: { 'force-model': 'gpt-5' } })
    assert.equal((await chat(forced)).json.model, 'gpt-5')
  })
})

test('R45: what needs a higher tier is a 403 that names it, is in no list, and is passed by in a chain', async () => {
  const models = [model('gpt-4o'), model('gpt-5', { min_tier: 'pro' }), model('acme-1')]
  const routes = [
    ...routed(models)['routes'].slice(0, 2),
    { model: 'acme-1', backend: 'compatible', upstream_model: 'slow' },
    { model: 'acme-1', backend: 'compatible', upstream_model: 'fast', min_tier: 'team', priority: -1 },
  ]
  const tiers = [{ name: 'free' }, { name: 'pro' }, { name: 'team' }]
  await using gateway = await start(models, { routes, tiers })
  const { key, accountId } = await gateway.fund()
  const chat = (id: string, rest: object = {}) =>
    gateway.ask('/v1/chat/completions', { key, body: { model: id, messages, ...rest } })
  const ours = async () => {
    const { json } = await gateway.ask('/v1/models', { key })
    return models.map(({ id }) => id).filter((id) => json.data.some((listed: Json) => listed.id === id))
  }
  for (const id of ['gpt-5', 'compatible:gpt-5', 'openai/gpt-5', 'gpt-5?top_p=1']) {
    const told = await chat(id)
    assert.deepEqual([told.status, told.json.error.code, told.json.error.param], [403, 'tier_required', 'model'], id)
    assert.match(told.json.error.message, /"pro"/)
  }
  assert.equal(gateway.upstream.count(), 0)
  assert.deepEqual(await ours(), ['gpt-4o', 'acme-1'])
  assert.equal((await chat('gpt-5|gpt-4o')).status, 403)
  assert.equal((await chat('gpt-4o', { models: ['gpt-5'] })).status, 200)
  assert.equal((await chat('acme-1')).status, 200)
  assert.equal(gateway.upstream.received.at(-1)!.fields['model'], 'slow')
  for (const [tier, name] of [
    ['pro', 'slow'],
    ['team', 'fast'],
  ]) {
    await gateway.admin('PATCH', `/api/admin/accounts/${accountId}`, { tier })
    assert.deepEqual(await ours(), ['gpt-4o', 'gpt-5', 'acme-1'])
    assert.equal((await chat('gpt-5')).status, 200)
    assert.equal((await chat('acme-1')).status, 200)
    assert.equal(gateway.upstream.received.at(-1)!.fields['model'], name)
  }
  const free = await gateway.fund()
  const body = { model: 'gpt-5', max_tokens: 9, messages }
  const claude = await gateway.ask('/v1/messages', { key: free.key, body })
  assert.deepEqual([claude.status, claude.json.error.type], [403, 'permission_error'])
})
