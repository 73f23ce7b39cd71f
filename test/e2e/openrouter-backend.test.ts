import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { eventsOf, type Json, PRICE, startTestGateway, type TestGateway } from './gateway.ts'

/** OpenRouter as a backend (R58): what only it says, and how it fails. */

const KEY = 'sk-or-v1-0123456789abcdef'
let upstream: Upstream
let gateway: TestGateway

before(async () => {
  upstream = await startUpstream()
  gateway = await startTestGateway({
    config: {
      models: [
        {
          id: 'llama',
          vendor: 'meta',
          context_window: 100_000,
          max_output: 8000,
          capabilities: ['tools', 'reasoning'],
          price: PRICE,
        },
      ] as Json,
      routes: [{ model: 'llama', backend: 'openrouter', upstream_model: 'meta-llama/llama-4' }] as Json,
      backends: { openrouter: { type: 'openrouter', api_url: `${upstream.url}/api/v1`, api_key: KEY } },
    },
  })
})
after(async () => {
  await gateway.close()
  await upstream.close()
})

const messages = [{ role: 'user', content: 'hi' }]
const ask = (body: object = {}) => gateway.ask('/v1/chat/completions', { body: { model: 'llama', messages, ...body } })
const askClaude = (body: object = {}) =>
  gateway.ask('/v1/messages', { body: { model: 'llama', max_tokens: 9, messages, ...body } })
const chunk = (value: object) =>
  `data: ${JSON.stringify({ id: 'gen-1', object: 'chat.completion.chunk', model: 'meta-llama/llama-4', provider: 'X', ...value })}\n\n`
const delta = (content: string) =>
  chunk({ choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }] })
const COMMENT = ': OPENROUTER PROCESSING\n\n'
const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 4,
  total_tokens: 24,
  cost: 0.5,
  cost_details: { upstream_inference_cost: 0.4 },
  prompt_tokens_details: { cached_tokens: 8, cache_write_tokens: 2 },
}

describe('OpenRouter as a backend', () => {
  test('its key, its paths, its own request members; Messages are native', async () => {
    const own = { provider: { order: ['x'] }, plugins: [{ id: 'web' }], transforms: ['middle-out'] }
    assert.equal((await ask(own)).status, 200)
    const { path, headers, fields } = upstream.received.at(-1)!
    assert.deepEqual([path, headers.authorization], ['/api/v1/chat/completions', `Bearer ${KEY}`])
    assert.deepEqual(
      [fields['provider'], fields['plugins'], fields['transforms']],
      [own.provider, own.plugins, own.transforms],
    )
    assert.equal((await askClaude()).status, 200)
    assert.equal(upstream.received.at(-1)!.path, '/api/v1/messages')
  })

  test('comments are no content; its cost is replaced by ours, once; cache classes are counted', async () => {
    const done = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
    const usage = chunk({ choices: [{ index: 0, delta: {}, finish_reason: null }], usage: USAGE })
    upstream.script({ frames: [COMMENT, COMMENT, delta('Hel'), COMMENT, delta('lo'), done, usage, 'data: [DONE]\n\n'] })
    const { text, headers } = await ask({ stream: true, stream_options: { include_usage: true } })
    const events = eventsOf(text)
    assert.equal(events.map((each) => each.choices[0]?.delta.content ?? '').join(''), 'Hello')
    const told = events.find((each) => each.usage)
    // 10 x 3 + 8 x 0.30 + 2 x 3.75 + 4 x 15 per million.
    assert.equal(told.usage.cost, 0.0000999)
    assert.equal(text.match(/"cost":/g)!.length, 1)
    const row = await gateway.log(headers.get('x-request-id')!)
    assert.deepEqual(
      [row.tokens?.cache_read ?? row.tokens_cache_read, row.tokens?.cache_write ?? row.tokens_cache_write],
      [8, 2],
    )
  })

  test('R58: an error in a 200 is an error', async () => {
    for (const [code, status] of [
      [429, 429],
      [400, 400],
      [502, 502],
    ] as const) {
      upstream.script({ body: { error: { code, message: 'Provider returned error' }, user_id: 'u' } })
      const { json, ...told } = await ask()
      assert.deepEqual([told.status, typeof json.error.message], [status, 'string'])
    }
  })

  test('an error inside a stream: before the content with its status, after it as an error event', async () => {
    const error = chunk({
      error: { code: 429, message: 'slow down' },
      choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
    })
    upstream.script({ frames: [COMMENT, error, 'data: [DONE]\n\n'] })
    assert.equal((await ask({ stream: true })).status, 429)
    upstream.script({ frames: [delta('Hel'), error, 'data: [DONE]\n\n'] })
    const { text } = await ask({ stream: true })
    assert.ok(
      eventsOf(text).some((each) => each.error),
      text,
    )
    assert.doesNotMatch(text, /"finish_reason":"stop"/)
  })
})

test('R105: who serves a model behind OpenRouter is asked on demand, by the operator', async () => {
  const read = (model: string, key = gateway.masterKey) =>
    gateway.ask(`/api/admin/upstream-endpoints?model=${model}`, { key })
  const endpoints = [{ name: 'X | meta-llama/llama-4', provider_name: 'X', uptime_last_30m: 99.5 }]
  upstream.script({ body: { data: { id: 'meta-llama/llama-4', endpoints } } })
  const { status, json } = await read('llama')
  assert.deepEqual(
    [status, json.data],
    [200, [{ backend: 'openrouter', upstream_model: 'meta-llama/llama-4', endpoints, error: null }]],
  )
  const { path, headers } = upstream.received.at(-1)!
  assert.deepEqual([path, headers.authorization], ['/api/v1/models/meta-llama/llama-4/endpoints', `Bearer ${KEY}`])
  for (const reply of [{ status: 500, body: { error: KEY } }, { body: { data: {} } }, { body: 'no json' }]) {
    upstream.script(reply)
    const told = await read('llama')
    assert.equal(told.json.data[0].endpoints, null)
    assert.ok(told.json.data[0].error !== null && !told.text.includes(KEY), told.text)
  }
  assert.equal((await read('nothing')).status, 404)
  assert.equal((await read('llama', gateway.key)).status, 403)
})
