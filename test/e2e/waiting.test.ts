import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { eventually } from '#test/faults/gateway.ts'
import { type Frame, type Received, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'
import { framesOf } from './two-backends.ts'

/** How long the gateway waits: for an upstream (R76), and for the end of an answer whose client has left (R77). */

const LONG = 30
/** Above the sweep of the deadlines and a slow machine, far below the configured waits. */
const SOON_MS = 5000
/** What a backend is given. The other one has no more: enough for a machine that stands still for a moment. */
const LIMIT_S = 1
const LIMIT_MS = LIMIT_S * 1000

interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
  readonly second: Upstream
}

/** One model at two backends, with limits that no test waits for. `quick` is a second model with limits of its own. */
async function startRig(settings: Record<string, object> = {}, quick: object = {}): Promise<Rig> {
  const second = await startUpstream({ text: 'from the second' })
  const model = { context_window: 100_000, max_output: 8000, price: PRICE }
  const gateway = await startTestGateway({
    upstream: { text: 'from the first, in words' },
    config: () => ({
      failure_handling: { enabled: true },
      timeouts: { ttft_timeout: LONG, request_timeout: LONG, stream_idle_timeout: LONG },
      models: [
        { id: MODELS.chat.id, ...model },
        { id: 'quick', ...model, timeouts: quick },
      ] as unknown as object,
      routes: [MODELS.chat.id, 'quick'].flatMap((id) => [
        { model: id, backend: 'openai', upstream_model: id, priority: 0 },
        { model: id, backend: 'other', upstream_model: id, priority: 1 },
      ]) as unknown as object,
      backends: { other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' } },
      ...settings,
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await second.close()
  }
  return { gateway, first: gateway.upstream, second, [Symbol.asyncDispose]: close }
}

const bodyOf = (model: string, stream: boolean): object => ({
  model,
  stream,
  max_tokens: 50,
  messages: [{ role: 'user', content: 'hi' }],
})

const PATH = '/v1/chat/completions'
const asking = (timeoutMs: string): Record<string, string> => ({ 'x-gateway-timeout-ms': timeoutMs })

suite('R76: x-gateway-timeout-ms', () => {
  for (const stream of [false, true]) {
    test(`${stream ? 'stream' : 'whole'}: a backend that is not in time is given up for the next`, async () => {
      await using rig = await startRig()
      rig.first.script({ hang: true })
      const startedAt = performance.now()
      const ask = { body: bodyOf(MODELS.chat.id, stream), headers: asking(String(LIMIT_MS)) }
      const told = await rig.gateway.ask(PATH, ask)
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('second'), told.text)
      assert.ok(performance.now() - startedAt >= LIMIT_MS)
      await rig.first.whenAborted(1)
    })
  }

  test('with no other backend it is 504', async () => {
    await using rig = await startRig({ failure_handling: { enabled: false } })
    rig.first.script({ hang: true })
    const told = await rig.gateway.ask(PATH, { body: bodyOf(MODELS.chat.id, false), headers: asking('100') })
    assert.deepEqual([told.status, told.json.error.code], [504, 'upstream_timeout'])
  })

  test('it cannot make a configured limit longer', async () => {
    await using rig = await startRig({ timeouts: { ttft_timeout: LIMIT_S, request_timeout: LIMIT_S } })
    rig.first.script({ hang: true })
    const startedAt = performance.now()
    const told = await rig.gateway.ask(PATH, { body: bodyOf(MODELS.chat.id, true), headers: asking('86400000') })
    assert.equal(told.status, 200)
    assert.ok(performance.now() - startedAt < SOON_MS)
  })

  test('anything but whole milliseconds from 1 is refused', async () => {
    await using rig = await startRig()
    for (const value of ['0', '-1', '1.5', 'soon', '86400001', '999999999']) {
      const told = await rig.gateway.ask(PATH, { body: bodyOf(MODELS.chat.id, false), headers: asking(value) })
      assert.deepEqual([told.status, told.json.error.param], [400, 'x-gateway-timeout-ms'], value)
    }
    assert.equal(rig.first.received.length, 0)
  })
})

suite('R76: limits of a model', () => {
  test('they override the global ones, for the first content', async () => {
    await using rig = await startRig({}, { ttft_timeout: LIMIT_S })
    rig.first.script((received) => ({ frames: framesOf(received), stallAfterFrames: 1 }))
    const told = await rig.gateway.ask(PATH, { body: bodyOf('quick', true) })
    assert.equal(told.status, 200)
    assert.ok(told.text.includes('second'), told.text)
    await rig.first.whenAborted(1)
  })

  test('and for silence after it: the error in the stream, the connection closed, the reason in the row', async () => {
    await using rig = await startRig({}, { stream_idle_timeout: LIMIT_S })
    rig.first.script((received) => ({ frames: framesOf(received), stallAfterFrames: 3 }))
    const startedAt = performance.now()
    const told = await rig.gateway.ask(PATH, { body: bodyOf('quick', true) })
    assert.ok(performance.now() - startedAt < SOON_MS)
    assert.match(told.text, /"finish_reason":"error".*"code":"streaming_timeout"/)
    await rig.first.whenAborted(1)
    assert.equal(rig.second.received.length, 0)
    const row = await rig.gateway.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.status, row.error_code], ['upstream_disconnect', 'streaming_timeout'])
  })
})

suite('R77: the client leaves', () => {
  /** A stream whose frames after the first two of content wait for `gate`. */
  const gated = (gate: Promise<unknown>) => (received: Received) => ({
    frames: framesOf(received).map((frame, index): Frame =>
      index < 3 ? frame : { text: String(frame), waitFor: gate },
    ),
    usage: { input: 10, output: 5 },
  })

  /** Reads two chunks of content and leaves. */
  async function leaveEarly(gateway: TestGateway): Promise<string> {
    const leaving = new AbortController()
    const response = await gateway.open(PATH, { body: bodyOf(MODELS.chat.id, true), signal: leaving.signal })
    const reader = response.body!.getReader()
    let text = ''
    while (text.split('"content":"').length < 4) text += new TextDecoder().decode((await reader.read()).value)
    leaving.abort()
    await reader.read().catch(() => undefined)
    // Answered after the gateway has seen the connection close.
    for (let round = 0; round < 3; round++) await gateway.ask('/health')
    return response.headers.get('x-request-id')!
  }

  const rowOf = (gateway: TestGateway, id: string): Promise<Json> =>
    eventually(`row ${id}`, SOON_MS, async () => gateway.log(id).catch(() => undefined))

  test('without draining: the upstream hears of it within 500 ms, what was delivered is an estimate', async () => {
    await using rig = await startRig()
    const gate = Promise.withResolvers<void>()
    rig.first.script(gated(gate.promise))
    const id = await leaveEarly(rig.gateway)
    const leftAt = performance.now()
    await rig.first.whenAborted(1)
    assert.ok(performance.now() - leftAt < 500)
    gate.resolve()
    const row = await rowOf(rig.gateway, id)
    assert.deepEqual([row.status, row.usage_source], ['client_cancelled', 'estimated'])
    assert.ok(Number(row.tokens.output) > 0)
  })

  test('drain_on_disconnect: the answer is read to its end, and what the upstream reports is billed', async () => {
    await using rig = await startRig({ routing: { drain_on_disconnect: LONG } })
    const gate = Promise.withResolvers<void>()
    rig.first.script(gated(gate.promise))
    const id = await leaveEarly(rig.gateway)
    gate.resolve()
    await rig.first.whenCompleted(1)
    const row = await rowOf(rig.gateway, id)
    assert.equal(rig.first.aborted, 0)
    assert.deepEqual(
      [row.status, row.usage_source, row.tokens.input, row.tokens.output, row.charged_cost],
      ['client_cancelled', 'upstream', 10, 5, '0.000105'],
    )
  })

  test('it is given up after that time', async () => {
    await using rig = await startRig({ routing: { drain_on_disconnect: 0.3 } })
    const gate = Promise.withResolvers<void>()
    rig.first.script(gated(gate.promise))
    const id = await leaveEarly(rig.gateway)
    const startedAt = performance.now()
    await rig.first.whenAborted(1)
    const waitedMs = performance.now() - startedAt
    assert.ok(waitedMs > 200 && waitedMs < SOON_MS, `${waitedMs}`)
    gate.resolve()
    const row = await rowOf(rig.gateway, id)
    assert.deepEqual([row.status, row.usage_source], ['client_cancelled', 'estimated'])
  })

  test('an upstream that breaks while nobody reads is no error of the request', async () => {
    await using rig = await startRig({ routing: { drain_on_disconnect: LONG } })
    const gate = Promise.withResolvers<void>()
    rig.first.script((received) => ({ ...gated(gate.promise)(received), cutAfterFrames: 4 }))
    const id = await leaveEarly(rig.gateway)
    gate.resolve()
    const row = await rowOf(rig.gateway, id)
    assert.deepEqual([row.status, row.error_code], ['client_cancelled', 'client_closed_request'])
  })
})

suite('R72: several keys of one backend', () => {
  test('three numbered keys take turns: 300 calls are 100 each', async () => {
    await using gateway = await startTestGateway({
      env: { OPENAI_API_KEY: '', OPENAI_API_KEY_1: 'sk-a', OPENAI_API_KEY_2: 'sk-b', OPENAI_API_KEY_3: 'sk-c' },
    })
    const total = 300
    const lanes = 10
    const lane = async (): Promise<void> => {
      for (let call = 0; call < total / lanes; call++)
        assert.equal((await gateway.ask(PATH, { body: bodyOf(MODELS.chat.id, false) })).status, 200)
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    const byKey = Map.groupBy(gateway.upstream.received, ({ headers }) => headers.authorization)
    assert.deepEqual([...byKey.keys()].toSorted(), ['Bearer sk-a', 'Bearer sk-b', 'Bearer sk-c'])
    for (const [key, calls] of byKey) assert.ok(Math.abs(calls.length - 100) <= 10, `${key}: ${calls.length}`)
  })
})

suite('R66: speeds are measured', () => {
  for (const [strategy, expected] of [
    ['lowest_latency', 'second'],
    ['least_recently_used', 'both'],
  ] as const) {
    test(strategy, async () => {
      const second = await startUpstream({ text: 'from the second' })
      const model = { id: MODELS.chat.id, context_window: 100_000, price: PRICE, strategy }
      await using gateway = await startTestGateway({
        config: () => ({
          models: [model] as unknown as object,
          routes: ['openai', 'other'].map((backend) => ({ model: model.id, backend })) as unknown as object,
          backends: { other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' } },
        }),
      })
      gateway.upstream.always((received) => ({
        frames: [{ text: String(framesOf(received)[0]), delayMs: 60 }, ...framesOf(received).slice(1)],
      }))
      for (let call = 0; call < 12; call++) await gateway.ask(PATH, { body: bodyOf(model.id, true) })
      const [slow, fast] = [gateway.upstream.received.length, second.received.length]
      await second.close()
      if (expected === 'both') assert.deepEqual([slow, fast], [6, 6])
      else assert.deepEqual([slow, fast], [1, 11])
    })
  }
})
