import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCredential } from './credential.ts'

test('each header alone is a credential', () => {
  assert.deepEqual(readCredential({ authorization: 'Bearer k' }), { text: 'k', from: 'authorization' })
  assert.deepEqual(readCredential({ 'x-api-key': 'k' }), { text: 'k', from: 'x-api-key' })
  assert.deepEqual(readCredential({ 'x-goog-api-key': 'k' }), { text: 'k', from: 'x-goog-api-key' })
})

test('the scheme is case-insensitive and whitespace is trimmed', () => {
  for (const value of ['bearer k', 'BEARER   k  ', '  Bearer\tk', 'k']) {
    assert.equal(readCredential({ authorization: value })?.text, 'k')
  }
})

test('the first non-empty one decides', () => {
  const all = { authorization: 'Bearer a', 'x-api-key': 'b', 'x-goog-api-key': 'c' }
  assert.equal(readCredential(all, { queryKey: 'd' })?.text, 'a')
  assert.equal(readCredential({ ...all, authorization: 'Bearer ' }, { queryKey: 'd' })?.text, 'b')
  assert.equal(readCredential({ ...all, authorization: '', 'x-api-key': ' ' })?.text, 'c')
  assert.equal(readCredential({ 'x-api-key': '' }, { queryKey: 'd' })?.from, 'query')
})

test('nothing presented is null, and a query key counts only where it is passed', () => {
  assert.equal(readCredential({}), null)
  assert.equal(readCredential({ authorization: 'Bearer' }), null)
  assert.equal(readCredential({}, { queryKey: '' }), null)
})
