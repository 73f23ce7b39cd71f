import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFaithfulJson } from './exact-json.ts'
import { mayHoldRoundedNumbers } from './rounded-numbers.ts'

const BIG = '9007199254740993'
const LONG_EXACT = '0.1234567890123456'

/** The same by asking JSON.parse for each value's source: slow and plain. */
function slowly(text: string): string {
  const revive = (_key: string, value: unknown, { source }: { source?: string }): unknown =>
    typeof value === 'number' && source !== undefined && isRounded(value, source)
      ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
      : value
  return JSON.stringify(JSON.parse(text, revive as (key: string, value: unknown) => unknown))
}

const isRounded = (value: number, source: string): boolean =>
  !Number.isFinite(value) || (source.length > 15 && String(value) !== source)

const SEED = 20261204

function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const NUMBERS = [
  BIG,
  '0',
  '-1',
  `-${BIG}.5`,
  '9007199254740992',
  LONG_EXACT,
  '0.10000000000000000555',
  '1e999',
  '-1E+999',
]
const OTHERS = [
  ...NUMBERS,
  '1e5',
  '1e-999',
  '-0.0000000000000000',
  '1.0000000000000000e5',
  'true',
  'false',
  'null',
  '""',
]
const STRINGS = [
  `"${BIG}"`,
  `":${BIG},"`,
  `"\\":${BIG}"`,
  `"\\\\"`,
  '"e"',
  `"[${BIG}, {"`,
  `"${'x'.repeat(30)}\\\\\\"${'y'.repeat(30)}"`,
]
const NAMES = [
  '"a"',
  '"a"',
  '"b"',
  '"0"',
  '"1"',
  '"__proto__"',
  '"constructor"',
  '"POSITIVE_INFINITY"',
  '"\\u0061"',
  `":${BIG}"`,
]

function randomJson(random: (below: number) => number, depth: number): string {
  const of = (list: readonly string[]): string => list[random(list.length)]!
  const space = (): string => of(['', '', '', ' ', '\n\t '])
  const members = (one: () => string): string =>
    Array.from({ length: random(5) }, () => `${space()}${one()}${space()}`).join(',')
  const kind = random(depth === 0 ? 3 : 6)
  if (kind === 0) return of(NUMBERS)
  if (kind === 1) return of(OTHERS)
  if (kind === 2) return of(STRINGS)
  if (kind < 5) return `{${members(() => `${of(NAMES)}${space()}:${space()}${randomJson(random, depth - 1)}`)}}`
  return `[${members(() => randomJson(random, depth - 1))}]`
}

test('every number stands where and as it stood, whatever is around it', () => {
  const random = randomOf(SEED)
  let kept = 0
  for (let round = 0; round < 20_000; round++) {
    const text = `[${randomJson(random, 4)},${BIG}]`
    const written = JSON.stringify(parseFaithfulJson(text))
    assert.equal(written, slowly(text), text)
    if (written.split(BIG).length > 2) kept++
  }
  assert.ok(kept > 5000, String(kept))
})

test('what is no JSON is refused, long numbers or not', () => {
  const broken = [
    `{"a":${BIG},}`,
    `[0${BIG}]`,
    `[-0${BIG}]`,
    `[${BIG}.]`,
    `[${BIG}-1]`,
    `[1,${BIG}e]`,
    `[${BIG}`,
    `{"a":${BIG}`,
    `{"a":1,${BIG}:2}`,
    `[${BIG}]]`,
    `["a" ${BIG}, ${BIG}]`,
    `[\\${BIG},${BIG}]`,
    `["a,${BIG}]`,
    `["\\",${BIG}]`,
    `[1,${BIG}]${BIG}`,
  ]
  for (const text of broken) {
    assert.throws(() => JSON.parse(text), SyntaxError, text)
    assert.throws(() => parseFaithfulJson(text), SyntaxError, text)
  }
  const random = randomOf(SEED)
  for (let round = 0; round < 5000; round++) {
    const whole = `[${randomJson(random, 3)},${BIG},${randomJson(random, 3)}]`
    const at = random(whole.length)
    const text = whole.slice(0, at) + whole.slice(at + 1 + random(3))
    let expected: string | null = null
    try {
      expected = slowly(text)
    } catch {
      // Most of them.
    }
    if (expected === null) assert.throws(() => parseFaithfulJson(text), SyntaxError, text)
    // A number that stands alone is not looked for, and a short one only beside a long one.
    else if (mayHoldRoundedNumbers(text)) assert.equal(JSON.stringify(parseFaithfulJson(text)), expected, text)
  }
})

test('a text without a long number is only parsed', () => {
  for (const text of ['{"a":123456,"b":0.123456789}', `{"id":"${BIG}"}`, `[${LONG_EXACT}]`, '', 'x'])
    assert.equal(mayHoldRoundedNumbers(text), false, text)
  // Every place in the rhythm of the look.
  for (let shift = 0; shift < 40; shift++) {
    assert.ok(mayHoldRoundedNumbers(`{"${'n'.repeat(shift)}":${BIG}}`), String(shift))
    assert.ok(mayHoldRoundedNumbers(`{"${'1'.repeat(shift)}": ${BIG}}`), String(shift))
  }
})

test('a text may be nested as deep as JSON.parse takes it', () => {
  const depth = 3000
  const text = `${'[{"a":'.repeat(depth)}${BIG}${'}]'.repeat(depth)}`
  let value = parseFaithfulJson(text) as { a: unknown }[]
  for (let level = 1; level < depth; level++) value = value[0]!.a as { a: unknown }[]
  assert.equal(JSON.stringify(value), `[{"a":${BIG}}]`)
})

const BODY_BYTES = 5 * 1024 * 1024
/** Measured: 1 to 3; asking for each value's source took 10 to 100 times as long. */
const SLOWER_MAX = 10
const ROUNDS = 16

/** As it comes from a socket: one flat string, and not one that is still in pieces. */
const filled = (item: string): string =>
  Buffer.from(
    `{"long":${BIG},"items":[${Array.from({ length: Math.ceil(BODY_BYTES / item.length) }, () => item).join(',')}]}`,
  ).toString('utf8')

/** The thread's own time: others use the machine too. Its clock is coarse, so that many rounds are added up. */
function cpuMs(read: (text: string) => unknown, text: string): number {
  const before = process.threadCpuUsage()
  read(text)
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

for (const [what, item] of [
  ['small numbers', '4711'],
  ['short strings', '"ab"'],
  ['objects', '{"id":17,"name":"item","ok":true}'],
  ['text', JSON.stringify('a line with "quotes" and \\ \n'.repeat(200))],
] as const) {
  test(`one long number in 5 MB of ${what} costs about as much as parsing again`, () => {
    const text = filled(item)
    cpuMs(parseFaithfulJson, text)
    let [plainMs, faithfulMs] = [0, 0]
    for (let round = 0; round < ROUNDS; round++) {
      plainMs += cpuMs(JSON.parse, text)
      faithfulMs += cpuMs(parseFaithfulJson, text)
    }
    const ratio = faithfulMs / plainMs
    assert.ok(ratio < SLOWER_MAX, `${ratio.toFixed(1)} times JSON.parse`)
  })
}
