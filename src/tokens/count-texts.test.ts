import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { COUNTED_BYTES_MAX, countTexts } from './count-texts.ts'
import { loadEncoding } from './encodings.ts'
import type { PromptTexts } from './prompt.ts'

const encoding = await loadEncoding('o200k_base')
const SENTENCE = 'The quick brown fox jumps over the lazy dog, and 日本語 follows. '

const texts = (some: Partial<PromptTexts>): PromptTexts => ({
  instructions: [],
  text: [],
  reasoning: [],
  pastReasoning: [],
  calls: [],
  results: [],
  tools: [],
  schema: [],
  ...some,
})

test('each kind is counted for itself; none is 0', async () => {
  const { tokens, isSampled } = await countTexts(
    texts({ text: ['Hello', ' world'], tools: ['one two three'] }),
    encoding,
  )
  const none = { instructions: 0, reasoning: 0, pastReasoning: 0, calls: 0, results: 0, schema: 0 }
  assert.deepEqual(tokens, { ...none, text: 2, tools: 3 })
  assert.equal(isSampled, false)
})

test('slices count what the whole does', async () => {
  const text = SENTENCE.repeat(100)
  const { tokens } = await countTexts(texts({ text: [text] }), encoding)
  assert.equal(tokens.text, encoding.count(text))
})

test('a text without a break is cut between characters', async () => {
  const text = `x${'🎉'.repeat(2_000)}`
  const { tokens } = await countTexts(texts({ text: [text] }), encoding)
  assert.ok(Math.abs(tokens.text - encoding.count(text)) <= 4, String(tokens.text))
})

test('what is too long is estimated from slices of all of it', async () => {
  const half = COUNTED_BYTES_MAX * 2
  const english = SENTENCE.repeat(half / SENTENCE.length)
  const digits = '1234567890 '.repeat(half / 11)
  const { tokens, isSampled } = await countTexts(texts({ text: [english, digits], schema: ['{}'] }), encoding)
  const exact = encoding.count(english) + encoding.count(digits)
  assert.equal(isSampled, true)
  assert.ok(Math.abs(tokens.text / exact - 1) < 0.02, `${tokens.text} of ${exact}`)
  assert.equal(tokens.schema, 1)
})

test('the event loop has its turn all the time', async () => {
  const hard = Array.from({ length: COUNTED_BYTES_MAX }, (_, at) =>
    String.fromCharCode(0x4e00 + ((at * 7919) % 20_000)),
  )
  let longestMs = 0
  const end = new AbortController()
  const watch = (async () => {
    for (let lastMs = performance.now(); !end.signal.aborted; lastMs = performance.now()) {
      await setImmediate()
      longestMs = Math.max(longestMs, performance.now() - lastMs)
    }
  })()
  const startMs = performance.now()
  await countTexts(texts({ text: [hard.join('')] }), encoding)
  const wholeMs = performance.now() - startMs
  end.abort()
  await watch
  assert.ok(longestMs < wholeMs / 4, `${longestMs} ms of ${wholeMs} ms`)
})
