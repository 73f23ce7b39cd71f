/** M6, M8 where client and upstream speak different protocols, and where classes of tokens and repeated reports come together: exact by the price, or flagged. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { formatUsd } from '#base/money.ts'
import { answerNatively, type Sold } from '#test/upstream/native.ts'
import type { Frame, Received } from '#test/upstream/upstream.ts'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const HELLO = [{ role: 'user', content: 'Hello' }]
type Client = 'chat' | 'openRouter' | 'responses' | 'messages' | 'gemini'
const CLIENTS: Readonly<Record<Client, (model: string, stream: boolean) => readonly [string, object]>> = {
  chat: (model, stream) => ['/v1/chat/completions', { model, messages: HELLO, stream }],
  openRouter: (model, stream) => ['/api/v1/chat/completions', { model, messages: HELLO, stream }],
  responses: (model, stream) => ['/v1/responses', { model, input: 'Hello', stream }],
  messages: (model, stream) => ['/v1/messages', { model, max_tokens: 100, messages: HELLO, stream }],
  gemini: (model, stream) => [
    `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] },
  ],
}
const UPSTREAMS = { openai: MODELS.chat.id, anthropic: MODELS.messages.id, gemini: MODELS.gemini.id } as const
/** Every client at every upstream; the passthrough among them. */
const PAIRS = (Object.keys(CLIENTS) as Client[]).flatMap((client) =>
  Object.entries(UPSTREAMS).map(([upstream, model]) => [client, upstream, model] as const),
)

const TEXT = 'Twenty-four characters…'
const PLAIN: Sold = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
/** Pico-USD a token: PRICE of the test gateway. */
const RATES = { input: 3_000_000n, cacheRead: 300_000n, cacheWrite: 3_750_000n, output: 15_000_000n }

/** Computed apart from ours: disjoint classes, reasoning within the output, one rounding half up. */
function billOf({ input, cacheRead, cacheWrite, output }: Sold): string {
  const pico =
    BigInt(input) * RATES.input +
    BigInt(cacheRead) * RATES.cacheRead +
    BigInt(cacheWrite) * RATES.cacheWrite +
    BigInt(output) * RATES.output
  return formatUsd((pico + 500n) / 1000n)
}

/** Every usage object of an upstream's answer, in whatever protocol. */
const usagesIn = (value: Json): Json[] =>
  [value, value.response, value.message].flatMap((holder) =>
    holder ? [holder.usage, holder.usageMetadata].filter((usage) => usage && typeof usage === 'object') : [],
  )
const dropUsage = (value: Json): void => {
  for (const holder of [value, value.response, value.message])
    if (holder) for (const name of ['usage', 'usageMetadata']) delete holder[name]
}
const COUNTS = [
  'prompt_tokens',
  'completion_tokens',
  'input_tokens',
  'output_tokens',
  'promptTokenCount',
  'candidatesTokenCount',
]

interface Change {
  /** Changes one JSON value of the answer, in place. */
  readonly each?: (value: Json) => void
  readonly frames?: (frames: readonly string[]) => readonly Frame[]
  readonly sold?: Sold
}

async function ask(
  client: Client,
  model: string,
  stream: boolean,
  { each, frames, sold = PLAIN }: Change,
): Promise<{ told: Told; row: Json }> {
  gateway.upstream.script((received: Received) => {
    const native = answerNatively(received, { text: TEXT, sold })!
    const changed = (value: Json): Json => {
      each?.(value)
      return value
    }
    if (!native.frames) return { body: changed(structuredClone(native.body)) }
    const edited = native.frames.map((frame) =>
      frame.replace(/^data: (\{.*)$/m, (_, json: string) => `data: ${JSON.stringify(changed(JSON.parse(json)))}`),
    )
    return { frames: frames ? frames(edited) : edited }
  })
  const [path, body] = CLIENTS[client](model, stream)
  const told = await gateway.ask(path, { body })
  assert.equal(told.status, 200, told.text)
  return { told, row: await gateway.log(told.headers.get('x-request-id')!) }
}

const hasUsage = (frame: string): boolean => /"usage":\{|"usageMetadata"/.test(frame)

for (const [client, upstream, model] of PAIRS) {
  for (const stream of [false, true]) {
    describe(`M6: ${client} at ${upstream}, ${stream ? 'streamed' : 'whole'}`, () => {
      // Gemini and Responses have no word for what was written.
      const tellsWrites = upstream === 'anthropic' || (upstream === 'openai' && /chat|openRouter/.test(client))

      test('each class of tokens is priced as its own', async () => {
        const cases: Sold[] = [
          PLAIN,
          { input: 100, cacheRead: 2000, cacheWrite: 0, output: 70, reasoning: 0 },
          { input: 1, cacheRead: 0, cacheWrite: 0, output: 900, reasoning: 800 },
          { input: 7, cacheRead: 3333, cacheWrite: 0, output: 4096, reasoning: 4000 },
          ...(!tellsWrites ? [] : [{ input: 3, cacheRead: 5000, cacheWrite: 777, output: 11, reasoning: 0 }]),
        ]
        for (const sold of cases) {
          const { row } = await ask(client, model, stream, { sold })
          assert.deepEqual(
            [row.usage_source, row.charged_cost],
            ['upstream', billOf(sold)],
            JSON.stringify([sold, row.tokens]),
          )
        }
      })

      test('reported zeros stay zeros', async () => {
        const each = (value: Json): void => {
          for (const usage of usagesIn(value))
            for (const key of Object.keys(usage)) if (typeof usage[key] === 'number') usage[key] = 0
        }
        const { row } = await ask(client, model, stream, { each })
        assert.deepEqual(
          [row.usage_source, row.tokens.input, row.tokens.output, row.charged_cost],
          ['upstream', 0, 0, '0'],
        )
      })

      test('no usage is an estimate, and flagged', async () => {
        const { row } = await ask(client, model, stream, { each: dropUsage })
        assert.equal(row.usage_source, 'estimated')
        assert.ok(Number(row.charged_cost) > 0 && row.tokens.output >= 5 && row.tokens.output < 20)
      })

      for (const bad of [-5, 2.5, 2 ** 53, '7'])
        test(`a count of ${JSON.stringify(bad)} is refused and flagged`, async () => {
          const each = (value: Json): void => {
            for (const usage of usagesIn(value)) for (const name of COUNTS) if (name in usage) usage[name] = bad
          }
          const { row } = await ask(client, model, stream, { each })
          assert.equal(row.usage_source, 'estimated')
          assert.ok(Number(row.charged_cost) > 0 && Number(row.charged_cost) < 0.01, row.charged_cost)
        })

      if (!stream) return
      test('the same report twice, and one in the middle, count once', async () => {
        const twice = await ask(client, model, stream, {
          frames: (frames) =>
            frames.flatMap((frame) =>
              hasUsage(frame) && !frame.includes('completed') && !frame.includes('message_start')
                ? repeated(frame)
                : [frame],
            ),
        })
        assert.deepEqual([twice.row.usage_source, twice.row.charged_cost], ['upstream', billOf(PLAIN)])
      })
    })
  }
}

/** A frame that only reports is sent again as it is; Gemini reports with its content, which is then said with nothing in it. */
function repeated(frame: string): string[] {
  return frame.includes('usageMetadata') ? [frame, frame.replace(/"text":"[^"]*"/, '"text":""')] : [frame, frame]
}

describe('M8: Responses', () => {
  for (const stream of [false, true])
    for (const [what, change] of [
      ['a filter', { status: 'incomplete', incomplete_details: { reason: 'content_filter' } }],
      ['an error', { status: 'failed', error: { code: 'server_error', message: 'broken' } }],
    ] as const)
      test(`M8: nothing said and ${what}: nothing is charged, and nothing stays held, ${stream ? 'streamed' : 'whole'}`, async () => {
        const { key, accountId } = await gateway.fund({ credit: '1' })
        const type = change.status === 'failed' ? 'response.failed' : 'response.incomplete'
        gateway.upstream.script((received: Received) => {
          const sold = { ...PLAIN, input: 1000, output: 0 }
          const whole = answerNatively(
            { ...received, fields: { ...received.fields, stream: false } },
            { text: '', sold },
          )!
          const response = { ...(whole.body as Json), output: [], ...change }
          if (!stream) return { body: response }
          return { frames: [`event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: 1, response })}\n\n`] }
        })
        const [path, body] = CLIENTS.responses(MODELS.chat.id, stream)
        const told = await gateway.ask(path, { key, body })
        const account = await gateway.account(accountId)
        assert.deepEqual([account.balance, account.held], ['1', '0'], told.text)
        const row = await gateway.log(told.headers.get('x-request-id')!)
        assert.ok(['0', null].includes(row.charged_cost))
      })
})
