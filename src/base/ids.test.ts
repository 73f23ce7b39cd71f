import assert from 'node:assert/strict'
import { test } from 'node:test'
import { id, ulid } from './ids.ts'

test('a ULID spells its time, sorts by it, and never repeats', () => {
  assert.match(ulid(0), /^0000000000[0-9A-HJKMNP-TV-Z]{16}$/)
  // The largest time of the format and a known one (github.com/ulid/spec).
  assert.match(ulid(281474976710655), /^7ZZZZZZZZZ/)
  assert.match(ulid(1469918176385), /^01ARYZ6S41/)
  assert.ok(ulid(1_700_000_000_000) < ulid(1_700_000_000_001))
  const many = new Set(Array.from({ length: 10_000 }, () => ulid(5)))
  assert.equal(many.size, 10_000)
  assert.match(id('req'), /^req_[0-9A-HJKMNP-TV-Z]{26}$/)
})

test('every letter of the random part takes every value', () => {
  const seen = Array.from({ length: 16 }, () => new Set<string>())
  for (let round = 0; round < 5000; round++) {
    const random = ulid(5).slice(10)
    for (let at = 0; at < random.length; at++) seen[at]!.add(random[at]!)
  }
  for (const letters of seen) assert.equal(letters.size, 32)
})
