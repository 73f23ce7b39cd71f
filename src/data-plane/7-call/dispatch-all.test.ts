import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '#test/e2e/gateway.ts'
import { PRICE, startTestGateway } from '#test/e2e/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { CALLS_AT_ONCE_MAX } from './dispatch-all.ts'

test('so many calls run at a time and no more; the order is that of the inputs', async () => {
  const upstream = await startUpstream()
  const gate = Promise.withResolvers<void>()
  upstream.always(({ fields }) => ({
    waitFor: gate.promise,
    body: { embedding: [Number(fields['inputText'])], inputTextTokenCount: 1 },
  }))
  const gateway = await startTestGateway({
    config: {
      models: [{ id: 'titan', vendor: 'amazon', capabilities: ['embeddings'], price: { input: PRICE.input } }] as Json,
      routes: [{ model: 'titan', backend: 'aws', upstream_model: 'amazon.titan-embed-text-v2:0' }] as Json,
      backends: { aws: { type: 'bedrock', api_url: upstream.url, region: 'us-east-1', api_key: 'key-of-bedrock' } },
    },
  })
  const input = Array.from({ length: CALLS_AT_ONCE_MAX + 3 }, (_, index) => String(index))
  const asked = gateway.ask('/v1/embeddings', { body: { model: 'titan', input } })
  await upstream.whenReceived(CALLS_AT_ONCE_MAX)
  // Whatever else was sent at once has arrived when another request has been there and back.
  await gateway.ask('/v1/models')
  assert.equal(upstream.received.length, CALLS_AT_ONCE_MAX)
  gate.resolve()
  const { json } = await asked
  assert.deepEqual(
    json.data.map(({ embedding }: Json) => embedding[0]),
    input.map(Number),
  )
  assert.equal(json.usage.prompt_tokens, input.length)
  await gateway.close()
  await upstream.close()
})
