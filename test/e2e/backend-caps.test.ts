import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { startUpstream } from '#test/upstream/upstream.ts'
import { MODELS, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'

/** What one credential of a backend may be given (R72), over real sockets. */

const ask = (gateway: TestGateway, change: object = {}, signal?: AbortSignal): Promise<Told> =>
  gateway.ask('/v1/chat/completions', {
    body: { model: MODELS.chat.id, messages: [], ...change },
    ...(signal && { signal }),
  })
const codeOf = ({ status, json }: Told) => [status, json.error?.code]

/** One model at a backend with three keys and these caps, and at another backend where there is one. */
const start = (caps: object, otherUrl?: string) =>
  startTestGateway({
    config: (url) => ({
      failure_handling: { enabled: true, max_silent_wait: 0 },
      models: [{ id: MODELS.chat.id, context_window: 100_000, max_output: 100, price: PRICE }] as unknown as object,
      routes: [
        { model: MODELS.chat.id, backend: 'pool' },
        ...(otherUrl ? [{ model: MODELS.chat.id, backend: 'other', priority: 1 }] : []),
      ] as unknown as object,
      backends: {
        pool: { type: 'openai', api_url: `${url}/v1`, api_key: ['sk-a', 'sk-b', 'sk-c'], ...caps },
        ...(otherUrl && { other: { type: 'openai', api_url: `${otherUrl}/v1`, api_key: 'sk-other' } }),
      },
    }),
  })

const keysOf = (gateway: TestGateway) =>
  gateway.upstream.received.map(({ headers }) => headers.authorization?.replace('Bearer sk-', ''))

suite('R72: caps', () => {
  for (const stream of [false, true]) {
    test(`${stream ? 'streams' : 'answers'}: one at a time of each key; more go elsewhere, or are told to come back`, async () => {
      const other = await startUpstream()
      await using gateway = await start({ concurrency: 1 }, other.url)
      await using alone = await start({ concurrency: 1 })
      for (const at of [gateway, alone]) {
        const gate = Promise.withResolvers<void>()
        at.upstream.always({ waitFor: gate.promise })
        const running = [1, 2, 3].map(() => ask(at, { stream }))
        await at.upstream.whenReceived(3)
        assert.deepEqual(keysOf(at).toSorted(), ['a', 'b', 'c'])
        const fourth = await ask(at, { stream })
        if (at === gateway) assert.deepEqual([fourth.status, other.count()], [200, 1])
        else {
          assert.deepEqual(codeOf(fourth), [429, 'upstream_rate_limited'])
          assert.equal(fourth.headers.get('retry-after'), '1')
        }
        assert.equal(at.upstream.count(), 3)
        gate.resolve()
        for (const each of running) assert.equal((await each).status, 200)
        for (let call = 0; call < 3; call++) assert.equal((await ask(at, { stream })).status, 200)
        assert.equal(at.upstream.count(), 6)
      }
      await other.close()
    })
  }

  test('a place is free again when its upstream failed, and when its client left', async () => {
    await using gateway = await start({ concurrency: 1 })
    gateway.upstream.always({ status: 400, body: { error: { message: 'no' } } })
    for (let call = 0; call < 6; call++) assert.equal((await ask(gateway)).status, 400)
    gateway.upstream.always({ hang: true })
    const leaving = new AbortController()
    const left = [1, 2, 3].map(() => ask(gateway, { stream: true }, leaving.signal))
    await gateway.upstream.whenReceived(9)
    assert.equal((await ask(gateway)).status, 429)
    leaving.abort()
    await Promise.allSettled(left)
    await gateway.upstream.whenAborted(3)
    gateway.upstream.always(undefined)
    for (let call = 0; call < 3; call++) assert.equal((await ask(gateway)).status, 200)
  })

  test('so many in a minute of each key, and the time until there may be more', async () => {
    await using gateway = await start({ rpm: 2 })
    for (let call = 0; call < 6; call++) assert.equal((await ask(gateway)).status, 200)
    assert.deepEqual(keysOf(gateway).toSorted(), ['a', 'a', 'b', 'b', 'c', 'c'])
    const refused = await ask(gateway)
    assert.deepEqual(codeOf(refused), [429, 'upstream_rate_limited'])
    const wait = Number(refused.headers.get('retry-after'))
    assert.ok(wait > 50 && wait <= 61, String(wait))
    // One of its keys under a name of its own is no way around.
    const named = await ask(gateway, { model: `pool.2:${MODELS.chat.id}` })
    assert.deepEqual(codeOf(named), [429, 'upstream_rate_limited'], named.text)
    assert.equal(gateway.upstream.count(), 6)
    assert.equal((await gateway.account(gateway.accountId)).held, '0')
  })

  test('R72: a key that cools down is passed over while the others take turns', async () => {
    await using gateway = await start({})
    gateway.upstream.script(() => ({
      status: 429,
      headers: { 'retry-after': '60' },
      body: { error: { message: 'slow' } },
    }))
    const first = await ask(gateway)
    assert.equal(first.status, 429)
    for (let call = 0; call < 8; call++) assert.equal((await ask(gateway)).status, 200)
    const later = keysOf(gateway).slice(1)
    assert.deepEqual([later.filter((key) => key === 'b').length, later.filter((key) => key === 'c').length], [4, 4])
  })
})
