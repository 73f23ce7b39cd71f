import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { eventsOf, MODELS, startTestGateway, type TestGateway } from './gateway.ts'
import { assertEnvelope, type Name, SURFACES } from './surfaces.ts'

/** Every path under every prefix is one handler, and every encoding is one body (R5 to R7, C1, C5, R26). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway({ config: { backends: { sim: { type: 'simulator' } } } })
})
after(() => gateway.close())

const { chat, responses, embeddings, messages, count, gemini } = SURFACES
const geminiPath = (prefix: string): string => `${prefix}/models/${MODELS.gemini.id}:generateContent`

const ALIASES = [
  ...['/v1', '/api/v1'].flatMap((prefix) => [
    [`${prefix}/chat/completions`, chat.body],
    [`${prefix}/responses`, responses.body],
    [`${prefix}/embeddings`, embeddings.body],
  ]),
  ...['/v1', '/v1/v1', '/api/v1', '/api/v1/v1', '/anthropic/v1'].flatMap((prefix) => [
    [`${prefix}/messages`, messages.body],
    [`${prefix}/messages?beta=true`, messages.body],
    [`${prefix}/messages/count_tokens`, count.body],
  ]),
  ...[
    '/v1',
    '/v1beta',
    '/v1beta/v1',
    '/v1beta/v1beta',
    '/api/v1',
    '/api/v1beta',
    '/api/v1beta/v1',
    '/api/v1beta/v1beta',
  ].map((prefix) => [geminiPath(prefix), gemini.body]),
  [geminiPath('/v1beta').replace(':', '%3A'), gemini.body],
  ['/v1beta/models/sim/echo:generateContent', { contents: [{ parts: [{ text: 'a' }] }] }],
  ['/v1beta/models/sim%2Fecho:generateContent', { contents: [{ parts: [{ text: 'a' }] }] }],
] as const

describe('aliases', () => {
  for (const [path, body] of ALIASES) {
    test(`POST ${path}`, async () => {
      const told = await gateway.ask(path as string, { body })
      assert.equal(told.status, 200, told.text)
      const row = await gateway.log(told.headers.get('x-request-id')!)
      assert.deepEqual([row.path, row.status], [(path as string).split('?')[0], 'ok'])
    })
  }

  test('a missing anthropic-version is the first one; the beta mark of the query is passed on', async () => {
    await gateway.ask(`${messages.path}?beta=true&other=1`, { body: messages.body })
    const { headers, query } = gateway.upstream.received.at(-1)!
    assert.equal(headers['anthropic-version'], '2023-06-01')
    assert.deepEqual([...query], [['beta', 'true']])
  })

  test('only the model changes between vendors of one protocol (R24)', async () => {
    const ask = (model: string) =>
      gateway.ask(chat.path, { body: { model, messages: [{ role: 'user', content: 'a' }] } })
    for (const model of [MODELS.chat.id, 'sim/echo', 'openai:gpt-test', 'sim:sim/echo']) {
      const { status, json } = await ask(model)
      assert.deepEqual(
        [status, json.object, typeof json.choices[0].message.content],
        [200, 'chat.completion', 'string'],
      )
    }
  })
})

describe('encodings', () => {
  const text = JSON.stringify({ ...chat.body, messages: [{ role: 'user', content: 'é'.repeat(5000) }] })

  test('a compressed request is unpacked; the upstream gets it plain', async () => {
    const packed = {
      gzip: gzipSync(text),
      deflate: deflateSync(text),
      br: brotliCompressSync(text),
      zstd: zstdCompressSync(text),
      identity: Buffer.from(text),
    }
    for (const [encoding, body] of Object.entries(packed)) {
      const told = await gateway.ask(chat.path, {
        body,
        headers: { 'content-encoding': encoding, 'content-type': 'application/json' },
      })
      assert.equal(told.status, 200, `${encoding}: ${told.text}`)
      const { bytes, headers } = gateway.upstream.received.at(-1)!
      assert.equal(bytes.toString(), text.replace(MODELS.chat.id, MODELS.chat.upstream))
      assert.equal(headers['content-encoding'], undefined)
    }
    const unknown = await gateway.ask(chat.path, { body: text, headers: { 'content-encoding': 'constructor' } })
    assert.deepEqual([unknown.status, unknown.json.error.code], [415, 'unsupported_encoding'])
  })

  test('an upstream that compresses although it was asked not to, whole and streamed', async () => {
    gateway.upstream.script({ gzip: true, text: 'packed' }, { gzip: true, text: 'packed' })
    const whole = await gateway.ask(chat.path, { body: chat.body })
    assert.equal(whole.json.choices[0].message.content, 'packed')
    assert.equal(gateway.upstream.received.at(-1)!.headers['accept-encoding'], 'identity')
    const streamed = await gateway.ask(chat.path, { body: { ...chat.body, stream: true } })
    const content = eventsOf(streamed.text).map((event) => event.choices[0].delta.content ?? '')
    assert.equal(content.join(''), 'packed')
  })

  test('a body in chunks without a length', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' }
      const sent = request(gateway.url + chat.path, { method: 'POST', headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode))
      })
      sent.on('error', reject)
      for (const part of text.match(/[^]{1,1000}/g)!) sent.write(part)
      sent.end()
    })
    assert.equal(status, 200)
    assert.equal(gateway.upstream.received.at(-1)!.bytes.toString(), text.replace(MODELS.chat.id, MODELS.chat.upstream))
  })
})

describe('time limits of whole answers (R76)', () => {
  let limited: TestGateway
  before(async () => {
    limited = await startTestGateway({ config: { timeouts: { request_timeout: 0.3, total_timeout: 1 } } })
  })
  after(() => limited.close())

  test('silence, and a body that never ends, are 504 and let the upstream go', async () => {
    for (const name of ['chat', 'embeddings', 'messages', 'gemini', 'openRouter'] as const) {
      const aborted = limited.upstream.aborted
      limited.upstream.script({ hang: true })
      await assertTimedOut(name)
      await limited.upstream.whenAborted(aborted + 1)
    }
    limited.upstream.script({ frames: ['{"half":', 'never sent'], stallAfterFrames: 1 })
    await assertTimedOut('chat')
  })

  async function assertTimedOut(name: Name): Promise<void> {
    const told = await limited.ask(SURFACES[name].path, { body: SURFACES[name].body })
    assert.equal(told.status, 504, told.text)
    assertEnvelope(name, told)
    const row = await limited.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.error_code, row.status, row.charged_cost ?? '0'], ['upstream_timeout', 'upstream_error', '0'])
    assert.equal((await limited.account(limited.accountId)).held, '0')
  }

  test('a stream that never falls silent ends at the total limit', async () => {
    const chunk = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'x' }, finish_reason: null }] })}\n\n`
    limited.upstream.script({ frames: Array.from({ length: 1000 }, () => chunk), frameDelayMs: 50 })
    const told = await limited.ask(chat.path, { body: { ...chat.body, stream: true } })
    const events = eventsOf(told.text)
    assert.ok(events.length > 3 && events.length < 100)
    assert.equal(events.at(-1).error.code, 'upstream_timeout')
    const row = await limited.log(told.headers.get('x-request-id')!)
    assert.deepEqual([row.status, row.error_code], ['upstream_disconnect', 'upstream_timeout'])
  })

  test('keep-alive comments do not count as the first content', async () => {
    await using slow = await startTestGateway({ config: { timeouts: { ttft_timeout: 0.4, stream_idle_timeout: 0.4 } } })
    slow.upstream.script({ frames: Array.from({ length: 1000 }, () => ': keepalive\n\n'), frameDelayMs: 50 })
    const told = await slow.ask(chat.path, { body: { ...chat.body, stream: true } })
    assert.deepEqual([told.status, told.json.error.code], [504, 'upstream_timeout'])
  })
})
