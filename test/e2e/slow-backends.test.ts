import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { PACE_WINDOW_MS } from '#data-plane/7-call/watchdog.ts'
import { type Script, startUpstream, type Upstream } from '#test/upstream/upstream.ts'
import { MODELS, PRICE, startTestGateway, type TestGateway } from './gateway.ts'
import { framesOf, json } from './two-backends.ts'

/** B10: min_tokens_per_second, over a window of 5 s and before the first content only. */

/** No other limit is what ends an answer here. */
const LONG = 60
const TOKENS_PER_SECOND = 10
const PATH = '/v1/chat/completions'
const askOf = (stream: boolean) => ({
  body: { model: MODELS.chat.id, stream, messages: [{ role: 'user', content: 'hi' }] },
})

interface Rig extends AsyncDisposable {
  readonly gateway: TestGateway
  readonly first: Upstream
}

async function startRig(timeouts: object = { min_tokens_per_second: TOKENS_PER_SECOND }): Promise<Rig> {
  const first = await startUpstream({ text: 'from the first' })
  const second = await startUpstream({ text: 'from the second' })
  const gateway = await startTestGateway({
    config: () => ({
      failure_handling: { enabled: true },
      timeouts: { ttft_timeout: LONG, request_timeout: LONG, stream_idle_timeout: LONG },
      models: [{ id: MODELS.chat.id, context_window: 100_000, price: PRICE }] as unknown as object,
      routes: ['slow', 'other'].map((backend, priority) => ({
        model: MODELS.chat.id,
        backend,
        priority,
      })) as unknown as object,
      backends: {
        slow: { type: 'openai', api_url: `${first.url}/v1`, api_key: 'sk-1', timeouts },
        other: { type: 'openai', api_url: `${second.url}/v1`, api_key: 'sk-2' },
      },
    }),
  })
  const close = async (): Promise<void> => {
    await gateway.close()
    await first.close()
    await second.close()
  }
  return { gateway, first, [Symbol.asyncDispose]: close }
}

/** For longer than the window: comments beside a role, and white space before a body. */
const DRIPS = 80
const DRIP_MS = 100
const drip = (text: string) => ({ text, delayMs: DRIP_MS })
const dripping: Readonly<Record<string, Script>> = {
  streamed: (received) => ({
    frames: [...framesOf(received).slice(0, 1), ...Array.from({ length: DRIPS }, () => drip(': \n\n'))],
  }),
  whole: { headers: json, frames: Array.from({ length: DRIPS }, () => drip(' \n')) },
}

suite('B10: min_tokens_per_second', { concurrency: 4 }, () => {
  for (const [kind, script] of Object.entries(dripping)) {
    test(`${kind}: a backend that begins and does not get on is given up for the next`, async () => {
      await using rig = await startRig()
      rig.first.script(script)
      const startedAt = performance.now()
      const told = await rig.gateway.ask(PATH, askOf(kind === 'streamed'))
      const tookMs = performance.now() - startedAt
      assert.equal(told.status, 200, told.text)
      assert.ok(told.text.includes('second'), told.text)
      assert.ok(tookMs >= PACE_WINDOW_MS && tookMs < PACE_WINDOW_MS + DRIPS * DRIP_MS - PACE_WINDOW_MS, `${tookMs}`)
      await rig.first.whenAborted(1)
      const { attempts } = await rig.gateway.log(told.headers.get('x-request-id')!)
      assert.equal(attempts[0].error_code, 'upstream_timeout')
    })
  }

  test('after the first content only silence counts', async () => {
    await using rig = await startRig()
    rig.first.script((received) => {
      const frames = framesOf(received)
      const slow = Array.from({ length: PACE_WINDOW_MS / DRIP_MS + 5 }, () => drip(': \n\n'))
      return { frames: [...frames.slice(0, 2), ...slow, ...frames.slice(2)] }
    })
    const told = await rig.gateway.ask(PATH, askOf(true))
    assert.ok(told.text.includes('[DONE]') && !told.text.includes('second'), told.text)
  })

  test('a whole answer that gets on may take more than one window', async () => {
    await using rig = await startRig()
    const body = JSON.stringify({
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(4000) }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    })
    const pieces = 60
    const size = Math.ceil(body.length / pieces)
    const frames = Array.from({ length: pieces }, (_, at) => drip(body.slice(at * size, (at + 1) * size)))
    rig.first.script({ headers: json, frames })
    const told = await rig.gateway.ask(PATH, askOf(false))
    assert.deepEqual([told.status, told.headers.get('x-gateway-attempts')], [200, '1'])
    assert.ok(told.text.includes('xxxx'))
  })

  test('unset it is off', async () => {
    await using rig = await startRig({})
    rig.first.script((received) => {
      const frames = framesOf(received)
      const slow = Array.from({ length: PACE_WINDOW_MS / DRIP_MS + 5 }, () => drip(': \n\n'))
      return { frames: [...frames.slice(0, 1), ...slow, ...frames.slice(1)] }
    })
    const told = await rig.gateway.ask(PATH, askOf(true))
    assert.equal(told.headers.get('x-gateway-attempts'), '1')
    assert.ok(!told.text.includes('second'))
  })
})
