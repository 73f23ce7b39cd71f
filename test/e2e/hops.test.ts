import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import { HOPS_HEADER, HOPS_MAX } from '#data-plane/hops.ts'
import { errorBody, messages, model } from './openrouter-rig.ts'
import { type Json, startTestGateway, type TestGateway } from './gateway.ts'

/** B11: gateways that are each other's backend. */

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const start = (port: number, peerPort: number): Promise<TestGateway> =>
  startTestGateway({
    flags: { port, 'disable-auth': true },
    config: (url) => ({
      failure_handling: { enabled: true, min_retry_wait: 0.01 },
      models: [model('m')] as Json,
      routes: [
        { model: 'm', backend: 'own', upstream_model: 'm', priority: 0 },
        { model: 'm', backend: 'peer', upstream_model: 'm', priority: 1 },
      ] as Json,
      backends: {
        own: { type: 'openai', api_url: `${url}/v1`, api_key: 'sk-1' },
        peer: { type: 'openai-compatible', api_url: `http://127.0.0.1:${peerPort}/v1`, api_key: 'sk-1' },
      },
    }),
  })

suite('gateways that are each other’s fallback', () => {
  test('both upstreams are down: 502 after so many hops as are allowed, and no circle', async () => {
    const ports = [await freePort(), await freePort()] as const
    await using one = await start(ports[0], ports[1])
    await using two = await start(ports[1], ports[0])
    one.upstream.always({ status: 500, body: errorBody })
    two.upstream.always({ status: 500, body: errorBody })
    const told = await one.ask('/v1/chat/completions', { body: { model: 'm', messages } })
    assert.deepEqual([told.status, told.json.error.code], [502, 'upstream_unavailable'])
    // The client's own request, and one for each hop.
    const rows = [...(await one.logs()), ...(await two.logs())].filter(({ protocol }) => protocol === 'openai-chat')
    assert.equal(rows.length, 1 + HOPS_MAX)
    // The last one was refused before its upstream was asked. A vendor is not told of gateways.
    assert.equal(one.upstream.count() + two.upstream.count(), HOPS_MAX)
    assert.equal(one.upstream.received[0]!.headers[HOPS_HEADER], undefined)
  })

  test('the other one works: it answers', async () => {
    const ports = [await freePort(), await freePort()] as const
    await using one = await start(ports[0], ports[1])
    await using two = await start(ports[1], ports[0])
    one.upstream.always({ status: 500, body: errorBody })
    const told = await one.ask('/v1/chat/completions', { body: { model: 'm', messages } })
    assert.equal(told.status, 200)
    assert.equal(two.upstream.count(), 1)
  })

  test('the number of hops is bounded, and must be a number', async () => {
    await using gateway = await startTestGateway()
    const statusWith = async (hops: string) => {
      const body = { model: 'gpt-test', messages }
      const told = await gateway.ask('/v1/chat/completions', { headers: { [HOPS_HEADER]: hops }, body })
      return [told.status, told.headers.get('x-should-retry')]
    }
    assert.deepEqual(await statusWith(String(HOPS_MAX - 1)), [200, null])
    assert.deepEqual(await statusWith(String(HOPS_MAX)), [502, 'false'])
    for (const wrong of ['-1', 'x', '1.5', '1000']) assert.deepEqual(await statusWith(wrong), [400, null])
  })
})

suite('the cost of another gateway', () => {
  const ASKS: Readonly<Record<string, (model: string, stream: boolean) => readonly [string, object]>> = {
    chat: (id, stream) => ['/v1/chat/completions', { model: id, messages, stream }],
    responses: (id, stream) => ['/v1/responses', { model: id, input: 'hi', stream }],
    messages: (id, stream) => ['/v1/messages', { model: id, messages, max_tokens: 100, stream }],
  }

  test('B11: what only that one knows costs what it says, on every surface; who is not said to tell has no price', async () => {
    const peersOwn = {
      models: [model('only-there', { price: { input: 7, output: 31 } })],
      routes: [{ model: 'only-there', backend: 'openai' }],
    }
    await using peer = await startTestGateway({ config: peersOwn })
    const at = { type: 'openai-compatible', api_url: `${peer.url}/v1`, api_key: peer.key }
    await using one = await startTestGateway({
      config: { backends: { peer: { ...at, reports_cost: true }, silent: at } },
    })
    for (const [name, askOf] of Object.entries(ASKS))
      for (const stream of [false, true]) {
        const [path, body] = askOf('peer:only-there', stream)
        const told = await one.ask(path, { body })
        assert.equal(told.status, 200, told.text)
        const row = await one.log(told.headers.get('x-request-id')!)
        const [theirs] = await peer.logs(peer.accountId)
        assert.ok(Number(theirs!['charged_cost']) > 0)
        const { charged_cost: charged, metered_cost: metered, list_cost: list } = row
        const cost = theirs!['charged_cost']
        assert.deepEqual([charged, metered, list], [cost, cost, cost], `${name}, ${stream ? 'streamed' : 'whole'}`)
      }
    const [path, body] = ASKS['chat']!('silent:only-there', false)
    const told = await one.ask(path, { body })
    assert.equal(told.json.error.code, 'model_unpriced', told.text)
  })
})
