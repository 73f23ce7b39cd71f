/** M15: every path that spends is metered and asks the key's list, made of the tables of routes: a new path is tried without a word here. That it asks for a key and for money: access.test.ts. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FIXED_PATHS, GEMINI_PREFIXES } from '#data-plane/1-receive/operations.ts'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

const HELLO = [{ role: 'user', content: 'hi' }]
const CONTENT = { parts: [{ text: 'hi' }] }
const BODIES: Readonly<Record<string, Json>> = {
  'openai-chat': { model: MODELS.chat.id, messages: HELLO },
  'openai-responses': { model: MODELS.chat.id, input: 'hi' },
  'openai-embeddings': { model: MODELS.embedding.id, input: 'hi' },
  'anthropic-messages': { model: MODELS.messages.id, max_tokens: 9, messages: HELLO },
}
const GEMINI_ACTIONS = ['generateContent', 'streamGenerateContent', 'countTokens', 'embedContent', 'batchEmbedContents']

interface Tried {
  readonly path: string
  readonly body: Json
  readonly isFree: boolean
}

const TRIED: readonly Tried[] = [
  ...[...FIXED_PATHS].flatMap(([path, { surface, operation }]) => {
    const one = { path, body: BODIES[surface], isFree: operation === 'count' }
    const streams = operation === 'generate' ? [{ ...one, body: { ...one.body, stream: true } }] : []
    return [one, ...streams]
  }),
  ...GEMINI_PREFIXES.flatMap((prefix) =>
    GEMINI_ACTIONS.map((action) => {
      const { id } = action.includes('mbed') ? MODELS.geminiEmbedding : MODELS.gemini
      const one = { contents: [{ role: 'user', ...CONTENT }] }
      const body =
        action === 'batchEmbedContents'
          ? { requests: [{ model: `models/${id}`, content: CONTENT }] }
          : action === 'embedContent'
            ? { content: CONTENT }
            : one
      return { path: `${prefix}${id}:${action}`, body, isFree: action === 'countTokens' }
    }),
  ),
]

/** Paths of providers that nobody here passes on. */
const NOT_PASSED = [
  'completions',
  'images/generations',
  'images/edits',
  'audio/speech',
  'audio/transcriptions',
  'audio/translations',
  'moderations',
  'files',
  'batches',
  'uploads',
  'fine_tuning/jobs',
  'vector_stores',
  'assistants',
  'threads',
  'realtime/sessions',
  'videos',
  'rerank',
  'messages/batches',
  'complete',
]

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const title = ({ path, body }: Tried): string => `${path}${body.stream ? ', streamed' : ''}`

test('M15: the inventory is what the gateway serves', () => {
  assert.ok(TRIED.length >= 60, String(TRIED.length))
  for (const { path, body } of TRIED) assert.ok(body, path)
})

test('M15: with money each path that spends makes one entry and one row of it, and counting makes none', async () => {
  for (const tried of TRIED) {
    const { key, accountId } = await gateway.fund({ credit: '1' })
    const calls = gateway.upstream.count()
    const told = await gateway.ask(tried.path, { key, body: tried.body })
    assert.equal(told.status, 200, `${title(tried)}: ${told.text.slice(0, 300)}`)
    assert.ok(gateway.upstream.count() > calls || tried.isFree, title(tried))
    const usage = (await gateway.ledger(accountId)).filter(({ type }: Json) => type === 'usage')
    const [row, ...more] = await gateway.logs(accountId)
    assert.equal(more.length, 0, title(tried))
    if (tried.isFree) {
      assert.deepEqual([usage.length, row.charged_cost], [0, null], title(tried))
      continue
    }
    assert.equal(usage.length, 1, title(tried))
    assert.ok(Number(row.charged_cost) > 0, title(tried))
    assert.equal(usage[0].amount, `-${row.charged_cost}`, title(tried))
    const account = await gateway.account(accountId)
    assert.equal(account.held, '0')
  }
})

test('M15: a key that may use another model is refused on each of them, before any call', async () => {
  for (const tried of TRIED) {
    const { key, accountId } = await gateway.fund({ credit: '1', newKey: { model_whitelist: ['another-model'] } })
    const calls = gateway.upstream.count()
    const told = await gateway.ask(tried.path, { key, body: tried.body })
    assert.equal(told.status, 403, `${title(tried)}: ${told.text.slice(0, 300)}`)
    assert.equal(gateway.upstream.count(), calls, title(tried))
    assert.equal((await gateway.account(accountId)).balance, '1')
  }
})

test('M15: what is not in the inventory reaches no upstream, whoever asks', async () => {
  const calls = gateway.upstream.count()
  for (const prefix of ['/v1', '/api/v1', '/v1beta', '/openai/v1', '/anthropic/v1'])
    for (const path of NOT_PASSED)
      for (const method of ['POST', 'GET', 'PUT'] as const) {
        const body = method === 'GET' ? {} : { body: BODIES['openai-chat'] }
        const { status, text } = await gateway.ask(`${prefix}/${path}`, { method, ...body })
        assert.ok(status >= 400 && status < 500, `${method} ${prefix}/${path}: ${status} ${text.slice(0, 200)}`)
      }
  assert.equal(gateway.upstream.count(), calls)
})

test('M15: no route of the control plane asks an upstream', async () => {
  const { json } = await gateway.ask('/api/openapi.json', { key: null })
  const calls = gateway.upstream.count()
  const paths = Object.entries(json.paths as Record<string, Record<string, Json>>)
  let count = 0
  for (const [path, methods] of paths)
    for (const method of Object.keys(methods)) {
      if (path.includes('export')) continue
      const body = method === 'get' ? {} : { body: { ...BODIES['openai-chat'], name: 'x', amount: '1' } }
      const filled = path.replace(/\{rest\}/g, MODELS.chat.id).replace(/\{\w+\}/g, 'x')
      for (const key of [gateway.key, gateway.masterKey])
        await gateway.ask(filled, { method: method.toUpperCase(), key, ...body })
      count++
    }
  assert.ok(count > 60, String(count))
  assert.equal(gateway.upstream.count(), calls)
})
