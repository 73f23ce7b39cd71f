import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addSpent, createPeriodClock, endOf, NO_SUMS, periodStarts, spentInPeriod } from './periods.ts'

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
  const starts = periodStarts(Date.UTC(2026, 11, 31, 23))
  assert.equal(endOf(null, starts), null)
  assert.equal(iso(endOf('daily', starts)!), '2027-01-01T00:00:00')
  assert.equal(iso(endOf('weekly', starts)!), '2027-01-04T00:00:00')
  assert.equal(iso(endOf('monthly', starts)!), '2027-01-01T00:00:00')
})

/** Zone, a time, and the UTC times at which its local day, week and month begin and end. */
const ZONED: readonly (readonly [string, string, readonly [string, string, string, string, string, string]])[] = [
  [
    'Europe/Berlin',
    '2026-11-20T23:30:00',
    [
      ...(['2026-11-20T23:00:00', '2026-11-15T23:00:00', '2026-10-31T23:00:00'] as const),
      ...(['2026-11-21T23:00:00', '2026-11-22T23:00:00', '2026-11-30T23:00:00'] as const),
    ],
  ],
  [
    'America/Los_Angeles',
    '2026-03-01T05:00:00',
    [
      ...(['2026-02-28T08:00:00', '2026-02-23T08:00:00', '2026-02-01T08:00:00'] as const),
      ...(['2026-03-01T08:00:00', '2026-03-02T08:00:00', '2026-03-01T08:00:00'] as const),
    ],
  ],
  [
    'Asia/Kathmandu',
    '2026-12-31T18:15:00',
    [
      ...(['2026-12-31T18:15:00', '2026-12-27T18:15:00', '2026-12-31T18:15:00'] as const),
      ...(['2027-01-01T18:15:00', '2027-01-03T18:15:00', '2027-01-31T18:15:00'] as const),
    ],
  ],
]

for (const [zone, now, expected] of ZONED) {
  test(`R97: the periods of ${now}Z in ${zone} begin at its midnight`, () => {
    const starts = createPeriodClock(zone)(Date.parse(`${now}Z`))
    const { dayStartMs, weekStartMs, monthStartMs, dayEndMs, weekEndMs, monthEndMs } = starts
    assert.deepEqual([dayStartMs, weekStartMs, monthStartMs, dayEndMs, weekEndMs, monthEndMs].map(iso), expected)
  })
}

test('R97: a day on which clocks are put forward has 23 hours, the other one 25, and a week is as long as its days', () => {
  const hoursOf = (zone: string, now: string): readonly [number, number] => {
    const { dayStartMs, dayEndMs, weekStartMs, weekEndMs } = createPeriodClock(zone)(Date.parse(now))
    return [(dayEndMs - dayStartMs) / 3_600_000, (weekEndMs - weekStartMs) / 3_600_000]
  }
  assert.deepEqual(hoursOf('Europe/Berlin', '2026-03-29T12:00:00Z'), [23, 167])
  assert.deepEqual(hoursOf('Europe/Berlin', '2026-10-25T12:00:00Z'), [25, 169])
  assert.deepEqual(hoursOf('America/New_York', '2026-03-08T12:00:00Z'), [23, 167])
  // Clocks are put forward at midnight: the day begins at one.
  const { dayStartMs } = createPeriodClock('Africa/Cairo')(Date.parse('2026-04-24T12:00:00Z'))
  assert.equal(iso(dayStartMs), '2026-04-23T22:00:00')
  assert.deepEqual(hoursOf('Africa/Cairo', '2026-04-24T12:00:00Z'), [23, 167])
  assert.deepEqual(hoursOf('UTC', '2026-03-29T12:00:00Z'), [24, 168])
})

test('R97: a clock gives every moment the day that holds it, forwards and back, without a gap', () => {
  for (const zone of ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Chatham']) {
    const clock = createPeriodClock(zone)
    let before = clock(Date.UTC(2026, 0, 1))
    for (let day = 0; day < 400; day++) {
      const next = clock(before.dayEndMs)
      assert.equal(next.dayStartMs, before.dayEndMs)
      assert.equal(clock(next.dayStartMs - 1).dayStartMs, before.dayStartMs)
      if (next.weekStartMs !== before.weekStartMs) assert.equal(next.weekStartMs, before.weekEndMs)
      if (next.monthStartMs !== before.monthStartMs) assert.equal(next.monthStartMs, before.monthEndMs)
      before = next
    }
  }
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
      assert.equal(endOf('daily', startsAt(nowMs)), expected + DAY_MS)
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
