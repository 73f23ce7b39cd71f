import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PAIRS, verifyStream } from './codec-cost.ts'
import { carryRequest } from './codec-pair.ts'
import { requestBytes } from './codec-requests.ts'
import { UPSTREAM_MODELS } from './codec-streams.ts'

test('every pair carries what the bench feeds it', async () => {
  for (const pair of PAIRS) {
    await verifyStream(pair, 'text')
    await verifyStream(pair, 'arguments')
    for (const size of ['small', 'agent'] as const) {
      const asked = requestBytes(pair.client, size)
      const sent = carryRequest(pair, asked)
      const body = JSON.parse(sent.toString()) as Record<string, unknown>
      const what = `${pair.client} to ${pair.upstream}`
      if ('model' in body) assert.equal(body['model'], UPSTREAM_MODELS[pair.upstream], what)
      assert.ok(sent.length > asked.length * 0.7, `${what}: ${sent.length} of ${asked.length} bytes`)
    }
  }
  assert.equal(requestBytes('openai-chat', 'agent').length >> 10, 98)
})
