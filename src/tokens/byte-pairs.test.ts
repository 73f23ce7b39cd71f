import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BytePairs } from './byte-pairs.ts'

const WORDS = /\S+|\s+/gu

function pairs(...tokens: string[]): BytePairs {
  return new BytePairs(new Map(tokens.map((token, rank) => [token, rank])), WORDS)
}

test('a piece that is a token counts once, an empty text not at all', () => {
  const encoding = pairs('a', 'b', 'ab', ' ')
  assert.equal(encoding.count('ab'), 1)
  assert.equal(encoding.count('ab ab'), 3)
  assert.equal(encoding.count(''), 0)
})

test('pairs merge by rank, lowest first and left before right', () => {
  // "abcd": with bc first it stays a|bc|d; with ab and cd first it is ab|cd.
  assert.equal(pairs('a', 'b', 'c', 'd', 'bc', 'ab', 'cd').count('abcd'), 3)
  assert.equal(pairs('a', 'b', 'c', 'd', 'ab', 'bc', 'cd').count('abcd'), 2)
  assert.equal(pairs('a', 'aa').count('aaa'), 2)
})

test('merged parts merge on', () => {
  assert.equal(pairs('a', 'aa', 'aaaa', 'b').count('aaaab'), 2)
})

test('a letter outside of ASCII is as many tokens as bytes unless they merge', () => {
  assert.equal(pairs().count('é'), 2)
  assert.equal(pairs('\u00c3', '\u00a9', '\u00c3\u00a9').count('é'), 1)
  assert.equal(pairs().count('🎉'), 4)
})

test('half of a surrogate pair counts as the replacement that would be sent', () => {
  assert.equal(pairs().count('\ud83c'), 3)
})

test('a very long piece is cut, at the cost of a token', () => {
  const encoding = pairs('a', 'aa', 'aaaa')
  assert.equal(encoding.count('a'.repeat(128)), 32)
  assert.equal(encoding.count('a'.repeat(129)), 33)
  assert.equal(encoding.count('a'.repeat(1000)), 250)
})
