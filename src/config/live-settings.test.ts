import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { withLiveSettings } from './live-settings.ts'
import type { Settings } from './types.ts'

setFlagsFromString('--allow-natives-syntax')
// V8's own word, which only its parser knows.
const hasFastProperties = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean

/** About twice as many as the gateway has. */
const PARTS = 60

test('the object that carries the settings follows them and is no hash table, as a literal with a getter is', () => {
  let current = { currency: 'USD' } as Settings
  const parts = Object.fromEntries(Array.from({ length: PARTS }, (_, at) => [`part${at}`, at]))
  const gateway = withLiveSettings(() => current, parts)
  assert.equal(gateway.settings.currency, 'USD')
  current = { currency: 'EUR' } as Settings
  assert.equal(gateway.settings.currency, 'EUR')
  assert.equal(gateway['part59'], 59)
  assert.ok(hasFastProperties(gateway))
  assert.ok(!hasFastProperties(Object.assign(Object.create(gateway), parts)), 'the reason for the spreading is gone')
  const literal = {
    get settings() {
      return current
    },
    ...parts,
  }
  assert.ok(!hasFastProperties(literal), 'the reason for the inherited getter is gone')
})
