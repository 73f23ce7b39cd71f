import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CALL_IDS, type CallIdRule, legalCallId, MISTRAL_CALL_IDS } from './legal-call-id.ts'

const RULES: readonly (readonly [CallIdRule, RegExp])[] = [
  [CALL_IDS['openai-chat'], /^[^]{0,40}$/],
  [CALL_IDS['openai-responses'], /^[^]{0,64}$/],
  [CALL_IDS['anthropic-messages'], /^[a-zA-Z0-9_-]+$/],
  [CALL_IDS['bedrock-converse'], /^[a-zA-Z0-9_-]{1,64}$/],
  [MISTRAL_CALL_IDS, /^[a-zA-Z0-9]{9}$/],
]
const IDS = ['functions.weather:0', 'functions_weather:0', 'é', 'call_1', 'D681PevKs', 'x'.repeat(65), 'x'.repeat(400)]

test('every id becomes a legal one, always the same one, and no other id does', () => {
  for (const [rule, legal] of RULES) {
    const made = IDS.map((id) => legalCallId(id, rule))
    for (const id of made) assert.match(id, legal)
    assert.equal(new Set(made).size, IDS.length)
    assert.deepEqual(
      made.map((id) => legalCallId(id, rule)),
      made,
    )
  }
})

test('a legal id stays as it is, up to the bound', () => {
  for (const [rule, legal] of RULES) for (const id of IDS) if (legal.test(id)) assert.equal(legalCallId(id, rule), id)
  const at = (length: number) => legalCallId('x'.repeat(length), CALL_IDS['openai-chat'])
  assert.equal(at(40), 'x'.repeat(40))
  assert.match(at(41), /^x{31}_[0-9a-f]{8}$/)
  assert.equal(legalCallId('D681PevKs', MISTRAL_CALL_IDS), 'D681PevKs')
})

test('no id is none where one is needed', () => {
  assert.equal(legalCallId('', CALL_IDS['openai-chat']), '')
  assert.match(legalCallId('', CALL_IDS['bedrock-converse']), /^_[0-9a-f]{8}$/)
  assert.match(legalCallId('', MISTRAL_CALL_IDS), /^[0-9a-f]{9}$/)
})
