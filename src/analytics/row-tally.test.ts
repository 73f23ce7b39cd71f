import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './rollup-tables.ts'
import {
  AMOUNT_PER_ROW_NANO_MAX,
  BUCKET_MAX,
  bucketOf,
  RowTally,
  tallyFactsOf,
  TOKENS_PER_ROW_MAX,
} from './row-tally.ts'
import type { TalliedRow } from './row-tally.ts'

const START_MS = Date.UTC(2026, 10, 20, 12, 34, 56)

const row = (change: Partial<TalliedRow> & { detail?: never; details?: object } = {}): TalliedRow => {
  const { details = {}, ...columns } = change
  return {
    ts_start_ms: START_MS,
    account_id: 'acc',
    key_id: null,
    system: null,
    protocol: 'openai',
    model_id: 'm',
    backend_id: 'b',
    status: 'ok',
    latency_ms: 250,
    ttft_ms: null,
    tokens_input: null,
    tokens_cache_read: null,
    tokens_cache_write: null,
    tokens_cache_write_1h: null,
    tokens_output: null,
    tokens_reasoning: null,
    list_cost_nano: null,
    metered_cost_nano: null,
    charged_cost_nano: null,
    absorbed_cost_nano: null,
    ...columns,
    detail: JSON.stringify(details),
  }
}

function tallyOf(...rows: TalliedRow[]): RowTally {
  const tally = new RowTally()
  for (const each of rows) tally.add(each)
  return tally
}

/** `metric bucket: count` of the minutes. */
const minutesOf = (tally: RowTally): string[] =>
  tally
    .speeds()
    .filter(([grainMs]) => grainMs === MINUTE_MS)
    .map(([, , , , backend, metric, bucket, count]) => `${backend} ${metric} ${bucket}: ${count}`)

test('a bucket is at most a tenth of its values wide', () => {
  const bounds = [0, 99, 100, 109, 110, 999, 1000, 1099, 99_999, BUCKET_MAX - 1, BUCKET_MAX, BUCKET_MAX * 5]
  assert.deepEqual(bounds.map(bucketOf), [
    0,
    99,
    100,
    100,
    110,
    990,
    1000,
    1000,
    99_000,
    9_900_000,
    BUCKET_MAX,
    BUCKET_MAX,
  ])
  for (let value = 1; value < BUCKET_MAX; value = Math.ceil(value * 1.003)) {
    const bound = bucketOf(value)
    assert.ok(bound <= value && value - bound <= value / 10, `${value}`)
    assert.equal(bucketOf(bound), bound)
  }
})

test('an hour and a day of usage, with the account in the days of speeds only', () => {
  const tally = tallyOf(row(), row({ ts_start_ms: START_MS + MINUTE_MS }), row({ account_id: null }))
  assert.equal(tally.size, 3)
  const usage = tally.usage().map((entry) => [entry[0], entry[1], entry[2], entry[10]])
  const day = START_MS - (START_MS % DAY_MS)
  const hour = START_MS - (START_MS % HOUR_MS)
  assert.deepEqual(usage, [
    [HOUR_MS, hour, 'acc', 2],
    [DAY_MS, day, 'acc', 2],
    [HOUR_MS, hour, '', 1],
    [DAY_MS, day, '', 1],
  ])
  const minute = START_MS - (START_MS % MINUTE_MS)
  assert.deepEqual(tally.speeds(), [
    [MINUTE_MS, minute, '', 'm', 'b', 'latency', 250, 2],
    [HOUR_MS, hour, '', 'm', 'b', 'latency', 250, 3],
    [DAY_MS, day, 'acc', 'm', 'b', 'latency', 250, 2],
    [MINUTE_MS, minute + MINUTE_MS, '', 'm', 'b', 'latency', 250, 1],
    [DAY_MS, day, '', 'm', 'b', 'latency', 250, 1],
  ])
})

test('R104: only what went well is measured, and only with enough to measure', () => {
  const fast = { tokens_output: 100, ttft_ms: 40, details: { gen_ms: 2000 } }
  assert.deepEqual(minutesOf(tallyOf(row(fast))), ['b latency 250: 1', 'b ttft 40: 1', 'b throughput 500: 1'])
  for (const change of [
    { ...fast, status: 'upstream_error' },
    { ...fast, model_id: null },
    { ...fast, backend_id: null },
    { ...fast, details: { gen_ms: 2000, fault: '500' } },
  ])
    assert.deepEqual(minutesOf(tallyOf(row(change))), [], JSON.stringify(change))
  for (const change of [{ tokens_output: 7 }, { details: {} }, { details: { gen_ms: 19 } }])
    assert.deepEqual(minutesOf(tallyOf(row({ ...fast, ttft_ms: null, ...change }))), ['b latency 250: 1'])
})

test('R104: an attempt counts for its own target, and a mistake of the client for none', () => {
  const after = (status: string, ...attempts: object[]) =>
    minutesOf(tallyOf(row({ status, details: { attempts } }))).filter((line) => !line.includes('latency'))
  const failed = (backend: string, status: number | null) => ({ backend, status, error_code: 'x' })
  const good = { backend: 'b', status: 200, error_code: null }
  assert.deepEqual(after('ok', failed('a', 503), failed('a', null), good), ['a down 0: 2', 'b up 0: 1'])
  assert.deepEqual(after('upstream_disconnect', good), ['b down 0: 1'])
  assert.deepEqual(after('client_cancelled', good), [])
  assert.deepEqual(after('rejected', failed('b', 400), failed('b', 429)), [])
  assert.deepEqual(after('rejected', failed('b', 401), failed('b', 408)), ['b down 0: 2'])
})

test('a row adds at most what its bounds say, and many of them no more than a column holds', () => {
  const broken = row({ tokens_output: Number.MAX_SAFE_INTEGER, charged_cost_nano: 10n ** 18n })
  const one = tallyOf(broken).usage()[0]!
  assert.deepEqual([one[18], one.at(-2)], [TOKENS_PER_ROW_MAX, String(AMOUNT_PER_ROW_NANO_MAX)])
  const many = tallyOf(...Array.from({ length: 10_000 }, () => broken)).usage()[0]!
  assert.ok(BigInt(many.at(-2)!) < 2n ** 63n)
})

test('R104: facts that come with a row count as its detail does', () => {
  const good = { backend: 'b', status: 200, error_code: null }
  const failed = { backend: 'a', status: 503, error_code: 'x' }
  const details = [
    {},
    { vendor: 'v', app_title: 'title', app_referer: 'r', key_name: 'k', user_agent: 'agent/1.0 (x)', gen_ms: 2000 },
    { app_referer: 'r', user_agent: 'agent/1.0', attempts: [good] },
    { key_name: 'k', attempts: [failed, good] },
    { user_agent: 'agent/1.0 (x)', attempts: [{ ...failed, backend: 'b' }] },
    { fault: '500', attempts: [good] },
  ]
  for (const given of details) {
    const each = row({ tokens_output: 100, ttft_ms: 40, details: given })
    const told = new RowTally()
    // As it comes out of a journal.
    told.add({ ...each, detail: 'not read' }, JSON.parse(JSON.stringify(tallyFactsOf(given, each.backend_id))))
    const read = tallyOf(each)
    assert.deepEqual([told.usage(), told.speeds()], [read.usage(), read.speeds()], JSON.stringify(given))
  }
})

test('a name with U+0000 is counted under the name that its row is stored with', () => {
  assert.equal(tallyFactsOf({ key_name: 'a\u0000b' }, null)[1], 'a\ufffdb')
})
