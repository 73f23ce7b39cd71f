/** M2: a stream never outgrows the money behind it. Its hold grows by quanta, and where nothing is left it is ended. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import OpenAI from 'openai'
import { parseUsd } from '#base/money.ts'
import { QUANTUM_TOKENS } from '#data-plane/6-reserve/hold-guard.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Received, Script } from '#test/upstream/upstream.ts'
import {
  configFor,
  eventsOf,
  type Funded,
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
/** Far more than any balance of these tests pays for: a dollar’s worth. */
const PIECES = 650
const CENT = 10_000_000n
/** Tokens of output that a cent pays for. */
const CENT_TOKENS = Math.floor(0.01 / (PRICE.output / 1e6))
const STREAMS = 100
const ABORT_MS_MAX = 1000

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
  'responses, translated': ['/v1/responses', { model: MODELS.gemini.id, input: 'Hello', stream: true }],
  'gemini, translated': [
    `/v1beta/models/${MODELS.chat.id}:streamGenerateContent?alt=sse`,
    { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
  ],
} as const satisfies Record<string, readonly [string, object]>
type Name = keyof typeof CALLS

/** A native stream in which a piece of the text comes `pieces` times, whatever limit was sent, and its end behind `gate`. */
const script =
  (pieces: number, gate: Promise<unknown> = Promise.resolve()): Script =>
  (received: Received) => {
    const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
    const frames = [...answerNatively(received, { text: WORDS + WORDS, sold })!.frames!]
    const at = frames.findIndex((frame) => frame.includes(WORDS))
    // In one write, so that more comes at once than there is money for.
    const repeated = [frames[at]!.repeat(pieces)]
    return { frames: [...frames.slice(0, at), ...repeated, { text: '', waitFor: gate }, ...frames.slice(at + 2)] }
  }
/** It never ends by itself. */
const endless = script(PIECES, new Promise(() => {}))

const call = (name: Name, key: string): Promise<Told> => {
  const [path, body] = CALLS[name]
  return gateway.ask(path, { key, body })
}

const saidIn = (text: string): number => text.split(WORDS.trim()).length - 1

function assertErrorEvent(name: Name, text: string, code: string): void {
  const last = eventsOf(text).at(-1)
  assert.ok(!text.includes('[DONE]'), 'a broken answer never looks finished')
  if (name.startsWith('messages')) {
    assert.deepEqual([last.type, last.error.type], ['error', 'billing_error'])
    assert.ok(!text.includes('message_stop'))
  } else if (name.startsWith('gemini')) {
    assert.deepEqual([last.error.code, last.error.status], [402, 'RESOURCE_EXHAUSTED'])
  } else if (name.startsWith('responses')) {
    assert.deepEqual([last.type, last.response.error.code], ['response.failed', code])
  } else if (name === 'openRouter') {
    assert.deepEqual([last.error.code, last.error.metadata.error_type], [402, 'payment_required'])
  } else assert.deepEqual([last.error.code, last.error.type], [code, 'insufficient_quota'])
}

/** What runs out at a cent: the balance, the key's own limit, a budget. */
const SCOPES: Readonly<Record<string, () => Promise<Funded>>> = {
  insufficient_balance: () => gateway.fund({ credit: '0.01' }),
  key_limit_exceeded: () => gateway.fund({ credit: '5', newKey: { limit: 0.01 } }),
  budget_exceeded: async () => {
    const funded = await gateway.fund({ credit: '5' })
    await gateway.admin('POST', `/api/v1/budgets?account_id=${funded.accountId}`, { scope: 'account', max_usd: '0.01' })
    return funded
  },
}

for (const [code, fund] of Object.entries(SCOPES)) {
  for (const name of Object.keys(CALLS) as Name[]) {
    test(`M2: ${code}: ${name}: of ${STREAMS} parallel streams on a cent none overdraws; the one that runs on is cut with an error event`, async () => {
      const { key, accountId } = await fund()
      const [calls, aborted] = [gateway.upstream.count(), gateway.upstream.aborted]
      const before = nano((await gateway.account(accountId)).balance)
      gateway.upstream.always(endless)
      const told = await Promise.all(Array.from({ length: STREAMS }, () => call(name, key)))
      const endedAt = performance.now()
      const answered = told.filter(({ status }) => status === 200)
      assert.equal(answered.length, 1)
      assert.ok(told.every(({ status }) => status === 200 || status === 402))
      assert.equal(gateway.upstream.count() - calls, 1)
      await gateway.upstream.whenAborted(aborted + 1)
      assert.ok(performance.now() - endedAt <= ABORT_MS_MAX)
      const { text, headers } = answered[0]!
      assertErrorEvent(name, text, code)
      const said = saidIn(text) * countTokens(WORDS)
      assert.ok(said > 0 && said <= CENT_TOKENS + QUANTUM_TOKENS, `${said} tokens for a cent`)
      const row = await gateway.log(headers.get('x-request-id')!)
      assert.deepEqual([row.status, row.error_code, row.usage_source], ['rejected', code, 'estimated'])
      const account = await gateway.account(accountId)
      assert.equal(account.held, '0')
      const charged = before - nano(account.balance)
      assert.ok(charged <= CENT && charged > (CENT * 9n) / 10n, `${charged}`)
      const entries = await gateway.ledger(accountId)
      assert.equal(
        entries.reduce((sum: bigint, entry: Json) => sum + nano(entry.amount), 0n),
        nano(account.balance),
      )
      gateway.upstream.always(undefined)
    })
  }
}

describe('M2: the official clients understand how it ends', () => {
  const broke = async (): Promise<string> => {
    gateway.upstream.script(endless)
    return (await gateway.fund({ credit: '0.01' })).key
  }

  test('openai: chat and responses', async () => {
    const client = async () => new OpenAI({ apiKey: await broke(), baseURL: `${gateway.url}/v1`, maxRetries: 0 })
    const chunks = await (
      await client()
    ).chat.completions.create({
      model: MODELS.chat.id,
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
    })
    let said = ''
    await assert.rejects(
      async () => {
        for await (const chunk of chunks) said += chunk.choices[0]?.delta.content ?? ''
      },
      (error: InstanceType<typeof OpenAI.APIError>) => error.code === 'insufficient_balance',
    )
    assert.ok(said.length > 0)
    let last: Json
    const events = await (await client()).responses.create({ model: MODELS.chat.id, input: 'Hello', stream: true })
    for await (const event of events) last = event
    assert.deepEqual([last.type, last.response.error.code], ['response.failed', 'insufficient_balance'])
  })

  test('anthropic', async () => {
    const client = new Anthropic({ apiKey: await broke(), authToken: null, baseURL: gateway.url, maxRetries: 0 })
    // Without a limit of its own, which the type does not allow.
    const asked = { model: MODELS.messages.id, messages: HELLO } as unknown as Anthropic.MessageStreamParams
    const stream = client.messages.stream(asked)
    let said = ''
    stream.on('text', (text) => (said += text))
    await assert.rejects(stream.finalMessage(), /billing_error/)
    assert.ok(said.length > 0)
  })

  test('google', async () => {
    const client = new GoogleGenAI({ apiKey: await broke(), httpOptions: { baseUrl: gateway.url } })
    const chunks = await client.models.generateContentStream({ model: MODELS.gemini.id, contents: 'Hello' })
    await assert.rejects(async () => {
      for await (const _ of chunks);
    }, /RESOURCE_EXHAUSTED/)
  })
})

test('M2: a script of many bytes a token gets all that was paid for', async () => {
  const { key, accountId } = await gateway.fund({ credit: '0.01' })
  const words = 'नमस्ते दुनिया, यह एक लंबी कहानी है। '
  // 500 tokens and more than six bytes for each, escaped as some hosts do.
  const text = words.repeat(Math.floor(500 / countTokens(words)))
  const escaped = JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  assert.ok(escaped.length > 12 * countTokens(text))
  gateway.upstream.script((received: Received) => {
    const sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: countTokens(text), reasoning: 0 }
    const frames = answerNatively(received, { text: 'Aa', sold })!.frames!
    return { frames: frames.map((frame) => frame.replace('"A"', escaped)) }
  })
  const { text: told } = await call('chat', key)
  assert.ok(told.includes('[DONE]'), told.slice(-300))
  assert.ok(nano((await gateway.account(accountId)).balance) >= 0n)
})

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

test('M2: a stream whose client named its own limit is not watched: its hold was complete', async () => {
  const { key } = await gateway.fund({ credit: '0.01' })
  gateway.upstream.script(script(40))
  const [path, body] = CALLS.chat
  const told = await gateway.ask(path, { key, body: { ...body, max_tokens: 500 } })
  assert.ok(told.text.includes('[DONE]'))
})
