import assert from 'node:assert/strict'
import { test } from 'node:test'
import { redactSecrets } from './redact.ts'

test('R20: keys and bearer values are cut to their first characters, wherever they stand', () => {
  const cases = {
    '{"a":"sk-tv-0123456789abcdefABCDEF"}': '{"a":"sk-tv-01****"}',
    'my key is sk-ant-api03-aaaa_bbbb-cccc, keep it': 'my key is sk-ant-ap****, keep it',
    'sk-or-v1-0123456789abcdef\\nsk-proj-abcdefghijklmnop': 'sk-or-v1****\\nsk-proj-ab****',
    'x=AIzaSyA0123456789abcdef&y': 'x=AIzaSy****&y',
    'tmk-0123456789abcdef': 'tmk-****',
    'Authorization: Bearer eyJhbGciOi.J9.x_y-z~1+/=': 'Authorization: Bearer ****',
    'bearer   0123456789abcdef': 'bearer   ****',
  }
  for (const [text, redacted] of Object.entries(cases)) assert.equal(redactSecrets(text), redacted)
})

test('R20: what only begins like a secret stays', () => {
  for (const text of [
    'a task-management-and-planning-tool',
    'sk-learn and sk-short',
    'the bearer of bad news',
    'bearer responsibilities',
    'AIza',
    '',
  ]) {
    assert.equal(redactSecrets(text), text)
  }
})

test('S19: a hostile text takes no longer than its length', () => {
  for (const text of ['bearer '.repeat(50_000), `bearer ${'a'.repeat(500_000)}`, 'sk-'.repeat(100_000)]) {
    const begun = performance.now()
    redactSecrets(text)
    assert.ok(performance.now() - begun < 500, text.slice(0, 20))
  }
})
