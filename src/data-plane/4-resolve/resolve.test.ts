import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorCode, GatewayError } from '#base/errors.ts'
import type { Catalog } from '#catalog/types.ts'
import {
  backendOf,
  callerOf,
  catalogOf,
  exchangeOf,
  gatewayOf,
  modelOf,
  parsedOf,
  PRICE,
  routeOf,
  type Told,
} from '#data-plane/testbed.ts'
import { resolve, resolveModel } from './resolve.ts'

interface Rest {
  readonly told?: Told
  readonly headers?: Readonly<Record<string, string>>
}

const east = backendOf('east')
const west = backendOf('west', { protocols: ['openai-chat', 'openai-responses'] })
const small = modelOf('small', { displayName: 'Small One' })
const colon = modelOf('east:small')
const vendor = modelOf('vendor/large:free')
const CATALOG = catalogOf([
  routeOf(small, east, { upstreamModel: 'small-2026' }),
  routeOf(small, west, { priority: 1 }),
  routeOf(vendor, west, { upstreamModel: 'large' }),
])

const find = (model: string, catalog: Catalog = CATALOG, rest: Rest = {}) =>
  resolve(gatewayOf(catalog, rest.told), callerOf(), parsedOf({ model }), exchangeOf(rest.headers))
const backends = (model: string, catalog?: Catalog) => find(model, catalog).routes.map(({ backend }) => backend.id)

function refusalOf(model: string, catalog?: Catalog): GatewayError {
  try {
    find(model, catalog)
  } catch (error) {
    assert.ok(error instanceof GatewayError)
    return error
  }
  throw new assert.AssertionError({ message: `${model} was found` })
}

test('an exact id has every route of its group', () => {
  assert.deepEqual(backends('small'), ['east', 'west'])
  assert.equal(find('small').model, small)
  assert.deepEqual(backends('vendor/large:free'), ['west'])
})

test('an exact id is stronger than a backend prefix', () => {
  const catalog = catalogOf([...CATALOG.routes.values()].flat().concat(routeOf(colon, west)))
  assert.equal(find('east:small', catalog).model, colon)
  assert.deepEqual(backends('east:small', catalog), ['west'])
})

test('backend:model pins the backend, by the name there or by our id', () => {
  assert.deepEqual(backends('east:small'), ['east'])
  assert.equal(find('east:small').model.id, 'small')
  assert.equal(find('east:small-2026').model.id, 'small')
  assert.equal(find('west:large').model.id, 'vendor/large:free')
  assert.equal(find('west:vendor/large:free').routes[0]!.upstreamModel, 'large')
})

test('a pinned backend may know models that the catalog does not', () => {
  const { model, routes } = find('west:brand/new:1')
  assert.equal(model.id, 'brand/new:1')
  assert.equal(model.price, null)
  assert.deepEqual(
    [routes[0]!.upstreamModel, routes[0]!.price, routes[0]!.protocols],
    ['brand/new:1', null, west.protocols],
  )
  assert.equal(find('east:vendor/large:free').routes[0]!.price, vendor.price)
})

test('what stands before a colon must be an enabled backend', () => {
  const off = backendOf('off', { enabled: false })
  const catalog = { ...CATALOG, backends: new Map([...CATALOG.backends, ['off', off]]) }
  for (const name of ['off:small', 'north:small', 'east:', ':small', 'a/east:small']) {
    assert.equal(refusalOf(name, catalog).code, 'model_not_found', name)
  }
})

test('an unknown model names the three nearest', () => {
  const names = ['model-a', 'model-b', 'model-c', 'model-d', 'other']
  const catalog = catalogOf(names.map((name) => routeOf(modelOf(name), east)))
  const { details, message } = refusalOf('model-x', catalog)
  assert.deepEqual(details.suggestions, ['model-a', 'model-b', 'model-c'])
  assert.deepEqual(details.requestedModels, ['model-x'])
  assert.equal(details.param, 'model')
  assert.match(message, /"model-a", "model-b", "model-c"/)
  assert.deepEqual(refusalOf('qqqqqqqqqqqqqq', catalog).details.suggestions, [])
})

test('a display name is answered with its id', () => {
  assert.deepEqual(refusalOf('Small One').details.suggestions, ['small'])
})

test('a long name is told shortened', () => {
  const { message, details } = refusalOf('x'.repeat(5000))
  assert.ok(message.length < 200)
  assert.equal(details.requestedModels![0]!.length, 100)
})

test('a known model without a route of the group is refused as such', () => {
  const code = (catalog: Catalog): ErrorCode => refusalOf('small', catalog).code
  assert.equal(code(catalogOf([routeOf(small, east, { group: 'gold' })])), 'model_not_allowed')
  assert.equal(code({ ...CATALOG, routes: new Map() }), 'no_available_backend')
})

test('a backend before a colon gives no price of another group', () => {
  const openai = backendOf('openai', { type: 'openai' })
  const gpt4o = modelOf('gpt-4o', { vendor: 'openai' })
  const dear = { ...PRICE, version: 'dear' }
  const routes = [
    routeOf(gpt4o, openai, { group: 'gold', price: { ...PRICE, version: 'gold' }, defaultParams: { seed: 1 } }),
    routeOf(modelOf('gpt-4', { price: dear }), openai, { group: 'gold', price: PRICE, upstreamModel: 'four' }),
    routeOf(gpt4o, openai, { price: dear }),
  ]
  const catalog = catalogOf(routes)
  const gateway = gatewayOf(catalog)
  const find = (text: string, group: string) => {
    const { routing } = gateway.settings
    const scope = { catalog, routing, groups: [group], group, allowed: null, fallbacks: [], tier: null }
    return resolveModel(gateway, scope, text, { isEmbedding: false, alternatives: [] }).routes[0]!
  }
  const shown = (text: string, group: string) => {
    const { price, defaultParams, group: own } = find(text, group)
    return [price?.version, defaultParams, own]
  }
  assert.deepEqual(shown('openai:gpt-4o', 'default'), ['dear', {}, 'default'])
  assert.deepEqual(shown('openai:gpt-4o', 'gold'), ['gold', { seed: 1 }, 'gold'])
  assert.deepEqual(shown('openai:four', 'default'), ['dear', {}, 'default'])
})
