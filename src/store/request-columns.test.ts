import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RequestRow } from '#observe/request-row.ts'
import { NOON_MS, sampleRow } from './contract-books.ts'
import { AMOUNT_NANO_MAX, dayKey, flatten, keyIdOf, REQUEST_COLUMNS } from './request-columns.ts'

test('a flat row has the value of each column at the place of its name', () => {
  const marks: Record<string, unknown> = { ts_start_ms: NOON_MS }
  for (const [at, name] of REQUEST_COLUMNS.entries()) {
    if (name !== 'day_key' && name !== 'detail' && name !== 'ts_start_ms') {
      marks[name] = name.endsWith('_nano') ? BigInt(at) : at
    }
  }
  const flat = flatten(sampleRow({ request_id: 'req_1', ...(marks as Partial<RequestRow>) }))
  assert.equal(flat.length, REQUEST_COLUMNS.length)
  for (const [at, name] of REQUEST_COLUMNS.entries()) if (name in marks) assert.equal(flat[at], marks[name], name)
  assert.equal(flat[REQUEST_COLUMNS.indexOf('day_key')], '2026-11-20')
  assert.equal(keyIdOf(flat), REQUEST_COLUMNS.indexOf('key_id'))
})

test('a cost at the bound is kept and one beyond it is cut', () => {
  const at = REQUEST_COLUMNS.indexOf('list_cost_nano')
  const costOf = (list_cost_nano: bigint) => flatten(sampleRow({ request_id: 'req_1', list_cost_nano }))[at]
  assert.deepEqual([costOf(AMOUNT_NANO_MAX), costOf(AMOUNT_NANO_MAX + 1n)], [AMOUNT_NANO_MAX, AMOUNT_NANO_MAX])
})

test('the day of a time changes at midnight UTC, in both directions', () => {
  const midnight = Date.UTC(2026, 10, 21)
  assert.deepEqual([midnight - 1, midnight, midnight - 1].map(dayKey), ['2026-11-20', '2026-11-21', '2026-11-20'])
})
