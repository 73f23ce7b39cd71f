import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Backend, Route } from '#catalog/types.ts'
import { backendOf, modelOf, routeOf } from '#data-plane/testbed.ts'
import { excludedBy, isNamed, NO_PREFERENCES, readPreferences } from './preferences.ts'

const routeAt = (rest: Partial<Backend> = {}, route: Partial<Route> = {}): Route =>
  routeOf(modelOf('m'), backendOf('Main', { type: 'openai', ...rest }), route)

suite("R75, openrouter-api.md: a request's preferences", () => {
  test('absent is no preference, and unknown members are ignored', () => {
    assert.deepEqual(readPreferences(null), NO_PREFERENCES)
    assert.deepEqual(readPreferences({ quantizations: ['fp8'], order: null, sort: null }), NO_PREFERENCES)
  })

  test('every member that is followed', () => {
    assert.deepEqual(
      readPreferences({
        order: ['OpenAI'],
        only: ['A'],
        ignore: ['B'],
        allow_fallbacks: false,
        sort: { by: 'latency', partition: 'none' },
        max_price: { prompt: '1.5', completion: 0 },
        data_collection: 'deny',
        zdr: true,
      }),
      {
        order: ['openai'],
        only: ['a'],
        ignore: ['b'],
        allowsFallbacks: false,
        sort: 'latency',
        maxPrice: { prompt: 1.5, completion: 0 },
        deniesCollection: true,
        requiresZdr: true,
      },
    )
  })

  test('an empty list of allowed providers allows none', () => {
    assert.equal(excludedBy(routeAt(), readPreferences({ only: [] })), 'whitelist')
  })

  test('what means nothing is refused with the name of the member', () => {
    for (const [name, value] of [
      ['order', 'openai'],
      ['only', [1]],
      ['ignore', {}],
      ['sort', 'speed'],
      ['sort', { by: 'speed' }],
      ['max_price', 3],
      ['max_price', { prompt: -1 }],
      ['max_price', { completion: 'x' }],
    ] as const)
      assert.throws(
        () => readPreferences({ [name]: value }),
        (error) => error instanceof GatewayError && error.details.param === `provider.${name}`,
      )
  })

  test('a provider is named by its id, its type, or either with a suffix', () => {
    for (const name of ['main', 'openai', 'openai/turbo']) assert.ok(isNamed(routeAt(), name), name)
    assert.ok(!isNamed(routeAt(), 'azure'))
  })

  test('prices are bounds that include their value; what has no price is above every bound', () => {
    const dear = readPreferences({ max_price: { prompt: 2.99 } })
    assert.equal(excludedBy(routeAt(), dear), 'price')
    assert.equal(excludedBy(routeAt(), readPreferences({ max_price: { prompt: 3, completion: 15 } })), null)
    assert.equal(excludedBy(routeAt(), readPreferences({ max_price: { completion: 14 } })), 'price')
    assert.equal(excludedBy(routeAt({}, { price: null }), readPreferences({ max_price: {} })), 'price')
  })

  test('what a backend does not promise it does not keep', () => {
    const deny = readPreferences({ data_collection: 'deny' })
    const zdr = readPreferences({ zdr: true })
    assert.equal(excludedBy(routeAt(), deny), 'policy')
    assert.equal(excludedBy(routeAt({ dataPolicy: ['no_collection'] }), deny), null)
    assert.equal(excludedBy(routeAt({ dataPolicy: ['no_collection'] }), zdr), 'policy')
    for (const asked of [deny, zdr]) assert.equal(excludedBy(routeAt({ dataPolicy: ['no_store'] }), asked), null)
  })
})
