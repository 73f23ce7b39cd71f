import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { RETRIES_PER_SECOND } from '#health/retry-budget.ts'
import type { Strategy } from '#catalog/types.ts'
import { Oracle } from './router-oracle.ts'
import { type Ailment, type Condition, type Script, seeded, Simulator, type World } from './router-simulator.ts'

/** Fault R18: worlds drawn by lot, in virtual time. The oracle judges every single attempt; here is what has to come of it all. */

const FULL = process.env['TRIVIUM_FAULTS'] === 'full'
const SEED = Number(process.env['TRIVIUM_SEED'] ?? 1)
const WORLDS = FULL ? 400 : 40
const STORM_MS = 10 * 60_000
/** Beyond the longest pause there is. */
const QUIET_MS = 6 * 60_000
const STRATEGIES: readonly Strategy[] = [
  'weighted_random',
  'price_weighted',
  'round_robin',
  'least_recently_used',
  'hash_affinity',
  'lowest_latency',
  'lowest_price',
]
/** These bring everyone into play who works. */
const SPREADING: readonly Strategy[] = ['weighted_random', 'price_weighted', 'round_robin', 'least_recently_used']
const AILMENTS: readonly Ailment[] = [
  'failed',
  'unreached',
  'late',
  'rate-limited',
  'rate-limited, no word how long',
  'refused',
  'cut',
]

const between = (random: () => number, low: number, high: number): number => low + random() * (high - low)

/** Some outages, each with an ailment of its own that strikes some or all attempts. */
function drawCondition(random: () => number): Condition {
  const outages = Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
    const from = random() * STORM_MS * 0.9
    const ailment = AILMENTS[Math.floor(random() * AILMENTS.length)]!
    return {
      from,
      to: Math.min(STORM_MS, from + between(random, 1000, 120_000)),
      ailment,
      share: random() < 0.5 ? 1 : random(),
    }
  })
  return (now, lot) => outages.find(({ from, to, share }) => now >= from && now < to && lot() < share)?.ailment ?? null
}

function drawScript(random: () => number, isSound: boolean): Script {
  const usual = between(random, 5, 400)
  return {
    weight: 1 + Math.floor(random() * 10),
    latencyMs: (_now, lot) => usual * between(lot, 0.5, 2),
    // Half of the backends answer at once, half in streams of up to a minute.
    ...(random() < 0.5 ? {} : { streamMs: (_now, lot) => between(lot, 100, 60_000) }),
    ...(isSound ? {} : { condition: drawCondition(random) }),
  }
}

interface Drawn extends World {
  readonly perSecond: number
  readonly strategy: Strategy
  readonly hasSound: boolean
}

function draw(seed: number): Drawn {
  const random = seeded(seed)
  const hasSound = random() < 0.6
  const count = 2 + Math.floor(random() * 4)
  const names = Array.from({ length: count }, (_, index) => `b${index}`)
  const backends = names.map((name, index) => [name, drawScript(random, hasSound && index === count - 1)] as const)
  return {
    seed,
    hasSound,
    backends: Object.fromEntries(backends),
    strategy: STRATEGIES[Math.floor(random() * STRATEGIES.length)]!,
    perSecond: between(random, 2, 25),
  }
}

interface Summary {
  readonly requests: number
  readonly failed: number
  readonly panics: number
}

function runWorld(seed: number): Summary {
  const world = draw(seed)
  const oracle = new Oracle(Object.keys(world.backends))
  const simulation = new Simulator(world, oracle)
  simulation.offer(world.perSecond, STORM_MS)
  const stormy = simulation.requests.length
  const panics = oracle.panics
  const unended = simulation.requests.filter(({ ended }) => ended === null)
  assert.equal(unended.length, 0, 'requests that never ended')
  if (world.hasSound) {
    const exhausted = simulation.requests.filter(({ ended }) => ended === 'exhausted')
    assert.deepEqual(exhausted, [], 'given up beside a backend that works')
  }
  const failed = simulation.failed
  simulation.offer(Math.max(5, world.perSecond), STORM_MS + QUIET_MS)
  assert.equal(simulation.failed - failed, 0, 'a request failed though everything worked again')
  if (SPREADING.includes(world.strategy)) {
    const recent = simulation.attempts.filter(({ at }) => at > STORM_MS + QUIET_MS - 60_000)
    const used = new Set(recent.map(({ backend }) => backend))
    assert.deepEqual([...used].toSorted(), Object.keys(world.backends).toSorted(), 'somebody starves')
  }
  return { requests: stormy, failed, panics }
}

suite('fault R18: worlds by lot', () => {
  test(`${WORLDS} worlds, seeds from ${SEED}`, (context) => {
    const summaries: Summary[] = []
    for (let seed = SEED; seed < SEED + WORLDS; seed++) {
      try {
        summaries.push(runWorld(seed))
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      }
    }
    const sum = (of: (summary: Summary) => number): number => summaries.reduce((total, each) => total + of(each), 0)
    const requests = sum((each) => each.requests)
    context.diagnostic(
      `${requests} requests, ${sum((each) => each.failed)} failed, ${sum((each) => each.panics)} panics`,
    )
    // Worlds without trouble would prove nothing.
    assert.ok(sum((each) => each.panics) > 0 && sum((each) => each.failed) > 0)
  })

  test('the same seed is the same world', () => {
    const attemptsOf = (): readonly object[] => {
      const world = draw(SEED)
      const simulation = new Simulator(world)
      simulation.offer(world.perSecond, 60_000)
      return simulation.attempts
    }
    assert.deepEqual(attemptsOf(), attemptsOf())
  })
})

suite('fault R4: everything fails', () => {
  const condition: Condition = () => 'failed'
  const backends = { a: { condition }, b: { condition }, c: { condition } }

  test('500 requests per second make no more than a quarter more attempts', () => {
    const seconds = 60
    const simulation = new Simulator({ seed: SEED, backends }, new Oracle(Object.keys(backends)))
    simulation.offer(500, seconds * 1000)
    const share = simulation.attempts.length / simulation.requests.length
    assert.ok(share <= 1.25, `${share}`)
    assert.equal(simulation.failed, simulation.requests.length)
  })

  test('a quiet gateway may try all the same', () => {
    const simulation = new Simulator({ seed: SEED, backends: { a: { condition }, b: {} }, strategy: 'lowest_price' })
    simulation.offer(RETRIES_PER_SECOND / 2, 60_000)
    assert.equal(simulation.failed, 0)
  })
})
