import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { eventually } from '#test/faults/gateway.ts'
import { answerNatively } from '#test/upstream/native.ts'
import type { Frame, Received, Reply } from '#test/upstream/upstream.ts'
import { eventsOf, type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** Streams on every surface: early bytes, any cutting, broken upstreams, silent ones, leaving clients (R6, R9, R69, R76, R77). */

const TEXT = 'Grüße aus 東京 🚀, and a few more words.'
const SOLD = { input: 10, cacheRead: 0, cacheWrite: 0, output: 5, reasoning: 0 }
/** Short enough to wait for, long enough for a machine that is busy, or stands still for a moment, to get a first byte through. */
const LIMITS = { ttft_timeout: 1, stream_idle_timeout: 1 }

/** An upstream hears of a client that left within this (R77). */
const LEAVING_MS_MAX = 500

let gateway: TestGateway
/** With the default limits, so that no limit can be what ends a stream. */
let patient: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { timeouts: LIMITS } })
  patient = await startTestGateway()
})
after(async () => {
  await gateway.close()
  await patient.close()
})

interface Surface {
  readonly path: string
  readonly body: object
  /** Frames of the native stream up to and with the first content. */
  readonly opening: number
  /** The text that events hold. */
  readonly textOf: (events: Json[]) => string
  /** The protocol's own in-stream failure, as the last event. */
  readonly assertFailure: (event: Json, code: string) => void
  readonly isComplete: (text: string) => boolean
}

const chat: Surface = {
  path: '/v1/chat/completions',
  body: { model: MODELS.chat.id, stream: true, messages: [{ role: 'user', content: 'hi' }] },
  opening: 2,
  textOf: (events) => events.map((event) => event.choices?.[0]?.delta.content ?? '').join(''),
  assertFailure(event, code) {
    assert.equal(event.error.code, code)
    assert.deepEqual(event.choices, [{ index: 0, delta: { content: '' }, finish_reason: 'error' }])
  },
  isComplete: (text) => text.includes('[DONE]'),
}

const SURFACES: Readonly<Record<string, Surface>> = {
  chat,
  'chat under /api/v1': {
    ...chat,
    path: '/api/v1/chat/completions',
    assertFailure(event, code) {
      assert.ok(Number.isInteger(event.error.code), 'OpenRouter’s code is the status')
      assert.equal(event.error.metadata.code, code)
      assert.equal(typeof event.error.metadata.error_type, 'string')
      assert.equal(event.choices[0].finish_reason, 'error')
    },
  },
  responses: {
    path: '/v1/responses',
    body: { model: MODELS.chat.id, stream: true, input: 'hi' },
    opening: 5,
    textOf: (events) =>
      events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : '')).join(''),
    assertFailure(event, code) {
      assert.equal(event.type, 'response.failed')
      assert.deepEqual([event.response.status, event.response.error.code], ['failed', code])
    },
    isComplete: (text) => text.includes('response.completed'),
  },
  messages: {
    path: '/v1/messages',
    body: { model: MODELS.messages.id, stream: true, max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] },
    opening: 4,
    textOf: (events) => events.map((event) => event.delta?.text ?? '').join(''),
    assertFailure(event) {
      assert.equal(event.type, 'error')
      assert.equal(event.error.type, 'api_error')
    },
    isComplete: (text) => text.includes('message_stop'),
  },
  gemini: {
    path: `/v1beta/models/${MODELS.gemini.id}:streamGenerateContent?alt=sse`,
    body: { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] },
    opening: 1,
    textOf: (events) => events.map((event) => event.candidates?.[0]?.content?.parts?.[0]?.text ?? '').join(''),
    assertFailure(event) {
      assert.ok(event.error.code >= 500)
      assert.match(event.error.status, /^(UNAVAILABLE|DEADLINE_EXCEEDED)$/)
    },
    isComplete: (text) => text.includes('"finishReason"'),
  },
}

const framesFor = (received: Received): readonly string[] =>
  answerNatively(received, { text: TEXT, sold: SOLD })!.frames!

/** Scripts the next answer from the frames of a native one. */
const script = (reply: (frames: readonly string[], received: Received) => Reply): void =>
  gateway.upstream.script((received) => reply(framesFor(received), received))

const ask = ({ path, body }: Surface) => gateway.ask(path, { body })
const rowOf = (told: { headers: Headers }) => gateway.log(told.headers.get('x-request-id')!)

/** The client leaves, and the upstream is let go at once. */
async function assertAborts(client: AbortController, abortedBefore: number): Promise<void> {
  const leftAt = performance.now()
  client.abort()
  await patient.upstream.whenAborted(abortedBefore + 1)
  const elapsedMs = performance.now() - leftAt
  assert.ok(elapsedMs < LEAVING_MS_MAX, `${elapsedMs} ms`)
}

for (const [name, surface] of Object.entries(SURFACES)) {
  // Gemini tells its usage with every event; of what the others have said it is estimated.
  const source = name === 'gemini' ? 'upstream' : 'estimated'
  describe(name, () => {
    test('the first content arrives while the upstream still holds the rest back', async () => {
      const gate = Promise.withResolvers<void>()
      script((frames) => ({
        frames: frames.map((text, at) => (at === surface.opening ? { text, waitFor: gate.promise } : text)),
      }))
      const response = await gateway.open(surface.path, { body: surface.body })
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (surface.textOf(eventsOf(text.slice(0, text.lastIndexOf('\n\n') + 2))) === '')
        text += (await reader.read()).value
      assert.ok(!surface.isComplete(text))
      gate.resolve()
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
      assert.equal(surface.textOf(eventsOf(text)), TEXT)
      assert.ok(surface.isComplete(text))
    })

    test('one byte at a time, CRLF and one single chunk are the same answer', async () => {
      const cuts: ((bytes: Buffer) => readonly Frame[])[] = [
        (bytes) => [bytes],
        (bytes) => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)),
        (bytes) => Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) => bytes.subarray(at * 7, at * 7 + 7)),
        (bytes) => [Buffer.from(bytes.toString().replaceAll('\n', '\r\n'))],
        (bytes) => Array.from(Buffer.from(bytes.toString().replaceAll('\n', '\r\n')), (byte) => Buffer.from([byte])),
        (bytes) => [Buffer.from(`\uFEFF: a comment\n\n${bytes.toString()}`)],
      ]
      const answers: Json[] = []
      for (const cut of cuts) {
        script((frames) => ({ frames: cut(Buffer.from(frames.join(''))) }))
        const told = await ask(surface)
        assert.equal(told.status, 200)
        assert.ok(surface.isComplete(told.text))
        answers.push(eventsOf(told.text))
        const row = await rowOf(told)
        assert.deepEqual([row.status, row.tokens.input, row.tokens.output], ['ok', 10, 5])
      }
      for (const events of answers) assert.deepEqual(events, answers[0])
      assert.equal(surface.textOf(answers[0]), TEXT)
    })

    test('cut before the first content: an HTTP error and no charge', async () => {
      for (const reply of [{ cutAfterFrames: surface.opening - 1 }, { cutAfterBytes: 0 }]) {
        script((frames) => ({ frames, ...reply }))
        const told = await ask(surface)
        assert.equal(told.status, name.includes('/api/v1') ? 503 : 502, told.text)
        assert.match(told.headers.get('content-type')!, /^application\/json/)
        const row = await rowOf(told)
        assert.deepEqual([row.status, row.status_code, row.error_code], ['upstream_error', 502, 'upstream_unavailable'])
        assert.ok(['0', null].includes(row.charged_cost))
      }
    })

    for (const [what, reply] of [
      [
        'cut after the first content',
        (frames: readonly string[]): Reply => ({ frames, cutAfterFrames: surface.opening }),
      ],
      [
        'a clean end without its last events',
        (frames: readonly string[]): Reply => ({ frames: frames.slice(0, surface.opening) }),
      ],
    ] as const) {
      test(`${what}: the surface's own error is the last event, what was delivered is billed`, async () => {
        script(reply)
        const told = await ask(surface)
        assert.equal(told.status, 200)
        const events = eventsOf(told.text)
        assert.ok(surface.textOf(events).length > 0)
        surface.assertFailure(events.at(-1), 'upstream_unavailable')
        assert.ok(!told.text.includes('[DONE]') && !told.text.includes('"message_stop"'))
        const row = await rowOf(told)
        assert.deepEqual(
          [row.status, row.error_code, row.usage_source],
          ['upstream_disconnect', 'upstream_unavailable', source],
        )
        assert.ok(row.tokens.output > 0 && Number(row.charged_cost) > 0)
        const [entry] = await gateway.ledger(gateway.accountId)
        assert.deepEqual([entry.request_id, entry.amount], [row.request_id, `-${row.charged_cost}`])
      })
    }

    test('silence before the first content: 504, and the upstream is let go', async () => {
      const aborted = gateway.upstream.aborted
      for (const reply of [{ hang: true }, { stallAfterFrames: surface.opening - 1 }]) {
        script((frames) => ({ frames, ...reply }))
        const told = await ask(surface)
        assert.equal(told.status, 504, told.text)
        assert.equal(told.headers.get('x-should-retry'), 'false')
        const row = await rowOf(told)
        assert.deepEqual([row.status, row.error_code], ['upstream_error', 'upstream_timeout'])
      }
      await gateway.upstream.whenAborted(aborted + 2)
    })

    test('silence after the first content: streaming_timeout in the stream, and the upstream is let go', async () => {
      const aborted = gateway.upstream.aborted
      script((frames) => ({ frames, stallAfterFrames: surface.opening }))
      const told = await ask(surface)
      assert.equal(told.status, 200)
      surface.assertFailure(eventsOf(told.text).at(-1), 'streaming_timeout')
      await gateway.upstream.whenAborted(aborted + 1)
      const row = await rowOf(told)
      assert.deepEqual([row.status, row.error_code], ['upstream_disconnect', 'streaming_timeout'])
    })

    test('a client that leaves: the upstream is aborted, what was delivered is billed', async () => {
      const { key, accountId } = await patient.fund()
      const aborted = patient.upstream.aborted
      patient.upstream.script((received) => ({ frames: framesFor(received), stallAfterFrames: surface.opening }))
      const left = new AbortController()
      const response = await patient.open(surface.path, { body: surface.body, key, signal: left.signal })
      await response.body!.getReader().read()
      await assertAborts(left, aborted)
      const row = await eventually('the row of the request', 5000, async () => (await patient.logs(accountId))[0])
      assert.deepEqual([row.status, row.usage_source], ['client_cancelled', source])
      assert.ok(row.tokens.input > 0 && row.tokens.output > 0 && Number(row.charged_cost) > 0)
      const account = await patient.account(accountId)
      assert.deepEqual([account.held, Number(account.balance)], ['0', 100 - Number(row.charged_cost)])
    })

    test('a client that leaves before the first content pays nothing', async () => {
      const { key, accountId } = await patient.fund()
      const [arrived, aborted] = [patient.upstream.received.length, patient.upstream.aborted]
      patient.upstream.script({ hang: true })
      const left = new AbortController()
      const pending = patient.open(surface.path, { body: surface.body, key, signal: left.signal })
      await patient.upstream.whenReceived(arrived + 1)
      const failed = assert.rejects(pending, { name: 'AbortError' })
      await assertAborts(left, aborted)
      await failed
      const row = await eventually('the row of the request', 5000, async () => (await patient.logs(accountId))[0])
      assert.deepEqual([row.status, row.status_code, row.charged_cost ?? '0'], ['client_cancelled', 499, '0'])
      const account = await patient.account(accountId)
      assert.deepEqual([account.held, account.balance], ['0', '100'])
    })
  })
}

describe('the SDKs raise a broken stream', () => {
  const cut = (frames: number): void => script((all) => ({ frames: all, cutAfterFrames: frames }))

  test('openai: chat and responses', async () => {
    const client = new OpenAI({ apiKey: gateway.key, baseURL: `${gateway.url}/v1`, maxRetries: 0 })
    cut(2)
    const seen: string[] = []
    const chunks = await client.chat.completions.create(chat.body as OpenAI.ChatCompletionCreateParamsStreaming)
    await assert.rejects(async () => {
      for await (const chunk of chunks) seen.push(chunk.choices[0]?.delta.content ?? '')
    }, /ended its stream|connection to the backend/)
    assert.ok(seen.join('').length > 0)
    cut(5)
    const types: string[] = []
    for await (const event of await client.responses.create({ model: MODELS.chat.id, input: 'a', stream: true }))
      types.push(event.type)
    assert.equal(types.at(-1), 'response.failed')
  })

  test('anthropic', async () => {
    const client = new Anthropic({ apiKey: gateway.key, authToken: null, baseURL: gateway.url, maxRetries: 0 })
    cut(4)
    const stream = client.messages.stream({ ...(SURFACES['messages']!.body as Anthropic.MessageStreamParams) })
    await assert.rejects(stream.finalMessage(), /api_error|connection to the backend/)
  })

  test('google', async () => {
    const client = new GoogleGenAI({ apiKey: gateway.key, httpOptions: { baseUrl: gateway.url } })
    cut(1)
    const chunks = await client.models.generateContentStream({ model: MODELS.gemini.id, contents: 'a' })
    await assert.rejects(async () => {
      for await (const _ of chunks);
    }, /UNAVAILABLE/)
  })
})

describe('a Gemini stream without alt=sse (R6)', () => {
  const path = `/v1beta/models/${MODELS.gemini.id}:streamGenerateContent`
  const { body, textOf } = SURFACES['gemini']!

  test('is one JSON array, also when it breaks', async () => {
    script((frames) => ({ frames: [': comment\n\n', ...frames] }))
    const whole = await gateway.ask(path, { body })
    assert.equal(whole.headers.get('content-type'), 'application/json')
    assert.ok(Array.isArray(whole.json))
    assert.equal(textOf(whole.json), TEXT)
    assert.equal(whole.json[0].modelVersion, MODELS.gemini.id)
    assert.equal(gateway.upstream.received.at(-1)!.query.get('alt'), 'sse')
    script((frames) => ({ frames, cutAfterFrames: 1 }))
    const broken = await gateway.ask(path, { body })
    assert.equal(broken.json.length, 2)
    assert.equal(broken.json[1].error.status, 'UNAVAILABLE')
  })

  test('streams: the first element arrives while the upstream holds the rest back', async () => {
    const gate = Promise.withResolvers<void>()
    script((frames) => ({ frames: frames.map((text, at) => (at === 1 ? { text, waitFor: gate.promise } : text)) }))
    const response = await gateway.open(path, { body })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    assert.match(text, /^\[\{/)
    gate.resolve()
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
    assert.equal(textOf(JSON.parse(text)), TEXT)
  })
})
