import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic, { AuthenticationError, BadRequestError, NotFoundError } from '@anthropic-ai/sdk'
import OldAnthropic, {
  AuthenticationError as OldAuthenticationError,
  NotFoundError as OldNotFoundError,
} from 'anthropic-sdk-07x'
import { startTestGateway, type TestGateway } from './gateway.ts'

/** Two generations of Anthropic's own SDK with every base URL that their users write, in front of the simulator (R5, R7). */

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const LONG = 'Grüße aus 東京, a longer text 🚀 with many words in it. '.repeat(5).trim()
const TOOL = {
  name: 'weather',
  description: 'Weather of a city',
  input_schema: { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] },
}
const THINKING = { max_tokens: 4000, thinking: { type: 'enabled' as const, budget_tokens: 2000 } }
const ask = (content: string) => [{ role: 'user' as const, content }]

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { sim: { type: 'simulator' } } } })
})
after(() => gateway.close())

const textOf = (content: readonly { type: string }[]): string =>
  content.map((block) => (block.type === 'text' ? (block as { type: 'text'; text: string }).text : '')).join('')

const GENERATIONS = [
  { name: '@anthropic-ai/sdk 1.10', Client: Anthropic, Unauthorized: AuthenticationError, Missing: NotFoundError },
  {
    name: '@anthropic-ai/sdk 0.79',
    // The two generations type the same calls apart; the newer one's types serve both here.
    Client: OldAnthropic as unknown as typeof Anthropic,
    Unauthorized: OldAuthenticationError as unknown as typeof AuthenticationError,
    Missing: OldNotFoundError as unknown as typeof NotFoundError,
  },
]

for (const { name, Client, Unauthorized, Missing } of GENERATIONS) {
  const clientAt = (path: string, apiKey = gateway.key): Anthropic =>
    new Client({ apiKey, authToken: null, baseURL: gateway.url + path, maxRetries: 0 })

  describe(name, () => {
    for (const path of ['', '/v1', '/api', '/api/v1', '/anthropic']) {
      test(`base URL {GW}${path}: create, stream and countTokens`, async () => {
        const client = clientAt(path)
        const { data, request_id: requestId } = await client.messages
          .create({ model: 'sim/echo', max_tokens: 1000, messages: ask(LONG) })
          .withResponse()
        assert.equal(textOf(data.content), LONG)
        assert.deepEqual(
          [data.type, data.role, data.model, data.stop_reason],
          ['message', 'assistant', 'sim/echo', 'end_turn'],
        )
        assert.equal((data as { _request_id?: string })._request_id, requestId)
        const row = await gateway.log(requestId!)
        assert.deepEqual([row.status_code, row.protocol, row.stream], [200, 'anthropic-messages', false])
        assert.deepEqual([row.tokens.input, row.tokens.output], [data.usage.input_tokens, data.usage.output_tokens])

        const deltas: string[] = []
        const streamed = await client.messages
          .stream({ model: 'sim/echo', max_tokens: 1000, messages: ask(LONG) })
          .on('text', (delta) => deltas.push(delta))
          .finalMessage()
        assert.ok(deltas.length > 2)
        assert.deepEqual([deltas.join(''), textOf(streamed.content), streamed.model], [LONG, LONG, 'sim/echo'])
        assert.equal(streamed.usage.output_tokens, data.usage.output_tokens)

        const counted = await client.messages.countTokens({ model: 'sim/echo', messages: ask(LONG) })
        assert.equal(counted.input_tokens, data.usage.input_tokens)
      })
    }

    test('a key as auth token, as Claude Code sends it', async () => {
      const client = new Client({ authToken: gateway.key, apiKey: null, baseURL: gateway.url, maxRetries: 0 })
      const answer = await client.messages.create({ model: 'sim/echo', max_tokens: 10, messages: ask('a') })
      assert.equal(textOf(answer.content), 'a')
    })

    for (const stream of [false, true]) {
      test(`thinking with a tool, replayed with its signature, ${stream ? 'streamed' : 'whole'}`, async () => {
        const client = clientAt('')
        const run = (messages: Anthropic.MessageParam[]) => {
          const body = { model: 'sim/tools', ...THINKING, messages, tools: [TOOL] }
          return stream ? client.messages.stream(body).finalMessage() : client.messages.create(body)
        }
        const question = ask('weather in Paris?')
        const first = await run(question)
        assert.equal(first.stop_reason, 'tool_use')
        const [thought] = first.content
        assert.ok(thought?.type === 'thinking' && thought.signature.length > 20)
        const uses = first.content.filter((block) => block.type === 'tool_use')
        const results = uses.map(({ id }) => ({ type: 'tool_result' as const, tool_use_id: id, content: '21 degrees' }))
        const answered = { role: 'user' as const, content: results }
        const second = await run([...question, { role: 'assistant', content: first.content }, answered])
        assert.match(textOf(second.content), /The tool answered: 21 degrees/)
        assert.equal(second.stop_reason, 'end_turn')
        const altered = first.content.map((block) =>
          block.type === 'thinking' ? { ...block, signature: `A${block.signature.slice(1)}x` } : block,
        )
        await assert.rejects(run([...question, { role: 'assistant', content: altered }, answered]), /signature/)
      })
    }

    test('an image and a system text with cache_control', async () => {
      const source = { type: 'base64' as const, media_type: 'image/png' as const, data: PIXEL }
      const answer = await clientAt('').messages.create({
        model: 'sim/vision',
        max_tokens: 100,
        system: [{ type: 'text', text: 'Be short.', cache_control: { type: 'ephemeral' } }],
        messages: [{ role: 'user', content: [{ type: 'image', source }] }],
      })
      assert.match(textOf(answer.content), /image\/png, \d+ bytes, 1 x 1 pixels/)
    })

    test('models.list names every model', async () => {
      const ids: string[] = []
      for await (const model of clientAt('').models.list({ limit: 3 })) ids.push(model.id)
      for (const id of ['gpt-test', 'claude-test', 'gemini-test', 'sim/echo']) assert.ok(ids.includes(id), id)
    })

    test('a wrong key and an unknown model are the SDK’s own errors, with our request id', async () => {
      const body = { model: 'sim/echo', max_tokens: 10, messages: ask('a') }
      const isTyped = (kind: typeof AuthenticationError | typeof NotFoundError, text: RegExp) => (error: unknown) => {
        assert.ok(error instanceof kind)
        assert.match(String(error.requestID), /^req_/)
        assert.match(error.message, text)
        return true
      }
      const wrong = clientAt('', 'sk-wrong')
      await assert.rejects(wrong.messages.create(body), isTyped(Unauthorized, /authentication_error/))
      await assert.rejects(wrong.messages.stream(body).finalMessage(), isTyped(Unauthorized, /authentication_error/))
      await assert.rejects(
        wrong.messages.countTokens({ model: 'sim/echo', messages: ask('a') }),
        isTyped(Unauthorized, /./),
      )
      const unknown = clientAt('').messages.create({ ...body, model: 'sim/ecko' })
      await assert.rejects(unknown, isTyped(Missing, /not_found_error.*sim\/echo/))
    })
  })
}

test('structured output is parsed, and the upstream’s own 400 keeps its type', async () => {
  const client = new Anthropic({ apiKey: gateway.key, authToken: null, baseURL: gateway.url, maxRetries: 0 })
  const schema = {
    type: 'object',
    properties: { city: { type: 'string' } },
    required: ['city'],
    additionalProperties: false,
  }
  const answer = await client.messages.create({
    model: 'sim/echo',
    max_tokens: 500,
    messages: ask('Paris'),
    output_config: { format: { type: 'json_schema', schema } },
  })
  assert.deepEqual(Object.keys(JSON.parse(textOf(answer.content))), ['city'])
  const error = { type: 'invalid_request_error', message: 'max_tokens: too large' }
  gateway.upstream.script({ status: 400, body: { type: 'error', error } })
  const refused = client.messages.create({ model: 'claude-test', max_tokens: 10, messages: ask('a') })
  await assert.rejects(refused, (thrown) => {
    assert.ok(thrown instanceof BadRequestError)
    assert.match(thrown.message, /invalid_request_error.*max_tokens: too large/)
    return true
  })
})
