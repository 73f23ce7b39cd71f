import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SAMPLE_BYTES_MAX, TextSample } from './text-sample.ts'

const added = (...texts: readonly string[]): TextSample => {
  const sample = new TextSample()
  for (const text of texts) {
    const event = Buffer.from(`x"${text}"x`)
    if (sample.isOpen) sample.add(event, 2, event.length - 2)
  }
  return sample
}

test('says what the strings said, also where one character came in two of them', () => {
  const sample = added('a \\"b\\"\\n', '\\ud83d', '\\ude00', 'é')
  assert.equal(sample.text(), 'a "b"\n😀é')
  assert.equal(sample.length, 23)
  assert.equal(added().text(), '')
})

test('what is no JSON string is taken as it is', () => {
  assert.equal(added('\\x').text(), '\\x')
})

test('a text that fills the sample is taken, one byte more is not', () => {
  const full = added('x'.repeat(SAMPLE_BYTES_MAX))
  assert.deepEqual([full.length, full.isOpen], [SAMPLE_BYTES_MAX, true])
  const over = added('x'.repeat(SAMPLE_BYTES_MAX), 'y', 'z')
  assert.deepEqual([over.length, over.isOpen], [SAMPLE_BYTES_MAX, false])
})
