import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  backendOf,
  callerOf,
  catalogOf,
  exchangeOf,
  gatewayOf,
  modelOf,
  parsedOf,
  routeOf,
} from '#data-plane/testbed.ts'
import type { Catalog } from '#catalog/types.ts'
import type { Settings } from '#config/types.ts'
import { KNOWN_CHARACTERS_MAX, KNOWN_STRINGS_MAX } from './known-selections.ts'
import { resolve } from './resolve.ts'

const east = backendOf('east')
const one = modelOf('one')
const CATALOG = catalogOf([routeOf(one, east), routeOf(modelOf('two'), east)])

test('a model string is looked up once for a caller, and again when what decides it is another', () => {
  const gateway = gatewayOf(CATALOG) as { catalog: { current: Catalog }; settings: Settings }
  const find = (caller = callerOf()) => resolve(gateway as never, caller, parsedOf({ model: 'one' }), exchangeOf())
  const caller = callerOf()
  const first = find(caller)
  assert.equal(find(caller), first)
  assert.notEqual(find(callerOf()), first, 'another caller, or the same key read again')
  gateway.catalog.current = catalogOf([routeOf(modelOf('one', { displayName: 'Anew' }), east)])
  assert.equal(find(caller).model.displayName, 'Anew')
  gateway.settings = gatewayOf(CATALOG, { routing: { forceModel: 'east:forced' } }).settings
  assert.equal(find(caller).model.id, 'forced')
})

test('what a request says besides its model is not looked past', () => {
  const gateway = gatewayOf(CATALOG)
  const caller = callerOf()
  const plain = parsedOf({ model: 'one' })
  const first = resolve(gateway, caller, plain, exchangeOf())
  assert.throws(() => resolve(gateway, caller, plain, exchangeOf({ 'x-gateway-group': 'other' })), /not in the group/)
  assert.equal(resolve(gateway, caller, plain, exchangeOf()), first)
  const wishes = { models: ['two'], provider: null } as never
  assert.deepEqual(
    resolve(gateway, caller, { ...plain, wishes }, exchangeOf()).fallbacks.map(({ model }) => model.id),
    ['two'],
  )
})

test('R18: a key that may use some models only has every request looked at', () => {
  const gateway = gatewayOf(CATALOG)
  const key = { groups: ['default'], policy: { models: ['one'], fallbacks: [] } } as never
  const caller = { ...callerOf(), key }
  const plain = parsedOf({ model: 'one', body: '{"model":"one"}' })
  assert.equal(resolve(gateway, caller, plain, exchangeOf()).model.id, 'one')
  const other = parsedOf({ model: 'one', body: '{"model":"one","fallback_model":"two"}' })
  assert.throws(() => resolve(gateway, caller, other, exchangeOf()), { code: 'model_not_allowed' })
})

test('a refusal is made anew each time', () => {
  const gateway = gatewayOf(CATALOG)
  const caller = callerOf()
  const refused = () => resolve(gateway, caller, parsedOf({ model: 'three' }), exchangeOf())
  assert.throws(refused, /does not exist/)
  assert.throws(refused, /does not exist/)
})

test('only so many strings are kept, and none that is longer than the bound', () => {
  const gateway = gatewayOf(CATALOG)
  const isKept = (caller: ReturnType<typeof callerOf>, model: string): boolean => {
    const find = () => resolve(gateway, caller, parsedOf({ model }), exchangeOf())
    return find() === find()
  }
  const named = (length: number) => `east:${'x'.repeat(length - 5)}`
  assert.equal(isKept(callerOf(), named(KNOWN_CHARACTERS_MAX)), true)
  assert.equal(isKept(callerOf(), named(KNOWN_CHARACTERS_MAX + 1)), false)
  const caller = callerOf()
  for (let at = 0; at < KNOWN_STRINGS_MAX; at++) assert.equal(isKept(caller, `east:m${at}`), true)
  assert.equal(isKept(caller, 'east:more'), false)
  assert.equal(isKept(caller, 'east:m0'), true)
})
