import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { assertEnvelope, codeOf } from './surfaces.ts'

/** Every surface reaches every upstream over real sockets, with its usage, its cost and its own errors (R2-R6, R81, R86). */

const TEXT = 'Grüße, 世界 🚀'
const SOLD = { input: 10, cacheRead: 4, cacheWrite: 0, output: 5, reasoning: 0 }
/** 10 at 3, 4 at 0.30 and 5 at 15 USD per million. */
const COST = '0.0001062'
const SYSTEM = 'Be brief.'
const TOOL = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

type Client = 'chat' | 'responses' | 'messages' | 'gemini'
type Upstream = 'chat' | 'messages' | 'gemini'
const CLIENTS: readonly Client[] = ['chat', 'responses', 'messages', 'gemini']
const UPSTREAMS: readonly Upstream[] = ['chat', 'messages', 'gemini']
const PAIRS = CLIENTS.flatMap((client) =>
  UPSTREAMS.filter((upstream) => upstream !== client && !(client === 'responses' && upstream === 'chat')).map(
    (upstream) => [client, upstream] as const,
  ),
)

const ADAPTER: Readonly<Record<Client, string>> = {
  chat: 'openai-chat',
  responses: 'openai-responses',
  messages: 'anthropic-messages',
  gemini: 'gemini',
}
/** OpenAI's backend speaks both of its protocols, and Responses can say more. */
const SPOKEN: Readonly<Record<Upstream, string>> = {
  chat: 'openai-responses',
  messages: 'anthropic-messages',
  gemini: 'gemini',
}

function ask(client: Client, model: string, streamed: boolean, rest: object = {}): Promise<Told> {
  const tools = { name: 'weather', description: 'Weather of a city' }
  switch (client) {
    case 'chat':
      return gateway.ask('/v1/chat/completions', {
        body: {
          model,
          messages: [
            { role: 'system', content: SYSTEM },
            { role: 'user', content: 'Hi' },
          ],
          tools: [{ type: 'function', function: { ...tools, parameters: TOOL } }],
          temperature: 0,
          max_tokens: 100,
          ...(streamed ? { stream: true, stream_options: { include_usage: true } } : {}),
          ...rest,
        },
      })
    case 'responses':
      return gateway.ask('/v1/responses', {
        body: {
          model,
          instructions: SYSTEM,
          input: 'Hi',
          tools: [{ type: 'function', ...tools, parameters: TOOL }],
          temperature: 0,
          max_output_tokens: 100,
          stream: streamed,
          ...rest,
        },
      })
    case 'messages':
      return gateway.ask('/v1/messages', {
        body: {
          model,
          system: SYSTEM,
          messages: [{ role: 'user', content: 'Hi' }],
          tools: [{ ...tools, input_schema: TOOL }],
          temperature: 0,
          max_tokens: 100,
          stream: streamed,
          ...rest,
        },
      })
    case 'gemini':
      return gateway.ask(`/v1beta/models/${model}:${streamed ? 'streamGenerateContent?alt=sse' : 'generateContent'}`, {
        body: {
          systemInstruction: { parts: [{ text: SYSTEM }] },
          contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
          tools: [{ functionDeclarations: [{ ...tools, parametersJsonSchema: TOOL }] }],
          generationConfig: { temperature: 0, maxOutputTokens: 100 },
          ...rest,
        },
      })
  }
}

const events = (told: Told): Json[] =>
  [...told.text.matchAll(/^data: (\{.*)$/gm)].map((match) => JSON.parse(match[1]!) as Json)

/** Text and prompt and completion tokens as the client reads them. */
const READ: Readonly<Record<Client, (told: Told, streamed: boolean) => [text: string, input: number, output: number]>> =
  {
    chat: (told, streamed) => {
      const chunks = streamed ? events(told) : [told.json]
      const { prompt_tokens, completion_tokens } = chunks.at(-1).usage
      const text = chunks.map((chunk) => (chunk.choices[0]?.delta ?? chunk.choices[0]?.message)?.content ?? '').join('')
      return [text, prompt_tokens, completion_tokens]
    },
    responses: (told, streamed) => {
      const response = streamed ? events(told).at(-1).response : told.json
      const text = response.output.flatMap((item: Json) => item.content ?? []).map((part: Json) => part.text)
      return [text.join(''), response.usage.input_tokens, response.usage.output_tokens]
    },
    messages: (told, streamed) => {
      const list = events(told)
      const text = streamed
        ? list.map((event) => event.delta?.text ?? '').join('')
        : told.json.content.map((block: Json) => block.text).join('')
      const usage = streamed ? list.find(({ type }) => type === 'message_delta').usage : told.json.usage
      return [text, usage.input_tokens + usage.cache_read_input_tokens, usage.output_tokens]
    },
    gemini: (told, streamed) => {
      const chunks = streamed ? events(told) : [told.json]
      const text = chunks
        .flatMap((chunk) => chunk.candidates?.[0]?.content?.parts ?? [])
        .map((part: Json) => part.text ?? '')
      const { promptTokenCount, candidatesTokenCount } = chunks.at(-1).usageMetadata
      return [text.join(''), promptTokenCount, candidatesTokenCount]
    },
  }

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ upstream: { text: TEXT, usage: SOLD } })
})
after(() => gateway.close())

/** What the upstream was asked, whatever its protocol: system text, the tool's schema, temperature and limit. */
function understood(upstream: Upstream): unknown[] {
  const body = JSON.parse(gateway.upstream.received.at(-1)!.bytes.toString()) as Json
  switch (upstream) {
    case 'chat':
      return [
        body.instructions ?? body.input[0].content,
        body.tools[0].parameters,
        body.temperature,
        body.max_output_tokens,
      ]
    case 'messages':
      return [body.system[0]?.text ?? body.system, body.tools[0].input_schema, body.temperature, body.max_tokens]
    case 'gemini': {
      const { temperature, maxOutputTokens } = body.generationConfig
      const [declaration] = body.tools[0].functionDeclarations
      return [body.systemInstruction.parts[0].text, declaration.parametersJsonSchema, temperature, maxOutputTokens]
    }
  }
}

for (const [client, upstream] of PAIRS) {
  describe(`${client} over ${upstream}`, () => {
    for (const streamed of [false, true]) {
      test(streamed ? 'a stream' : 'a whole answer', async () => {
        const before = await gateway.account(gateway.accountId)
        const told = await ask(client, MODELS[upstream].id, streamed)
        assert.equal(told.status, 200, told.text)
        assert.deepEqual(READ[client](told, streamed), [TEXT, 14, 5])
        assert.equal(told.headers.get('x-gateway-adapter'), `${ADAPTER[client]}->${SPOKEN[upstream]}`)
        assert.deepEqual(understood(upstream), [SYSTEM, TOOL, 0, 100])
        assert.ok(!told.text.includes(MODELS[upstream].upstream), "the upstream's own name of the model stays inside")
        const row = await gateway.log(told.headers.get('x-request-id')!)
        assert.deepEqual(
          [row.status, row.protocol, row.charged_cost, row.tokens.input, row.tokens.cache_read, row.tokens.output],
          ['ok', ADAPTER[client], COST, 10, 4, 5],
        )
        const account = await gateway.account(gateway.accountId)
        assert.equal((Number(before.balance) - Number(account.balance)).toFixed(7), COST)
        assert.equal(Number(account.held), 0)
      })
    }

    test('an error of the upstream, in the client’s own form', async () => {
      const error = { message: 'the prompt is too long', type: 'invalid_request_error', code: 'told' }
      for (const streamed of [false, true]) {
        gateway.upstream.script({ status: 400, body: { error } })
        const told = await ask(client, MODELS[upstream].id, streamed)
        assert.equal(told.status, 400)
        assertEnvelope(client, told)
        assert.match(told.json.error.message, /the prompt is too long/)
      }
    })

    test('an upstream that is cut in the middle never looks like success', async () => {
      gateway.upstream.script({ cutAfterFrames: upstream === 'gemini' ? 1 : 2 })
      const told = await ask(client, MODELS[upstream].id, true)
      const last = told.text.trim().split('\n').at(-1) ?? ''
      if (told.status === 200) assert.match(told.text, /error|failed/)
      assert.doesNotMatch(last, /\[DONE\]|message_stop|response\.completed|"finishReason":"STOP"/)
    })
  })
}

describe('what a target cannot do (R81)', () => {
  test('is told when it is dropped, and refused in strict mode', async () => {
    const rest = { seed: 7, logit_bias: { 5: 1 } }
    const told = await ask('chat', MODELS.messages.id, false, rest)
    assert.equal(told.status, 200)
    const warnings = told.headers.get('x-gateway-warnings')!
    assert.match(warnings, /param=seed;action=drop;reason=/)
    assert.match(warnings, /param=logit_bias;action=drop;reason=/)
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.equal(row.warnings.length, 2)
    await using strict = await startTestGateway({ config: { translation: { unsupported_params: 'strict' } } })
    const body = { model: MODELS.messages.id, messages: [{ role: 'user', content: 'Hi' }], seed: 7 }
    const refused = await strict.ask('/v1/chat/completions', { body })
    assert.deepEqual([refused.status, codeOf('chat', refused.json)], [400, 'unsupported_parameter'])
    assert.equal(refused.json.error.param, 'seed')
    assert.equal(strict.upstream.count(), 0)
  })

  test('is refused when the answer would mean something else', async () => {
    const cases = [
      ['n', { n: 2 }],
      ['logprobs', { logprobs: true }],
    ] as const
    for (const [param, rest] of cases) {
      const told = await ask('chat', MODELS.messages.id, false, rest)
      assert.deepEqual([told.status, codeOf('chat', told.json)], [400, 'unsupported_parameter'], told.text)
      assert.equal(told.json.error.param, param)
    }
  })

  test('a provider’s own tool is dropped beside others, and refused alone', async () => {
    const other = { type: 'function', name: 'f', parameters: TOOL }
    const beside = await ask('responses', MODELS.gemini.id, false, { tools: [other, { type: 'computer_use_preview' }] })
    assert.equal(beside.status, 200, beside.text)
    assert.match(beside.headers.get('x-gateway-warnings')!, /param=tools\.1;action=drop/)
    const alone = await ask('responses', MODELS.messages.id, false, { tools: [{ type: 'computer_use_preview' }] })
    assert.deepEqual([alone.status, codeOf('responses', alone.json)], [400, 'unsupported_tool'], alone.text)
  })
})

describe('server-side state of the Responses API (R3)', () => {
  test('a response is continued, read and deleted', async () => {
    const first = await ask('responses', MODELS.messages.id, false)
    const { id } = first.json
    const second = await ask('responses', MODELS.messages.id, true, { previous_response_id: id, input: 'And now?' })
    assert.equal(second.status, 200, second.text)
    const sent = JSON.parse(gateway.upstream.received.at(-1)!.bytes.toString()) as Json
    assert.deepEqual(
      sent.messages.map(({ role }: Json) => role),
      ['user', 'assistant', 'user'],
    )
    assert.match(JSON.stringify(sent.messages[1]), new RegExp(TEXT))
    const third = events(second).at(-1).response.id
    assert.equal((await gateway.ask(`/v1/responses/${third}`, { method: 'GET' })).json.id, third)
    assert.equal((await gateway.ask(`/v1/responses/${id}`, { method: 'DELETE' })).json.deleted, true)
    const gone = await ask('responses', MODELS.messages.id, false, { previous_response_id: id })
    assert.deepEqual([gone.status, codeOf('responses', gone.json)], [404, 'previous_response_not_found'])
  })

  test('what an upstream keeps is not continued elsewhere: 409, and 404 for another account', async () => {
    const { id } = (await ask('responses', MODELS.chat.id, false)).json
    assert.equal(typeof id, 'string')
    const body = { model: MODELS.messages.id, input: 'And now?', previous_response_id: id }
    const before = gateway.upstream.count()
    const told = await gateway.ask('/v1/responses', { body })
    assert.deepEqual(
      [told.status, codeOf('responses', told.json)],
      [409, 'responses.state_route_unavailable'],
      told.text,
    )
    assert.equal(told.json.error.param, 'previous_response_id')
    assert.doesNotMatch(told.text, /openai|anthropic/)
    const { key } = await gateway.fund()
    const other = await gateway.ask('/v1/responses', { body, key })
    assert.deepEqual([other.status, codeOf('responses', other.json)], [404, 'previous_response_not_found'])
    // What the gateway itself answered and did not keep is not an upstream's, and a request id is no response id.
    const unkept = await ask('responses', MODELS.messages.id, false, { store: false })
    const chat = await gateway.ask('/v1/chat/completions', { body: { model: MODELS.chat.id, messages: [] } })
    for (const previous of [
      unkept.json.id,
      chat.json.id,
      told.headers.get('x-request-id'),
      'resp_\0',
      'r'.repeat(201),
    ]) {
      const unknown = await gateway.ask('/v1/responses', { body: { ...body, previous_response_id: previous } })
      assert.deepEqual(
        [unknown.status, codeOf('responses', unknown.json)],
        [404, 'previous_response_not_found'],
        previous,
      )
    }
    assert.equal(gateway.upstream.count(), before + 2)
  })

  test('nothing is kept with store: false, and background is refused', async () => {
    const told = await ask('responses', MODELS.messages.id, false, { store: false })
    assert.equal((await gateway.ask(`/v1/responses/${told.json.id}`, { method: 'GET' })).status, 404)
    const refused = await ask('responses', MODELS.messages.id, false, { background: true })
    assert.deepEqual([refused.status, refused.json.error.param], [400, 'background'])
  })
})

describe('counting (R5, R6, B4)', () => {
  const PROMPT = 'How many tokens does this short question have?'

  test('every surface counts for every model', async () => {
    for (const upstream of UPSTREAMS) {
      const model = MODELS[upstream].id
      const asked: [path: string, body: object, field: string][] = [
        ['/v1/messages/count_tokens', { model, messages: [{ role: 'user', content: PROMPT }] }, 'input_tokens'],
        ['/v1/responses/input_tokens', { model, input: PROMPT }, 'input_tokens'],
        [`/v1beta/models/${model}:countTokens`, { contents: [{ parts: [{ text: PROMPT }] }] }, 'totalTokens'],
      ]
      for (const [path, body, field] of asked) {
        const told = await gateway.ask(path, { body })
        assert.equal(told.status, 200, `${path} ${told.text}`)
        assert.ok(told.json[field] >= 1)
        assert.match(told.headers.get('x-gateway-count')!, /^(?:native|local)$/)
      }
    }
  })

  test('where the upstream has no counter it is done here, with the bound of its error', async () => {
    gateway.upstream.script({ status: 404, body: { error: { message: 'no such route' } } })
    const body = { model: MODELS.messages.id, messages: [{ role: 'user', content: PROMPT }] }
    const told = await gateway.ask('/v1/messages/count_tokens', { body })
    assert.equal(told.status, 200, told.text)
    const bound = Number(told.headers.get('x-gateway-count-error-bound'))
    if (told.headers.get('x-gateway-count') === 'local') assert.ok(bound > 0 && bound <= 200, String(bound))
    assert.ok(told.json.input_tokens >= 8 && told.json.input_tokens <= 40)
  })
})
