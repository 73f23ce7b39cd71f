import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { FAILURES_MAX, OPEN_MS } from '#health/circuit.ts'
import { type Frame, type Received, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { type Json, MODELS, PRICE, startTestGateway, type TestGateway, type Told } from './gateway.ts'
import { type Call, errorBody, framesOf, GOOD, json, opening, startRig, STREAMED, WHOLE } from './two-backends.ts'

/** The checks of R66 to R71, word for word. What surrounds them is in failover.test.ts and failover-matrix.test.ts. */

const CHAT = '/v1/chat/completions'
const bodyOf = (model: string, rest: object = {}): object => ({
  model,
  messages: [{ role: 'user', content: 'hi' }],
  ...rest,
})

interface Pair extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
  readonly second: Upstream
}

/** Two backends of the protocol of chat, and models with the routes that are given for them. */
async function startPair(routes: Readonly<Record<string, readonly object[]>>, rest: object = {}): Promise<Pair> {
  const second = await startUpstream({ text: GOOD })
  const gateway = await startTestGateway({
    ...('now' in rest ? { now: rest.now as () => number } : {}),
    config: () => ({
      failure_handling: { enabled: true, min_retry_wait: 0.01 },
      models: Object.keys(routes).map((id) => ({
        id,
        context_window: 100_000,
        price: PRICE,
        ...(id === 'affine' ? { strategy: 'hash_affinity' } : {}),
      })) as unknown as object,
      routes: Object.entries(routes).flatMap(([model, list]) =>
        list.map((route, index) => ({ model, backend: index === 0 ? 'openai' : 'other', ...route })),
      ) as unknown as object,
      backends: { other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' } },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await second.close()
  }
  return { gateway, first: gateway.upstream, second, [Symbol.asyncDispose]: close }
}

async function askMany(gateway: TestGateway, model: string, count: number): Promise<void> {
  const lanes = 16
  let left = count
  const lane = async (): Promise<void> => {
    while (left-- > 0) assert.equal((await gateway.ask(CHAT, { body: bodyOf(model) })).status, 200)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

suite('R66: which backend is picked', () => {
  const routes = {
    weighted: [{ weight: 3 }, { weight: 1 }],
    ranked: [
      { priority: 10, weight: 3 },
      { priority: 20, weight: 10 },
    ],
    affine: [{}, {}],
  }

  test('R66: weights 3 and 1 share 4000 calls 2.7 to 3.3 to 1', async () => {
    await using pair = await startPair(routes)
    await askMany(pair.gateway, 'weighted', 4000)
    const ratio = pair.first.received.length / pair.second.received.length
    assert.equal(pair.first.received.length + pair.second.received.length, 4000)
    assert.ok(ratio >= 2.7 && ratio <= 3.3, `${ratio}`)
  })

  test('R66: priority 10 with weight 3 comes before priority 20 with weight 10, always', async () => {
    await using pair = await startPair(routes)
    await askMany(pair.gateway, 'ranked', 200)
    assert.deepEqual([pair.first.received.length, pair.second.received.length], [200, 0])
  })

  test('R66: hash_affinity keeps each account on one backend for 100 calls', async () => {
    await using pair = await startPair(routes)
    for (let account = 0; account < 8; account++) {
      const { key } = await pair.gateway.fund()
      const before = [pair.first.received.length, pair.second.received.length]
      const ask = { key, body: bodyOf('affine') }
      for (let call = 0; call < 100; call++) assert.equal((await pair.gateway.ask(CHAT, ask)).status, 200)
      const own = [pair.first.received.length - before[0]!, pair.second.received.length - before[1]!]
      assert.deepEqual(own.toSorted(), [0, 100])
    }
  })
})

suite('R67: automatic failover', () => {
  const { path, body } = WHOLE['chat']!
  for (const [what, script, expected] of [
    ['503', { status: 503, body: errorBody }, [503, 'upstream_error']],
    ['429', { status: 429, body: errorBody, headers: { 'retry-after': '30' } }, [429, 'upstream_error']],
    ['reset', { cutAfterBytes: 0, headers: json }, [502, 'upstream_unavailable']],
  ] as const) {
    test(`R67: ${what} at A, 200 at B: the client sees 200, both attempts are in the row, B alone is billed`, async () => {
      await using rig = await startRig()
      rig.first.script(script)
      const told = await rig.gateway.ask(path, { body })
      assert.equal(told.status, 200)
      assert.equal(told.headers.get('x-gateway-attempts'), '2')
      const id = told.headers.get('x-request-id')!
      const { attempts } = await rig.gateway.log(id)
      assert.equal(attempts.length, 2)
      const [failed, answered] = attempts
      assert.deepEqual([failed.backend, failed.error_code], ['openai', expected[1]])
      assert.ok(failed.status === expected[0] || failed.status === null, `${failed.status}`)
      assert.deepEqual([answered.backend, answered.error_code], ['openai-2', null])
      assert.ok(attempts.every(({ latency_ms: ms }: Json) => typeof ms === 'number' && ms >= 0))
      const entries = await rig.gateway.ledger(rig.gateway.accountId)
      assert.equal(entries.filter(({ type, request_id }) => type === 'usage' && request_id === id).length, 1)
    })
  }

  test('R67: 400 at A is the client’s, and B is not asked', async () => {
    await using rig = await startRig()
    rig.first.script({ status: 400, body: errorBody })
    assert.equal((await rig.gateway.ask(path, { body })).status, 400)
    assert.equal(rig.second.received.length, 0)
  })
})

suite('R68: backup models', () => {
  const GPT = { id: 'gpt-5', price: { input: 1, output: 1 } }
  const CLAUDE = { id: 'claude-opus-4-7', price: { input: 5, output: 25 } }

  async function startModels(): Promise<TestGateway> {
    const gateway = await startTestGateway({
      config: () => ({
        failure_handling: { enabled: true, min_retry_wait: 0.01 },
        models: [GPT, CLAUDE].map((model) => ({ ...model, context_window: 100_000 })) as unknown as object,
        routes: [
          { model: GPT.id, backend: 'openai' },
          { model: CLAUDE.id, backend: 'anthropic' },
        ] as unknown as object,
      }),
    })
    gateway.upstream.always(({ fields }: Received) =>
      fields['model'] === GPT.id ? { status: 500, body: errorBody } : undefined,
    )
    return gateway
  }
  const body = bodyOf(GPT.id, { models: [CLAUDE.id], max_tokens: 100 })

  test('R68: the backup answers under its own name, at its own price, and the header says for whom', async () => {
    await using gateway = await startModels()
    const told = await gateway.ask(CHAT, { body })
    assert.equal(told.status, 200, told.text)
    assert.equal(told.json.model, CLAUDE.id)
    assert.equal(told.headers.get('x-gateway-fallback-from'), GPT.id)
    const row = await gateway.log(told.headers.get('x-request-id')!)
    // Input 10 at 5 and output 5 at 25 USD per million.
    assert.equal(Number(row.charged_cost), 0.000175)
  })

  test('R68: with x-gateway-no-fallback it is 502', async () => {
    await using gateway = await startModels()
    const told = await gateway.ask(CHAT, { body, headers: { 'x-gateway-no-fallback': 'true' } })
    assert.equal(told.status, 502, told.text)
    assert.equal(gateway.upstream.received.length, 1)
  })
})

/** The stream with its first content three times, and then nothing but a broken connection. */
const threeThenDead =
  ({ opening: count }: Call) =>
  (received: Received) => {
    const frames = framesOf(received)
    const content: Frame = frames[count]!
    const cut = [...frames.slice(0, count), content, content, content]
    return { frames: cut, cutAfterFrames: cut.length }
  }

suite('R69: the boundary of failover in a stream', () => {
  for (const [name, call] of Object.entries(STREAMED)) {
    test(`R69: ${name}: A sends headers and dies, B serves, and the client sees B alone`, async () => {
      await using rig = await startRig()
      rig.first.script(
        name === 'gemini' ? { frames: [': \n\n'], cutAfterFrames: 1 } : opening(1, { cutAfterFrames: 1 }),
      )
      const told = await rig.gateway.ask(call.path, { body: call.body })
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('second') && !told.text.includes('first'), told.text)
      assert.equal(told.text.match(call.starts)?.length, 1)
    })

    test(`R69: ${name}: A dies after three chunks of content, which the client has, and an error`, async () => {
      await using rig = await startRig()
      rig.first.script(threeThenDead(call))
      const told = await rig.gateway.ask(call.path, { body: call.body })
      assert.equal(told.text.match(/from t/g)?.length, 3, told.text)
      assert.match(told.text, /"error"|response\.failed/)
      assert.equal(rig.second.received.length, 0)
      const row = await rig.gateway.log(told.headers.get('x-request-id')!)
      assert.equal(row.status, 'upstream_disconnect')
    })
  }

  test('R69: the SDKs raise it', async () => {
    await using rig = await startRig()
    const { url, key } = rig.gateway
    const script = (name: string): void => rig.first.script(threeThenDead(STREAMED[name]!))
    const drained = async (events: AsyncIterable<unknown>): Promise<void> => {
      for await (const _ of events);
    }
    script('chat')
    const openai = new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: 0 })
    const asked = { model: MODELS.chat.id, stream: true, messages: [{ role: 'user', content: 'a' }] } as const
    await assert.rejects(drained(await openai.chat.completions.create({ ...asked, messages: [...asked.messages] })))
    script('messages')
    const anthropic = new Anthropic({ apiKey: key, authToken: null, baseURL: url, maxRetries: 0 })
    const question = { model: MODELS.messages.id, max_tokens: 50, messages: [{ role: 'user' as const, content: 'a' }] }
    await assert.rejects(anthropic.messages.stream(question).finalMessage())
    script('gemini')
    const google = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } })
    const asking = { model: MODELS.gemini.id, contents: 'a' }
    await assert.rejects(drained(await google.models.generateContentStream(asking)))
    assert.equal(rig.second.received.length, 0)
  })
})

suite('R70: wait and retry', () => {
  const { path, body } = WHOLE['chat']!
  const limited = (seconds: string) => ({ status: 429, body: errorBody, headers: { 'retry-after': seconds } })

  test('R70: the only backend says 429 with 2 seconds, then 200: the client gets 200 after them', async () => {
    await using rig = await startRig({}, false)
    rig.first.script(limited('2'))
    const startedAt = performance.now()
    assert.equal((await rig.gateway.ask(path, { body })).status, 200)
    assert.ok(performance.now() - startedAt >= 2000)
    assert.equal(rig.first.received.length, 2)
  })

  test('R70: with 60 seconds it is 429 with 60 at once', async () => {
    await using rig = await startRig({}, false)
    rig.first.script(limited('60'))
    const startedAt = performance.now()
    const told = await rig.gateway.ask(path, { body })
    assert.deepEqual([told.status, told.headers.get('retry-after')], [429, '60'])
    assert.ok(performance.now() - startedAt < 1000)
  })
})

test('R71: three 500s, the fourth call passes A by, and after 10 s there is one probe', async () => {
  let now = 1_000_000
  const routes = { m: [{ priority: 0 }, { priority: 1 }] }
  await using pair = await startPair(routes, { now: () => now })
  const ask = (): Promise<Told> => pair.gateway.ask(CHAT, { body: bodyOf('m') })
  pair.first.always({ status: 500, body: errorBody })
  for (let call = 0; call < FAILURES_MAX + 1; call++) assert.equal((await ask()).status, 200)
  assert.equal(pair.first.received.length, 3)
  now += OPEN_MS - 1
  await ask()
  assert.equal(pair.first.received.length, 3)
  now += 1
  const gate = Promise.withResolvers<void>()
  pair.first.script({ waitFor: gate.promise })
  const probe = ask()
  await pair.first.whenReceived(4)
  for (let call = 0; call < 5; call++) assert.ok((await ask()).text.includes(GOOD))
  assert.equal(pair.first.received.length, 4)
  gate.resolve()
  assert.equal((await probe).headers.get('x-gateway-attempts'), '1')
  pair.first.always(undefined)
  await ask()
  assert.equal(pair.first.received.length, 5)
})
