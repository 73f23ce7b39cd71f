/** M2: a stream never outgrows the money behind it. Its hold grows by quanta, and where nothing is left it is ended. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { parseUsd } from '#base/money.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received, Script } from '#test/upstream/upstream.ts'
import {
  configFor,
  eventsOf,
  type Json,
  MODELS,
  PRICE,
  startTestGateway,
  type TestGateway,
  type Told,
} from './gateway.ts'

/** The model's own limit, which this upstream does not keep. */
const OUTPUT_TOKENS_MAX = 1000
const WORDS = 'All work and no play makes a dull stream. '.repeat(10)
/** Far more than any balance of these tests pays for. */
const PIECES = 100

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({
    config: (url) => ({
      models: configFor(url)['models'].map((model: Json) => ({
        ...model,
        ...(model.max_output && { max_output: OUTPUT_TOKENS_MAX }),
      })),
    }),
  })
})
after(() => gateway.close())

const nano = (amount: string): bigint => parseUsd(amount)!
const HELLO = [{ role: 'user', content: 'Hello' }]
const CALLS = {
  chat: ['/v1/chat/completions', { model: MODELS.chat.id, messages: HELLO, stream: true }],
  openRouter: ['/api/v1/chat/completions', { model: MODELS.chat.id, messages: HELLO, stream: true }],
  responses: ['/v1/responses', { model: MODELS.chat.id, input: 'Hello', stream: true }],
  messages: ['/v1/messages', { model: MODELS.messages.id, messages: HELLO, stream: true }],
  gemini: [
    `/v1beta/models/${MODELS.gemini.id}:streamGenerateContent?alt=sse`,
    { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
  ],
  'messages, translated': ['/v1/messages', { model: MODELS.gemini.id, messages: HELLO, stream: true }],
  'chat, translated': ['/v1/chat/completions', { model: MODELS.messages.id, messages: HELLO, stream: true }],
} as const satisfies Record<string, readonly [string, object]>
type Name = keyof typeof CALLS

/** A native stream in which a piece of the text comes `pieces` times, whatever limit was sent, and its end behind `gate`. */
const script =
  (pieces: number, gate: Promise<unknown> = Promise.resolve()): Script =>
  (received: Received) => {
    const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
    const frames = [...answerNatively(received, { text: WORDS + WORDS, sold })!.frames!]
    const at = frames.findIndex((frame) => frame.includes(WORDS))
    const repeated = Array.from({ length: pieces }, () => frames[at]!)
    return { frames: [...frames.slice(0, at), ...repeated, { text: '', waitFor: gate }, ...frames.slice(at + 2)] }
  }
/** It never ends by itself. */
const endless = script(PIECES, new Promise(() => {}))

const call = (name: Name, key: string): Promise<Told> => {
  const [path, body] = CALLS[name]
  return gateway.ask(path, { key, body })
}

const saidIn = (text: string): number => text.split(WORDS.trim()).length - 1

function assertErrorEvent(name: Name, text: string): void {
  const last = eventsOf(text).at(-1)
  assert.ok(!text.includes('[DONE]'), 'a broken answer never looks finished')
  if (name.startsWith('messages')) {
    assert.deepEqual([last.type, last.error.type], ['error', 'billing_error'])
    assert.ok(!text.includes('message_stop'))
  } else if (name === 'gemini') assert.deepEqual([last.error.code, last.error.status], [402, 'RESOURCE_EXHAUSTED'])
  else if (name === 'responses') {
    assert.deepEqual([last.type, last.response.error.code], ['response.failed', 'insufficient_balance'])
  } else if (name === 'openRouter') {
    assert.deepEqual([last.error.code, last.error.metadata.error_type], [402, 'payment_required'])
  } else assert.deepEqual([last.error.code, last.error.type], ['insufficient_balance', 'insufficient_quota'])
}

for (const name of Object.keys(CALLS) as Name[]) {
  test(`M2: ${name}: of 100 parallel streams on a cent none overdraws; the one that runs on is cut with an error event`, async () => {
    const { key, accountId } = await gateway.fund({ credit: '0.01' })
    const [calls, aborted] = [gateway.upstream.count(), gateway.upstream.aborted]
    gateway.upstream.always(endless)
    const told = await Promise.all(Array.from({ length: 100 }, () => call(name, key)))
    const answered = told.filter(({ status }) => status === 200)
    assert.equal(answered.length, 1)
    assert.ok(told.every(({ status }) => status === 200 || status === 402))
    assert.equal(gateway.upstream.count() - calls, 1)
    await gateway.upstream.whenAborted(aborted + 1)
    assertErrorEvent(name, answered[0]!.text)
    const row = await gateway.log(answered[0]!.headers.get('x-request-id')!)
    assert.deepEqual([row.status, row.error_code, row.usage_source], ['rejected', 'insufficient_balance', 'estimated'])
    const account = await gateway.account(accountId)
    assert.deepEqual([account.held, account.balance], ['0', '0'])
    const entries = await gateway.ledger(accountId)
    assert.equal(
      entries.reduce((sum: bigint, entry: Json) => sum + nano(entry.amount), 0n),
      0n,
    )
    gateway.upstream.always(undefined)
  })
}

test('M2: while there is money the hold grows, the answer goes on to its end and costs what the upstream reports', async () => {
  const { key, accountId } = await gateway.fund({ credit: '1' })
  const gate = Promise.withResolvers<void>()
  gateway.upstream.script(script(40, gate.promise))
  const [path, body] = CALLS.chat
  const response = await gateway.open(path, { key, body })
  const reader = response.body!.getReader()
  let text = ''
  while (saidIn(text) < 40) text += Buffer.from((await reader.read()).value!).toString('utf8')
  // 40 pieces of 105 tokens are four times the model's own limit; the hold has followed.
  const held = nano((await gateway.account(accountId)).held)
  const tokens = (40 * WORDS.length) / 4
  assert.ok(held >= BigInt(tokens) * BigInt(PRICE.output) * 1000n, `${held} for ${tokens} tokens`)
  gate.resolve()
  for (let next = await reader.read(); !next.done; next = await reader.read())
    text += Buffer.from(next.value).toString()
  assert.ok(text.includes('[DONE]'))
  const account = await gateway.account(accountId)
  assert.equal(account.held, '0')
  assert.equal(nano(account.balance), 1_000_000_000n - (10n * 3000n + 5n * 15_000n))
})

test('M2: a key’s own limit ends the stream as well, and names itself', async () => {
  const { key } = await gateway.fund({ credit: '5', newKey: { limit: 0.02 } })
  gateway.upstream.script(endless)
  const { text } = await call('chat', key)
  assert.equal(eventsOf(text).at(-1).error.code, 'key_limit_exceeded')
})

test('M2, R97: so does a budget, which is named, and neither is passed', async () => {
  const { key, hash, accountId } = await gateway.fund({ credit: '5', newKey: { limit: 0.02 } })
  const budget = { scope: 'model', target: MODELS.chat.id, max_usd: '0.019' }
  await gateway.admin('POST', `/api/v1/budgets?account_id=${accountId}`, budget)
  gateway.upstream.script(endless)
  const { text } = await call('chat', key)
  const { error } = eventsOf(text).at(-1)
  assert.deepEqual(
    [error.code, error.message],
    ['budget_exceeded', `The budget of model ${MODELS.chat.id} is used up; the answer ends here.`],
  )
  const { data } = await gateway.admin('GET', `/api/v1/budgets?account_id=${accountId}`)
  assert.ok(nano(data[0].spent) <= nano('0.019'), data[0].spent)
  const { data: made } = await gateway.admin('GET', `/api/v1/keys/${hash}`)
  assert.ok(made.usage <= 0.02, made.usage)
})

test('M2: a stream whose client named its own limit is not watched: its hold was complete', async () => {
  const { key } = await gateway.fund({ credit: '0.01' })
  gateway.upstream.script(script(40))
  const [path, body] = CALLS.chat
  const told = await gateway.ask(path, { key, body: { ...body, max_tokens: 500 } })
  assert.ok(told.text.includes('[DONE]'))
})
