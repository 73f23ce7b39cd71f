/** M8, R91: an answer that says nothing and ends without a reason, in an error or in a filter costs its account nothing. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Reply } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const json = { 'content-type': 'application/json' }
const data = (value: object): string => `data: ${JSON.stringify(value)}\n\n`
const event = (value: { type: string }): string => `event: ${value.type}\n${data(value)}`
const HELLO = [{ role: 'user', content: 'Hello' }]
const LIMIT = 50

/** An answer without content that billed 1000 tokens of prompt, on each surface. */
interface Surface {
  readonly path: (stream: boolean) => string
  readonly body: (stream: boolean) => object
  readonly answer: (finish: string | null, stream: boolean) => Reply
  readonly filter: string
}

const chatUsage = { prompt_tokens: 1000, completion_tokens: 0, total_tokens: 1000 }
const SURFACES: Record<string, Surface> = {
  chat: {
    path: () => '/v1/chat/completions',
    body: (stream) => ({ model: MODELS.chat.id, messages: HELLO, max_tokens: LIMIT, stream }),
    filter: 'content_filter',
    answer: (finish_reason, stream) => {
      const head = { id: 'c', created: 1, model: 'm' }
      if (!stream) {
        const choices = [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason }]
        return { body: { ...head, object: 'chat.completion', choices, usage: chatUsage }, headers: json }
      }
      const chunk = { ...head, object: 'chat.completion.chunk' }
      const end = data({ ...chunk, choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason }] })
      return { frames: [end, data({ ...chunk, choices: [], usage: chatUsage }), 'data: [DONE]\n\n'] }
    },
  },
  messages: {
    path: () => '/v1/messages',
    body: (stream) => ({ model: MODELS.messages.id, messages: HELLO, max_tokens: LIMIT, stream }),
    filter: 'refusal',
    answer: (stop_reason, stream) => {
      const usage = { input_tokens: 1000, output_tokens: 0 }
      const head = { id: 'msg', type: 'message', role: 'assistant', model: 'm', content: [], stop_sequence: null }
      if (!stream) return { body: { ...head, stop_reason, usage }, headers: json }
      return {
        frames: [
          event({ type: 'message_start', message: { ...head, stop_reason: null, usage } } as { type: string }),
          event({ type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage } as { type: string }),
          event({ type: 'message_stop' }),
        ],
      }
    },
  },
  gemini: {
    path: (stream) =>
      `/v1beta/models/${MODELS.gemini.id}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: () => ({
      contents: [{ role: 'user', parts: [{ text: 'Hello' }] }],
      generationConfig: { maxOutputTokens: LIMIT },
    }),
    filter: 'SAFETY',
    answer: (finishReason, stream) => {
      const usageMetadata = { promptTokenCount: 1000, totalTokenCount: 1000 }
      const body = {
        candidates: [{ index: 0, ...(finishReason && { finishReason }) }],
        usageMetadata,
        modelVersion: 'm',
      }
      return stream ? { frames: [data(body)] } : { body, headers: json }
    },
  },
}

async function ask(name: string, stream: boolean, finish: string | null, key: string): Promise<Told> {
  const { path, body, answer } = SURFACES[name]!
  gateway.upstream.script(answer(finish, stream))
  return gateway.ask(path(stream), { key, body: body(stream) })
}

for (const [name, { filter }] of Object.entries(SURFACES)) {
  for (const stream of [false, true]) {
    const kinds: [string, string | null][] = [
      ['a filter', filter],
      ['an error', 'error'],
      ['no reason', null],
    ]
    for (const [kind, finish] of kinds) {
      // Gemini's stream without a finish is one that broke off; its hold is voided as well.
      test(`M8: ${name}, ${stream ? 'streamed' : 'whole'}: nothing said and ${kind}: nothing is charged`, async () => {
        const { key, accountId } = await gateway.fund({ credit: '1' })
        const told = await ask(name, stream, finish, key)
        const account = await gateway.account(accountId)
        assert.deepEqual([account.balance, account.held], ['1', '0'], told.text)
        const requestId = told.headers.get('x-request-id')!
        const row = await gateway.log(requestId)
        if (row.status !== 'ok') return
        assert.deepEqual([row.charged_cost, row.list_cost], ['0', '0.003'], 'what the operator pays is told')
        assert.equal(told.headers.get('x-gateway-cost') ?? '0', '0')
        const entries: Json[] = await gateway.ledger(accountId)
        assert.ok(entries.every(({ type, amount }) => type === 'grant' || amount === '0'))
      })
    }

    test(`M8: ${name}, ${stream ? 'streamed' : 'whole'}: a limit that left no room is paid`, async () => {
      const { key, accountId } = await gateway.fund({ credit: '1' })
      const limit = name === 'chat' ? 'length' : name === 'messages' ? 'max_tokens' : 'MAX_TOKENS'
      await ask(name, stream, limit, key)
      assert.equal((await gateway.account(accountId)).balance, '0.997')
    })
  }
}

test('M8: an embedding has no completion, and is paid', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  await gateway.ask('/v1/embeddings', { key, body: { model: MODELS.embedding.id, input: 'a' } })
  assert.notEqual((await gateway.account(accountId)).balance, '1')
})

test('R91: billing.bill_empty charges them all the same', async () => {
  await using charging = await startTestGateway({ config: { billing: { bill_empty: true } } })
  const { key, accountId } = await charging.fund({ credit: '1' })
  const { path, body, answer } = SURFACES['chat']!
  charging.upstream.script(answer('content_filter', false))
  await charging.ask(path(false), { key, body: body(false) })
  assert.equal((await charging.account(accountId)).balance, '0.997')
})
