import assert from 'node:assert/strict'
import { type Json, MODELS, type Told } from './gateway.ts'

/** One request per surface, and the shape of its errors. */

export const SURFACES = {
  chat: { path: '/v1/chat/completions', body: { model: MODELS.chat.id, messages: [] } },
  responses: { path: '/v1/responses', body: { model: MODELS.chat.id, input: 'a' } },
  embeddings: { path: '/v1/embeddings', body: { model: MODELS.embedding.id, input: 'a' } },
  messages: { path: '/v1/messages', body: { model: MODELS.messages.id, max_tokens: 5, messages: [] } },
  count: { path: '/v1/messages/count_tokens', body: { model: MODELS.messages.id, messages: [] } },
  gemini: { path: `/v1beta/models/${MODELS.gemini.id}:generateContent`, body: { contents: [] } },
  openRouter: { path: '/api/v1/chat/completions', body: { model: MODELS.chat.id, messages: [] } },
} as const
export type Name = keyof typeof SURFACES
export const NAMES = Object.keys(SURFACES) as Name[]

/** The stable code, wherever the dialect keeps it. */
export function codeOf(name: Name, json: Json): string {
  const { error } = json
  if (name === 'gemini') return error.details.find((one: Json) => one.reason).reason
  return name === 'openRouter' ? error.metadata.code : error.code
}

/** The envelope is the surface's own (R11). */
export function assertEnvelope(name: Name, { status, json, headers, text }: Told): void {
  const requestId = headers.get('x-request-id')!
  assert.match(requestId, /^req_/)
  assert.ok(text.includes(requestId), 'the body names the request id')
  assert.equal(typeof json.error.message, 'string')
  switch (name) {
    case 'messages':
    case 'count':
      assert.equal(json.type, 'error')
      assert.equal(typeof json.error.type, 'string')
      assert.equal(headers.get('request-id'), requestId)
      break
    case 'gemini':
      assert.equal(json.error.code, status)
      assert.match(json.error.status, /^[A-Z_]+$/)
      break
    case 'openRouter':
      assert.equal(json.error.code, status)
      assert.equal(typeof json.error.metadata.error_type, 'string')
      break
    default:
      assert.ok('param' in json.error && typeof json.error.type === 'string')
  }
}
