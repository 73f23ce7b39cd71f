import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'
import { type Name, NAMES, SURFACES } from './surfaces.ts'

/** Keys of the environment `test` (B12): whatever they ask for is played by the simulator. */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({
    config: {
      failure_handling: { enabled: true, min_retry_wait: 0.01 },
      models: [
        ...[MODELS.chat.id, MODELS.messages.id, MODELS.gemini.id, 'second'].map((id) => ({
          id,
          context_window: 100_000,
          max_output: 8000,
          price: PRICE,
        })),
        { id: MODELS.embedding.id, capabilities: ['embeddings'], price: { input: 1 } },
      ] as unknown as object,
      routes: [
        { model: MODELS.chat.id, backend: 'openai' },
        { model: MODELS.chat.id, backend: 'other' },
        { model: 'second', backend: 'other' },
        { model: MODELS.messages.id, backend: 'anthropic' },
        { model: MODELS.gemini.id, backend: 'gemini' },
        { model: MODELS.embedding.id, backend: 'openai' },
      ] as unknown as object,
      backends: { other: { type: 'openai', api_url: 'http://127.0.0.1:1/v1', api_key: 'sk-2' } },
    },
  })
})
after(() => gateway.close())

const contents = [{ role: 'user', parts: [{ text: 'hi' }] }]
const words = [{ role: 'user', content: 'Grüße' }]

suite('B12: a key of the environment test', () => {
  test('reaches no provider on any surface, whole or streamed; nothing is charged, and the rows say test', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0', newKey: { environment: 'test' } })
    for (const name of NAMES) {
      for (const stream of [false, true]) {
        if (stream && ['embeddings', 'count', 'gemini'].includes(name)) continue
        const told = await ask(name, key, stream)
        assert.equal(told.status, 200, `${name}: ${told.text}`)
      }
    }
    const gemini = `/v1beta/models/${MODELS.gemini.id}:streamGenerateContent`
    assert.equal((await gateway.ask(gemini, { key, body: { contents } })).status, 200)
    const chat = (model: string) =>
      gateway.ask(SURFACES.chat.path, { key, body: { model, messages: words, models: ['second'] } })
    for (const model of [`second|${MODELS.chat.id}`, `hybrid:[second,${MODELS.chat.id}]`, 'other:second']) {
      const told = await chat(model)
      assert.equal(told.status, 200, `${model}: ${told.text}`)
    }
    assert.equal(gateway.upstream.count(), 0)
    const rows: Json[] = await gateway.logs(accountId)
    assert.ok(rows.length > 10)
    assert.deepEqual([...new Set(rows.map((row) => row.environment))], ['test'])
    assert.ok(rows.every((row) => row.fault === null && (row.charged_cost ?? '0') === '0'))
    assert.equal((await gateway.account(accountId)).balance, '0')
  })

  test('may have faults played with real models, one attempt alone if it wishes so', async () => {
    const { key, accountId } = await gateway.fund({ credit: '0', newKey: { environment: 'test' } })
    const play = (headers: Record<string, string>) =>
      gateway.ask(SURFACES.chat.path, { key, headers, body: { model: MODELS.chat.id, messages: words } })
    assert.equal((await play({ 'x-fault': 'error-in-200' })).status, 502)
    const told = await play({ 'x-fault': '503', 'x-fault-attempt': '1' })
    assert.deepEqual([told.status, told.headers.get('x-gateway-attempts')], [200, '2'], told.text)
    assert.equal(told.json.choices[0].message.content, 'Grüße')
    assert.equal(told.headers.get('x-gateway-warnings'), null)
    assert.deepEqual(
      (await gateway.logs(accountId)).map((row) => [row.fault, row.environment]),
      [
        ['503', 'test'],
        ['error-in-200', 'test'],
      ],
    )
    assert.equal(gateway.upstream.count(), 0)
    assert.ok((await gateway.ledger(accountId)).every((entry) => entry.amount === '0'))
  })

  test('is one from the next request on, and none again when it is changed back', async () => {
    const { key, hash } = await gateway.fund()
    const reached = async () => {
      const since = gateway.upstream.count()
      assert.equal((await ask('messages', key, false)).status, 200)
      return gateway.upstream.count() - since
    }
    assert.equal((await gateway.admin('GET', `/api/v1/keys/${hash}`)).data.environment, 'production')
    assert.equal(await reached(), 1)
    const { data } = await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { environment: 'test' })
    assert.equal(data.environment, 'test')
    assert.equal(await reached(), 0)
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { name: 'still a test key' })
    assert.equal(await reached(), 0)
    await gateway.admin('PATCH', `/api/v1/keys/${hash}`, { environment: 'production' })
    assert.equal(await reached(), 1)
    await assert.rejects(gateway.admin('PATCH', `/api/v1/keys/${hash}`, { environment: 'staging' }), /: 400/)
  })
})

function ask(name: Name, key: string, stream: boolean) {
  const { path, body } = SURFACES[name]
  const text = 'messages' in body ? { messages: words } : 'contents' in body ? { contents } : {}
  return gateway.ask(path, { key, body: { ...body, ...text, ...(stream && { stream: true }) } })
}
