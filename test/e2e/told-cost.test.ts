/** R100: the cost that an answer tells is what its account is charged, also where it cost more than there was, said nothing, or came from another protocol. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { answerNatively, type Sold } from '#test/upstream/native.ts'
import type { Received, Reply } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const HELLO = [{ role: 'user', content: 'Hello' }]
const chat = (model: string, stream: boolean, prefix = ''): readonly [string, object] => [
  `${prefix}/v1/chat/completions`,
  { model, messages: HELLO, max_tokens: 100, stream, ...(stream && { stream_options: { include_usage: true } }) },
]
/** Those that tell a cost in their body. */
const CALLS: Readonly<Record<string, (stream: boolean) => readonly [string, object]>> = {
  chat: (stream) => chat(MODELS.chat.id, stream),
  openRouter: (stream) => chat(MODELS.chat.id, stream, '/api'),
  responses: (stream) => ['/v1/responses', { model: MODELS.chat.id, input: 'Hello', max_output_tokens: 100, stream }],
  'chat at Anthropic': (stream) => chat(MODELS.messages.id, stream),
  'chat at Gemini': (stream) => chat(MODELS.gemini.id, stream),
  'openRouter at Anthropic': (stream) => chat(MODELS.messages.id, stream, '/api'),
  'responses at Anthropic': (stream) => [
    '/v1/responses',
    { model: MODELS.messages.id, input: 'Hello', max_output_tokens: 100, stream },
  ],
}
const SCOPES: Readonly<Record<string, { credit: string; newKey?: object }>> = {
  'the balance': { credit: '0.05' },
  'the key’s limit': { credit: '5', newKey: { limit: 0.05 } },
}

const selling =
  (sold: Sold, text = 'Hello there.') =>
  (received: Received): Reply => {
    const native = answerNatively(received, { text, sold })!
    return native.frames ? { frames: native.frames } : { body: native.body! }
  }

/** The last cost in a body, as it stands there. */
function costIn({ text }: Told): bigint {
  const all = [...text.matchAll(/"cost":([\d.]+)/g)]
  assert.ok(all.length > 0, text.slice(-400))
  return parseUsd(all.at(-1)![1]!)!
}

for (const [name, callOf] of Object.entries(CALLS)) {
  for (const stream of [false, true]) {
    const kind = `${name}, ${stream ? 'streamed' : 'whole'}`
    const ask = async (
      sold: Sold,
      wish: object,
      text?: string,
    ): Promise<{ told: Told; row: Json; accountId: string }> => {
      const { key, accountId } = await gateway.fund(wish)
      gateway.upstream.script(selling(sold, text))
      const [path, body] = callOf(stream)
      const told = await gateway.ask(path, { key, body })
      assert.equal(told.status, 200, told.text)
      return { told, accountId, row: await gateway.log(told.headers.get('x-request-id')!) }
    }

    suite(`R100: ${kind}`, () => {
      for (const [what, wish] of Object.entries(SCOPES))
        test(`an answer that costs more than ${what} has tells what is charged, and the rest is absorbed`, async () => {
          const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 1_000_000, reasoning: 0 }
          const { told, row, accountId } = await ask(sold, wish)
          assert.deepEqual([row.charged_cost, row.list_cost], ['0.05', '15.00003'])
          assert.equal(row.absorbed_cost, '14.95003')
          assert.equal(costIn(told), 50_000_000n)
          if (!stream) assert.equal(told.headers.get('x-gateway-cost'), '0.05')
          const { balance, held } = await gateway.account(accountId)
          assert.deepEqual([parseUsd(balance), held], [parseUsd(wish.credit)! - 50_000_000n, '0'])
        })

      test('one that costs more than was held, and no more than there is, is charged in full', async () => {
        const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 1000, reasoning: 0 }
        const { told, row } = await ask(sold, { credit: '1' })
        assert.deepEqual([row.charged_cost, row.absorbed_cost], ['0.01503', '0'])
        assert.equal(costIn(told), 15_030_000n)
      })
    })
  }
}

suite('R100: an answer that said nothing', () => {
  const refused = ({ fields }: Received): Reply => {
    const usage = { input_tokens: 1000, output_tokens: 0 }
    const head = { id: 'msg', type: 'message', role: 'assistant', model: 'm', content: [], stop_sequence: null }
    if (fields.stream !== true) return { body: { ...head, stop_reason: 'refusal', usage } }
    const events = [
      { type: 'message_start', message: { ...head, stop_reason: null, usage } },
      { type: 'message_delta', delta: { stop_reason: 'refusal', stop_sequence: null }, usage },
      { type: 'message_stop' },
    ]
    return { frames: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`) }
  }

  for (const name of ['chat at Anthropic', 'openRouter at Anthropic', 'responses at Anthropic'])
    for (const stream of [false, true])
      test(`${name}, ${stream ? 'streamed' : 'whole'}: costs nothing, says so, and its receipt says why`, async () => {
        const { key, accountId } = await gateway.fund({ credit: '1' })
        gateway.upstream.script(refused)
        const [path, body] = CALLS[name]!(stream)
        const told = await gateway.ask(path, { key, body })
        assert.equal(told.status, 200, told.text)
        assert.equal(costIn(told), 0n)
        const id = told.headers.get('x-request-id')!
        const row = await gateway.log(id)
        assert.deepEqual([row.charged_cost, row.list_cost], ['0', '0.003'])
        const { json } = await gateway.ask(`/api/v1/generation?id=${id}`, { key })
        assert.equal(json.data.receipt.explanation, 'insured')
        assert.equal((await gateway.account(accountId)).balance, '1')
      })
})
