import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addSpent, createPeriodClock, nextResetMs, NO_SUMS, periodStarts, spentInPeriod } from './periods.ts'

const iso = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

const CASES: readonly (readonly [string, string, string, string])[] = [
  ['2026-11-20T12:00:00', '2026-11-20', '2026-11-16', '2026-11-01'],
  ['2026-11-16T00:00:00', '2026-11-16', '2026-11-16', '2026-11-01'],
  ['2026-11-15T23:59:59', '2026-11-15', '2026-11-09', '2026-11-01'],
  ['2027-01-01T00:00:00', '2027-01-01', '2026-12-28', '2027-01-01'],
  ['2028-02-29T10:00:00', '2028-02-29', '2028-02-28', '2028-02-01'],
  ['1970-01-01T00:00:00', '1970-01-01', '1969-12-29', '1970-01-01'],
]

for (const [now, day, week, month] of CASES) {
  test(`the periods of ${now} start at midnight UTC, on Monday and on the first`, () => {
    const { dayStartMs, weekStartMs, monthStartMs } = periodStarts(Date.parse(`${now}Z`))
    const midnight = [day, week, month].map((date) => `${date}T00:00:00`)
    assert.deepEqual([dayStartMs, weekStartMs, monthStartMs].map(iso), midnight)
  })
}

test('a limit starts over at the end of its period', () => {
  const nowMs = Date.UTC(2026, 11, 31, 23)
  assert.equal(nextResetMs(null, nowMs), null)
  assert.equal(iso(nextResetMs('daily', nowMs)!), '2027-01-01T00:00:00')
  assert.equal(iso(nextResetMs('weekly', nowMs)!), '2027-01-04T00:00:00')
  assert.equal(iso(nextResetMs('monthly', nowMs)!), '2027-01-01T00:00:00')
})

const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000]

for (const [zone, date] of [
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2026-10-25'],
  ['America/New_York', '2026-03-08'],
  ['Australia/Lord_Howe', '2026-04-05'],
] as const) {
  test(`M17: the day on which clocks change in ${zone} (${date}) has 24 hours like any other`, (t) => {
    const before = process.env['TZ']
    t.after(() => (before === undefined ? delete process.env['TZ'] : (process.env['TZ'] = before)))
    process.env['TZ'] = zone
    const noonMs = Date.parse(`${date}T12:00:00Z`)
    assert.notEqual(new Date(noonMs - DAY_MS).getTimezoneOffset(), new Date(noonMs).getTimezoneOffset())
    const startsAt = createPeriodClock()
    const firstMs = Date.parse(`${date}T00:00:00Z`)
    for (let nowMs = firstMs - DAY_MS; nowMs < firstMs + 2 * DAY_MS; nowMs += 15 * MINUTE_MS) {
      const expected = firstMs + Math.floor((nowMs - firstMs) / DAY_MS) * DAY_MS
      assert.equal(startsAt(nowMs).dayStartMs, expected)
      assert.deepEqual(startsAt(nowMs), periodStarts(nowMs))
      assert.equal(nextResetMs('daily', nowMs), expected + DAY_MS)
    }
  })
}

test('M17: a second that comes twice at midnight, as a leap second does, starts a day over once', () => {
  const midnightMs = Date.UTC(2027, 0, 1)
  const startsAt = createPeriodClock()
  let sums = NO_SUMS
  const spent: bigint[] = []
  for (const ms of [-1500, -500, 0, 500, -400, -100, 0, 600, 1000]) {
    const starts = startsAt(midnightMs + ms)
    sums = addSpent(sums, 1n, starts)
    spent.push(spentInPeriod(sums, 'daily', starts))
  }
  // What was spent in the new day keeps counting while the clock is back in the old one.
  assert.deepEqual(spent, [1n, 2n, 1n, 2n, 3n, 4n, 5n, 6n, 7n])
  assert.equal(sums.total_nano, 9n)
})

test('M17: a clock that jumps an hour over midnight and back sets nothing free twice', () => {
  const lateMs = Date.UTC(2026, 10, 20, 23, 30)
  let sums = NO_SUMS
  for (let jump = 0; jump < 10; jump++) {
    sums = addSpent(sums, 1n, periodStarts(lateMs + (jump % 2) * 60 * MINUTE_MS))
  }
  assert.equal(spentInPeriod(sums, 'daily', periodStarts(lateMs)), 9n)
  assert.equal(spentInPeriod(sums, 'daily', periodStarts(lateMs + DAY_MS)), 9n)
  assert.equal(spentInPeriod(sums, 'daily', periodStarts(lateMs + 2 * DAY_MS)), 0n)
})
