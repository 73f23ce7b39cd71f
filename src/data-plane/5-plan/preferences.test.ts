import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { GatewayError } from '#base/errors.ts'
import type { Backend, Route } from '#catalog/types.ts'
import { backendOf, modelOf, routeOf } from '#data-plane/testbed.ts'
import { RecentSpeeds } from '#health/recent-speeds.ts'
import {
  excludedBy,
  isFollowedBy,
  isNamed,
  isTooSlow,
  knownPreferences,
  NO_PREFERENCES,
  type Preferences,
  readPreferences,
} from './preferences.ts'

const against = (route: Route, preferences: Preferences): string | undefined =>
  excludedBy(route, preferences, false)?.by

const routeAt = (rest: Partial<Backend> = {}, route: Partial<Route> = {}): Route =>
  routeOf(modelOf('m'), backendOf('Main', { type: 'openai', ...rest }), route)

suite("R75, openrouter-api.md: a request's preferences", () => {
  test('absent is no preference, and unknown members are ignored', () => {
    assert.deepEqual(readPreferences(null), NO_PREFERENCES)
    assert.deepEqual(readPreferences({ quantizations: [], order: null, sort: null, exotic: 1 }), NO_PREFERENCES)
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
        quantizations: ['fp8'],
        require_parameters: true,
        enforce_distillable_text: true,
        preferred_max_latency: 2,
        preferred_min_throughput: { p90: 40 },
      }),
      {
        order: ['openai'],
        only: ['a'],
        ignore: ['b'],
        allowsFallbacks: false,
        sort: 'latency',
        sortsAcrossModels: true,
        maxPrice: { prompt: 1.5, completion: 0, request: null, image: null },
        deniesCollection: true,
        requiresZdr: true,
        quantizations: ['fp8'],
        requiresParameters: true,
        requiresDistillable: true,
        latencyMax: [{ percent: 50, value: 2 }],
        throughputMin: [{ percent: 90, value: 40 }],
        compression: 'off',
      },
    )
  })

  test('an empty list of allowed providers allows none', () => {
    assert.equal(against(routeAt(), readPreferences({ only: [] })), 'allowed_providers')
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
      ['preferred_max_latency', 'fast'],
      ['preferred_min_throughput', { p50: 1, p90: '40' }],
    ] as const)
      assert.throws(
        () => readPreferences({ [name]: value }),
        (error) => error instanceof GatewayError && error.details.param === `provider.${name}`,
      )
  })

  test('each threshold is held against the answers that it is about; nobody who is unknown is slow', () => {
    const speeds = new RecentSpeeds()
    // Of a hundred answers eighty are fast.
    for (let count = 0; count < 100; count++) {
      const isFast = count < 80
      speeds.noted('a', { at: 0, ttftMs: isFast ? 100 : 3000, tokensPerSecond: isFast ? 90 : 10 })
    }
    const isSlow = (provider: Record<string, unknown>, target = 'a'): boolean =>
      isTooSlow(speeds.of(target, 0), readPreferences(provider))
    for (const wish of [1, { p75: 1 }, { p50: 0.1, p99: 3 }, {}, null])
      assert.ok(!isSlow({ preferred_max_latency: wish }), JSON.stringify(wish))
    for (const wish of [0.05, { p90: 1 }, { p50: 1, p99: 2 }]) {
      assert.ok(isSlow({ preferred_max_latency: wish }), JSON.stringify(wish))
      assert.ok(!isSlow({ preferred_max_latency: wish }, 'unknown'))
    }
    for (const wish of [90, { p75: 50 }, { p99: 10 }])
      assert.ok(!isSlow({ preferred_min_throughput: wish }), JSON.stringify(wish))
    for (const wish of [91, { p90: 50 }, { p50: 50, p99: 11 }]) {
      assert.ok(isSlow({ preferred_min_throughput: wish }), JSON.stringify(wish))
      assert.ok(!isSlow({ preferred_min_throughput: wish }, 'unknown'))
    }
  })

  test('a provider is named by its id, its type or its name at OpenRouter, and by either with its region', () => {
    for (const name of ['main', 'openai']) assert.ok(isNamed(routeAt(), name), name)
    for (const name of ['azure', 'openai/turbo', '/']) assert.ok(!isNamed(routeAt(), name), name)
    const vertex = routeAt({ type: 'vertex', region: 'europe-west1' })
    for (const name of ['google-vertex', 'google-vertex/europe-west1', 'main/europe-west1'])
      assert.ok(isNamed(vertex, name), name)
    assert.ok(!isNamed(vertex, 'google-vertex/us-east1'))
    const types = { 'google-ai-studio': 'gemini', 'amazon-bedrock': 'bedrock', alibaba: 'qwen', 'z-ai': 'zai' }
    for (const [name, type] of Object.entries(types)) assert.ok(isNamed(routeAt({ type }), name), name)
  })

  test('a list of providers of which none is here says nothing; one that names some counts whole', () => {
    const backends = [backendOf('Main', { type: 'openai' })]
    const known = (provider: Record<string, unknown>): Preferences =>
      knownPreferences(readPreferences(provider), backends)
    assert.equal(known({ only: ['deepinfra'] }).only, null)
    assert.deepEqual(known({ only: ['deepinfra', 'openai'] }).only, ['deepinfra', 'openai'])
    assert.deepEqual(known({ order: ['deepinfra'], allow_fallbacks: false }).order, [])
    assert.deepEqual(known({ order: ['deepinfra', 'main'], allow_fallbacks: false }).order, ['deepinfra', 'main'])
  })

  test('OpenRouter follows them itself, unless it is named or the request is translated', () => {
    const openRouter = routeAt({ type: 'openrouter' })
    assert.ok(isFollowedBy(openRouter, true, readPreferences({ only: ['azure'] })))
    assert.ok(!isFollowedBy(openRouter, false, NO_PREFERENCES))
    assert.ok(!isFollowedBy(openRouter, true, readPreferences({ only: ['openrouter'] })))
    assert.ok(!isFollowedBy(routeAt(), true, NO_PREFERENCES))
  })

  test('prices are bounds that include their value; what has no price is above every bound', () => {
    const dear = readPreferences({ max_price: { prompt: 2.99 } })
    assert.equal(against(routeAt(), dear), 'max_price')
    assert.equal(against(routeAt(), readPreferences({ max_price: { prompt: 3, completion: 15 } })), undefined)
    assert.equal(against(routeAt(), readPreferences({ max_price: { completion: 14 } })), 'max_price')
    assert.equal(against(routeAt({}, { price: null }), readPreferences({ max_price: {} })), 'max_price')
  })

  test('what a backend does not promise it does not keep', () => {
    const deny = readPreferences({ data_collection: 'deny' })
    const zdr = readPreferences({ zdr: true })
    assert.equal(against(routeAt(), deny), 'data_policy:training')
    assert.equal(against(routeAt({ dataPolicy: ['no_collection'] }), deny), undefined)
    assert.equal(against(routeAt({ dataPolicy: ['no_collection'] }), zdr), 'data_policy:zdr')
    for (const asked of [deny, zdr]) assert.equal(against(routeAt({ dataPolicy: ['no_store'] }), asked), undefined)
  })
})
