import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import Anthropic from '@anthropic-ai/sdk'
import OldAnthropic from 'anthropic-sdk-07x'
import { type Json, MODELS, startTestGateway, type TestGateway } from './gateway.ts'

/** Versions and beta flags of Anthropic's API, over real sockets (R5, R88, R122). */

let gateway: TestGateway
before(async () => {
  gateway = await startTestGateway()
})
after(() => gateway.close())

const lastReceived = () => gateway.upstream.received.at(-1)!
const sampled = { max_tokens: 10, temperature: 0.3, messages: [{ role: 'user' as const, content: 'hi' }] }
const CLIENTS = [
  { version: '2026-10-21', Client: Anthropic },
  { version: '2023-06-01', Client: OldAnthropic as unknown as typeof Anthropic },
]

for (const { version, Client } of CLIENTS) {
  test(`an SDK of ${version}: its version reaches a native upstream, and rules what may be asked of another`, async () => {
    const client = new Client({ apiKey: gateway.key, authToken: null, baseURL: gateway.url, maxRetries: 0 })
    const ask = (model: string) => client.messages.create({ ...sampled, model } as Json)
    await ask(MODELS.messages.id)
    assert.equal(lastReceived().headers['anthropic-version'], version)
    assert.equal(lastReceived().fields['temperature'], 0.3)
    if (version === '2023-06-01') {
      await ask(MODELS.gemini.id)
      assert.equal((lastReceived().fields['generationConfig'] as Json).temperature, 0.3)
      return
    }
    const calls = gateway.upstream.count()
    const refusal = await ask(MODELS.gemini.id).then(
      () => assert.fail('was answered'),
      (error: Json) => error,
    )
    assert.deepEqual([refusal.status, refusal.error.type], [400, 'error'])
    assert.equal(refusal.error.error.type, 'invalid_request_error')
    assert.match(refusal.error.error.message, /temperature: Extra inputs are not permitted/)
    assert.equal(gateway.upstream.count(), calls)
  })
}

const chat = { model: MODELS.messages.id, temperature: 0.3, messages: [{ role: 'user', content: 'hi' }] }

test('a translated request is asked in the oldest version, with its sampling values', async () => {
  await gateway.ask('/v1/chat/completions', { body: chat, headers: { 'anthropic-version': '2026-10-21' } })
  assert.equal(lastReceived().headers['anthropic-version'], '2023-06-01')
  assert.equal(lastReceived().fields['temperature'], 0.3)
})

test('anthropic.upstream_version asks in another one, and what that one refuses is dropped and told', async () => {
  await using other = await startTestGateway({ config: { anthropic: { upstream_version: '2026-10-21' } } })
  const { status, headers } = await other.ask('/v1/chat/completions', { body: chat })
  assert.equal(status, 200)
  const { headers: sent, fields } = other.upstream.received.at(-1)!
  assert.equal(sent['anthropic-version'], '2026-10-21')
  assert.equal('temperature' in fields, false)
  assert.match(headers.get('x-gateway-warnings')!, /param=temperature;action=drop/)
})

test('flags of several header lines arrive together, known or not', async () => {
  const body = JSON.stringify({ ...sampled, model: MODELS.messages.id })
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  const lines = [
    'POST /v1/messages HTTP/1.1',
    'host: localhost',
    `authorization: Bearer ${gateway.key}`,
    'content-type: application/json',
    'anthropic-beta: tomorrow-2030-01-01,b',
    'Anthropic-Beta: c',
    `content-length: ${body.length}`,
    'connection: close',
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
  socket.resume()
  await once(socket, 'close')
  assert.equal(lastReceived().headers['anthropic-beta'], 'tomorrow-2030-01-01,b, c')
})
