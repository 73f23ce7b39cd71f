import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { suite, test } from 'node:test'
import { answerNatively } from '#test/upstream/native.ts'
import { type Frame, type Received, startUpstream } from '#test/upstream/upstream.ts'
import { MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'
import { errorBody, framesOf, startRig } from './two-backends.ts'

/** The checks of R9 and R76, word for word. What surrounds them is in streams.test.ts and waiting.test.ts. */

const CHAT = '/v1/chat/completions'
const TEXT = 'wordwords'
const SOLD = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
const CHUNKS = 5
const SPACING_MS = 200
/** Others use the machine as well: one of so many tries has to be in time. */
const TRIES = 3
/** R76: so long after the last content the error is there. */
const SILENT_MS_MAX = 1500

/** How each surface asks a model for a stream. */
const SURFACES: Readonly<Record<string, (model: string) => { readonly path: string; readonly body: object }>> = {
  chat: (model) => ({ path: CHAT, body: { model, stream: true, messages: [{ role: 'user', content: 'hi' }] } }),
  messages: (model) => ({
    path: '/v1/messages',
    body: { model, stream: true, max_tokens: 50, messages: [{ role: 'user', content: 'hi' }] },
  }),
  gemini: (model) => ({
    path: `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
  }),
}

/** The native stream with its first piece of content five times, 200 ms between two of them. */
function spaced(received: Received): Frame[] {
  const frames = answerNatively(received, { text: TEXT, sold: SOLD })!.frames!
  const at = frames.findIndex((frame) => frame.includes('"word"'))
  const piece = frames[at]!
  const pieces = Array.from({ length: CHUNKS }, (_, index): Frame =>
    index === 0 ? piece : { text: piece, delayMs: SPACING_MS },
  )
  return [...frames.slice(0, at), ...pieces, ...frames.slice(at + 1)]
}

async function assertIncremental(gateway: TestGateway, surface: string, model: string): Promise<void> {
  const { path, body } = SURFACES[surface]!(model)
  const startedAt = performance.now()
  const response = await gateway.open(path, { body })
  const readsAt: number[] = []
  let text = ''
  for await (const bytes of response.body!) {
    readsAt.push(performance.now())
    text += Buffer.from(bytes).toString('utf8')
  }
  const what = `${surface} to ${model}: ${text}`
  assert.ok(text.split('word').length > CHUNKS, what)
  assert.ok(readsAt.length >= 4, `${readsAt.length} reads, ${what}`)
  assert.ok(readsAt[0]! - startedAt <= 400, `first after ${readsAt[0]! - startedAt} ms, ${what}`)
  assert.ok(readsAt.at(-1)! - readsAt[0]! >= (CHUNKS - 2) * SPACING_MS, what)
}

test('R9: five chunks 200 ms apart are read as they come, on each surface, from each protocol', async () => {
  await using gateway = await startTestGateway()
  gateway.upstream.always((received) => ({ frames: spaced(received) }))
  const models = [MODELS.chat.id, MODELS.messages.id, MODELS.gemini.id]
  const pairs = Object.keys(SURFACES).flatMap((surface) => models.map((model) => [surface, model] as const))
  await Promise.all(pairs.map(([surface, model]) => assertIncremental(gateway, surface, model)))
})

suite('R9: a Gemini stream that is one JSON array is kept alive', () => {
  const path = `/v1beta/models/${MODELS.gemini.id}:streamGenerateContent`
  const { body } = SURFACES['gemini']!('')
  const limited = { status: 429, body: errorBody, headers: { 'retry-after': '1' } }

  test('R9: by white space before it', async () => {
    await using rig = await startRig({ keepalive_interval: 0.1 }, false)
    rig.first.script(limited)
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.headers.get('content-type'), 'application/json')
    assert.match(told.text, /^\n+\[\{/)
    assert.ok(told.json.length > 0 && told.text.includes('first'))
  })

  test('R9: and an error after it is its only element', async () => {
    await using rig = await startRig({ keepalive_interval: 0.1 }, false)
    rig.first.script(limited, { status: 400, body: errorBody })
    const told = await rig.gateway.ask(path, { body })
    assert.equal(told.status, 200)
    assert.match(told.text, /^\n+\[\{/)
    assert.deepEqual([told.json.length, told.json[0].error.code], [1, 400])
  })
})

/** Takes connections and says nothing: for a client that wants TLS the connection is never made. */
async function startSilent() {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy()
    server.close()
  }
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, open, [Symbol.asyncDispose]: close }
}

suite('R76: time limits of a backend', () => {
  const LONG = 30
  const ask = (stream: boolean): object => ({
    body: { model: MODELS.chat.id, stream, messages: [{ role: 'user', content: 'hi' }] },
  })

  async function startLimited(timeouts: object, apiUrl?: string) {
    const second = await startUpstream({ text: 'from the second' })
    const gateway = await startTestGateway({
      upstream: { text: 'from the first' },
      config: (url) => ({
        failure_handling: { enabled: true },
        timeouts: { connect_timeout: LONG, ttft_timeout: LONG, request_timeout: LONG, stream_idle_timeout: LONG },
        models: [{ id: MODELS.chat.id, context_window: 100_000, price: PRICE }] as unknown as object,
        routes: ['limited', 'other'].map((backend, priority) => ({
          model: MODELS.chat.id,
          backend,
          priority,
        })) as unknown as object,
        backends: {
          limited: { type: 'openai', api_url: apiUrl ?? `${url}/v1`, api_key: 'sk-1', timeouts },
          other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' },
        },
      }),
    })
    const close = async (): Promise<void> => {
      await gateway.close()
      await second.close()
    }
    return { gateway, first: gateway.upstream, second, [Symbol.asyncDispose]: close }
  }

  test('R76: a stall before the first chunk, ttft_timeout 1 s: B is used', async () => {
    await using rig = await startLimited({ ttft_timeout: 1 })
    rig.first.script((received) => ({ frames: framesOf(received), stallAfterFrames: 1 }))
    const startedAt = performance.now()
    const told = await rig.gateway.ask(CHAT, ask(true))
    assert.ok(told.text.includes('second'), told.text)
    assert.ok(performance.now() - startedAt >= 1000)
    await rig.first.whenAborted(1)
  })

  test('R76: a stall after two chunks, stream_idle_timeout 1 s: the error within 1.5 s, and the upstream sees the end', async () => {
    let silentMs = Infinity
    for (let tries = 0; tries < TRIES && silentMs > SILENT_MS_MAX; tries++) {
      await using rig = await startLimited({ stream_idle_timeout: 1 })
      rig.first.script((received) => ({ frames: framesOf(received), stallAfterFrames: 3 }))
      const response = await rig.gateway.open(CHAT, ask(true))
      let text = ''
      let lastContentAt = 0
      for await (const bytes of response.body!) {
        text += Buffer.from(bytes).toString('utf8')
        if (!text.includes('"error"')) lastContentAt = performance.now()
      }
      silentMs = performance.now() - lastContentAt
      assert.match(text, /"code":"streaming_timeout"/)
      assert.ok(silentMs >= 900, `${silentMs}`)
      await rig.first.whenAborted(1)
      const row = await rig.gateway.log(response.headers.get('x-request-id')!)
      assert.deepEqual([row.status, row.error_code], ['upstream_disconnect', 'streaming_timeout'])
    }
    assert.ok(silentMs <= SILENT_MS_MAX, `${silentMs}`)
  })

  for (const stream of [false, true]) {
    test(`R76: connect_timeout of one backend, ${stream ? 'streamed' : 'whole'}: B is used long before the global limit`, async () => {
      await using silent = await startSilent()
      await using rig = await startLimited({ connect_timeout: 0.3 }, `${silent.url}/v1`)
      const startedAt = performance.now()
      const told = await rig.gateway.ask(CHAT, ask(stream))
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('second'), told.text)
      const tookMs = performance.now() - startedAt
      assert.ok(tookMs >= 300 && tookMs < 5000, `${tookMs}`)
      const { attempts } = await rig.gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual([attempts[0].backend, attempts[0].error_code], ['limited', 'upstream_unavailable'])
      assert.ok(silent.open.size > 0)
    })
  }
})
