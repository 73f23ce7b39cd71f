import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import type { Strategy } from '#catalog/types.ts'
import { orderTargets } from '#data-plane/5-plan/order.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { backendOf, modelOf, routeOf, selectionOf } from '#data-plane/testbed.ts'
import { FAILURES_MAX, OPEN_MS, type Trouble } from '#health/circuit.ts'
import { TargetHealth } from '#health/target-health.ts'
import { TargetSpeeds } from '#health/target-speed.ts'

/**
 * Fault R18: order and health together, over hours of virtual time, with seeds. The backends are a script: when each one
 * works and what it says when it does not.
 */

const SEEDS = [11, 23, 47]
const HOPS_MAX = 6
const MODEL = modelOf('m')

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** What is wrong with a backend at a time; null: nothing. */
type Condition = (now: number, random: () => number) => Trouble | null

interface Script {
  readonly weight?: number
  readonly condition?: Condition
}

interface World {
  readonly strategy?: Strategy
  readonly backends: Readonly<Record<string, Script>>
  readonly seed: number
}

interface Attempted {
  readonly at: number
  readonly backend: string
  readonly trouble: Trouble | null
}

/** One gateway's router in front of scripted backends. */
class Simulation {
  now = 0
  readonly attempts: Attempted[] = []
  failed = 0
  readonly health = new TargetHealth(() => this.now)
  private readonly speeds = new TargetSpeeds()
  private readonly world: World
  private readonly random: () => number
  private readonly targets: readonly Target[]

  constructor(world: World) {
    this.world = world
    this.random = seeded(world.seed)
    this.targets = Object.entries(world.backends).map(([id, { weight = 1 }]) => {
      const route = routeOf(MODEL, backendOf(id), { weight })
      return { route, protocol: 'openai-chat', selection: selectionOf([route]) }
    })
  }

  /** So many requests, one every `gapMs`. Returns who served each. */
  run(requests: number, gapMs: number, account = (index: number) => `acc_${index}`): string[] {
    const servedBy: string[] = []
    for (let index = 0; index < requests; index++) {
      this.now += gapMs
      const by = this.serve(account(index))
      if (by === null) this.failed++
      else servedBy.push(by)
    }
    return servedBy
  }

  attemptsAt(backend: string): readonly Attempted[] {
    return this.attempts.filter((attempt) => attempt.backend === backend)
  }

  private serve(affinity: string): string | null {
    const ordered = orderTargets(this.targets, MODEL, {
      surface: 'openai-chat',
      strategy: this.world.strategy ?? 'weighted_random',
      sort: null,
      affinity,
      random: this.random,
      speedOf: () => this.speeds.speedOf(''),
      turn: (name) => this.speeds.turn(name),
      lastUsed: ({ route }) => this.speeds.lastUsed(route.backend.id),
    })
    const admitted = ordered.filter(({ route }) => this.health.admits(route))
    for (const { route } of (admitted.length > 0 ? admitted : ordered).slice(0, HOPS_MAX)) {
      const { id } = route.backend
      const watch = this.health.begin(route)
      this.speeds.picked(id)
      const trouble = this.world.backends[id]!.condition?.(this.now, this.random) ?? null
      this.attempts.push({ at: this.now, backend: id, trouble })
      if (trouble === null) {
        watch.succeed()
        return id
      }
      watch.fail(trouble, trouble === 'rate-limited' ? 2000 : null)
    }
    return null
  }
}

const countOf = (ids: readonly string[]): Map<string, number> =>
  new Map([...Map.groupBy(ids, (id) => id)].map(([id, list]) => [id, list.length]))

/** Critical values of chi-squared at p = 0.01, by degrees of freedom. */
const CRITICAL = [0, 6.635, 9.21, 11.345, 13.277]

function assertShares(servedBy: readonly string[], weights: Readonly<Record<string, number>>): void {
  const counts = countOf(servedBy)
  const sum = Object.values(weights).reduce((total, weight) => total + weight, 0)
  let chiSquared = 0
  for (const [id, weight] of Object.entries(weights)) {
    const expected = (servedBy.length * weight) / sum
    chiSquared += ((counts.get(id) ?? 0) - expected) ** 2 / expected
  }
  const bound = CRITICAL[Object.keys(weights).length - 1]!
  assert.ok(chiSquared < bound, `chi-squared ${chiSquared} of ${bound}: ${JSON.stringify([...counts])}`)
}

const down =
  (from: number, to: number, trouble: Trouble = 'failed'): Condition =>
  (now) =>
    now >= from && now < to ? trouble : null

for (const seed of SEEDS) {
  suite(`fault R18, seed ${seed}`, () => {
    test('with all working, calls follow the weights and nobody starves', () => {
      const weights = { a: 1, b: 2, c: 3, d: 10 }
      const backends = Object.fromEntries(Object.entries(weights).map(([id, weight]) => [id, { weight }]))
      const simulation = new Simulation({ seed, backends: { ...backends, last: { weight: 0 } } })
      const servedBy = simulation.run(20_000, 10)
      assertShares(servedBy, weights)
      for (let from = 0; from < servedBy.length; from += 500)
        assert.equal(new Set(servedBy.slice(from, from + 500)).size, 4, `calls ${from} to ${from + 500}`)
      assert.ok(!servedBy.includes('last'))
    })

    test('a backend that dies costs three attempts and one probe per pause, no request; then it has its share again', () => {
      const outage = { from: 60_000, to: 180_000 }
      const simulation = new Simulation({
        seed,
        backends: { dies: { weight: 1, condition: down(outage.from, outage.to) }, b: { weight: 1 }, c: { weight: 1 } },
      })
      simulation.run(30_000, 10)
      assert.equal(simulation.failed, 0)
      const wasted = simulation.attemptsAt('dies').filter(({ trouble }) => trouble !== null)
      const probes = Math.ceil((outage.to - outage.from) / OPEN_MS)
      assert.ok(wasted.length <= FAILURES_MAX + probes, `${wasted.length} attempts wasted`)
      assert.ok(wasted[FAILURES_MAX - 1]!.at - wasted[0]!.at < 1000, 'opened late')
      const back = simulation.attemptsAt('dies').find(({ at }) => at >= outage.to)!
      assert.ok(back.at - outage.to <= OPEN_MS + 1000, `back after ${back.at - outage.to} ms`)
      const later = simulation.attempts.filter(({ at }) => at > outage.to + 2 * OPEN_MS)
      assertShares(
        later.map(({ backend }) => backend),
        { dies: 1, b: 1, c: 1 },
      )
    })

    test('a backend that fails every other time never costs a request', () => {
      const flapping: Condition = (_now, random) => (random() < 0.5 ? 'failed' : null)
      const simulation = new Simulation({ seed, backends: { flaps: { weight: 9, condition: flapping }, b: {} } })
      simulation.run(20_000, 10)
      assert.equal(simulation.failed, 0)
      assert.ok(simulation.attemptsAt('flaps').some(({ trouble }) => trouble === null))
    })

    test('with all down every request is still tried, and the first one that works again is found at once', () => {
      const outage = { from: 10_000, to: 100_000 }
      const condition = down(outage.from, outage.to)
      const simulation = new Simulation({ seed, backends: { a: { condition }, b: { condition } } })
      simulation.run(20_000, 10)
      const during = simulation.attempts.filter(({ at }) => at >= outage.from && at < outage.to)
      assert.ok(during.length >= (outage.to - outage.from) / 10, 'not tried')
      const back = simulation.attempts.find(({ at, trouble }) => at >= outage.to && trouble === null)!
      assert.ok(back.at - outage.to <= 10)
      assert.equal(simulation.failed, (outage.to - outage.from) / 10)
    })

    test('a rate limit is kept, as long as it says', () => {
      const simulation = new Simulation({
        seed,
        backends: { limited: { weight: 5, condition: down(1000, 60_000, 'rate-limited') }, b: {} },
      })
      simulation.run(10_000, 10)
      assert.equal(simulation.failed, 0)
      const limits = simulation.attemptsAt('limited').filter(({ trouble }) => trouble !== null)
      for (const [index, { at }] of limits.entries())
        if (index > 0)
          assert.ok(at - limits[index - 1]!.at >= 2000, `asked again after ${at - limits[index - 1]!.at} ms`)
    })

    test('hash_affinity: an account stays where it is, moves while its backend is out, and comes back', () => {
      const outage = { from: 50_000, to: 100_000 }
      const backends = { a: {}, b: {}, c: { condition: down(outage.from, outage.to) } }
      const simulation = new Simulation({ seed, strategy: 'hash_affinity', backends })
      const accounts = 50
      const round = () => simulation.run(accounts, 10, (index) => `acc_${index}`)
      const home = round()
      while (simulation.now < outage.from - 1000) assert.deepEqual(round(), home)
      while (simulation.now < outage.to) {
        const away = round()
        for (const [index, by] of away.entries())
          if (home[index] !== 'c' && simulation.now > outage.from) assert.equal(by, home[index])
      }
      while (simulation.now < outage.to + 2 * OPEN_MS) round()
      assert.deepEqual(round(), home)
      assert.equal(simulation.failed, 0)
    })

    for (const strategy of ['round_robin', 'least_recently_used'] as const) {
      test(`${strategy}: equal turns`, () => {
        const simulation = new Simulation({ seed, strategy, backends: { a: {}, b: {}, c: {} } })
        assert.deepEqual([...countOf(simulation.run(3000, 10)).values()], [1000, 1000, 1000])
      })
    }
  })
}
