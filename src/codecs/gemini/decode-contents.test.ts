import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Seal } from '#ir/blocks.ts'
import { type CarriedSeal, sealEnvelope } from '#codecs/seal-envelope.ts'
import { blocksOf } from './testbed.ts'

/** Reasoning of other issuers comes back in the signatures of this client's parts (B3). */

const signed = (value: string): Seal => ({ issuer: 'anthropic-messages', kind: 'signature', value })
const entry = (value: string, text?: string): CarriedSeal => ({
  seal: signed(value),
  place: 'reasoning',
  ...(text === undefined ? {} : { text }),
})

/** What a block is, in short: its text, and its seal behind a `#`. */
function shortly(...parts: unknown[]): string[] {
  return (blocksOf(...parts) as Record<string, unknown>[]).map(({ type, text, name, seal }) => {
    const value = (seal as Seal | null | undefined)?.value
    return `${type as string} ${(text ?? name) as string}${value === undefined ? '' : `#${value}`}`
  })
}

const call = (name: string, ...seals: CarriedSeal[]) => ({
  functionCall: { name, args: {} },
  ...(seals.length > 0 ? { thoughtSignature: sealEnvelope(seals) } : {}),
})
const thought = (text: string) => ({ text, thought: true })

test('a client that gives back the call alone has all reasoning before it', () => {
  assert.deepEqual(shortly(call('f', entry('1', 'first'), entry('2'))), [
    'reasoning first#1',
    'reasoning #2',
    'tool-call f',
  ])
})

test('without its thoughts the reasoning stood before what was said since the last call', () => {
  assert.deepEqual(
    shortly({ text: 'I look' }, call('f', entry('1', 'a')), call('g'), { text: 'b' }, call('h', entry('2', 'c'))),
    ['reasoning a#1', 'text I look', 'tool-call f', 'reasoning c#2', 'tool-call g', 'text b', 'tool-call h'],
  )
})

test('thoughts that came back as well are not doubled, and tell the place', () => {
  assert.deepEqual(shortly({ text: 'x' }, thought('ab'), { text: 'y' }, call('f', entry('1', 'ab'))), [
    'text x',
    'reasoning ab#1',
    'text y',
    'tool-call f',
  ])
  // As they were streamed: in pieces, and several of them without anything between.
  assert.deepEqual(
    shortly(thought('a'), thought('bc'), thought('d'), call('f', entry('1', 'ab'), entry('0'), entry('2', 'cd'))),
    ['reasoning ab#1', 'reasoning #0', 'reasoning cd#2', 'tool-call f'],
  )
  // One without text stood before the one that is found.
  assert.deepEqual(shortly({ text: 'x' }, thought('b'), call('f', entry('0'), entry('1', 'b'), entry('2'))), [
    'text x',
    'reasoning #0',
    'reasoning b#1',
    'reasoning #2',
    'tool-call f',
  ])
})

test('thoughts that are no reasoning of the envelope stay', () => {
  assert.deepEqual(shortly(thought('other'), call('f', entry('1', 'a'))), [
    'reasoning a#1',
    'reasoning other',
    'tool-call f',
  ])
})

test('an answer without a call carries them on a thought', () => {
  const carrier = { text: 'b', thought: true, thoughtSignature: sealEnvelope([entry('1', 'ab')]) }
  assert.deepEqual(shortly(thought('a'), carrier, { text: 'z' }), ['reasoning ab#1', 'text z'])
  const last = { text: '', thought: true, thoughtSignature: sealEnvelope([entry('1', 'a')]) }
  assert.deepEqual(shortly(thought('a'), { text: 'z' }, last), ['reasoning a#1', 'text z'])
  assert.deepEqual(shortly({ text: 'z' }, last), ['reasoning a#1', 'text z'])
})

test('seals of calls and of texts go where they belong', () => {
  const own: CarriedSeal = { seal: signed('c'), place: 'tool-call' }
  assert.deepEqual(shortly(call('f', entry('1', 'a'), own)), ['reasoning a#1', 'tool-call f#c'])
  const text: CarriedSeal = { seal: signed('t'), place: 'text' }
  assert.deepEqual(shortly({ text: 'x', thoughtSignature: sealEnvelope([text]) }), ['text x#t'])
})

test('the issuer, the kind and the id of an item survive', () => {
  const seal: Seal = { issuer: 'openai-responses', kind: 'encrypted', value: 'gAAA' }
  const [block] = blocksOf(call('f', { seal, place: 'reasoning', id: 'rs_1' }))
  assert.deepEqual(block, { type: 'reasoning', text: '', seal, id: 'rs_1', path: '/contents/0/parts/0' })
})

test("Gemini's own signatures are no envelope", () => {
  assert.deepEqual(shortly({ ...call('f'), thoughtSignature: 'dHYy' }), ['tool-call f#dHYy'])
  assert.deepEqual(shortly({ ...call('f'), thoughtSignature: 'dHYx!' }), ['tool-call f#dHYx!'])
})
