import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, toFile } from 'openai'
import { startTestGateway, type TestGateway } from './gateway.ts'

/** OpenAI's own SDK, changed in nothing but base URL and key, in front of the built-in simulator (R2 to R4, R11, R12). */

/** A PNG of one pixel. */
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
/** Long enough for many deltas. */
const LONG = 'Grüße aus 東京, a longer text 🚀 with many words in it. '.repeat(5).trim()
const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' }, population: { type: 'integer' } },
  required: ['city', 'population'],
  additionalProperties: false,
}
const TOOL = { name: 'weather', description: 'Weather of a city', parameters: SCHEMA }

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { sim: { type: 'simulator' } } } })
})
after(() => gateway.close())

const clientAt = (path: string, apiKey = gateway.key): OpenAI =>
  new OpenAI({ apiKey, baseURL: gateway.url + path, maxRetries: 0 })

for (const path of ['/v1', '/api/v1']) {
  describe(`openai at ${path}: chat`, () => {
    const ask = (content: string) => [{ role: 'user' as const, content }]

    test('text, usage and the request id of the log row', async () => {
      const { data, request_id: requestId } = await clientAt(path)
        .chat.completions.create({ model: 'sim/echo', messages: ask('Grüße, 世界 🚀') })
        .withResponse()
      assert.equal(data.object, 'chat.completion')
      assert.equal(data.model, 'sim/echo')
      assert.equal(data.choices[0]!.message.content, 'Grüße, 世界 🚀')
      assert.equal(data.choices[0]!.finish_reason, 'stop')
      const { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total } = data.usage!
      assert.ok(prompt > 0 && completion > 0)
      assert.equal(total, prompt + completion)
      assert.equal((data as { _request_id?: string })._request_id, requestId)
      const row = await gateway.log(requestId!)
      assert.deepEqual([row.status_code, row.model_id, row.path], [200, 'sim/echo', `${path}/chat/completions`])
      assert.deepEqual([row.tokens.input, row.tokens.output], [prompt, completion])
      assert.ok(row.latency_ms >= 0)
    })

    test('a stream has the same text as the whole answer, and usage once at its end', async () => {
      const client = clientAt(path)
      const whole = await client.chat.completions.create({ model: 'sim/echo', messages: ask(LONG) })
      const stream = await client.chat.completions.create({
        model: 'sim/echo',
        messages: ask(LONG),
        stream: true,
        stream_options: { include_usage: true },
      })
      const chunks: OpenAI.ChatCompletionChunk[] = []
      for await (const chunk of stream) chunks.push(chunk)
      assert.ok(chunks.length > 5)
      assert.equal(
        chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''),
        whole.choices[0]!.message.content,
      )
      assert.deepEqual(chunks.filter((chunk) => chunk.usage).length, 1)
      assert.equal(chunks.at(-1)!.usage!.total_tokens, whole.usage!.total_tokens)
      assert.deepEqual(chunks.at(-1)!.choices, [])
    })

    test('a tool loop through the SDK’s own runner, whole and streamed', async () => {
      const tools = (seen: unknown[]) => [
        {
          type: 'function' as const,
          function: {
            ...TOOL,
            parse: JSON.parse,
            function: (args: object) => {
              seen.push(args)
              return '21 degrees'
            },
          },
        },
      ]
      for (const stream of [false, true]) {
        const seen: unknown[] = []
        const settings = { model: 'sim/tools', messages: ask('weather in Paris?'), tools: tools(seen) }
        const { completions } = clientAt(path).chat
        const runner = stream ? completions.runTools({ ...settings, stream }) : completions.runTools(settings)
        assert.match((await runner.finalContent())!, /The tool answered: 21 degrees/)
        assert.equal(seen.length, 1)
      }
    })

    test('parallel calls keep their own arguments', async () => {
      const tools = ['one', 'two'].map((name) => ({ type: 'function' as const, function: { ...TOOL, name } }))
      const final = await clientAt(path)
        .chat.completions.stream({ model: 'sim/tools', messages: ask('in parallel, please'), tools })
        .finalChatCompletion()
      const calls = final.choices[0]!.message.tool_calls!
      assert.deepEqual(
        calls.map((call) => call.type === 'function' && call.function.name),
        ['one', 'two'],
      )
      assert.equal(final.choices[0]!.finish_reason, 'tool_calls')
    })

    test('structured output is parsed', async () => {
      const { choices } = await clientAt(path).chat.completions.parse({
        model: 'sim/echo',
        messages: ask('Paris'),
        response_format: { type: 'json_schema', json_schema: { name: 'city', schema: SCHEMA, strict: true } },
      })
      const parsed = choices[0]!.message.parsed as unknown as { city: string; population: number }
      assert.equal(typeof parsed.city, 'string')
      assert.equal(typeof parsed.population, 'number')
    })

    test('an image is seen', async () => {
      const url = `data:image/png;base64,${PIXEL}`
      const content = [
        { type: 'text' as const, text: 'What is this?' },
        { type: 'image_url' as const, image_url: { url } },
      ]
      const answer = await clientAt(path).chat.completions.create({
        model: 'sim/vision',
        messages: [{ role: 'user', content }],
      })
      assert.match(answer.choices[0]!.message.content!, /image\/png, \d+ bytes, 1 x 1 pixels/)
    })
  })

  describe(`openai at ${path}: responses, embeddings, errors`, () => {
    test('responses: text, stream, stored conversation', async () => {
      const client = clientAt(path)
      const whole = await client.responses.create({ model: 'sim/echo', input: 'Hello, 世界' })
      assert.deepEqual([whole.output_text, whole.status, whole.model], ['Hello, 世界', 'completed', 'sim/echo'])
      assert.equal(whole.usage!.total_tokens, whole.usage!.input_tokens + whole.usage!.output_tokens)
      assert.match(String(whole._request_id), /^req_/)
      const types: string[] = []
      let text = ''
      for await (const event of await client.responses.create({ model: 'sim/echo', input: LONG, stream: true })) {
        types.push(event.type)
        if (event.type === 'response.output_text.delta') text += event.delta
      }
      assert.equal(types[0], 'response.created')
      assert.equal(types.at(-1), 'response.completed')
      assert.equal(text, LONG)
      const next = await client.responses.create({
        model: 'sim/echo',
        input: 'again',
        previous_response_id: whole.id,
      })
      assert.ok(next.usage!.input_tokens > whole.usage!.input_tokens, 'the first turn is part of the prompt')
    })

    test('responses: signed reasoning is replayed with a tool result', async () => {
      const client = clientAt(path)
      const settings = {
        model: 'sim/tools',
        store: false,
        include: ['reasoning.encrypted_content' as const],
        reasoning: { effort: 'medium' as const, summary: 'auto' as const },
        tools: [{ type: 'function' as const, ...TOOL, strict: true }],
      }
      const question = { role: 'user' as const, content: 'weather in Paris?' }
      const first = await client.responses.stream({ ...settings, input: [question] }).finalResponse()
      const call = first.output.find((item) => item.type === 'function_call')!
      assert.ok(first.output.some((item) => item.type === 'reasoning' && item.encrypted_content))
      const result = { type: 'function_call_output' as const, call_id: call.call_id, output: '21 degrees' }
      const input = [question, ...first.output, result] as OpenAI.Responses.ResponseInput
      const second = await client.responses.create({ ...settings, input })
      assert.match(second.output_text, /The tool answered: 21 degrees/)
      const altered = input.map((item) =>
        item.type === 'reasoning' ? { ...item, encrypted_content: `A${item.encrypted_content!.slice(1)}x` } : item,
      )
      await assert.rejects(client.responses.create({ ...settings, input: altered }), BadRequestError)
    })

    test('responses: structured output is parsed', async () => {
      const format = { type: 'json_schema' as const, name: 'city', schema: SCHEMA, strict: true }
      const parsed = await clientAt(path).responses.parse({ model: 'sim/echo', input: 'Paris', text: { format } })
      assert.deepEqual(Object.keys(parsed.output_parsed as object), ['city', 'population'])
    })

    test('embeddings: base64 is the SDK’s default and equals float; order and dimensions are kept', async () => {
      const client = clientAt(path)
      const ask = { model: 'sim/embed', input: ['a', 'b'], dimensions: 16 }
      const packed = await client.embeddings.create(ask)
      const plain = await client.embeddings.create({ ...ask, encoding_format: 'float' })
      assert.deepEqual(
        packed.data.map((one) => [one.index, one.embedding.length]),
        [
          [0, 16],
          [1, 16],
        ],
      )
      for (const [index, { embedding }] of packed.data.entries()) {
        for (const [at, value] of embedding.entries())
          assert.ok(Math.abs(value - plain.data[index]!.embedding[at]!) < 1e-6)
      }
      assert.notDeepEqual(packed.data[0]!.embedding, packed.data[1]!.embedding)
      assert.ok(packed.usage.prompt_tokens > 0)
    })

    test('models.list names every model, and retrieve knows an id with a slash', async () => {
      const client = clientAt(path)
      const ids: string[] = []
      for await (const model of client.models.list({ query: { output_modalities: 'all' } })) ids.push(model.id)
      for (const id of ['gpt-test', 'claude-test', 'gemini-test', 'embed-test', 'sim/echo'])
        assert.ok(ids.includes(id), id)
      assert.equal((await client.models.retrieve('sim/echo')).id, 'sim/echo')
    })

    test('a wrong key and an unknown model are the SDK’s own errors, at once', async () => {
      const wrong = clientAt(path, 'sk-wrong')
      const body = { model: 'sim/echo', messages: [] }
      for (const call of [
        () => wrong.chat.completions.create(body),
        () => wrong.responses.create({ model: 'sim/echo', input: 'a' }),
        () => wrong.embeddings.create({ model: 'sim/embed', input: 'a' }),
        () => wrong.models.list(),
      ]) {
        await assert.rejects(call, (error) => {
          assert.ok(error instanceof AuthenticationError)
          assert.match(String(error.requestID), /^req_/)
          return true
        })
      }
      const unknown = { model: 'sim/ecko', messages: [{ role: 'user' as const, content: 'a' }] }
      for (const stream of [false, true]) {
        await assert.rejects(clientAt(path).chat.completions.create({ ...unknown, stream }), (error) => {
          assert.ok(error instanceof NotFoundError)
          assert.match(error.message, /sim\/echo/)
          return true
        })
      }
    })
  })
}

test('what the gateway does not serve is a NotFoundError and no crash', async () => {
  const client = clientAt('/v1')
  await assert.rejects(
    client.files.create({ file: await toFile(Buffer.from('a'), 'a.txt'), purpose: 'batch' }),
    NotFoundError,
  )
  await assert.rejects(client.moderations.create({ input: 'a' }), NotFoundError)
})
