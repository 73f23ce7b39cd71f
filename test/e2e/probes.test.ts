import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Received, type Script, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'

/** R71: active probes. A backend that answers none is left out before a request is lost to it. */

const SOON_MS = 10_000
const ASK = { body: { model: MODELS.chat.id, messages: [{ role: 'user', content: 'hi' }] } }

interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
  readonly second: Upstream
  /** What the first one says to its probes; everything else is answered as ever. */
  probesGet(script: Script): void
}

async function startRig(probe: unknown): Promise<Rig> {
  const first = await startUpstream({ text: 'from the first' })
  const second = await startUpstream({ text: 'from the second' })
  const gateway = await startTestGateway({
    config: () => ({
      failure_handling: { enabled: true },
      models: [{ id: MODELS.chat.id, context_window: 100_000, price: PRICE }] as unknown as object,
      routes: ['probed', 'other'].map((backend, priority) => ({
        model: MODELS.chat.id,
        backend,
        priority,
      })) as unknown as object,
      backends: {
        probed: { type: 'openai', api_url: `${first.url}/v1`, api_key: 'sk-probed', probe },
        other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' },
      },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await first.close()
    await second.close()
  }
  return {
    gateway,
    first,
    second,
    probesGet: (script) => first.always((received) => (isProbe(received) ? answerOf(script, received) : undefined)),
    [Symbol.asyncDispose]: close,
  }
}

const isProbe = ({ method }: Received): boolean => method === 'GET'
const answerOf = (script: Script, received: Received) => (typeof script === 'function' ? script(received) : script)
const probesAt = ({ received }: Upstream): readonly Received[] => received.filter(isProbe)

const healthOf = async ({ gateway }: Rig): Promise<Json> =>
  (await gateway.admin('GET', '/api/admin/backends')).data.find(({ id }: Json) => id === 'probed').health

const becomes = (rig: Rig, isDown: boolean): Promise<unknown> =>
  eventually(`is_down is ${isDown}`, SOON_MS, async () => ((await healthOf(rig)).is_down === isDown ? true : undefined))

suite('R71: active probes', () => {
  test('R71: two probes fail and it is left out without one lost request; one that is answered brings it back', async () => {
    await using rig = await startRig({ interval: 1 })
    rig.probesGet({ status: 503, body: {} })
    await becomes(rig, true)
    assert.equal(probesAt(rig.first).length, 2)
    const told = await rig.gateway.ask('/v1/chat/completions', ASK)
    assert.equal(told.headers.get('x-gateway-attempts'), '1')
    assert.ok(told.text.includes('second'))
    rig.probesGet({ status: 200, body: { data: [] } })
    await becomes(rig, false)
    assert.ok((await rig.gateway.ask('/v1/chat/completions', ASK)).text.includes('first'))
    const [probe] = probesAt(rig.first)
    assert.deepEqual([probe!.path, probe!.headers.authorization], ['/v1/models', 'Bearer sk-probed'])
  })

  test('R71: a probe that nobody answers in time has failed; one that is refused has not', async () => {
    await using rig = await startRig({ interval: 1, timeout: 0.2, failures: 1, path: '/health' })
    rig.probesGet({ hang: true })
    await becomes(rig, true)
    assert.equal(probesAt(rig.first)[0]!.path, '/v1/health')
    rig.probesGet({ status: 401, body: {} })
    await becomes(rig, false)
  })

  test('R71: with nobody else to ask, what is down is asked all the same', async () => {
    await using rig = await startRig({ interval: 1, failures: 1 })
    rig.probesGet({ status: 500, body: {} })
    await becomes(rig, true)
    rig.second.always({ status: 500, body: {} })
    for (let call = 0; call < 3; call++) await rig.gateway.ask('/v1/chat/completions', ASK)
    const told = await rig.gateway.ask('/v1/chat/completions', ASK)
    assert.equal(told.status, 200, told.text)
    assert.ok(told.text.includes('first'))
  })

  test('R71: without the setting nobody is probed', async () => {
    await using rig = await startRig(false)
    for (let call = 0; call < 3; call++) await rig.gateway.ask('/v1/chat/completions', ASK)
    assert.equal(probesAt(rig.first).length, 0)
    assert.equal((await healthOf(rig)).is_down, false)
  })
})
