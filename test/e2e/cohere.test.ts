import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { eventsOf, type Json, startTestGateway, type TestGateway } from './gateway.ts'

/** Cohere (R62) through its own chat and embeddings, over real sockets. */

const KEY = 'co-upstream-0123456789abcdef'
const CHAT = 'command-a-reasoning-08-2025'

let upstream: Upstream
let gateway: TestGateway

before(async () => {
  upstream = await startUpstream()
  gateway = await startTestGateway({
    config: {
      models: [
        {
          id: 'command',
          vendor: 'cohere',
          context_window: 100_000,
          max_output: 8000,
          capabilities: ['streaming', 'tools', 'reasoning'],
          price: { input: 1, output: 10, cache_read: 0.1 },
        },
        { id: 'embed', vendor: 'cohere', capabilities: ['embeddings'], price: { input: 1 } },
      ],
      routes: [
        { model: 'command', backend: 'cohere', upstream_model: CHAT },
        { model: 'embed', backend: 'cohere', upstream_model: 'embed-v4.0' },
      ],
      backends: { cohere: { type: 'cohere', api_url: upstream.url, api_key: KEY } },
    },
  })
})

after(async () => {
  await gateway?.close()
  await upstream?.close()
})

const USAGE = {
  billed_units: { input_tokens: 100, output_tokens: 10 },
  tokens: { input_tokens: 600, output_tokens: 20 },
  cached_tokens: 500,
}
const CALLED = {
  id: 'c14',
  message: {
    role: 'assistant',
    tool_plan: 'I will look.',
    tool_calls: [{ id: 'find_1', type: 'function', function: { name: 'find', arguments: '{"q":1}' } }],
  },
  finish_reason: 'TOOL_CALL',
  usage: USAGE,
}
const SAID = [
  { type: 'message-start', id: 'c14', delta: { message: { role: 'assistant' } } },
  { type: 'content-start', index: 0, delta: { message: { content: { type: 'thinking', thinking: 'Hm' } } } },
  { type: 'content-end', index: 0 },
  { type: 'content-start', index: 1, delta: { message: { content: { type: 'text', text: '' } } } },
  { type: 'content-delta', index: 1, delta: { message: { content: { text: 'Hel' } } } },
  { type: 'content-delta', index: 1, delta: { message: { content: { text: 'lo' } } } },
  { type: 'content-end', index: 1 },
  { type: 'message-end', delta: { finish_reason: 'COMPLETE', usage: USAGE } },
].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
const TOOLS = [{ type: 'function', function: { name: 'find', parameters: { type: 'object', properties: {} } } }]

test('a call of a tool: what Cohere is asked, what the client reads, and what is charged', async () => {
  upstream.script({ body: CALLED })
  const { status, json, headers } = await gateway.ask('/v1/chat/completions', {
    body: { model: 'command', messages: [{ role: 'user', content: 'Hi' }], tools: TOOLS, top_p: 0.5, max_tokens: 9 },
  })
  assert.equal(status, 200)
  const { path, headers: sent, fields } = upstream.received.at(-1)!
  assert.deepEqual([path, sent.authorization], ['/v2/chat', `Bearer ${KEY}`])
  assert.deepEqual(fields, {
    model: CHAT,
    messages: [{ role: 'user', content: 'Hi' }],
    tools: TOOLS,
    p: 0.5,
    max_tokens: 9,
    stream: false,
  })
  const [{ message, finish_reason: finish }] = json.choices as Json[]
  assert.deepEqual([message.reasoning_content ?? message.reasoning, finish], ['I will look.', 'tool_calls'])
  assert.equal(message.tool_calls[0].function.arguments, '{"q":1}')
  assert.deepEqual([json.usage.prompt_tokens, json.usage.completion_tokens], [600, 20])
  assert.equal(json.usage.prompt_tokens_details.cached_tokens, 500)
  // 100 tokens at 1 and 10 at 10 USD per million: what Cohere bills is less than what its model reads.
  assert.equal(Number((await gateway.log(headers.get('x-request-id')!)).charged_cost), 0.0002)
})

test('a stream reaches the clients of all surfaces', async () => {
  const asks: [path: string, body: object, read: (text: string) => string][] = [
    [
      '/v1/chat/completions',
      { model: 'command', messages: [{ role: 'user', content: 'Hi' }], stream: true },
      (text) =>
        eventsOf(text)
          .map((event: Json) => event.choices?.[0]?.delta?.content ?? '')
          .join(''),
    ],
    [
      '/v1/messages',
      { model: 'command', messages: [{ role: 'user', content: 'Hi' }], stream: true, max_tokens: 50 },
      (text) =>
        eventsOf(text)
          .map((event: Json) => event.delta?.text ?? '')
          .join(''),
    ],
    [
      '/v1/responses',
      { model: 'command', input: 'Hi', stream: true },
      (text) =>
        eventsOf(text)
          .map((event: Json) => (event.type === 'response.output_text.delta' ? event.delta : ''))
          .join(''),
    ],
    [
      '/v1beta/models/command:streamGenerateContent?alt=sse',
      { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
      (text) =>
        eventsOf(text)
          .flatMap((event: Json) => event.candidates?.[0]?.content?.parts ?? [])
          .map((part: Json) => (part.thought ? '' : (part.text ?? '')))
          .join(''),
    ],
  ]
  for (const [path, body, read] of asks) {
    upstream.script({ frames: SAID, headers: { 'content-type': 'text/event-stream' } })
    const { status, text } = await gateway.ask(path, { body })
    assert.equal(status, 200, text)
    assert.equal(read(text), 'Hello', path)
    assert.equal(upstream.received.at(-1)!.fields['stream'], true)
  }
})

test('a stream that is cut is no success, and an error keeps its status and its words', async () => {
  upstream.script({ frames: SAID.slice(0, 5), headers: { 'content-type': 'text/event-stream' } })
  const cut = await gateway.ask('/v1/chat/completions', {
    body: { model: 'command', messages: [{ role: 'user', content: 'Hi' }], stream: true },
  })
  assert.match(cut.text, /"error"/)
  upstream.script({ status: 400, body: { id: 'x', message: 'too many tokens' } })
  const refused = await gateway.ask('/v1/chat/completions', {
    body: { model: 'command', messages: [{ role: 'user', content: 'Hi' }] },
  })
  assert.deepEqual([refused.status, /too many tokens/.test(refused.text)], [400, true])
})

test('embeddings', async () => {
  upstream.script({ body: { embeddings: { float: [[1], [2]] }, meta: { billed_units: { input_tokens: 5 } } } })
  const { json } = await gateway.ask('/v1/embeddings', { body: { model: 'embed', input: ['a', 'b'] } })
  assert.equal(upstream.received.at(-1)!.path, '/v2/embed')
  assert.deepEqual(
    json.data.map(({ embedding }: Json) => embedding),
    [[1], [2]],
  )
  assert.equal(json.usage.prompt_tokens, 5)
})
