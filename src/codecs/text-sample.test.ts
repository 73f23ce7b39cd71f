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

test('of a text that is too long the beginning is taken, with whole letters', () => {
  for (const [letter, text] of [
    ['é', 'é'],
    ['日', '日'],
    ['ä', '\\u00e4'],
    ['"', '\\"'],
  ]) {
    for (const before of ['', 'x', 'xx', 'xxx', 'xxxx', 'xxxxx']) {
      const sample = added(before + text!.repeat(SAMPLE_BYTES_MAX))
      assert.match(sample.text(), new RegExp(`^x*${letter}+$`))
      assert.ok(sample.length > SAMPLE_BYTES_MAX - 12 && sample.length <= SAMPLE_BYTES_MAX)
      assert.equal(sample.isOpen, false)
    }
  }
})

test('a text that fills the sample is taken, one byte more is not', () => {
  const full = added('x'.repeat(SAMPLE_BYTES_MAX))
  assert.deepEqual([full.length, full.isOpen], [SAMPLE_BYTES_MAX, true])
  const over = added('x'.repeat(SAMPLE_BYTES_MAX), 'y', 'z')
  assert.deepEqual([over.length, over.isOpen], [SAMPLE_BYTES_MAX, false])
})
