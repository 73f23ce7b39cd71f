import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '#test/e2e/gateway.ts'
import { PRICE, startTestGateway } from '#test/e2e/gateway.ts'
import { startUpstream } from '#test/upstream/upstream.ts'
import { CALLS_AT_ONCE_MAX } from './dispatch-all.ts'

/** A model whose upstream takes one text per call. */
async function startRig() {
  const upstream = await startUpstream()
  const gateway = await startTestGateway({
    config: {
      models: [{ id: 'titan', vendor: 'amazon', capabilities: ['embeddings'], price: { input: PRICE.input } }] as Json,
      routes: [{ model: 'titan', backend: 'aws', upstream_model: 'amazon.titan-embed-text-v2:0' }] as Json,
      backends: { aws: { type: 'bedrock', api_url: upstream.url, region: 'us-east-1', api_key: 'key-of-bedrock' } },
    },
  })
  const dispose = async (): Promise<void> => {
    await gateway.close()
    await upstream.close()
  }
  return { gateway, upstream, [Symbol.asyncDispose]: dispose }
}

const input = Array.from({ length: CALLS_AT_ONCE_MAX + 3 }, (_, index) => String(index))
const ASK = { body: { model: 'titan', input } }

test('so many calls run at a time and no more; the order is that of the inputs', async () => {
  await using rig = await startRig()
  const { gateway, upstream } = rig
  const gate = Promise.withResolvers<void>()
  upstream.always(({ fields }) => ({
    waitFor: gate.promise,
    body: { embedding: [Number(fields['inputText'])], inputTextTokenCount: 1 },
  }))
  const asked = gateway.ask('/v1/embeddings', ASK)
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
})

test('one that fails ends all: those under way are given up, no other begins', async () => {
  await using rig = await startRig()
  const { gateway, upstream } = rig
  const gate = Promise.withResolvers<void>()
  upstream.always(({ fields }) =>
    fields['inputText'] === '2' ? { waitFor: gate.promise, status: 500, body: { message: 'told' } } : { hang: true },
  )
  const asked = gateway.ask('/v1/embeddings', ASK)
  await upstream.whenReceived(CALLS_AT_ONCE_MAX)
  gate.resolve()
  assert.equal((await asked).status, 502)
  await upstream.whenAborted(CALLS_AT_ONCE_MAX - 1)
  assert.equal(upstream.received.length, CALLS_AT_ONCE_MAX)
})

test('a client that leaves ends all of them', async () => {
  await using rig = await startRig()
  const { gateway, upstream } = rig
  upstream.always({ hang: true })
  const leaving = new AbortController()
  const asked = gateway.ask('/v1/embeddings', { ...ASK, signal: leaving.signal }).catch(() => undefined)
  await upstream.whenReceived(CALLS_AT_ONCE_MAX)
  leaving.abort()
  await asked
  await upstream.whenAborted(CALLS_AT_ONCE_MAX)
  assert.equal(upstream.received.length, CALLS_AT_ONCE_MAX)
})
