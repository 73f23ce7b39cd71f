import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import OpenAI from 'openai'
import { STORY } from './story.ts'
import { startSimulator } from './index.ts'
import type { Simulator } from './index.ts'

let simulator: Simulator
let client: OpenAI

before(async () => {
  simulator = await startSimulator({ storyPaceMs: 0 })
  client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: 'any', maxRetries: 0 })
})
after(() => simulator.close())

const weather = {
  type: 'object',
  properties: {
    city: { type: 'string' },
    unit: { type: 'string', enum: ['celsius', 'kelvin'] },
    days: { type: 'integer', minimum: 1, maximum: 7 },
    place: { type: 'object', properties: { tags: { type: 'array', items: { type: 'string' } } }, required: ['tags'] },
  },
  required: ['city', 'unit'],
}
const weatherArguments = (text: string, days: number) => ({
  city: text,
  unit: 'celsius',
  days,
  place: { tags: [text] },
})
const chatTools = [
  { type: 'function' as const, function: { name: 'weather', parameters: weather } },
  { type: 'function' as const, function: { name: 'clock', parameters: { type: 'object', properties: {} } } },
]
const user = (content: string) => [{ role: 'user' as const, content }]

// A valid 1 x 1 GIF: small enough to be written out here.
const GIF = 'R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'
const GIF_TEXT = `Image 1: image/gif, ${Buffer.from(GIF, 'base64').length} bytes, 1 x 1 pixels.`

describe('chat completions', () => {
  test('echo answers whole with counted usage', async () => {
    const answer = await client.chat.completions.create({ model: 'sim/echo', messages: user('Grüße 🛶') })
    assert.equal(answer.object, 'chat.completion')
    assert.equal(answer.model, 'sim/echo')
    assert.equal(answer.choices[0]?.message.content, 'Grüße 🛶')
    assert.equal(answer.choices[0]?.finish_reason, 'stop')
    assert.deepEqual(
      [answer.usage?.prompt_tokens, answer.usage?.completion_tokens, answer.usage?.total_tokens],
      [2, 2, 4],
    )
  })

  test('story streams word by word, with usage only when asked', async () => {
    const stream = await client.chat.completions.create({
      model: 'sim/story',
      messages: user('tell'),
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await Array.fromAsync(stream)
    assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant')
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''), STORY)
    assert.ok(chunks.length > 150, 'one chunk per word')
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'stop')
    assert.deepEqual(chunks.at(-1)?.choices, [])
    assert.equal(chunks.at(-1)?.usage?.completion_tokens, Math.ceil(STORY.length / 4))
    const plain = await client.chat.completions.create({ model: 'sim/echo', messages: user('a'), stream: true })
    for await (const chunk of plain) assert.ok(!('usage' in chunk) && chunk.choices.length === 1)
  })

  test('think reasons first, with a signature that may be replayed and may not be altered', async () => {
    const request = { model: 'sim/think', messages: user('why?') }
    const answer = await client.chat.completions.create(request)
    const message = answer.choices[0]!.message as unknown as Record<string, unknown> & { content: string }
    const [detail] = message.reasoning_details as { text: string; signature: string }[]
    assert.match(detail!.text, /why\?/)
    assert.ok(answer.usage!.completion_tokens_details!.reasoning_tokens! > 0)
    const stream = client.chat.completions.stream(request)
    let reasoning = ''
    stream.on('chunk', (chunk) => {
      reasoning += (chunk.choices[0]!.delta as { reasoning_content?: string }).reasoning_content ?? ''
    })
    assert.equal((await stream.finalChatCompletion()).choices[0]?.message.content, message.content)
    assert.equal(reasoning, detail!.text)
    const replay = (signature: string) =>
      client.chat.completions.create({
        model: 'sim/think',
        messages: [
          ...user('why?'),
          { role: 'assistant', content: message.content, reasoning_details: [{ ...detail, signature }] } as never,
          ...user('go on'),
        ],
      })
    assert.match((await replay(detail!.signature)).choices[0]!.message.content!, /go on/)
    await assert.rejects(replay(detail!.signature.replace(/^./, '-')), { status: 400 })
  })

  test('tools: a call, its result, a sentence; forced and parallel ones too', async () => {
    const request = { model: 'sim/tools', tools: chatTools, messages: user('Oslo for 3 days') }
    const answer = await client.chat.completions.create(request)
    assert.equal(answer.choices[0]?.finish_reason, 'tool_calls')
    assert.equal(answer.choices[0]?.message.content, null)
    const [call] = answer.choices[0]!.message.tool_calls!
    assert.ok(call?.type === 'function')
    assert.deepEqual(JSON.parse(call.function.arguments), weatherArguments('Oslo for 3 days', 3))
    const result = { role: 'tool' as const, tool_call_id: call.id, content: '12 °C, rain' }
    const second = await client.chat.completions.create({
      ...request,
      messages: [...request.messages, answer.choices[0]!.message, result],
    })
    assert.equal(second.choices[0]?.message.content, 'The tool answered: 12 °C, rain')
    const forced = await client.chat.completions.create({
      ...request,
      tool_choice: { type: 'function', function: { name: 'clock' } },
    })
    assert.equal(JSON.stringify(forced.choices[0]?.message.tool_calls).includes('clock'), true)
    const stream = client.chat.completions.stream({ ...request, messages: user('both in parallel') })
    const final = await stream.finalChatCompletion()
    const names = final.choices[0]?.message.tool_calls?.map((one) => one.type === 'function' && one.function.name)
    assert.deepEqual(names, ['weather', 'clock'])
    const single = await client.chat.completions.create({
      ...request,
      messages: user('parallel'),
      parallel_tool_calls: false,
    })
    assert.equal(single.choices[0]?.message.tool_calls?.length, 1)
  })

  test('vision describes images in the body and at a URL', async () => {
    const image = (url: string) => ({ type: 'image_url' as const, image_url: { url } })
    const content = [image(`data:image/gif;base64,${GIF}`), image('https://example.com/a.png')]
    const answer = await client.chat.completions.create({ model: 'sim/vision', messages: [{ role: 'user', content }] })
    assert.match(answer.choices[0]!.message.content!, new RegExp(`^${GIF_TEXT}\nImage 2: .*example.com/a.png`))
  })

  test('structured output fits the schema', async () => {
    const answer = await client.chat.completions.create({
      model: 'sim/echo',
      messages: user('Oslo'),
      response_format: { type: 'json_schema', json_schema: { name: 'weather', schema: weather } },
    })
    assert.deepEqual(JSON.parse(answer.choices[0]!.message.content!), weatherArguments('Oslo', 1))
    const loose = await client.chat.completions.create({
      model: 'sim/echo',
      messages: user('Oslo'),
      response_format: { type: 'json_object' },
    })
    assert.deepEqual(JSON.parse(loose.choices[0]!.message.content!), { answer: 'Oslo' })
  })

  test('max_tokens and stop end the answer early', async () => {
    const cut = await client.chat.completions.create({ model: 'sim/story', messages: user('x'), max_tokens: 3 })
    assert.deepEqual([cut.choices[0]?.message.content, cut.choices[0]?.finish_reason], [STORY.slice(0, 12), 'length'])
    assert.equal(cut.usage?.completion_tokens, 3)
    const stopped = await client.chat.completions.create({
      model: 'sim/echo',
      messages: user('one END two'),
      stop: 'END',
    })
    assert.deepEqual([stopped.choices[0]?.message.content, stopped.choices[0]?.finish_reason], ['one ', 'stop'])
  })

  test('bad input is a native error', async () => {
    const create = (fields: object) =>
      client.chat.completions.create({ model: 'sim/echo', messages: user('a'), ...fields })
    await assert.rejects(create({ model: 'sim/nothing' }), { status: 404, code: 'model_not_found' })
    await assert.rejects(create({ model: 'sim/embed' }), { status: 400, type: 'invalid_request_error' })
    await assert.rejects(create({ messages: [] }), { status: 400, param: 'messages' })
    await assert.rejects(create({ max_tokens: 0 }), { status: 400 })
    await assert.rejects(create({ messages: user('a'.repeat(512_001)) }), {
      status: 400,
      code: 'context_length_exceeded',
    })
    assert.ok(await create({ messages: user('a'.repeat(512_000)) }))
  })
})

describe('responses', () => {
  test('typed events come in order with rising numbers', async () => {
    const stream = await client.responses.create({ model: 'sim/think', input: 'why?', stream: true })
    const events = await Array.fromAsync(stream)
    assert.deepEqual(
      events.map((event) => event.sequence_number),
      events.map((_, index) => index),
    )
    const types = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1])
    assert.deepEqual(types, [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    const last = events.at(-1)!
    assert.ok(last.type === 'response.completed' && last.response.usage!.output_tokens_details.reasoning_tokens > 0)
  })

  test('the stream helper folds to the same answer; encrypted reasoning only when included', async () => {
    const include = ['reasoning.encrypted_content' as const]
    const request = { model: 'sim/think', input: 'why?', include }
    const whole = await client.responses.create(request)
    const folded = await client.responses.stream(request).finalResponse()
    assert.equal(folded.output_text, whole.output_text)
    const seal = (response: typeof whole) =>
      response.output.find((item) => item.type === 'reasoning')?.encrypted_content
    assert.ok(seal(whole))
    assert.equal(seal(folded), seal(whole))
    assert.equal(seal(await client.responses.create({ ...request, include: [] })), undefined)
    const replay = [...whole.output, { role: 'user', content: 'more' }] as OpenAI.Responses.ResponseInput
    assert.match((await client.responses.create({ ...request, input: replay })).output_text, /more/)
  })

  test('a tool loop over previous_response_id, streamed and not', async () => {
    const tools = [{ type: 'function' as const, name: 'weather', parameters: weather, strict: false }]
    const first = await client.responses.stream({ model: 'sim/tools', input: 'Oslo 2', tools }).finalResponse()
    const call = first.output.find((item) => item.type === 'function_call')!
    assert.deepEqual(JSON.parse(call.arguments), weatherArguments('Oslo 2', 2))
    const second = await client.responses.create({
      model: 'sim/tools',
      tools,
      previous_response_id: first.id,
      input: [{ type: 'function_call_output', call_id: call.call_id, output: 'rain' }],
    })
    assert.equal(second.output_text, 'The tool answered: rain')
    const third = await client.responses.create({ model: 'sim/echo', previous_response_id: second.id, input: [] })
    assert.equal(third.output_text, 'Oslo 2')
    const unknown = { model: 'sim/echo', input: 'a', previous_response_id: 'resp_unknown' }
    await assert.rejects(client.responses.create(unknown), { status: 400, code: 'previous_response_not_found' })
    const unstored = await client.responses.create({ model: 'sim/echo', input: 'a', store: false })
    await assert.rejects(client.responses.create({ ...unknown, previous_response_id: unstored.id }), { status: 400 })
  })

  test('images, structured output and the output limit', async () => {
    const image = { type: 'input_image' as const, image_url: `data:image/gif;base64,${GIF}`, detail: 'auto' as const }
    const seen = await client.responses.create({ model: 'sim/vision', input: [{ role: 'user', content: [image] }] })
    assert.equal(seen.output_text, GIF_TEXT)
    const format = { type: 'json_schema' as const, name: 'weather', schema: weather }
    const shaped = await client.responses.create({ model: 'sim/echo', input: 'Oslo', text: { format } })
    assert.deepEqual(JSON.parse(shaped.output_text), weatherArguments('Oslo', 1))
    const cut = await client.responses.create({ model: 'sim/story', input: 'a', max_output_tokens: 2 })
    assert.deepEqual([cut.status, cut.incomplete_details?.reason], ['incomplete', 'max_output_tokens'])
    const streamed = await Array.fromAsync(
      await client.responses.create({ model: 'sim/story', input: 'a', max_output_tokens: 2, stream: true }),
    )
    assert.equal(streamed.at(-1)?.type, 'response.incomplete')
  })
})

describe('embeddings', () => {
  test('unit vectors that depend on the text only, in order, in both encodings', async () => {
    const request = { model: 'sim/embed', input: ['a', 'b', 'a'], dimensions: 256 }
    const float = await client.embeddings.create({ ...request, encoding_format: 'float' })
    // The SDK asks for base64 by default and decodes it.
    const base64 = await client.embeddings.create(request)
    assert.deepEqual(
      float.data.map((one) => [one.index, one.embedding.length]),
      [
        [0, 256],
        [1, 256],
        [2, 256],
      ],
    )
    assert.deepEqual(base64.data, float.data)
    assert.deepEqual(float.data[0]?.embedding, float.data[2]?.embedding)
    assert.notDeepEqual(float.data[0]?.embedding, float.data[1]?.embedding)
    assert.ok(Math.abs(Math.hypot(...float.data[0]!.embedding) - 1) < 1e-6)
    assert.deepEqual(float.usage, { prompt_tokens: 3, total_tokens: 3 })
    assert.equal((await client.embeddings.create({ model: 'sim/embed', input: [1, 2, 3] })).data.length, 1)
    assert.equal((await client.embeddings.create({ model: 'sim/embed', input: [[1], [2]] })).data.length, 2)
  })

  test('bounds: 2048 texts, 4096 dimensions, no chat model, no empty text', async () => {
    const create = (fields: object) => client.embeddings.create({ model: 'sim/embed', input: 'a', ...fields })
    const many = Array.from({ length: 2048 }, () => 'a')
    assert.equal((await create({ input: many, dimensions: 1 })).data.length, 2048)
    assert.equal((await create({ dimensions: 4096 })).data[0]?.embedding.length, 4096)
    await assert.rejects(create({ input: [...many, 'a'] }), { status: 400 })
    await assert.rejects(create({ dimensions: 4097 }), { status: 400 })
    await assert.rejects(create({ input: '' }), { status: 400 })
    await assert.rejects(create({ model: 'sim/echo' }), { status: 404 })
  })
})
