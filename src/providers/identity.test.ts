import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { readVersion } from '#base/version.ts'
import type { Backend } from '#catalog/types.ts'
import { backendOf } from '#data-plane/testbed.ts'
import { CLIENT_IDENTITY, pushIdentity } from './identity.ts'

const OURS = `Trivium/${readVersion()}`

/** Headers that a backend is told, by name. */
function told(client: IncomingHttpHeaders, rest: Partial<Backend> = {}): Record<string, string> {
  const headers: string[] = []
  pushIdentity(headers, backendOf('b', rest), client)
  return Object.fromEntries(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]!]] : [])))
}

test("without configuration the client's own names pass, and nothing is made up but a User-Agent", () => {
  assert.deepEqual(told({ 'user-agent': 'foo/1', 'http-referer': 'https://a.example', 'x-title': 'App' }), {
    'user-agent': 'foo/1',
    'http-referer': 'https://a.example',
    'x-title': 'App',
  })
  assert.deepEqual(told({}), { 'user-agent': OURS })
})

test('what is no header value counts as absent', () => {
  const agent = (name?: string) => told({ 'user-agent': name })['user-agent']
  assert.equal(agent('x'.repeat(300)), 'x'.repeat(300))
  assert.equal(agent('naïve'), 'naïve')
  for (const bad of ['x'.repeat(301), 'a\u0000b', '\u4f60', '']) assert.equal(agent(bad), OURS)
})

test('the title has two names; OpenRouter is sent both (C28)', () => {
  const openrouter = { type: 'openrouter' }
  assert.deepEqual(told({ 'x-openrouter-title': 'App' }), { 'user-agent': OURS, 'x-title': 'App' })
  assert.deepEqual(told({ 'x-title': 'App' }, openrouter), {
    'user-agent': OURS,
    'x-title': 'App',
    'x-openrouter-title': 'App',
  })
})

test("a header that the backend's own configuration sets is not sent twice", () => {
  const headers = { 'User-Agent': 'set' }
  assert.deepEqual(told({ 'user-agent': 'foo/1', 'x-title': 'App' }, { headers }), { 'x-title': 'App' })
})

test('a set value stands in place of the client and other headers may be the source', () => {
  const identity = {
    ...CLIENT_IDENTITY,
    userAgent: { from: [], value: 'Set/1' },
    title: { from: ['x-app'], value: 'fallback' },
  }
  assert.deepEqual(told({ 'user-agent': 'foo/1', 'x-title': 'App' }, { identity }), {
    'user-agent': 'Set/1',
    'x-title': 'fallback',
  })
  assert.equal(told({ 'x-app': 'mine' }, { identity })['x-title'], 'mine')
})
