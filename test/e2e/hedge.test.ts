import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { SAMPLES_MIN } from '#health/first-outputs.ts'
import { eventually } from '#test/faults/gateway.ts'
import { startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { errorBody } from './two-backends.ts'

/** B10: a second attempt where the first output is later than the model's p95. The first to commit wins. */

const PATH = '/v1/chat/completions'

interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
  readonly second: Upstream
  ask(stream: boolean, headers?: Record<string, string>): Promise<Told>
  attemptsOf(told: Told): Promise<Json[]>
}

async function startRig(hedge = true): Promise<Rig> {
  const second = await startUpstream({ text: 'from the second' })
  const gateway = await startTestGateway({
    upstream: { text: 'from the first' },
    config: () => ({
      failure_handling: { enabled: true },
      models: [{ id: MODELS.chat.id, context_window: 100_000, price: PRICE, hedge }] as unknown as object,
      routes: ['openai', 'other'].map((backend, priority) => ({
        model: MODELS.chat.id,
        backend,
        priority,
      })) as unknown as object,
      backends: { other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' } },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await second.close()
  }
  return {
    gateway,
    first: gateway.upstream,
    second,
    ask: (stream, headers = {}) => {
      const body = { model: MODELS.chat.id, stream, messages: [{ role: 'user', content: 'hi' }] }
      return gateway.ask(PATH, { body, headers })
    },
    attemptsOf: async (told) =>
      (await gateway.log(told.headers.get('x-request-id')!)).attempts.map(({ backend, error_code }: Json) => [
        backend,
        error_code,
      ]),
    [Symbol.asyncDispose]: close,
  }
}

/** Teaches the gateway how long the model usually takes: next to nothing. */
async function learn(rig: Rig, stream: boolean): Promise<void> {
  for (let call = 0; call < SAMPLES_MIN; call++) assert.equal((await rig.ask(stream)).status, 200)
  assert.equal(rig.second.received.length, 0)
}

const usageOf = async ({ gateway }: Rig, told: Told): Promise<Json[]> =>
  (await gateway.ledger(gateway.accountId)).filter(
    ({ type, request_id }) => type === 'usage' && request_id === told.headers.get('x-request-id'),
  )

/** M7: the prompt that the silent one had to read, 10 tokens at 3 USD per million, stands on the operator's account. */
async function assertLostIsOurs({ gateway }: Rig, told: Told): Promise<void> {
  const id = told.headers.get('x-request-id')
  const row = await eventually('the cost of the lost attempt', 5000, async () =>
    (await gateway.logs('acc_operator')).find(({ client_request_id }) => client_request_id === id),
  )
  assert.deepEqual(
    [row.backend_id, row.error_code, row.usage_source, row.tokens.input, row.tokens.output],
    ['openai', 'hedge_lost', 'estimated', 10, 0],
  )
  const entries = (await gateway.ledger('acc_operator')).filter(({ request_id }) => request_id === row.request_id)
  assert.deepEqual(
    entries.map(({ type, amount }) => [type, amount]),
    [['usage', '-0.00003']],
  )
}

suite('B10: hedging', () => {
  for (const stream of [true, false]) {
    const kind = stream ? 'streamed' : 'whole'

    test(`${kind}: the second answers while the first is silent; the first is let go, and one is charged`, async () => {
      await using rig = await startRig()
      await learn(rig, stream)
      rig.first.script({ hang: true })
      const told = await rig.ask(stream)
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('second') && !told.text.includes('first'), told.text)
      assert.equal(told.headers.get('x-gateway-attempts'), '2')
      await rig.first.whenAborted(1)
      assert.deepEqual(await rig.attemptsOf(told), [
        ['openai', 'hedge_lost'],
        ['other', null],
      ])
      // M7: the winner's 10 and 5 tokens are billed, whatever the other one has cost.
      const entries = await usageOf(rig, told)
      assert.deepEqual(
        entries.map(({ amount }) => amount),
        ['-0.000105'],
      )
      await assertLostIsOurs(rig, told)
      // Who lost has done nothing wrong.
      const backends = (await rig.gateway.admin('GET', '/api/admin/backends')).data
      assert.equal(backends.find(({ id }: Json) => id === 'openai').health.state, 'closed')
    })

    test(`${kind}: the second fails, and the first is waited for`, async () => {
      await using rig = await startRig()
      await learn(rig, stream)
      const gate = Promise.withResolvers<void>()
      rig.first.script({ waitFor: gate.promise })
      rig.second.script({ status: 500, body: errorBody })
      const asked = rig.ask(stream)
      await rig.second.whenReceived(1)
      gate.resolve()
      const told = await asked
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('first'))
      assert.equal((await rig.attemptsOf(told)).at(-1)![0], 'openai')
    })

    test(`${kind}: both fail, and the client learns it once`, async () => {
      await using rig = await startRig()
      await learn(rig, stream)
      const gate = Promise.withResolvers<void>()
      rig.first.script({ waitFor: gate.promise, status: 503, body: errorBody })
      rig.second.script({ status: 500, body: errorBody })
      const asked = rig.ask(stream)
      await rig.second.whenReceived(1)
      gate.resolve()
      const told = await asked
      assert.equal(told.status, 502)
      assert.deepEqual((await rig.attemptsOf(told)).toSorted(), [
        ['openai', 'upstream_error'],
        ['other', 'upstream_error'],
      ])
      assert.equal((await usageOf(rig, told)).length, 0)
    })
  }

  test('a client that leaves ends both', async () => {
    await using rig = await startRig()
    await learn(rig, true)
    rig.first.script({ hang: true })
    rig.second.script({ hang: true })
    const leaving = new AbortController()
    const body = { model: MODELS.chat.id, stream: true, messages: [{ role: 'user', content: 'hi' }] }
    const asked = rig.gateway.ask(PATH, { body, signal: leaving.signal }).catch(() => undefined)
    await rig.second.whenReceived(1)
    leaving.abort()
    await asked
    await rig.first.whenAborted(1)
    await rig.second.whenAborted(1)
  })

  test('nobody else is asked where the model does not say so, and where the client wants one call', async () => {
    for (const [hedge, headers] of [
      [false, {}],
      [true, { 'x-gateway-no-fallback': 'true' }],
    ] as const) {
      await using rig = await startRig(hedge)
      await learn(rig, true)
      const gate = Promise.withResolvers<void>()
      rig.first.script({ waitFor: gate.promise })
      const asked = rig.ask(true, headers)
      await rig.first.whenReceived(SAMPLES_MIN + 1)
      // Far longer than the p95 that was learnt: other requests go there and back meanwhile.
      for (let call = 0; call < 50; call++) await rig.gateway.ask('/v1/models')
      gate.resolve()
      assert.ok((await asked).text.includes('first'))
      assert.equal(rig.second.received.length, 0)
    }
  })
})
