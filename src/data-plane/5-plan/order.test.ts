import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Price, Route, Strategy } from '#catalog/types.ts'
import { backendOf, modelOf, PRICE, routeOf, selectionOf } from '#data-plane/testbed.ts'
import type { Speed } from '#health/target-speed.ts'
import { type OrderTerms, orderTargets } from './order.ts'
import type { Target } from './plan.ts'

const MODEL = modelOf('m')
const CALLS = 4000

/** A generator with a seed, so that what is random is the same in every run. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function targetOf(id: string, rest: Partial<Route> = {}, protocol: Target['protocol'] = 'openai-chat'): Target {
  const route = routeOf(MODEL, backendOf(id), rest)
  return { route, protocol, selection: selectionOf([route]) }
}

const UNMEASURED: Speed = { ttftMs: null, tokensPerSecond: null }

function termsOf(strategy: Strategy, rest: Partial<OrderTerms> = {}): OrderTerms {
  let turns = 0
  return {
    surface: 'openai-chat',
    strategy,
    sort: null,
    affinity: 'account',
    random: seeded(1),
    speedOf: () => UNMEASURED,
    turn: () => turns++,
    lastUsed: () => 0,
    ...rest,
  }
}

const idsOf = (targets: readonly Target[]): string[] => targets.map(({ route }) => route.backend.id)

function firstsOf(targets: readonly Target[], terms: OrderTerms, calls = CALLS): Record<string, number> {
  const firsts: Record<string, number> = {}
  for (let call = 0; call < calls; call++) {
    const [first] = idsOf(orderTargets(targets, MODEL, terms))
    firsts[first!] = (firsts[first!] ?? 0) + 1
  }
  return firsts
}

const priced = (input: bigint, output: bigint): Price => ({ ...PRICE, input, output })

suite('R66: what comes first whatever the strategy', () => {
  test('priority beats weight, always', () => {
    const targets = [targetOf('heavy', { priority: 20, weight: 10 }), targetOf('first', { priority: 10, weight: 3 })]
    for (const strategy of ['weighted_random', 'round_robin', 'price_weighted', 'hash_affinity'] as const)
      assert.deepEqual(firstsOf(targets, termsOf(strategy), 500), { first: 500 })
  })

  test("the client's own protocol beats priority", () => {
    const targets = [targetOf('foreign', { priority: 0 }, 'gemini'), targetOf('native', { priority: 9 })]
    assert.deepEqual(idsOf(orderTargets(targets, MODEL, termsOf('weighted_random'))), ['native', 'foreign'])
  })

  test('a weight of 0 is the last resort, behind another protocol and any priority', () => {
    const targets = [
      targetOf('last', { weight: 0, priority: 0 }),
      targetOf('foreign', { priority: 99 }, 'gemini'),
      targetOf('native', { priority: 50 }),
    ]
    assert.deepEqual(idsOf(orderTargets(targets, MODEL, termsOf('weighted_random'))), ['native', 'foreign', 'last'])
  })

  test('every target is in the order, once', () => {
    const targets = Array.from({ length: 7 }, (_, index) => targetOf(`b${index}`, { weight: index % 3 }))
    for (const strategy of ALL)
      assert.deepEqual(idsOf(orderTargets(targets, MODEL, termsOf(strategy))).toSorted(), idsOf(targets), strategy)
  })
})

const ALL: readonly Strategy[] = [
  'weighted_random',
  'round_robin',
  'least_recently_used',
  'hash_affinity',
  'lowest_price',
  'price_weighted',
  'lowest_latency',
  'highest_throughput',
]

suite('R66: strategies', () => {
  test('weighted_random: weights of 3 and 1 give 2.7 to 3.3 over 4000 calls', () => {
    const targets = [targetOf('three', { weight: 3 }), targetOf('one', { weight: 1 })]
    for (const seed of [1, 2, 3]) {
      const { three, one } = firstsOf(targets, termsOf('weighted_random', { random: seeded(seed) }))
      assert.ok(three! / one! >= 2.7 && three! / one! <= 3.3, `${three}:${one}`)
    }
  })

  test('weighted_random holds at the edges of the random number', () => {
    const targets = [targetOf('a', { weight: 0.1 }), targetOf('b', { weight: 0.2 })]
    const order = (random: number) =>
      idsOf(orderTargets(targets, MODEL, termsOf('weighted_random', { random: () => random })))
    assert.deepEqual(order(0), ['a', 'b'])
    assert.deepEqual(order(1 - Number.EPSILON), ['b', 'a'])
  })

  test('round_robin: each in turn, and the rest follows in turn', () => {
    const targets = ['a', 'b', 'c'].map((id) => targetOf(id))
    const terms = termsOf('round_robin')
    const orders = Array.from({ length: 4 }, () => idsOf(orderTargets(targets, MODEL, terms)).join(''))
    assert.deepEqual(orders, ['abc', 'bca', 'cab', 'abc'])
  })

  test('least_recently_used: who waited longest', () => {
    const used: Record<string, number> = { a: 3, b: 1, c: 2 }
    const terms = termsOf('least_recently_used', { lastUsed: ({ route }) => used[route.backend.id] ?? 0 })
    const targets = ['a', 'b', 'c', 'never'].map((id) => targetOf(id))
    assert.deepEqual(idsOf(orderTargets(targets, MODEL, terms)), ['never', 'b', 'c', 'a'])
  })

  test('hash_affinity: an account stays for 100 calls, and accounts spread', () => {
    const targets = ['a', 'b', 'c', 'd'].map((id) => targetOf(id))
    const terms = (account: string) => termsOf('hash_affinity', { affinity: account })
    assert.deepEqual(Object.values(firstsOf(targets, terms('acc'), 100)), [100])
    const homes = new Map<string, number>()
    for (let account = 0; account < 2000; account++) {
      const [home] = idsOf(orderTargets(targets, MODEL, terms(`acc_${account}`)))
      homes.set(home!, (homes.get(home!) ?? 0) + 1)
    }
    for (const [id, count] of homes) assert.ok(count > 400 && count < 600, `${id}: ${count}`)
  })

  test('hash_affinity: a backend that goes moves its own accounts only', () => {
    const targets = ['a', 'b', 'c', 'd'].map((id) => targetOf(id))
    let moved = 0
    for (let account = 0; account < 1000; account++) {
      const terms = termsOf('hash_affinity', { affinity: `acc_${account}` })
      const before = idsOf(orderTargets(targets, MODEL, terms))
      const after = idsOf(orderTargets(targets.slice(0, -1), MODEL, terms))
      assert.deepEqual(
        after,
        before.filter((id) => id !== 'd'),
      )
      if (before[0] === 'd') moved++
    }
    assert.ok(moved > 150 && moved < 350, `${moved}`)
  })

  test('lowest_price: blended three to one, unpriced last', () => {
    const targets = [
      targetOf('unpriced', { price: null }),
      targetOf('dear', { price: priced(2n, 2n) }),
      // Cheaper to read and dearer to write: 2.5 against 2 and 1.25.
      targetOf('dearest', { price: priced(1n, 7n) }),
      targetOf('cheap', { price: priced(1n, 2n) }),
    ]
    assert.deepEqual(idsOf(orderTargets(targets, MODEL, termsOf('lowest_price'))), [
      'cheap',
      'dear',
      'dearest',
      'unpriced',
    ])
  })

  test('price_weighted: one over the square of the price', () => {
    const targets = [targetOf('one', { price: priced(1000n, 1000n) }), targetOf('two', { price: priced(2000n, 2000n) })]
    const { one, two } = firstsOf(targets, termsOf('price_weighted'))
    assert.ok(one! / two! > 3.6 && one! / two! < 4.4, `${one}:${two}`)
    const free = [targetOf('free', { price: priced(0n, 0n) }), targetOf('unpriced', { price: null })]
    assert.deepEqual(firstsOf(free, termsOf('price_weighted'), 100), { free: 100 })
  })

  test('lowest_latency and highest_throughput: the best measured, and who was never measured before them', () => {
    const speeds: Record<string, Speed> = {
      slow: { ttftMs: 900, tokensPerSecond: 200 },
      fast: { ttftMs: 100, tokensPerSecond: 20 },
    }
    const speedOf = ({ route }: Target) => speeds[route.backend.id] ?? UNMEASURED
    const targets = ['slow', 'fast', 'new'].map((id) => targetOf(id))
    const order = (strategy: Strategy) => idsOf(orderTargets(targets, MODEL, termsOf(strategy, { speedOf })))
    assert.deepEqual(order('lowest_latency'), ['new', 'fast', 'slow'])
    assert.deepEqual(order('highest_throughput'), ['new', 'slow', 'fast'])
  })

  test('a sort that the client asks for beats strategy, priority and protocol', () => {
    const targets = [
      targetOf('dear', { price: priced(2n, 2n), priority: 0 }),
      targetOf('cheap', { price: priced(1n, 1n), priority: 9 }, 'gemini'),
    ]
    const terms = termsOf('round_robin', { sort: 'price' })
    assert.deepEqual(firstsOf(targets, terms, 100), { cheap: 100 })
  })
})
