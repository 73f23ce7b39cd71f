import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readWarnings } from './warning-texts.ts'

test('texts of the first version read as values', () => {
  const texts = [
    'param=logit_bias;action=drop;reason=Gemini has no such member',
    'param=a.b;action=narrow;reason=x=y',
    'param=max_tokens;action=lowered;to=612;reason=balance',
    'anything else',
    'more=4',
  ]
  assert.deepEqual(readWarnings(texts), {
    warnings: [
      { path: '/logit_bias', action: 'dropped', reason: 'Gemini has no such member', target: null },
      { path: '/a/b', action: 'narrowed', reason: 'x=y', target: null },
      { path: '/max_tokens', action: 'narrowed', reason: 'lowered to 612 by the balance', target: null },
      { path: '', action: 'rewritten', reason: 'anything else', target: null },
    ],
    warnings_more: 4,
  })
})

test('values stay as they are', () => {
  assert.deepEqual(readWarnings([{ path: '/a' }]), {})
  assert.deepEqual([readWarnings([]), readWarnings(undefined), readWarnings(null)], [{}, {}, {}])
})
