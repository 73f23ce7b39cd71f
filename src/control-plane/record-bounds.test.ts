import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createAnalytics, STATS_AGE_MS_MAX } from '#analytics/analytics.ts'
import { PROBLEMS_MAX } from '#analytics/receipts.ts'
import { createRollups } from '#analytics/rollups.ts'
import { USAGE_GROUPS_MAX } from '#analytics/usage.ts'
import { createRequestLog } from '#observe/request-log.ts'
import { AUDIT_PAGE_MAX } from './audit.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'
import { TOP_MAX } from './usage-summary.ts'

describe('bounds of the record', () => {
  let bed: Testbed
  before(async () => {
    bed = await startTestbed()
    const log = createRequestLog(bed.store)
    for (let at = 0; at <= USAGE_GROUPS_MAX; at++) {
      const list_cost_nano = BigInt(at)
      log.append(
        requestRow({ request_id: `req_${at}`, app_title: `app ${at}`, list_cost_nano, ts_start_ms: Date.now() }),
      )
    }
    await log.flush()
    while (!(await createRollups(bed.store).catchUp(60_000)));
  })
  after(() => bed.close())

  test('R106: beyond the bound the dearest groups are told, and the total counts all', async () => {
    const { json } = await bed.ask('GET', '/api/usage?group_by=app', { key: bed.masterKey })
    assert.deepEqual([json.data.length, json.truncated], [USAGE_GROUPS_MAX, true])
    assert.equal(json.total.requests, USAGE_GROUPS_MAX + 1)
    assert.equal(json.data[0].app, `app ${USAGE_GROUPS_MAX}`)
    assert.equal(json.data.at(-1).app, 'app 1')
    const { json: one } = await bed.ask('GET', '/api/usage?group_by=model', { key: bed.masterKey })
    assert.equal(one.truncated, false)
  })

  test('R102: the summary names the dearest', async () => {
    const { json } = await bed.ask('GET', '/api/usage/summary', { key: bed.masterKey })
    assert.equal(json.top.apps.length, TOP_MAX)
    assert.equal(json.top.apps[0].app, `app ${USAGE_GROUPS_MAX}`)
  })

  test('B6: of many receipts that do not hold some are named and all are counted', async () => {
    // These rows say that they were charged, and no ledger knows of it.
    const { json } = await bed.ask('GET', '/api/admin/receipts/verify', { key: bed.masterKey })
    assert.deepEqual([json.problems.length, json.differences], [PROBLEMS_MAX, USAGE_GROUPS_MAX + 1])
    assert.equal(json.recomputed, 0)
  })

  test('R17: a page of the audit log is bounded', async () => {
    const status = async (limit: number) =>
      (await bed.ask('GET', `/api/audit?limit=${limit}`, { key: bed.masterKey })).status
    assert.deepEqual([await status(AUDIT_PAGE_MAX), await status(AUDIT_PAGE_MAX + 1)], [200, 400])
  })

  test('R104: figures of targets are read once for all who ask within their age', async () => {
    let nowMs = Date.now()
    const analytics = createAnalytics(bed.store, createRollups(bed.store), () => nowMs)
    const first = await analytics.targets()
    nowMs += STATS_AGE_MS_MAX - 1
    assert.equal(await analytics.targets(), first)
    nowMs += 1
    assert.notEqual(await analytics.targets(), first)
  })
})
