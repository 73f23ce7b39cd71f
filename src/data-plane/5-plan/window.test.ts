import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Settings } from '#config/types.ts'
import type { RoutingWishes } from '#data-plane/3-parse/routing-wishes.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'
import { type Asked, backendOf, catalogOf, gatewayOf, modelOf, parsedOf, routeOf } from '#data-plane/testbed.ts'
import { isWithinWindow, windowOf } from './window.ts'

const wishing = (contextTokens: number | null): RoutingWishes => ({
  models: [],
  provider: null,
  contextTokens,
  session: null,
  spans: [],
})

function fits(asked: Asked, contextWindow: number | null, routing: Partial<Settings['routing']> = {}): boolean {
  const route = routeOf(modelOf('m', { contextWindow }), backendOf('b'))
  return isWithinWindow(gatewayOf(catalogOf([route]), { routing }), parsedOf(asked), route)
}

const ofTokens = (tokens: number): Asked => ({ body: 'x'.repeat(4 * tokens) })

suite('R73: whether a prompt fits', () => {
  test('four bytes are a token, and the client knows better', () => {
    assert.equal(promptEstimate(parsedOf(ofTokens(100))), 100)
    assert.equal(promptEstimate(parsedOf({ ...ofTokens(100), wishes: wishing(7) })), 7)
    assert.equal(promptEstimate(parsedOf({ ...ofTokens(100), wishes: wishing(0) })), 0)
    assert.equal(promptEstimate(parsedOf({ ...ofTokens(100), wishes: wishing(null) })), 100)
  })

  test('the smaller of the two windows counts; one that nobody knows is no limit', () => {
    const route = (contextWindow: number | null, maxContext: number | null) =>
      windowOf(routeOf(modelOf('m', { contextWindow }), backendOf('b'), { maxContext }))
    assert.deepEqual([route(10, 5), route(5, 10), route(null, 7), route(7, null)], [5, 5, 7, 7])
    assert.equal(route(null, null), Infinity)
    assert.ok(fits(ofTokens(1_000_000), null))
  })

  test('an estimate up to 5 % above the window is let through', () => {
    assert.ok(fits(ofTokens(105), 100))
    assert.ok(!fits(ofTokens(106), 100))
  })

  test('what the client wants answered counts too', () => {
    assert.ok(fits({ ...ofTokens(50), facts: { outputTokensMax: 55 } }, 100))
    assert.ok(!fits({ ...ofTokens(50), facts: { outputTokensMax: 56 } }, 100))
  })

  test("a forced window overrides every model's", () => {
    assert.ok(!fits(ofTokens(50), null, { forceContextWindow: 10 }))
    assert.ok(fits(ofTokens(50), 10, { forceContextWindow: 100 }))
  })

  test('media within the body says nothing about tokens, unless the client gives their number', () => {
    const body = `{"url":"data:image/png;base64,${'A'.repeat(4000)}"}`
    assert.ok(fits({ body }, 100))
    assert.ok(!fits({ body, wishes: wishing(200) }, 100))
  })
})
