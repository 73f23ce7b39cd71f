import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { DEMANDS_MAX } from '#accounts/key-policy.ts'
import { type Json, PRICE, startTestGateway, type TestGateway } from './gateway.ts'
import { codeOf, type Name } from './surfaces.ts'

/** A key that may use some models only (R18, R54), and what it is shown. How it cannot be led around: test/faults/allow-list.test.ts. */

const ALLOWED = ['gpt-5-mini', 'claude-opus-4-7']
const words = [{ role: 'user', content: 'hi' }]
const model = (id: string) => ({ id, vendor: 'openai', context_window: 100_000, max_output: 1000, price: PRICE })

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({
    config: {
      model_aliases: [{ pattern: '^quick$', replacement: 'gpt-5-mini' }] as unknown as object,
      routing: { list_exact_aliases: true },
      models: [
        model('gpt-5-mini'),
        { ...model('claude-opus-4-7'), vendor: 'anthropic', capabilities: ['reasoning', 'tools'] },
        { ...model('gpt-5'), fallbacks: ['gpt-5-mini'] },
      ] as unknown as object,
      routes: [
        { model: 'gpt-5-mini', backend: 'openai' },
        { model: 'claude-opus-4-7', backend: 'anthropic' },
        { model: 'gpt-5', backend: 'openai' },
      ] as unknown as object,
    },
  })
})
after(() => gateway.close())

const asks: Readonly<Record<string, (id: string) => readonly [Name, string, object]>> = {
  chat: (id) => ['chat', '/v1/chat/completions', { model: id, messages: words }],
  messages: (id) => ['messages', '/v1/messages', { model: id, max_tokens: 2000, messages: words }],
  gemini: (id) => [
    'gemini',
    `/v1beta/models/${id}:generateContent`,
    { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
  ],
}

suite('R18: per-key model whitelist', () => {
  test('R18: what is on the list and its -thinking form is served, anything else is 403 before any call, on 3 surfaces', async () => {
    // A form sends names with commas between them.
    const { key, accountId, hash } = await gateway.fund({ newKey: { model_whitelist: ` ${ALLOWED.join(' , ')} ` } })
    assert.deepEqual((await gateway.admin('GET', `/api/v1/keys/${hash}`)).data.model_whitelist, ALLOWED)
    for (const [surface, ask] of Object.entries(asks)) {
      for (const id of [...ALLOWED, 'claude-opus-4-7-thinking', 'gpt-5-mini?temperature=0', 'quick']) {
        const [, path, body] = ask(encodeURI(id))
        const told = await gateway.ask(path, { key, body: { ...body, ...(surface !== 'gemini' && { model: id }) } })
        if (surface === 'gemini' && id.includes('?')) continue
        assert.equal(told.status, 200, `${surface} ${id}: ${told.text}`)
      }
      const [calls, entries] = [gateway.upstream.count(), (await gateway.ledger(accountId)).length]
      const [name, path, body] = ask('gpt-5')
      const refused = await gateway.ask(path, { key, body })
      assert.deepEqual([refused.status, codeOf(name, refused.json)], [403, 'model_not_allowed'], refused.text)
      assert.deepEqual([gateway.upstream.count(), (await gateway.ledger(accountId)).length], [calls, entries])
      const row = await gateway.log(refused.headers.get('x-request-id')!)
      assert.deepEqual([row.status, row.error_code, row.charged_cost], ['rejected', 'model_not_allowed', null])
    }
  })

  test('R18, R68: of the alternatives that a request names, those off the list are passed over', async () => {
    const { key } = await gateway.fund({ newKey: { model_whitelist: ['gpt-5-mini'] } })
    const body = { model: 'gpt-5-mini', models: ['gpt-5', 'claude-opus-4-7'], messages: words }
    const told = await gateway.ask('/v1/chat/completions', { key, body })
    assert.deepEqual([told.status, told.json.model], [200, 'gpt-5-mini'], told.text)
  })

  test('R18: tools and their schemas, strings with quotes and colons in them too, pass as from any key', async () => {
    const { key } = await gateway.fund({ newKey: { model_whitelist: ['gpt-5-mini'] } })
    const parameters = {
      type: 'object',
      properties: { model: { type: 'string', description: 'such as "model": \\ "a"' } },
    }
    const tools = [{ type: 'function', function: { name: 'car', description: 'its {"model":"gpt-5"}', parameters } }]
    const body = { model: 'gpt-5-mini', messages: words, tools, metadata: { model: 'gpt-5' } }
    const told = await gateway.ask('/v1/chat/completions', { key, body })
    assert.equal(told.status, 200, told.text)
    const claude = { name: 'car', input_schema: parameters, description: 'a: b' }
    const own = await gateway.fund({ newKey: { model_whitelist: ['claude-opus-4-7'] } })
    const message = { model: 'claude-opus-4-7', max_tokens: 9, messages: words, tools: [claude] }
    assert.equal((await gateway.ask('/v1/messages', { key: own.key, body: message })).status, 200)
  })

  test('R18: a list is changed and taken away from the next request on', async () => {
    const { key, hash } = await gateway.fund({ newKey: { model_whitelist: ['gpt-5'] } })
    const status = async (id: string) => (await gateway.ask(...chatOf(id, key))).status
    assert.deepEqual([await status('gpt-5'), await status('gpt-5-mini')], [200, 403])
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { model_whitelist: ['gpt-5-mini'] })
    assert.deepEqual([await status('gpt-5'), await status('gpt-5-mini')], [403, 200])
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { name: 'the list stays' })
    assert.equal(await status('gpt-5'), 403)
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { model_whitelist: null })
    assert.deepEqual([await status('gpt-5'), await status('gpt-5-mini')], [200, 200])
  })

  test('a list has a bound', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `model-${index}`)
    await gateway.fund({ newKey: { model_whitelist: names(DEMANDS_MAX) } })
    await assert.rejects(gateway.fund({ newKey: { model_whitelist: names(DEMANDS_MAX + 1) } }), /: 400/)
  })
})

const chatOf = (id: string, key: string) =>
  ['/v1/chat/completions', { key, body: { model: id, messages: words } }] as const

suite('R54: what a restricted key is shown', () => {
  test('R54: every list and every single model is of the key alone', async () => {
    const { key } = await gateway.fund({ newKey: { model_whitelist: ALLOWED } })
    const listed = async (path: string, headers = {}) => (await gateway.ask(path, { key, headers })).json
    const ids = (entries: Json[]) => entries.map(({ id }) => id).toSorted()
    const wanted = ALLOWED.toSorted()
    const own = (await listed('/v1/models')).data
    assert.deepEqual(ids(own.filter((each: Json) => !each.alias)), wanted)
    assert.deepEqual(
      own.filter((each: Json) => each.alias).map((each: Json) => [each.id, each.alias_of]),
      [['quick', 'gpt-5-mini']],
    )
    assert.deepEqual(ids((await listed('/v1/models', { 'anthropic-version': '2023-06-01' })).data), wanted)
    const gemini = (await listed('/v1beta/models')).models.map(({ name }: Json) => name.replace('models/', ''))
    assert.deepEqual(gemini.toSorted(), wanted)
    assert.equal((await listed('/api/v1/models')).data.length, wanted.length)
    assert.equal((await listed('/api/v1/models/user')).data.length, wanted.length)
    assert.equal((await listed('/api/v1/models/count')).data.count, wanted.length)
    for (const path of ['/v1/models/gpt-5', '/v1beta/models/gpt-5', '/api/v1/models/gpt-5/endpoints']) {
      const told = await gateway.ask(path, { key })
      assert.deepEqual([told.status, /"gpt-5"\?/.test(told.text)], [404, false], told.text)
    }
    // What is suggested in place of a misspelling is on the list, too.
    const misspelt = await gateway.ask(...chatOf('gpt-55', key))
    assert.equal(misspelt.status, 404)
    assert.ok(!misspelt.text.includes('"gpt-5"'), misspelt.text)
  })

  test('explanations refuse as requests do, and name no model that is off the list', async () => {
    const { key } = await gateway.fund({ newKey: { model_whitelist: ['gpt-5'] } })
    const other = await gateway.fund({ newKey: { model_whitelist: ALLOWED } })
    const resolved = await gateway.ask('/api/resolve?model=gpt-5', { key })
    assert.deepEqual([resolved.status, resolved.json.fallbacks], [200, []], resolved.text)
    assert.equal((await gateway.ask('/api/resolve?model=gpt-5', { key: other.key })).status, 403)
    const explain = (body: object, own: string) =>
      gateway.ask('/v1/route/explain', { key: own, body: { protocol: 'chat', body } })
    const told = await explain({ model: 'gpt-5', messages: words, models: ['gpt-5-mini'] }, key)
    assert.deepEqual([told.status, told.json.fallbacks], [200, []], told.text)
    assert.equal((await explain({ model: 'gpt-5', messages: words }, other.key)).status, 403)
    const image = { model: 'gpt-5-mini', messages: words, tools: [{ type: 'image_generation', model: 'gpt-5' }] }
    assert.equal((await explain(image, other.key)).status, 403)
  })
})
