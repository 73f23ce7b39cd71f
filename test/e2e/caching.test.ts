import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startUpstream } from '#test/upstream/upstream.ts'
import { type Json, PRICE, startTestGateway } from './gateway.ts'

/** Prompt caching for Claude (R89): what is marked, for whom, what it saves, and how to say no. */

const CHAT = { context_window: 200_000, max_output: 8000, capabilities: ['streaming', 'tools'], price: PRICE }
const SYSTEM = 'A rule that never changes. '.repeat(1000)
const MARK = { type: 'ephemeral' }

const chatBody = (model: string) => ({
  model,
  messages: [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: 'hi' },
  ],
})
const messagesBody = (model: string) => ({
  model,
  max_tokens: 50,
  system: SYSTEM,
  messages: [{ role: 'user', content: 'hi' }],
})

async function start(config: Record<string, object> = {}) {
  const upstream = await startUpstream()
  const { url } = upstream
  const models = [
    { id: 'claude', vendor: 'anthropic', ...CHAT },
    { id: 'claude-off', vendor: 'anthropic', cache: 'off', ...CHAT },
    { id: 'flagged', vendor: 'any', cache: 'explicit', ...CHAT },
    { id: 'plain', vendor: 'any', ...CHAT },
    { id: 'claude-router', vendor: 'anthropic', ...CHAT },
    { id: 'claude-aws', vendor: 'anthropic', ...CHAT },
    { id: 'claude-other', vendor: 'anthropic', ...CHAT },
  ]
  const route = (model: string, backend: string, name: string) => ({ model, backend, upstream_model: name })
  const gateway = await startTestGateway({
    config: {
      models: models as Json,
      routes: [
        route('claude', 'a', 'claude-sonnet-4-5'),
        route('claude-off', 'a', 'claude-sonnet-4-5'),
        route('flagged', 'a', 'their-name'),
        route('plain', 'a', 'their-name'),
        route('claude-router', 'router', 'anthropic/claude-sonnet-4.5'),
        route('claude-aws', 'aws', 'anthropic.claude-sonnet-4-5-20250929-v1:0'),
        route('claude-other', 'other', 'claude-sonnet-4-5'),
      ] as Json,
      ...config,
      backends: {
        a: { type: 'anthropic', api_url: url, api_key: 'key-of-anthropic' },
        router: { type: 'openrouter', api_url: `${url}/api/v1`, api_key: 'key-of-router' },
        aws: { type: 'bedrock', api_url: url, region: 'us-east-1', api_key: 'key-of-bedrock' },
        other: { type: 'anthropic-compatible', api_url: url, api_key: 'key-of-other' },
      },
    },
  })
  const sent = async (path: string, body: object, headers: Record<string, string> = {}): Promise<Json> => {
    await gateway.ask(path, { body, headers })
    return upstream.received.at(-1)!.fields
  }
  return {
    gateway,
    upstream,
    sent,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream.close()
    },
  }
}

describe('prompt caching', () => {
  test('R89: a long prompt of a chat client is marked, its cache is told, billed and logged', async () => {
    await using bed = await start()
    const { gateway, upstream } = bed
    upstream.script({ usage: { input: 10, cacheWrite: 5000 } }, { usage: { input: 10, cacheRead: 5000 } })
    const first = await gateway.ask('/v1/chat/completions', { body: chatBody('claude') })
    const second = await gateway.ask('/v1/chat/completions', { body: chatBody('claude') })
    for (const { fields } of upstream.received) assert.deepEqual(fields['cache_control'], MARK)
    assert.equal(second.json.usage.prompt_tokens_details.cached_tokens, 5000)
    assert.equal(second.json.usage.prompt_tokens, 5010)
    // 10 x 3 + 5000 x 3.75 + 5 x 15, and 5000 x 0.30 the second time, per million.
    assert.equal(Number(first.json.usage.cost), 0.018855)
    assert.equal(Number(second.json.usage.cost), 0.001605)
    const row = await gateway.log(second.headers.get('x-request-id')!)
    assert.match(JSON.stringify(row), /marked for the cache/)
  })

  test('native requests keep every other member; long turns alone are no reason', async () => {
    await using bed = await start()
    const body = messagesBody('claude')
    assert.deepEqual(await bed.sent('/v1/messages', body), { ...body, model: 'claude-sonnet-4-5', cache_control: MARK })
    const short = { ...body, system: 'short', messages: [{ role: 'user', content: SYSTEM }] }
    assert.equal((await bed.sent('/v1/messages', short)).cache_control, undefined)
  })

  test('R89: whoever says no is left alone: the client, the model, the operator', async () => {
    await using bed = await start()
    const body = messagesBody('claude')
    const isMarked = (fields: Json) => JSON.stringify(fields).includes('cache_control')
    assert.equal(isMarked(await bed.sent('/v1/messages', body, { 'x-gateway-cache': 'off' })), false)
    assert.equal(isMarked(await bed.sent('/v1/messages', messagesBody('claude-off'))), false)
    assert.equal(isMarked(await bed.sent('/v1/messages', messagesBody('plain'))), false)
    assert.equal(isMarked(await bed.sent('/v1/messages', messagesBody('claude-other'))), false)
    assert.equal(isMarked(await bed.sent('/v1/messages', messagesBody('flagged'))), true)
    await using off = await start({ caching: { automatic: false } })
    assert.equal(isMarked(await off.sent('/v1/messages', body)), false)
  })

  test('R89: OpenRouter takes the mark at the top of each of its protocols, Bedrock in the blocks', async () => {
    await using bed = await start()
    assert.deepEqual((await bed.sent('/v1/chat/completions', chatBody('claude-router'))).cache_control, MARK)
    assert.deepEqual((await bed.sent('/v1/messages', messagesBody('claude-router'))).cache_control, MARK)
    const fields = await bed.sent('/v1/messages', messagesBody('claude-aws'))
    assert.deepEqual(
      [fields.cache_control, fields.system],
      [undefined, [{ type: 'text', text: SYSTEM, cache_control: MARK }]],
    )
  })
})
