import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Backend } from '#catalog/types.ts'
import { backendOf, modelOf, routeOf } from '#data-plane/testbed.ts'
import { buildUpstreamRequest, type UpstreamAsk } from './upstream-request.ts'

const build = (ask: Partial<UpstreamAsk> = {}, backend: Partial<Backend> = {}, upstreamModel = 'm') =>
  buildUpstreamRequest({
    route: routeOf(modelOf('public'), backendOf('b', backend), { upstreamModel }),
    protocol: 'openai-chat',
    operation: 'generate',
    geminiAction: null,
    isTranslated: false,
    anthropicVersion: '2023-06-01',
    stream: false,
    clientHeaders: {},
    clientQuery: '',
    credential: 'secret',
    ...ask,
  })

/** Values of a header, in order. */
function valuesOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]!.toLowerCase() === name)
}

test('each protocol has its path under the base URL', () => {
  const path = (ask: Partial<UpstreamAsk>, apiUrl: string) => build(ask, { apiUrl }).path
  const openai = 'https://api.example/v1'
  assert.equal(path({ protocol: 'openai-chat' }, openai), '/v1/chat/completions')
  assert.equal(path({ protocol: 'openai-responses' }, openai), '/v1/responses')
  assert.equal(path({ protocol: 'openai-embeddings' }, openai), '/v1/embeddings')
  const root = 'https://api.example/'
  assert.equal(path({ protocol: 'anthropic-messages' }, root), '/v1/messages')
  assert.equal(path({ protocol: 'anthropic-messages', operation: 'count' }, root), '/v1/messages/count_tokens')
  assert.equal(path({ protocol: 'gemini', geminiAction: 'countTokens' }, root), '/v1beta/models/m:countTokens')
  assert.equal(path({ protocol: 'gemini' }, root), '/v1beta/models/m:generateContent')
  assert.equal(path({ protocol: 'gemini', stream: true }, root), '/v1beta/models/m:streamGenerateContent?alt=sse')
  const converse = (stream: boolean) =>
    build({ protocol: 'bedrock-converse', stream }, { apiUrl: root }, 'anthropic.claude-v1:0').path
  assert.equal(converse(false), '/model/anthropic.claude-v1%3A0/converse')
  assert.equal(converse(true), '/model/anthropic.claude-v1%3A0/converse-stream')
})

test('the base URL keeps its own prefix and loses its trailing slash', () => {
  const { origin, path } = build({}, { apiUrl: 'https://api.example:8443/openai/v1/' })
  assert.deepEqual([origin, path], ['https://api.example:8443', '/openai/v1/chat/completions'])
})

test('a protocol may live at an address of its own', () => {
  const backend = { protocolUrls: { 'anthropic-messages': 'https://other.example/anthropic' } }
  const messages = build({ protocol: 'anthropic-messages' }, backend)
  assert.deepEqual([messages.origin, messages.path], ['https://other.example', '/anthropic/v1/messages'])
  assert.equal(build({}, backend).origin, 'http://upstream.example')
})

test('a streamed Gemini answer is asked for as events', () => {
  const ask = { protocol: 'gemini', geminiAction: 'streamGenerateContent', stream: true } as const
  assert.equal(build(ask, { apiUrl: 'https://g.example' }).path, '/v1beta/models/m:streamGenerateContent?alt=sse')
})

test('a model name cannot leave its place in a Gemini path', () => {
  const path = (name: string) => build({ protocol: 'gemini' }, { apiUrl: 'https://g.example' }, name).path
  assert.equal(path('a/b'), '/v1beta/models/a/b:generateContent')
  assert.equal(path('a?key=x#y z%'), '/v1beta/models/a%3Fkey%3Dx%23y%20z%25:generateContent')
  assert.equal(path('a:b'), '/v1beta/models/a%3Ab:generateContent')
})

test('the credential goes where the backend wants it, and nowhere when it has none', () => {
  const headers = (auth: Backend['auth'], credential: string | null = 'secret') =>
    build({ credential }, { auth }).headers
  assert.deepEqual(valuesOf(headers('bearer'), 'authorization'), ['Bearer secret'])
  assert.deepEqual(valuesOf(headers('x-api-key'), 'x-api-key'), ['secret'])
  assert.deepEqual(valuesOf(headers('x-goog-api-key'), 'x-goog-api-key'), ['secret'])
  assert.ok(!headers('none').includes('secret'))
  assert.deepEqual(valuesOf(headers('bearer', null), 'authorization'), [])
})

test("nothing of the client's own passes but what is on the list", () => {
  const clientHeaders = {
    authorization: 'Bearer client',
    'x-api-key': 'client',
    'x-goog-api-key': 'client',
    cookie: 'client',
    'x-forwarded-for': 'client',
    'accept-encoding': 'client',
    host: 'client',
    'openai-organization': 'client',
    'anthropic-version': '2026-10-21',
    'anthropic-beta': 'a,b',
    'openai-beta': 'c',
  }
  const messages = build({ protocol: 'anthropic-messages', clientHeaders }).headers
  assert.ok(!messages.some((value) => value.includes('client')))
  assert.deepEqual(valuesOf(messages, 'anthropic-version'), ['2026-10-21'])
  assert.deepEqual(valuesOf(messages, 'anthropic-beta'), ['a,b'])
  assert.deepEqual(valuesOf(messages, 'openai-beta'), [])
  const chat = build({ clientHeaders }).headers
  assert.deepEqual(valuesOf(chat, 'openai-beta'), ['c'])
  assert.deepEqual(valuesOf(chat, 'anthropic-version'), [])
})

test('a client that names no Anthropic version speaks the oldest', () => {
  assert.deepEqual(valuesOf(build({ protocol: 'anthropic-messages' }).headers, 'anthropic-version'), ['2023-06-01'])
})

test('only the mark of beta calls is kept of the query', () => {
  const path = (clientQuery: string) =>
    build({ protocol: 'anthropic-messages', clientQuery }, { apiUrl: 'https://a.example' }).path
  assert.equal(path('beta=true'), '/v1/messages?beta=true')
  assert.equal(path('x=1&beta=true&key=secret'), '/v1/messages?beta=true')
  assert.equal(path('alpha-beta=true&key=secret'), '/v1/messages')
  assert.equal(path('beta=trueish'), '/v1/messages')
})

test('asks for an answer that need not be unpacked, in the form of the request', () => {
  const { headers } = build()
  assert.deepEqual(valuesOf(headers, 'accept-encoding'), ['identity'])
  assert.deepEqual(valuesOf(headers, 'accept'), ['application/json'])
  assert.deepEqual(valuesOf(build({ stream: true }).headers, 'accept'), ['text/event-stream'])
  assert.deepEqual(valuesOf(headers, 'content-type'), ['application/json'])
})

test("the backend's own headers are added", () => {
  assert.deepEqual(valuesOf(build({}, { headers: { 'x-tenant': 't' } }).headers, 'x-tenant'), ['t'])
})

test('a translated request is written for the version of the settings, whatever the client speaks', () => {
  const ask = { protocol: 'anthropic-messages', isTranslated: true, anthropicVersion: '2026-10-21' } as const
  const { headers } = build({ ...ask, clientHeaders: { 'anthropic-version': '2023-06-01' } })
  assert.deepEqual(valuesOf(headers, 'anthropic-version'), ['2026-10-21'])
  const same = build({ ...ask, isTranslated: false, clientHeaders: { 'anthropic-version': '2023-06-01' } }).headers
  assert.deepEqual(valuesOf(same, 'anthropic-version'), ['2023-06-01'])
})
