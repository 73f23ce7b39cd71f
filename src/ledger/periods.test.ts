import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nextResetMs, periodStarts } from './periods.ts'

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
