import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson, rawNumber } from '#base/exact-json.ts'
import type { EmbeddingRequest } from '#ir/embedding.ts'
import { answerOf, isNumber, packFloats, unpackFloats } from './vectors.ts'

test('packs numbers as little-endian float32', () => {
  // 1 is 0x3f800000, -2 is 0xc0000000.
  assert.equal(packFloats([1, -2]), Buffer.from([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]).toString('base64'))
  assert.equal(packFloats([]), '')
})

test('unpacks what was packed', () => {
  assert.deepEqual(unpackFloats('AACAPwAAAMA='), [1, -2])
  // Some hosts leave the padding out.
  assert.deepEqual(unpackFloats('AACAPwAAAMA'), [1, -2])
  assert.deepEqual(unpackFloats(''), [])
  const values = [0.1, -1e-30, 3.4e38].map(Math.fround)
  assert.deepEqual(unpackFloats(packFloats(values)), values)
})

test('what is packed otherwise is no vector', () => {
  for (const text of ['AACAPw!=', 'AACA PwAA', 'AACAP', packFloats([NaN]), packFloats([Infinity]), 'AAAA'])
    assert.equal(unpackFloats(text), null, text)
})

test('a number may be kept as its source text', () => {
  const [long, text] = parseFaithfulJson('[0.10000000000000000555, "1"]') as unknown[]
  assert.deepEqual(
    [isNumber(1), isNumber(long), isNumber(text), isNumber(null), isNumber({})],
    [true, true, false, false, false],
  )
  assert.equal(JSON.stringify(rawNumber('0.00000001400')), '0.00000001400')
})

const asking = (encoding: EmbeddingRequest['encoding'], dimensions: unknown = null): EmbeddingRequest => ({
  inputs: [
    {
      content: { type: 'text', texts: ['a'], role: null },
      dimensions,
      taskType: null,
      title: null,
      path: '/input',
      paths: {},
      ext: {},
    },
  ],
  isBatch: false,
  encoding,
  endUser: null,
  paths: {},
  ext: {},
})

const vectorOf = (value: unknown, request: EmbeddingRequest) =>
  answerOf([value], request, null).answer?.vectors[0] ?? null

test('numbers come out as they came in', () => {
  const values = [0.1, -0, 5e-324, 1.7976931348623157e308, -0.018449117, 3]
  assert.equal(vectorOf(values, asking('float')), values)
  const kept = parseFaithfulJson('[-2.3000000000000001e-05, 0.25]')
  assert.deepEqual(vectorOf(kept, asking('float')), [-2.3e-5, 0.25])
  assert.deepEqual(vectorOf([], asking(null)), [])
})

test('text stays as it is for a client that asked for it, whatever is packed in it', () => {
  assert.equal(vectorOf('9sYAAzzy', asking('base64')), '9sYAAzzy')
  assert.deepEqual(vectorOf([1], asking('base64')), [1])
})

test('text that nobody asked for is unpacked, and must have the right length', () => {
  assert.deepEqual(vectorOf('AACAPwAAAMA=', asking('float')), [1, -2])
  assert.deepEqual(vectorOf('AACAPwAAAMA=', asking(null, 2)), [1, -2])
  // Two floats of eight bytes could be taken for four of four.
  const wide = Buffer.from(Float64Array.of(1, 2).buffer).toString('base64')
  assert.equal(vectorOf(wide, asking('float', 2)), null)
  assert.equal(vectorOf('AAAA', asking('float')), null)
})

test('what is no vector of numbers is a failure', () => {
  for (const value of [undefined, null, 1, {}, [null], ['1'], [[1]], [1, 'NaN']]) {
    const { failure } = answerOf([value], asking('float'), null)
    assert.deepEqual([failure?.status, failure?.code], [502, 'upstream_bad_response'], JSON.stringify(value))
  }
  assert.match(answerOf([], asking('float'), null).failure?.message ?? '', /sent 0 embeddings for 1 inputs/)
  assert.match(answerOf([[1], [2]], asking('float'), null).failure?.message ?? '', /sent 2 embeddings for 1 inputs/)
})

test('an answer that tells its input has no output; one that tells nothing has no usage', () => {
  const usage = {
    input: 3,
    cacheRead: null,
    cacheWrite: null,
    cacheWrite1h: null,
    output: null,
    reasoning: null,
    source: 'upstream',
  } as const
  assert.deepEqual(answerOf([[1]], asking('float'), usage).answer?.usage, { ...usage, output: 0 })
  assert.equal(answerOf([[1]], asking('float'), null).answer?.usage, null)
})
