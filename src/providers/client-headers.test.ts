import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forwardedHeaders } from './client-headers.ts'

const BETA = 'anthropic-beta'

test('flags nobody knows pass between two sides of one protocol, byte for byte', () => {
  const value = 'tomorrow-2030-01-01 ,x,,  y'
  const client = { [BETA]: value, 'anthropic-version': '2099-01-01', 'idempotency-key': 'k', authorization: 'Bearer k' }
  assert.deepEqual(forwardedHeaders('anthropic-messages', 'anthropic', false, client), [
    'anthropic-version',
    '2099-01-01',
    BETA,
    value,
  ])
  assert.deepEqual(forwardedHeaders('openai-chat', 'openai', false, { ...client, 'openai-beta': 'a=v1' }), [
    'openai-beta',
    'a=v1',
  ])
  assert.deepEqual(forwardedHeaders('gemini', 'gemini', false, client), [])
})

test('a header that came as a list is told whole', () => {
  const client = { [BETA]: ['a', 'b'] } as unknown as Record<string, string>
  assert.deepEqual(forwardedHeaders('anthropic-messages', 'anthropic', false, client), [BETA, 'a, b'])
})

test('Bedrock gets no flag that it would refuse', () => {
  const sent = (value: string) => forwardedHeaders('anthropic-messages', 'bedrock', false, { [BETA]: value })
  assert.deepEqual(sent('context-1m-2025-08-07, tomorrow-2030-01-01,effort-2025-11-24'), [
    BETA,
    'context-1m-2025-08-07,effort-2025-11-24',
  ])
  assert.deepEqual(sent('prompt-caching-2024-07-31'), [])
  assert.deepEqual(forwardedHeaders('bedrock-converse', 'bedrock', true, { [BETA]: 'context-1m-2025-08-07' }), [])
})

test('a translated request takes along the flags that change the model alone, by either name', () => {
  const client = {
    [BETA]: 'context-1m-2025-08-07,files-api-2025-04-14',
    'x-anthropic-beta': 'interleaved-thinking-2025-05-14, context-1m-2025-08-07',
    'anthropic-version': '2026-10-21',
    'openai-beta': 'x',
  }
  const sent = (protocol: 'anthropic-messages' | 'gemini' | 'openai-chat') =>
    forwardedHeaders(protocol, 'any', true, client)
  assert.deepEqual(sent('anthropic-messages'), [BETA, 'context-1m-2025-08-07,interleaved-thinking-2025-05-14'])
  assert.deepEqual(sent('gemini'), [])
  assert.deepEqual(sent('openai-chat'), [])
  assert.deepEqual(forwardedHeaders('anthropic-messages', 'any', true, { [BETA]: 'files-api-2025-04-14' }), [])
})
