import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { FAILURES_MAX, OPEN_MS } from '#health/circuit.ts'
import { SPEED_AGE_MAX_MS } from '#health/target-speed.ts'
import { type Ailment, type Condition, RETRY_AFTER_MS, Simulator } from './router-simulator.ts'

/** Fault R18: the router over hours of virtual time, with seeds. Worlds that are told in full; those drawn by lot are in router-storm.test.ts. */

const SEEDS = [11, 23, 47]

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
  (from: number, to: number, trouble: Ailment = 'failed'): Condition =>
  (now) =>
    now >= from && now < to ? trouble : null

for (const seed of SEEDS) {
  suite(`fault R18, seed ${seed}`, () => {
    test('with all working, calls follow the weights and nobody starves', () => {
      const weights = { a: 1, b: 2, c: 3, d: 10 }
      const backends = Object.fromEntries(Object.entries(weights).map(([id, weight]) => [id, { weight }]))
      const simulation = new Simulator({ seed, backends: { ...backends, last: { weight: 0 } } })
      const servedBy = simulation.run(20_000, 10)
      assertShares(servedBy, weights)
      for (let from = 0; from < servedBy.length; from += 500)
        assert.equal(new Set(servedBy.slice(from, from + 500)).size, 4, `calls ${from} to ${from + 500}`)
      assert.ok(!servedBy.includes('last'))
    })

    test('a backend that dies costs three attempts and one probe per pause, no request; then it has its share again', () => {
      const outage = { from: 60_000, to: 180_000 }
      const simulation = new Simulator({
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
      const simulation = new Simulator({ seed, backends: { flaps: { weight: 9, condition: flapping }, b: {} } })
      simulation.run(20_000, 10)
      assert.equal(simulation.failed, 0)
      assert.ok(simulation.attemptsAt('flaps').some(({ trouble }) => trouble === null))
    })

    test('with all down every request is still tried, and the first one that works again is found at once', () => {
      const outage = { from: 10_000, to: 100_000 }
      const condition = down(outage.from, outage.to)
      const simulation = new Simulator({ seed, backends: { a: { condition }, b: { condition } } })
      simulation.run(20_000, 10)
      const during = simulation.attempts.filter(({ at }) => at >= outage.from && at < outage.to)
      assert.ok(during.length >= (outage.to - outage.from) / 10, 'not tried')
      const back = simulation.attempts.find(({ at, trouble }) => at >= outage.to && trouble === null)!
      assert.ok(back.at - outage.to <= 10)
      assert.equal(simulation.failed, (outage.to - outage.from) / 10)
    })

    test('a rate limit is kept, as long as it says', () => {
      const simulation = new Simulator({
        seed,
        backends: { limited: { weight: 5, condition: down(1000, 60_000, 'rate-limited') }, b: {} },
      })
      simulation.run(10_000, 10)
      assert.equal(simulation.failed, 0)
      const limits = simulation.attemptsAt('limited').filter(({ trouble }) => trouble !== null)
      for (const [index, { at }] of limits.entries())
        if (index > 0)
          assert.ok(at - limits[index - 1]!.at >= RETRY_AFTER_MS, `asked again after ${at - limits[index - 1]!.at} ms`)
    })

    test('hash_affinity: an account stays where it is, moves while its backend is out, and comes back', () => {
      const outage = { from: 50_000, to: 100_000 }
      const backends = { a: {}, b: {}, c: { condition: down(outage.from, outage.to) } }
      const simulation = new Simulator({ seed, strategy: 'hash_affinity', backends })
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

    test('long streams that go on well do not hide that nothing new is answered', () => {
      const outage = { from: 120_000, to: 180_000 }
      const condition = down(outage.from, outage.to, 'unreached')
      const streaming = { streamMs: (_now: number, random: () => number) => 20_000 + 60_000 * random() }
      const simulation = new Simulator({ seed, backends: { dies: { condition, ...streaming }, b: streaming } })
      simulation.run(30_000, 10)
      assert.equal(simulation.failed, 0)
      const wasted = simulation.attemptsAt('dies').filter(({ trouble }) => trouble !== null)
      assert.ok(wasted.length <= FAILURES_MAX + (outage.to - outage.from) / OPEN_MS, `${wasted.length} attempts wasted`)
    })

    test('lowest_latency: the fastest, and one that was slow is asked again', () => {
      const slowUntil = 60_000
      const latencyOf = (ms: number) => () => ms
      const simulation = new Simulator({
        seed,
        strategy: 'lowest_latency',
        backends: {
          mends: { latencyMs: (now) => (now < slowUntil ? 900 : 20) },
          steady: { latencyMs: latencyOf(100) },
        },
      })
      const first = countOf(simulation.run(500, 100))
      assert.ok(first.get('steady')! > 480, JSON.stringify([...first]))
      simulation.now = slowUntil + SPEED_AGE_MAX_MS
      const later = countOf(simulation.run(500, 100))
      assert.ok(later.get('mends')! > 480, JSON.stringify([...later]))
    })

    for (const strategy of ['round_robin', 'least_recently_used'] as const) {
      test(`${strategy}: equal turns`, () => {
        const simulation = new Simulator({ seed, strategy, backends: { a: {}, b: {}, c: {} } })
        assert.deepEqual([...countOf(simulation.run(3000, 10)).values()], [1000, 1000, 1000])
      })
    }
  })
}
