import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  CACHED_ROUTES_MAX,
  type CacheCandidate,
  CONVERSATIONS_MAX,
  PromptCaches,
  TTL_MS,
  TURNS_LEFT_MAX,
  type TurnPrices,
} from './prompt-caches.ts'

/** Claude's proportions: a write costs 1.25 of an input token, a read 0.1, an output token 5. */
const pricesOf = (input: number): TurnPrices => ({
  fresh: BigInt(Math.round(input * 1.25)),
  read: BigInt(Math.round(input * 0.1)),
  output: BigInt(Math.round(input * 5)),
})

const candidate = (route: string, rest: Partial<CacheCandidate> = {}): CacheCandidate => ({
  route,
  prices: pricesOf(1000),
  ttftMs: null,
  rank: 0,
  ...rest,
})

function cachesAt(): { caches: PromptCaches; clock: { now: number } } {
  const clock = { now: 0 }
  return { caches: new PromptCaches(() => clock.now), clock }
}

const turnAt = (route: string, prefixTokens = 10_000, ttlMs: number | null = null) => ({
  route,
  prefixTokens,
  outputTokens: 100,
  ttlMs,
})
const next = (promptTokens = 10_000, secondValue = 0n) => ({ promptTokens, secondValue })

/** Two routes whose prices tremble; the cheaper one of the moment is first, as with `lowest_price`. Returns who was asked. */
function simulate(priceOf: (turn: number) => { a: number; b: number }) {
  const { caches, clock } = cachesAt()
  const cached: Record<string, number> = { a: 0, b: 0 }
  let [promptTokens, allPrompts, allCached] = [30_000, 0, 0]
  const asked: string[] = []
  const breakCosts: (bigint | null)[] = []
  for (let turn = 0; turn < 18; turn++) {
    clock.now += 20_000
    const prices = priceOf(turn)
    const ordered = (['a', 'b'] as const)
      .toSorted((left, right) => prices[left] - prices[right])
      .map((route) => candidate(route, { prices: pricesOf(prices[route]) }))
    const decision = caches.decide('c', ordered, next(promptTokens))
    const route = decision?.route ?? ordered[0]!.route
    asked.push(route)
    breakCosts.push(decision?.breakCost ?? null)
    allPrompts += promptTokens
    allCached += Math.min(cached[route]!, promptTokens)
    cached[route] = promptTokens
    caches.answered('c', { route, prefixTokens: promptTokens, outputTokens: 300, ttlMs: null })
    promptTokens += 800
  }
  const switches = asked.filter((route, index) => index > 0 && route !== asked[index - 1]).length
  return { asked, switches, share: allCached / allPrompts, breakCosts }
}

test('18 turns with prices that tremble by 5 %: at most one switch, and at least 90 % of the prompts are cached', () => {
  // Each turn another route is the cheaper one.
  const trembling = simulate((turn) => ({ a: turn % 2 ? 1050 : 950, b: turn % 2 ? 950 : 1050 }))
  assert.ok(trembling.switches <= 1, trembling.asked.join(' '))
  assert.ok(trembling.share >= 0.9, String(trembling.share))
  let seed = 7
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
  for (let run = 0; run < 50; run++) {
    const jitter = () => 1000 * (0.95 + 0.1 * random())
    const { switches, share } = simulate(() => ({ a: jitter(), b: jitter() }))
    assert.ok(switches <= 1 && share >= 0.9, `${switches} ${share}`)
  }
})

test('a route at a tenth of the price: the conversation moves at the turn where the formula says so, at the cost it says', () => {
  const { asked, breakCosts } = simulate((turn) => ({ a: 1000, b: turn === 0 ? 2000 : 100 }))
  // Turn 2 has one turn left to expect: 30000 x (100 - 10) + 800 x (1250 - 125) + 300 x (5000 - 500) = 4950000 saved,
  // and 30000 x (125 - 10) = 3450000 to write the prefix anew.
  assert.deepEqual(asked.slice(0, 3), ['a', 'b', 'b'])
  assert.equal(breakCosts[1], 3_450_000n)
})

test('a gap that is not large enough yet: it moves at a later turn', () => {
  const { asked, breakCosts } = simulate((turn) => ({ a: 1000, b: turn === 0 ? 2000 : 600 }))
  // With n turns behind it and a prefix of P = 30000 + 800 (n - 1), n turns left save n x (40 P + 800 x 500 + 300 x 2000),
  // and to move costs P x (750 - 60). The first n where that is more is the one at which it moves.
  const prefix = (n: number) => 30_000 + 800 * (n - 1)
  const movesAt = [...Array(17).keys()]
    .map((at) => at + 1)
    .find((n) => n * (40 * prefix(n) + 1_000_000) > prefix(n) * 690)!
  assert.equal(movesAt, 11)
  assert.equal(asked.indexOf('b'), movesAt)
  assert.equal(breakCosts[movesAt], BigInt(prefix(movesAt) * 690))
  assert.ok(asked.slice(movesAt).every((route) => route === 'b'))
})

test('a cache lives for its class of time, and each use begins it anew', () => {
  for (const ttl of ['5m', '30m', '1h'] as const) {
    const { caches, clock } = cachesAt()
    caches.answered('c', turnAt('b', 10_000, TTL_MS[ttl]))
    const routeAfter = (ms: number) => {
      clock.now += ms
      return caches.decide('c', [candidate('a'), candidate('b')], next())?.route
    }
    assert.equal(routeAfter(TTL_MS[ttl] - 1), 'b')
    // A turn that names no class has that of the one before it.
    caches.answered('c', turnAt('b'))
    assert.equal(routeAfter(TTL_MS[ttl] - 1), 'b')
    assert.equal(routeAfter(1), undefined)
  }
})

test('an hour’s conversation that is idle for 20 minutes stays', () => {
  const { caches, clock } = cachesAt()
  caches.answered('c', turnAt('b', 10_000, TTL_MS['1h']))
  clock.now += 20 * 60_000
  assert.equal(caches.decide('c', [candidate('a'), candidate('b')], next())!.decision, 'kept')
})

test('a route that is not there any more is left, and what that costs is told', () => {
  const { caches } = cachesAt()
  caches.answered('c', turnAt('gone'))
  const decision = caches.decide('c', [candidate('a'), candidate('b')], next())!
  assert.deepEqual([decision.decision, decision.reason, decision.route], ['switched', 'route_not_eligible', null])
  assert.equal(decision.breakCost, 10_000n * 1150n)
  // What the other one has cached from before is not written again.
  caches.answered('c', turnAt('a', 4000))
  caches.answered('c', turnAt('gone'))
  assert.equal(caches.decide('c', [candidate('a')], next())!.breakCost, 6000n * 1150n)
})

test('a cheaper route behind is no reason to leave; nor is one whose price nobody knows', () => {
  const { caches } = cachesAt()
  caches.answered('c', turnAt('a'))
  const cheap = pricesOf(1)
  const decide = (rest: Partial<CacheCandidate>) => caches.decide('c', [candidate('a'), candidate('b', rest)], next())!
  assert.equal(decide({ prices: cheap, rank: 1 }).decision, 'kept')
  assert.equal(decide({ prices: cheap }).decision, 'switched')
  assert.deepEqual([decide({ prices: null }).decision, decide({ prices: null }).breakCost], ['kept', null])
})

test('a slower route costs the time that it takes longer', () => {
  const { caches } = cachesAt()
  caches.answered('c', turnAt('a'))
  const costAt = (secondValue: bigint, ttftMs: number) =>
    caches.decide('c', [candidate('b', { ttftMs }), candidate('a', { ttftMs: 500 })], next(10_000, secondValue))!
      .breakCost
  assert.equal(costAt(0n, 2500), 11_500_000n)
  assert.equal(costAt(1_000_000n, 2500), 13_500_000n)
  assert.equal(costAt(1_000_000n, 100), 11_500_000n)
})

test('a turn that left nothing in a cache ends what was known of its route', () => {
  const { caches } = cachesAt()
  caches.answered('c', turnAt('a'))
  caches.answered('c', turnAt('a', 0))
  assert.equal(caches.decide('c', [candidate('b'), candidate('a')], next()), null)
  assert.equal(caches.size, 0)
  caches.answered('never', turnAt('a', 0))
  assert.equal(caches.size, 0)
})

test('memory is bounded: conversations and routes that were quiet for longest go first', () => {
  const { caches } = cachesAt()
  for (let at = 0; at <= CONVERSATIONS_MAX; at++) caches.answered(`c${at}`, turnAt('a'))
  assert.equal(caches.size, CONVERSATIONS_MAX)
  assert.equal(caches.decide('c0', [candidate('b'), candidate('a')], next()), null)
  assert.equal(caches.decide('c1', [candidate('b'), candidate('a')], next())!.route, 'a')
  for (let at = 0; at <= CACHED_ROUTES_MAX; at++) caches.answered('c1', turnAt(`r${at}`))
  // The first of them was forgotten: all of its prefix would have to be written.
  const costOf = (route: string) => caches.decide('c1', [candidate(route)], next())!.breakCost
  assert.deepEqual([costOf('a'), costOf('r0'), costOf('r1')], [11_500_000n, 11_500_000n, 0n])
})

test('no conversation is expected to last for ever', () => {
  const { caches } = cachesAt()
  for (let turn = 0; turn < TURNS_LEFT_MAX * 3; turn++) caches.answered('c', { ...turnAt('a'), outputTokens: 0 })
  // A turn at b saves 10 a token, and to write it there costs 1035: more than 50 turns save, less than 150.
  const b = candidate('b', { prices: pricesOf(900) })
  assert.equal(caches.decide('c', [candidate('a'), b], next())!.decision, 'kept')
})
