import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readImageSize } from '#wire/image-size.ts'
import { OUTPUT_TOKENS_MAX } from './models.ts'
import { perform } from './performance.ts'
import type { Prompt, Turn } from './prompt.ts'
import { PARALLEL_CALLS_MAX } from './scripts.ts'
import { cutTokens, splitPieces } from './tokens.ts'
import { TRANSCRIPTS_MAX, TRANSCRIPT_CHARACTERS_MAX, Transcripts } from './transcripts.ts'

const turn = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] })
const prompt = (model: string, text: string, fields: Partial<Prompt> = {}): Prompt => ({
  model,
  turns: [turn(text)],
  tools: [],
  toolChoice: { mode: 'auto' },
  parallelCalls: true,
  reasoning: 'free',
  json: null,
  stopSequences: [],
  outputTokensMax: null,
  ...fields,
})

test('an answer as long as the limit is whole, one character more is cut', () => {
  const at = perform(prompt('echo', 'x'.repeat(4 * OUTPUT_TOKENS_MAX)))
  assert.deepEqual([at.finish, at.usage.output], ['stop', OUTPUT_TOKENS_MAX])
  const beyond = perform(prompt('echo', 'x'.repeat(4 * OUTPUT_TOKENS_MAX + 1), { outputTokensMax: 1_000_000 }))
  assert.deepEqual([beyond.finish, beyond.usage.output], ['length', OUTPUT_TOKENS_MAX])
})

test('reasoning that does not fit is cut and unsigned; a call that does not fit is left out', () => {
  const { steps, usage } = perform(prompt('think', 'a', { outputTokensMax: 2 }))
  assert.deepEqual(steps, [{ kind: 'think', text: 'The user', seal: '' }])
  assert.deepEqual(usage, { input: 1, output: 2, reasoning: 2 })
  const tools = [{ name: 'weather', schema: {} }]
  const call = perform(prompt('tools', 'a', { tools, outputTokensMax: 1 }))
  assert.deepEqual([call.steps, call.finish], [[], 'length'])
})

test('parallel calls stop at their bound, and a single tool is called twice', () => {
  const tools = Array.from({ length: PARALLEL_CALLS_MAX + 1 }, (_, index) => ({ name: `tool${index}`, schema: {} }))
  assert.equal(perform(prompt('tools', 'Parallel!', { tools })).steps.length, PARALLEL_CALLS_MAX)
  assert.equal(perform(prompt('tools', 'parallel', { tools: tools.slice(0, 1) })).steps.length, 2)
  assert.equal(perform(prompt('tools', 'parallel', { tools, toolChoice: { mode: 'none' } })).steps[0]?.kind, 'say')
})

test('pieces join to the text and never split a pair', () => {
  for (const text of ['', ' a  b\n', '🛶'.repeat(60), `${'x'.repeat(49)} y`]) {
    assert.equal(splitPieces(text).join(''), text)
    assert.ok(splitPieces(text).every((piece) => piece.isWellFormed()))
  }
  assert.equal(cutTokens('abc🛶', 1), 'abc')
})

test('transcripts forget the oldest beyond their bound and skip what is too long', () => {
  const transcripts = new Transcripts()
  for (let index = 0; index <= TRANSCRIPTS_MAX; index++) transcripts.keep(`resp_${index}`, [turn('a')])
  assert.equal(transcripts.size, TRANSCRIPTS_MAX)
  assert.equal(transcripts.find('resp_0'), undefined)
  assert.ok(transcripts.find('resp_1'))
  const frame = JSON.stringify([turn('')]).length
  transcripts.keep('resp_long', [turn('a'.repeat(TRANSCRIPT_CHARACTERS_MAX - frame))])
  transcripts.keep('resp_longer', [turn('a'.repeat(TRANSCRIPT_CHARACTERS_MAX - frame + 1))])
  assert.deepEqual([!!transcripts.find('resp_long'), !!transcripts.find('resp_longer')], [true, false])
})

test('image headers that are cut short or unknown have no size', () => {
  for (const hex of ['', 'ffd8', 'ffd8fffe0004', 'ffd8ffe0000000', '89504e470d0a1a0a0000', '474946383961']) {
    assert.equal(readImageSize(Buffer.from(hex, 'hex')), null)
  }
})
