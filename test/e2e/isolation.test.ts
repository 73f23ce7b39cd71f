import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ATTEMPT_WINDOW_MS } from '#sessions/attempts.ts'
import { browserAt, person } from './browser.ts'
import { eventsOf, type Json, MODELS, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** S6: two who send the same see nothing of each other: no kept answer, no state, no header, and each pays for itself. */

interface Tenant {
  readonly name: string
  readonly accountId: string
  readonly key: string
}

/** Two backends that cost the same, both with a cache, so that a conversation has somewhere to stick to. */
const CACHING = {
  models: [{ id: 'sticky', vendor: 'anthropic', context_window: 200_000, max_output: 100, price: PRICE }],
  routes: ['anthropic', 'anthropic-2'].map((backend) => ({
    model: 'sticky',
    backend,
    upstream_model: `${backend}-up`,
  })),
}

/** Names that clients give upstream caches. */
const SALTED = [{ param: 'prompt_cache_key', action: 'salt' }]

let nowMs = Date.now()
let gateway: TestGateway
let pairs: (readonly [Tenant, Tenant])[]

async function organization(name: string): Promise<Tenant> {
  const owner = browserAt(gateway.url)
  nowMs += ATTEMPT_WINDOW_MS
  await owner.auth('/sign-up/email', person(`${name}@example.com`))
  const made = await owner.auth('/organization/create', { name, slug: name })
  await owner.auth('/organization/set-active', { organizationId: made.json.id })
  const { data, key } = (await owner.ask('POST', '/api/v1/keys', { name: 'team' })).json
  await gateway.admin('POST', `/api/admin/accounts/${data.account_id}/credits`, { amount: '10' })
  return { name, accountId: data.account_id, key }
}

async function account(name: string): Promise<Tenant> {
  return { name, ...(await gateway.fund({ credit: '10' })) }
}

before(async () => {
  gateway = await startTestGateway({
    now: () => nowMs,
    config: (upstreamUrl) => ({
      models: [
        ...[MODELS.chat, MODELS.messages].map(({ id }) => ({
          id,
          vendor: 'any',
          context_window: 100_000,
          max_output: 8000,
          capabilities: ['streaming', 'tools'],
          price: PRICE,
          params: SALTED,
        })),
        ...CACHING.models,
      ],
      routes: [
        { model: MODELS.chat.id, backend: 'openai', upstream_model: MODELS.chat.upstream },
        { model: MODELS.messages.id, backend: 'anthropic', upstream_model: MODELS.messages.upstream },
        ...CACHING.routes,
      ],
      backends: { 'anthropic-2': { type: 'anthropic', api_url: upstreamUrl, api_key: 'sk-ant-second' } },
    }),
  })
  await browserAt(gateway.url).auth('/sign-up/email', person('operator@example.com'))
  pairs = [
    [await account('one'), await account('two')],
    [await organization('acme'), await organization('globex')],
  ]
})
after(() => gateway.close())

/** Names of all headers, and the values of those that are no one's own. */
function shapeOf({ headers }: Told): Json {
  const own = /^(x-request-id|request-id|x-generation-id|date|content-length)$/
  return Object.fromEntries([...headers].map(([name, value]) => [name, own.test(name) ? '*' : value]))
}

const BODIES: readonly (readonly [path: string, body: object])[] = [
  ['/v1/chat/completions', { model: MODELS.chat.id, messages: [{ role: 'user', content: 'the same' }] }],
  ['/v1/responses', { model: MODELS.messages.id, input: 'the same' }],
  ['/v1/messages', { model: MODELS.messages.id, max_tokens: 9, messages: [{ role: 'user', content: 'the same' }] }],
]

describe('S6: two accounts, and two organisations', () => {
  test('S6: identical bodies, stream and not: each is asked upstream for itself, answered alike and charged for itself', async () => {
    for (const [first, second] of pairs) {
      for (const [path, plain] of BODIES) {
        for (const body of [plain, { ...plain, stream: true }]) {
          const told: Told[] = []
          for (const { key } of [first, second, first, second]) {
            const before = gateway.upstream.count()
            told.push(await gateway.ask(path, { key, body }))
            assert.equal(gateway.upstream.count(), before + 1, 'nothing is answered from what another one asked')
          }
          const [one, two, ...again] = told as [Told, Told, Told, Told]
          assert.equal(one.status, 200, one.text)
          for (const other of [two, ...again]) assert.deepEqual(shapeOf(other), shapeOf(one), `${path} ${first.name}`)
          assert.equal(new Set(told.map(({ headers }) => headers.get('x-request-id'))).size, 4)
        }
      }
      const bills = await Promise.all([first, second].map(({ accountId }) => gateway.ledger(accountId)))
      const charges = bills.map((entries) => entries.filter(({ type }) => type === 'usage').map(({ amount }) => amount))
      assert.deepEqual(charges[0], charges[1])
      assert.ok(charges[0]!.length >= 12)
    }
  })

  test('S6: the same idempotency key is another one for every account', async () => {
    for (const [first, second] of pairs) {
      for (const [path, body] of BODIES) {
        const headers = { 'idempotency-key': `same ${path}` }
        const ask = (key: string) => gateway.ask(path, { key, body, headers })
        const before = gateway.upstream.count()
        const [one, two] = [await ask(first.key), await ask(second.key)]
        assert.equal(gateway.upstream.count(), before + 2)
        assert.deepEqual(shapeOf(two), shapeOf(one))
        assert.equal(two.headers.get('idempotent-replayed'), null)
        const replayed = await ask(first.key)
        assert.equal(replayed.headers.get('idempotent-replayed'), 'true')
        assert.equal(gateway.upstream.count(), before + 2)
        // Another body under the same key: refused to its owner, and nothing to anybody else.
        const foreign = await gateway.ask(path, { key: second.key, body: { ...body, temperature: 0 }, headers })
        assert.deepEqual([foreign.status, foreign.text.includes('was used for another request')], [400, true])
      }
    }
  })

  test('S6: a stored response is continued, read and named by its account alone', async () => {
    for (const [first, second] of pairs) {
      const body = { model: MODELS.messages.id, input: 'a secret of one' }
      const stored = await gateway.ask('/v1/responses', { key: first.key, body })
      assert.equal(stored.status, 200, stored.text)
      const { id } = stored.json
      const before = gateway.upstream.count()
      const unknown = 'resp_0123456789abcdef0123456789abcdef'
      const messages = await Promise.all(
        [id, unknown].map(async (previous) => {
          const next = { ...body, previous_response_id: previous }
          const told = await gateway.ask('/v1/responses', { key: second.key, body: next })
          assert.ok(told.status === 400 || told.status === 404, told.text)
          return told.json.error.message.replaceAll(previous, '*').replace(/req_\w+/, '*')
        }),
      )
      assert.equal(messages[0], messages[1], 'somebody else’s is as unknown as one that never was')
      assert.equal(gateway.upstream.count(), before)
      for (const path of [`/v1/responses/${id}`, `/v1/responses/${id}/input_items`, `/api/v1/generation?id=${id}`]) {
        assert.equal((await gateway.ask(path, { key: second.key })).status, 404, path)
      }
      assert.equal((await gateway.ask(`/v1/responses/${id}`, { key: second.key, method: 'DELETE' })).status, 404)
      assert.equal((await gateway.ask(`/v1/responses/${id}`, { key: first.key })).status, 200)
      const own = await gateway.ask('/v1/responses', { key: first.key, body: { ...body, previous_response_id: id } })
      assert.equal(own.status, 200, own.text)
      assert.ok(gateway.upstream.received.at(-1)!.bytes.toString().includes('a secret of one'))
    }
  })

  test('S6, B5: where a conversation is cached is known to its account alone; cached tokens cost what the policy says', async () => {
    gateway.upstream.always({ usage: { input: 50, cacheRead: 20_000, cacheWrite: 0, output: 5, reasoning: 0 } })
    for (const [first, second] of pairs) {
      const turn = async ({ key }: Tenant) => {
        const body = {
          model: 'sticky',
          max_tokens: 9,
          messages: [{ role: 'user', content: 'the same conversation' }],
        }
        const headers = { 'x-gateway-metadata': 'enabled', 'x-session-id': 'shared name' }
        const told = await gateway.ask('/v1/messages', { key, body, headers })
        assert.equal(told.status, 200, told.text)
        return gateway.log(told.headers.get('x-request-id')!)
      }
      const opened = await turn(first)
      assert.equal(opened.cache_decision, null)
      const followed = await turn(first)
      assert.equal(followed.cache_decision?.decision, 'kept')
      const stranger = await turn(second)
      assert.equal(stranger.cache_decision, null, 'the cache of one is no reason for another')
      // 50 x 3 + 20000 x 0.30 + 5 x 15 USD per million, whoever's prompt filled the upstream's cache.
      for (const row of [opened, followed, stranger]) assert.equal(row.charged_cost, '0.006225')
    }
    gateway.upstream.always(undefined)
  })

  test('S6: nothing that names a tenant goes upstream, so that two of them look alike there', async () => {
    for (const [first, second] of pairs) {
      for (const [path, body] of BODIES) {
        const sent: Json[] = []
        for (const { key } of [first, second]) {
          await gateway.ask(path, { key, body })
          const { headers, bytes } = gateway.upstream.received.at(-1)!
          const text = JSON.stringify(headers) + bytes.toString()
          for (const { accountId, key: secret, name } of [first, second]) {
            for (const mark of [accountId, secret, `${name}@`]) assert.ok(!text.includes(mark), `${path}: ${mark}`)
          }
          sent.push({ headers, body: bytes.toString() })
        }
        assert.deepEqual(sent[1], sent[0], path)
        assert.ok(!sent[0].body.includes('prompt_cache_key'), 'none is made up by the gateway')
      }
    }
  })

  test('S6: the same prompt-cache key is another one upstream for every account, with a rule that salts it', async () => {
    for (const [first, second] of pairs) {
      const sentBy = async ({ key }: Tenant, path: string, asked: object): Promise<string> => {
        const { status, text } = await gateway.ask(path, { key, body: { prompt_cache_key: 'agent-1', ...asked } })
        assert.equal(status, 200, text)
        const sent = String(gateway.upstream.received.at(-1)!.fields['prompt_cache_key'])
        assert.match(sent, /^[\w-]{43}$/)
        return sent
      }
      const chat = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] }
      const own = await sentBy(first, '/v1/chat/completions', chat)
      assert.equal(await sentBy(first, '/v1/chat/completions', { ...chat, stream: true }), own)
      assert.equal(await sentBy(first, '/v1/responses', { model: MODELS.chat.id, input: 'hi' }), own)
      assert.notEqual(await sentBy(second, '/v1/chat/completions', chat), own)
    }
  })

  test('S6: a stream that is read by one is not heard by the other', async () => {
    const [first, second] = pairs[0]!
    const ask = ({ key, name }: Tenant) => {
      const messages = [{ role: 'user', content: `I am ${name}` }]
      return gateway.ask('/v1/chat/completions', { key, body: { model: MODELS.chat.id, stream: true, messages } })
    }
    gateway.upstream.always(({ fields }) => ({
      text: JSON.stringify(fields).includes('I am one') ? 'for one' : 'for two',
    }))
    const told = await Promise.all(Array.from({ length: 20 }, (_, at) => ask(at % 2 === 0 ? first : second)))
    for (const [at, { text }] of told.entries()) {
      const said = eventsOf(text)
        .map(({ choices }) => choices[0]?.delta?.content ?? '')
        .join('')
      assert.equal(said, at % 2 === 0 ? 'for one' : 'for two')
    }
    gateway.upstream.always(undefined)
  })
})
