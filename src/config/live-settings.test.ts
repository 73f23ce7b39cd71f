import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { LiveSettings } from './live-settings.ts'
import type { Settings } from './types.ts'

setFlagsFromString('--allow-natives-syntax')
// V8's own word, which only its parser knows.
const hasFastProperties = new Function('object', 'return %HasFastProperties(object)') as (object: object) => boolean

test('the object that carries the settings follows them and is no hash table, as a literal with a getter is', () => {
  let current = { currency: 'USD' } as Settings
  const parts = { ledger: 1, limits: 2, health: 3, pools: 4, log: 5, random: 6, outbound: 7, speeds: 8, catalog: 9 }
  const gateway = Object.assign(new LiveSettings(() => current), { ...parts })
  assert.equal(gateway.settings.currency, 'USD')
  current = { currency: 'EUR' } as Settings
  assert.equal(gateway.settings.currency, 'EUR')
  assert.ok(hasFastProperties(gateway))
  const literal = {
    get settings() {
      return current
    },
    ...parts,
  }
  assert.ok(!hasFastProperties(literal), 'the reason for the class is gone')
})
