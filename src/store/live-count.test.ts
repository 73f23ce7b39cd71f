import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WRITER_PARTS } from './commands.ts'
import { NOON_MS, sampleRow } from './contract-books.ts'
import { LIVE_GROUPS_MAX, LiveCounter } from './live-count.ts'
import { MIGRATIONS } from './migrations.ts'
import { flatten } from './request-columns.ts'
import { openSqliteEngine, type SqliteEngine } from './sqlite-engine.ts'

const flat = (id: number, model = `m${id % 3}`) =>
  flatten(sampleRow({ request_id: `req_${id}`, model_id: model, latency_ms: id, charged_cost_nano: BigInt(id) }))

test('a run of rows is handed out once, and only to who asks from its beginning', () => {
  const live = new LiveCounter()
  const write = (...positions: number[]) => positions.forEach((position) => live.add(position, flat(position)))
  assert.equal(live.take(0), null)
  write(1, 2, 3)
  const taken = live.take(0)!
  assert.deepEqual([taken.position, taken.lastId, taken.tally.size], [3, 'req_3', 3])
  assert.equal(live.take(3), null)
  write(4, 5)
  assert.equal(live.take(2), null, 'a row before the run')
  write(6, 8)
  assert.equal(live.take(5), null, 'a gap')
  write(9)
  live.forget()
  write(10)
  assert.equal(live.take(8), null, 'a transaction that was rolled back')
  write(11)
  assert.ok(live.take(10))
})

test('more groups than the bound are not kept', () => {
  const live = new LiveCounter()
  for (let at = 1; at <= LIVE_GROUPS_MAX; at++) live.add(at, flat(at, `m${at}`))
  const full = live.take(0)!
  assert.equal(full.tally.size, LIVE_GROUPS_MAX)
  for (let at = 1; at <= LIVE_GROUPS_MAX + 1; at++) live.add(at, flat(at, `m${at}`))
  assert.equal(live.take(0), null)
})

const TABLES = ['usage_rollups', 'speed_rollups']
const rollupsOf = (engine: SqliteEngine) =>
  TABLES.map((table) => engine.query(`select * from ${table} order by 1, 2, 3, 4, 5, 6, 7`, []))

function openEngine(): SqliteEngine {
  const engine = openSqliteEngine(':memory:', WRITER_PARTS)
  engine.migrate(MIGRATIONS, NOON_MS)
  return engine
}

const append = (engine: SqliteEngine, ...ids: number[]) =>
  engine.runBatch([{ name: 'appendRows', args: ids.map((id) => flat(id)) }])
const fold = (engine: SqliteEngine) =>
  assert.ok('value' in (engine.runBatch([{ name: 'foldRequests', args: {} }])[0]! as object))

test('what is counted while it is written is what the database tells afterwards', () => {
  const [counted, read] = [openEngine(), openEngine()]
  append(counted, 1, 2, 3)
  fold(counted)
  append(counted, 4, 5, 5)
  // The second fails, so that both are rolled back and the first is done again alone.
  counted.runBatch([
    { name: 'appendRows', args: [flat(6)] },
    { name: 'appendRows', args: [['too short']] },
  ])
  append(counted, 7)
  fold(counted)
  append(counted, 8)
  fold(counted)
  append(read, 1, 2, 3, 4, 5, 6, 7)
  read.runBatch([{ name: 'appendRows', args: [['too short']] }])
  append(read, 8)
  fold(read)
  assert.deepEqual(rollupsOf(counted), rollupsOf(read))
  assert.equal(rollupsOf(read)[0]!.length, 6)
})
