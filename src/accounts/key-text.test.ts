import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyChecksumHolds, keyDigest, keyLabel, newKeyText } from './key-text.ts'

test('a key has the prefix, 256 random bits in 43 characters and a checksum of 6', () => {
  const keys = Array.from({ length: 1000 }, newKeyText)
  for (const key of keys) {
    assert.match(key, /^sk-tv-[0-9A-Za-z]{49}$/)
    assert.ok(keyChecksumHolds(key))
  }
  assert.equal(new Set(keys).size, keys.length)
})

test('any single changed character breaks the checksum', () => {
  const key = newKeyText()
  for (let at = 0; at < key.length; at++) {
    const other = key[at] === 'a' ? 'b' : 'a'
    assert.equal(keyChecksumHolds(key.slice(0, at) + other + key.slice(at + 1)), false, `at ${at}`)
  }
})

test('what cannot be a key is refused whatever its length', () => {
  const key = newKeyText()
  for (const text of [
    '',
    'sk-',
    key.slice(0, -1),
    `${key}0`,
    ` ${key.slice(1)}`,
    key.repeat(1000),
    'sk-or-v1-abc',
    '\0',
  ]) {
    assert.equal(keyChecksumHolds(text), false)
  }
})

test('the digest depends on pepper and key, the label shows 12 characters', () => {
  const key = newKeyText()
  assert.match(keyDigest('one', key), /^[0-9a-f]{64}$/)
  assert.notEqual(keyDigest('one', key), keyDigest('two', key))
  assert.equal(keyLabel(key), `${key.slice(0, 8)}...${key.slice(-4)}`)
})
