import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePricePerMillion } from '#base/money.ts'
import type { Price, PriceTier } from '#catalog/types.ts'
import type { Usage } from '#ir/usage.ts'
import { boundOf, costOf, outputTokensWithin, REPORTED_PRICE, reportedCost } from './cost.ts'

const RUNS = process.env['TRIVIUM_FAULTS'] === 'full' ? 1_000_000 : 100_000

const perMillion = (text: string): bigint => parsePricePerMillion(text)!

const price = (change: Partial<Price>): Price => ({
  input: 0n,
  output: 0n,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  reasoning: null,
  image: null,
  request: null,
  tiers: [],
  source: 'config',
  version: 'v1',
  updatedAt: null,
  ...change,
})

const usage = (change: Partial<Usage>): Usage => ({
  input: null,
  cacheRead: null,
  cacheWrite: null,
  cacheWrite1h: null,
  output: null,
  reasoning: null,
  source: 'upstream',
  ...change,
})

/** A small generator with a seed, so that a failure can be repeated. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

test('the first worked example of R91 costs 13 500 000 nano-USD', () => {
  const cost = costOf(
    usage({ input: 1000, cacheRead: 5000, cacheWrite: 2000, output: 100 }),
    price({
      input: perMillion('3'),
      cacheRead: perMillion('0.30'),
      cacheWrite: perMillion('3.75'),
      output: perMillion('15'),
    }),
  )
  assert.equal(cost.nano, 13_500_000n)
})

test('the second worked example of R91 rounds half up, once', () => {
  const cheap = price({ input: perMillion('0.0005') })
  assert.equal(costOf(usage({ input: 3 }), cheap).pico, 1500n)
  assert.equal(costOf(usage({ input: 3 }), cheap).nano, 2n)
  assert.equal(costOf(usage({ input: 1 }), cheap).nano, 1n)
})

const full = price({
  input: 7n,
  output: 11n,
  cacheRead: 2n,
  cacheWrite: 13n,
  cacheWrite1h: 17n,
  reasoning: 19n,
  image: 23n,
  request: 29n,
})
const bare = price({ input: 7n, output: 11n })
const tiered = price({
  input: 1n,
  output: 2n,
  cacheRead: 1n,
  tiers: [
    { ...bare, aboveInputTokens: 100 },
    { ...full, aboveInputTokens: 200 },
  ],
})

/** Shape, price, pico-USD, worked out by hand. */
const TABLE: readonly (readonly [string, Usage, Price, bigint])[] = [
  ['nothing reported', usage({}), bare, 0n],
  ['zeros', usage({ input: 0, output: 0 }), bare, 0n],
  ['input only', usage({ input: 10 }), bare, 70n],
  ['output only', usage({ output: 10 }), bare, 110n],
  ['cache read falls back to input', usage({ cacheRead: 10 }), bare, 70n],
  ['cache write falls back to input', usage({ cacheWrite: 10 }), bare, 70n],
  ['1h cache write falls back to input in the end', usage({ cacheWrite1h: 10 }), bare, 70n],
  ['1h cache write falls back to cache write', usage({ cacheWrite1h: 10 }), price({ cacheWrite: 5n }), 50n],
  ['a price of 0 is a price', usage({ cacheRead: 10 }), price({ input: 7n, cacheRead: 0n }), 0n],
  ['reasoning is part of output', usage({ output: 10, reasoning: 4 }), bare, 110n],
  [
    'reasoning as a class of its own',
    usage({ output: 10, reasoning: 4 }),
    price({ output: 11n, reasoning: 19n }),
    142n,
  ],
  ['reasoning not reported', usage({ output: 10 }), price({ output: 11n, reasoning: 19n }), 110n],
  ['more reasoning than output', usage({ output: 10, reasoning: 40 }), price({ output: 11n, reasoning: 19n }), 190n],
  ['request price', usage({}), full, 29n],
  [
    'every class',
    usage({ input: 1, cacheRead: 1, cacheWrite: 1, cacheWrite1h: 1, output: 2, reasoning: 1 }),
    full,
    98n,
  ],
  ['prompt at the tier stays below it', usage({ input: 100 }), tiered, 100n],
  ['prompt above the tier', usage({ input: 101 }), tiered, 707n],
  ['cached tokens count for the tier', usage({ input: 1, cacheRead: 100 }), tiered, 707n],
  ['output does not count for the tier', usage({ input: 1, output: 1000 }), tiered, 2001n],
  ['the highest tier below the prompt', usage({ input: 201 }), tiered, 1436n],
  ['a tier does not inherit the base price of a class', usage({ cacheRead: 150 }), tiered, 1050n],
  ['the largest count', usage({ input: Number.MAX_SAFE_INTEGER }), price({ input: 3n }), 27021597764222973n],
]

for (const [name, counts, rates, pico] of TABLE) {
  test(`cost table: ${name}`, () => {
    const cost = costOf(counts, rates)
    assert.equal(cost.pico, pico)
    assert.equal(
      cost.lines.reduce((sum, line) => sum + BigInt(line.count) * line.price, 0n),
      pico,
    )
  })
}

test('images cost their price each', () => {
  assert.equal(costOf(usage({}), full, 3).pico, 29n + 69n)
})

for (const count of [-1, 0.5, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER + 1]) {
  test(`a count of ${count} is refused in every class`, () => {
    for (const key of ['input', 'cacheRead', 'cacheWrite', 'cacheWrite1h', 'output'] as const) {
      assert.throws(() => costOf(usage({ [key]: count }), bare), RangeError, key)
    }
    assert.throws(() => costOf(usage({ output: 1, reasoning: count }), full), RangeError)
    assert.throws(() => costOf(usage({}), full, count), RangeError)
    assert.throws(() => boundOf({ inputTokensMax: count, outputTokensMax: 1, n: 1, price: bare }), RangeError)
    assert.throws(() => boundOf({ inputTokensMax: 1, outputTokensMax: count, n: 1, price: bare }), RangeError)
    assert.throws(() => boundOf({ inputTokensMax: 1, outputTokensMax: 1, n: count, price: bare }), RangeError)
  })
}

/** R91 written down a second time, in another shape: a sum over pairs, without the code under test. */
function oracle(counts: Usage, rates: Price): bigint[] {
  const big = (value: number | null): bigint => BigInt(value ?? 0)
  const prompt = big(counts.input) + big(counts.cacheRead) + big(counts.cacheWrite) + big(counts.cacheWrite1h)
  let active: Omit<PriceTier, 'aboveInputTokens'> = rates
  for (const tier of rates.tiers) if (BigInt(tier.aboveInputTokens) < prompt) active = tier
  let pico = active.request === null ? 0n : active.request
  pico += big(counts.input) * active.input
  pico += big(counts.cacheRead) * (active.cacheRead === null ? active.input : active.cacheRead)
  const write = active.cacheWrite === null ? active.input : active.cacheWrite
  pico += big(counts.cacheWrite) * write
  pico += big(counts.cacheWrite1h) * (active.cacheWrite1h === null ? write : active.cacheWrite1h)
  if (active.reasoning === null) pico += big(counts.output) * active.output
  else pico += (big(counts.output) - big(counts.reasoning)) * active.output + big(counts.reasoning) * active.reasoning
  return [rounded(pico), rounded(pico, rates.factors?.metered), rounded(pico, rates.factors?.charged)]
}

/** Half up, on the exact product. */
function rounded(pico: bigint, factor = 1_000_000n): bigint {
  const parts = pico * factor
  const whole = parts / 1_000_000_000n
  return parts % 1_000_000_000n >= 500_000_000n ? whole + 1n : whole
}

test(`M9: ${RUNS} random usages and prices agree with an independent oracle, and stay within their bound`, () => {
  const random = randomFrom(20_261_120)
  const count = (): number | null => (random(5) === 0 ? null : random([2, 50, 5_000, 3_000_000][random(4)]!))
  const rate = (): bigint => BigInt(random([3, 1_000, 80_000_000][random(3)]!))
  const maybe = (): bigint | null => (random(2) === 0 ? null : rate())
  const rates = () => ({
    input: rate(),
    output: rate(),
    cacheRead: maybe(),
    cacheWrite: maybe(),
    cacheWrite1h: maybe(),
    reasoning: maybe(),
    image: null,
    request: maybe(),
  })
  for (let at = 0; at < RUNS; at++) {
    const tiers = random(3) === 0 ? [200, 4_000].map((above) => ({ ...rates(), aboveInputTokens: above })) : []
    const factors =
      random(2) === 0 ? {} : { factors: { metered: BigInt(random(2_000_000)), charged: BigInt(random(2_000_000)) } }
    const rated = price({ ...rates(), tiers, ...factors })
    const output = count()
    const reasoning = output === null || random(2) === 0 ? null : random(output + 1)
    const counts = usage({
      input: count(),
      cacheRead: count(),
      cacheWrite: count(),
      cacheWrite1h: count(),
      output,
      reasoning,
    })
    const { nano, listNano, meteredNano } = costOf(counts, rated)
    assert.deepEqual([listNano, meteredNano, nano], oracle(counts, rated), `run ${at}`)
    const prompt = (counts.input ?? 0) + (counts.cacheRead ?? 0) + (counts.cacheWrite ?? 0) + (counts.cacheWrite1h ?? 0)
    const bound = { inputTokensMax: prompt + random(3), outputTokensMax: output ?? 0, n: 1, price: rated }
    assert.ok(boundOf(bound) >= nano, `run ${at}: the bound is below the cost`)
  }
})

test('the output that an amount pays for is the largest whose bound fits', () => {
  const random = randomFrom(7)
  for (let at = 0; at < 10_000; at++) {
    const factors = random(2) === 0 ? {} : { factors: { metered: 0n, charged: BigInt(1 + random(2_000_000)) } }
    // A thousandth of a price may round to nothing; then more tokens cost no more.
    const rated = price({ input: BigInt(random(5_000_000)), output: BigInt(1000 + random(80_000_000)), ...factors })
    const bound = { inputTokensMax: random(5_000), n: 1 + random(4), price: rated }
    const amount = BigInt(random(2_000_000_000))
    const tokens = outputTokensWithin(amount, bound)
    if (tokens >= 0) assert.ok(boundOf({ ...bound, outputTokensMax: tokens }) <= amount, `run ${at}`)
    assert.ok(boundOf({ ...bound, outputTokensMax: tokens + 1 }) > amount, `run ${at}`)
  }
})

test('free output is not limited by any amount', () => {
  assert.equal(outputTokensWithin(0n, { inputTokensMax: 10, n: 1, price: price({}) }), Number.MAX_SAFE_INTEGER)
})

test('M9: 100 000 calls of one token differ from one call of all of them by at most one nano-dollar a call', () => {
  const calls = 100_000
  for (const rate of [1n, 499n, 500n, 1499n, 150_000n]) {
    for (const charged of [1_000_000n, 900_000n, 333_333n]) {
      const rated = price({ input: rate, factors: { metered: 1_000_000n, charged } })
      const apart = costOf(usage({ input: 1 }), rated).nano * BigInt(calls)
      const together = costOf(usage({ input: calls }), rated).nano
      const difference = apart > together ? apart - together : together - apart
      assert.ok(difference <= BigInt(calls), `${rate} times ${charged}: ${difference}`)
    }
  }
})

test('R93: factors apply to the exact sum, before the one rounding', () => {
  const rated = price({ input: perMillion('1'), factors: { metered: 800_000n, charged: 900_000n } })
  const { listNano, meteredNano, nano } = costOf(usage({ input: 1_000_000 }), rated)
  assert.deepEqual([listNano, meteredNano, nano], [1_000_000_000n, 800_000_000n, 900_000_000n])
  // 600 pico-USD are 1 nano-USD; half of them are none, and would be one when the rounded amount were halved.
  const half = price({ input: 600n, factors: { metered: 500_000n, charged: 500_000n } })
  assert.deepEqual(costOf(usage({ input: 1 }), half).nano, 0n)
})

test("R93: an account's factor stands upon those of group and route, exactly, with one rounding", () => {
  const factors = { metered: 800_000n, charged: 333_333n, account: 900_001n }
  const rated = price({ input: 1_000_001n, factors })
  const { listNano, meteredNano, nano } = costOf(usage({ input: 3_333_333 }), rated)
  // 3 333 336 333 333 pico-USD; times 0.333333 * 0.900001 = 0.299 999 ... 033 333, of which ppm would lose the last six digits.
  assert.deepEqual([listNano, meteredNano], [3_333_336_333n, 2_666_669_067n])
  assert.equal(nano, 1_000_001_011n)
  const ppm = price({ input: 1_000_001n, factors: { metered: 800_000n, charged: 300_000n } })
  assert.equal(costOf(usage({ input: 3_333_333 }), ppm).nano, 1_000_000_900n, 'a product rounded to ppm is another one')
  const free = price({ input: 5n, output: 5n, factors: { ...factors, account: 0n } })
  assert.equal(costOf(usage({ input: 1000 }), free).nano, 0n)
  assert.equal(outputTokensWithin(0n, { inputTokensMax: 10, n: 1, price: free }), Number.MAX_SAFE_INTEGER)
  const told = { ...usage({ input: 1 }), costUsd: '0.1' }
  assert.equal(
    reportedCost(told, { ...REPORTED_PRICE, factors: { ...factors, charged: 1_100_000n } })!.nano,
    99_000_110n,
  )
})

test(`M9, R93: ${RUNS} random prices with three factors: the exact product rounded half up, no hold too small, none too large`, () => {
  const random = randomFrom(20_261_121)
  for (let at = 0; at < RUNS; at++) {
    const [metered, charged, account] = [2_000_000, 3_000_000, 3_000_000].map((max) => BigInt(random(max)))
    const factors = { metered: metered!, charged: charged!, account: account! }
    const rated = price({ input: BigInt(random(10_000_000)), output: BigInt(random(50_000_000)), factors })
    const [input, output] = [random(100_000), random(10_000)]
    const parts = (BigInt(input) * rated.input + BigInt(output) * rated.output) * charged! * account!
    const { nano } = costOf(usage({ input, output }), rated)
    const whole = 10n ** 15n
    assert.equal(nano, parts / whole + (parts % whole >= whole / 2n ? 1n : 0n), `run ${at}`)
    const bound = { inputTokensMax: input, n: 1, price: rated }
    const held = boundOf({ ...bound, outputTokensMax: output })
    assert.ok(held >= nano, `run ${at}`)
    const tokens = outputTokensWithin(held, bound)
    assert.ok(tokens >= output, `run ${at}`)
    if (tokens < Number.MAX_SAFE_INTEGER) {
      assert.ok(boundOf({ ...bound, outputTokensMax: tokens + 1 }) > held, `run ${at}`)
    }
  }
})
