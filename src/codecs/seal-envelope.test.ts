import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CarriedSeal, openEnvelope, sealEnvelope } from './seal-envelope.ts'

const SEALS: CarriedSeal[] = [
  {
    seal: { issuer: 'anthropic-messages', kind: 'signature', value: 'EqQB+/=="\n' },
    place: 'reasoning',
    text: 'think 日本 🚀',
  },
  { seal: { issuer: 'openai-responses', kind: 'encrypted', value: 'gAAAA' }, place: 'reasoning', id: 'rs_1' },
  { seal: { issuer: 'gemini', kind: 'signature', value: '' }, place: 'tool-call' },
]

test('what goes in comes out, byte for byte and in order', () => {
  const envelope = sealEnvelope(SEALS)
  assert.match(envelope, /^[A-Za-z0-9+/]+=*$/)
  assert.deepEqual(openEnvelope(envelope), SEALS)
  assert.deepEqual(openEnvelope(sealEnvelope([])), [])
})

test('a native text is no envelope, nor is a damaged or foreign one', () => {
  const mark = (text: string) => Buffer.from(`tv1${text}`).toString('base64')
  for (const text of ['', 'EqQBCkYIAR', 'dHYx', mark('{}'), mark('[1]'), mark('[["x","s","v","reasoning"]]')]) {
    assert.equal(openEnvelope(text), null, text)
  }
  assert.equal(openEnvelope(mark('[["gemini","s",5,"tool-call",null,null]]')), null)
  assert.equal(openEnvelope(mark('[["gemini","s","v","elsewhere",null,null]]')), null)
  assert.equal(openEnvelope(sealEnvelope(SEALS).slice(0, -8)), null)
})
