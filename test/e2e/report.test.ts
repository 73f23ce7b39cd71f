import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Json, MODELS, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What is lost between client and upstream is told in full to who asks for it, in the body and in the records (B2, R81). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const FULL = { 'x-gateway-report': 'full' }
const SEED: Json = {
  path: '/seed',
  action: 'dropped',
  reason: 'no parameter of the Messages API',
  target: 'anthropic-messages',
}

const chat = (model: string, rest: object = {}, headers: Record<string, string> = FULL): Promise<Told> =>
  gateway.ask('/v1/chat/completions', {
    headers,
    body: { model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 50, ...rest },
  })
const responses = (model: string, rest: object = {}, headers: Record<string, string> = FULL): Promise<Told> =>
  gateway.ask('/v1/responses', { headers, body: { model, input: 'Hi', max_output_tokens: 50, ...rest } })

const dataOf = ({ text }: Told): Json[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice(6)) as Json)

/** Claude paused its turn after a search of its own. */
const PAUSED = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-upstream@2026',
  content: [
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} },
    { type: 'text', text: 'Found.' },
  ],
  stop_reason: 'pause_turn',
  stop_sequence: null,
  usage: { input_tokens: 5, output_tokens: 3 },
}
const LOST: Json[] = [
  {
    path: '/response/content/0',
    action: 'dropped',
    reason: 'Chat Completions has no place for a block of type server_tool_use',
    target: 'openai-chat',
  },
  {
    path: '/response/stop_reason',
    action: 'rewritten',
    reason: 'pause_turn is told as length',
    target: 'openai-chat',
  },
]

const pausedFrames = (): string[] => {
  const { content, stop_reason: reason, ...message } = PAUSED
  const events: Json[] = [
    { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
    ...content.flatMap((block, index) => [
      { type: 'content_block_start', index, content_block: block.type === 'text' ? { type: 'text', text: '' } : block },
      ...(block.type === 'text'
        ? [{ type: 'content_block_delta', index, delta: { type: 'text_delta', text: block.text } }]
        : []),
      { type: 'content_block_stop', index },
    ]),
    { type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: { output_tokens: 3 } },
    { type: 'message_stop' },
  ]
  return events.map((each) => `event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`)
}

describe('what a request lost', () => {
  test('is in the row, in the generation and in the header, with or without the report', async () => {
    const told = await chat(MODELS.messages.id, { seed: 7 }, {})
    assert.equal(told.status, 200, told.text)
    assert.equal('trivium' in told.json, false)
    assert.match(told.headers.get('x-gateway-warnings')!, /param=seed;action=drop;reason=/)
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.warnings, row.warnings_more], [[SEED], 0])
    const { data } = await gateway.ask(`/api/v1/generation?id=${told.json.id}`).then(({ json }) => json)
    assert.deepEqual([data.warnings, data.warnings_more], [[SEED], 0])
  })

  test('is in the row of a request that was refused for it, and of one whose upstream failed', async () => {
    const refused = await chat(MODELS.messages.id, { seed: 7, n: 2 })
    assert.equal(refused.status, 400)
    const row = await gateway.log(refused.headers.get('x-request-id')!)
    assert.deepEqual(
      row.warnings.map(({ path }: Json) => path),
      ['/n', '/seed'],
    )
    gateway.upstream.script({ status: 500, body: { type: 'error', error: { type: 'api_error', message: 'no' } } })
    const failed = await chat(MODELS.messages.id, { seed: 7 })
    assert.equal(failed.status, 502)
    assert.deepEqual((await gateway.log(failed.headers.get('x-request-id')!)).warnings, [SEED])
  })
})

describe('x-gateway-report: full', () => {
  test('a whole chat answer says what request and answer lost', async () => {
    gateway.upstream.script({ body: PAUSED })
    const told = await chat(MODELS.messages.id, { seed: 7 })
    assert.deepEqual(told.json.trivium, { warnings: [SEED, ...LOST] })
    assert.match(told.headers.get('x-gateway-warnings')!, /param=response\.stop_reason;action=rewrite/)
    const row = await gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual(row.warnings, [SEED, ...LOST])
  })

  for (const asksUsage of [true, false])
    test(`a chat stream says it in its last chunk, ${asksUsage ? 'with' : 'without'} usage`, async () => {
      gateway.upstream.script({ frames: pausedFrames() })
      const options = asksUsage ? { stream_options: { include_usage: true } } : {}
      const told = await chat(MODELS.messages.id, { seed: 7, stream: true, ...options })
      const chunks = dataOf(told)
      const telling = chunks.filter((chunk) => 'trivium' in chunk)
      assert.equal(telling.length, 1)
      assert.equal(chunks.at(-1), telling[0])
      assert.equal('usage' in telling[0], asksUsage)
      if (!asksUsage) assert.equal(telling[0].choices[0].finish_reason, 'length')
      assert.deepEqual(telling[0].trivium, { warnings: [SEED, ...LOST] })
      assert.doesNotMatch(told.headers.get('x-gateway-warnings')!, /response/)
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual(row.warnings, [SEED, ...LOST])
    })

  test('Responses says it in the response object', async () => {
    const losses = LOST.map((loss) => ({
      ...loss,
      reason: loss.reason.replace('Chat Completions', 'the Responses API').replace('as length', 'as max_output_tokens'),
      target: 'openai-responses',
    }))
    gateway.upstream.script({ body: PAUSED })
    const whole = await responses(MODELS.messages.id)
    assert.deepEqual(whole.json.trivium, { warnings: losses })
    gateway.upstream.script({ frames: pausedFrames() })
    const streamed = await responses(MODELS.messages.id, { stream: true })
    const events = dataOf(streamed)
    assert.deepEqual(events.at(-1).response.trivium, { warnings: losses })
    assert.equal(events.filter(({ response }) => response && 'trivium' in response).length, 1)
    // The kept answer is the answer: the report is of this exchange alone.
    const kept = await gateway.ask(`/v1/responses/${events.at(-1).response.id}`)
    assert.equal('trivium' in kept.json, false)
  })

  test('passthrough says that nothing was lost, and the rest of its bytes stays', async () => {
    for (const ask of [chat, responses]) {
      const plain = await ask(MODELS.chat.id, {}, {})
      const told = await ask(MODELS.chat.id)
      assert.equal(told.headers.get('x-gateway-adapter'), 'passthrough')
      assert.equal(told.text, plain.text.replace(/\}$/, ',"trivium":{"warnings":[]}}'))
    }
    const { key } = await gateway.fund({ credit: '0.01' })
    const body = { model: MODELS.chat.id, messages: [{ role: 'user', content: 'Hi' }] }
    const lowered = await gateway.ask('/v1/chat/completions', { key, headers: FULL, body })
    assert.match(lowered.json.trivium.warnings[0].reason, /^lowered to \d+ tokens by the balance$/)
    assert.equal(lowered.json.trivium.warnings[0].path, '/max_tokens')
  })

  test('a passthrough stream says it with its finish, its usage or its end', async () => {
    const chunks = dataOf(await chat(MODELS.chat.id, { stream: true }))
    assert.deepEqual(
      chunks.filter((chunk) => 'trivium' in chunk).map((chunk) => chunk.choices[0]?.finish_reason),
      ['stop'],
    )
    const counted = dataOf(await chat(MODELS.chat.id, { stream: true, stream_options: { include_usage: true } }))
    assert.deepEqual(counted.at(-1).trivium, { warnings: [] })
    assert.ok('usage' in counted.at(-1))
    const events = dataOf(await responses(MODELS.chat.id, { stream: true }))
    assert.deepEqual(events.at(-1).response.trivium, { warnings: [] })
  })

  test('Messages and Gemini stay native, and an unknown value is refused on every surface', async () => {
    const messages = { model: MODELS.chat.id, max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], top_k: 3 }
    const told = await gateway.ask('/v1/messages', { headers: FULL, body: messages })
    assert.equal(told.status, 200, told.text)
    assert.equal('trivium' in told.json, false)
    const { data } = await gateway.ask(`/api/v1/generation?id=${told.json.id}`).then(({ json }) => json)
    assert.equal(data.warnings[0].path, '/top_k')
    const before = gateway.upstream.count()
    for (const value of ['brief', 'FULL', '']) {
      const refused = await chat(MODELS.chat.id, {}, { 'x-gateway-report': value })
      assert.deepEqual([refused.status, refused.json.error.param], [400, 'x-gateway-report'], value)
    }
    assert.equal(gateway.upstream.count(), before)
  })

  test('embeddings say it too', async () => {
    const body = { model: MODELS.geminiEmbedding.id, input: 'Hi', user: 'u' }
    const told = await gateway.ask('/v1/embeddings', { headers: FULL, body })
    assert.deepEqual(
      told.json.trivium.warnings.map(({ path, target }: Json) => [path, target]),
      [['/user', 'gemini']],
    )
  })
})
