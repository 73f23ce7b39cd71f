import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createRollups } from '#analytics/rollups.ts'
import { flatten, ROWS_PER_COMMAND_MAX } from '#store/request-columns.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'

/** A million rows take minutes to make; fewer show that nothing grows with them out of proportion. */
const ROWS = process.env['TRIVIUM_FAULTS'] === 'full' ? 1_000_000 : 50_000
/** Within which each API answers (R102). */
const ANSWER_MS_MAX = 1_000

const DAY_MS = 86_400_000
const DAYS = 28
const ACCOUNTS = 20
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1', 'claude-sonnet-4-5', 'gemini-2.5-flash']
const BACKENDS = ['openai', 'anthropic']
const APPS = ['A', 'B', null]

async function load(bed: Testbed, endMs: number): Promise<bigint> {
  let charged = 0n
  const rowAt = (at: number) => {
    const owner = at % ACCOUNTS
    const cost = BigInt((at % 977) * 1_003)
    charged += cost
    return requestRow({
      request_id: `req_${at}`,
      response_id: null,
      ts_start_ms: endMs - DAYS * DAY_MS + Math.floor((at * DAYS * DAY_MS) / ROWS),
      account_id: `acc_${owner}`,
      key_id: `key_${owner}_${at % 3}`,
      key_name: `key ${at % 3}`,
      system: owner % 2 === 0 ? 'crm' : null,
      model_id: MODELS[at % MODELS.length]!,
      backend_id: BACKENDS[at % BACKENDS.length]!,
      app_title: APPS[at % APPS.length]!,
      status: at % 50 === 0 ? 'upstream_error' : 'ok',
      stream: true,
      latency_ms: 300 + (at % 5_000),
      list_cost_nano: cost,
      charged_cost_nano: cost,
    })
  }
  for (let at = 0; at < ROWS; at += 100 * ROWS_PER_COMMAND_MAX) {
    const commands: Promise<number>[] = []
    for (let from = at; from < Math.min(ROWS, at + 100 * ROWS_PER_COMMAND_MAX); from += ROWS_PER_COMMAND_MAX)
      commands.push(
        bed.store.execute(
          'appendRows',
          Array.from({ length: Math.min(ROWS_PER_COMMAND_MAX, ROWS - from) }, (_, of) => flatten(rowAt(from + of))),
        ),
      )
    await Promise.all(commands)
  }
  return charged
}

describe(`${ROWS} request rows`, () => {
  let bed: Testbed
  let charged: bigint
  before(async () => {
    bed = await startTestbed()
    const loadedAt = performance.now()
    charged = await load(bed, Math.floor(Date.now() / DAY_MS) * DAY_MS)
    const foldedAt = performance.now()
    while (!(await createRollups(bed.store).catchUp(60_000)));
    const rate = (ms: number) => `${Math.round(ms)} ms, ${((1000 * ms) / ROWS).toFixed(1)} µs a row`
    console.log(`loaded: ${rate(foldedAt - loadedAt)}; folded: ${rate(performance.now() - foldedAt)}`)
  })
  after(() => bed.close())

  const hour = (back: number) => new Date(Math.floor(Date.now() / DAY_MS) * DAY_MS - (back * DAY_MS) / 24).toISOString()

  test('R102, R106: each API answers within a second, and the sums are those of the rows', async (t) => {
    const paths = [
      ...['model', 'vendor', 'app', 'key', 'system', 'account', 'backend', 'protocol'].map(
        (by) => `/api/usage?group_by=${by},day`,
      ),
      '/api/usage?group_by=model,hour',
      '/api/usage?group_by=key,hour&account_id=acc_3',
      `/api/usage?group_by=model&from=${hour(401)}&to=${hour(5)}`,
      '/api/usage/summary',
      '/api/insights/costs',
      '/api/stats/models',
      '/api/v1/activity',
      '/v1/usage/stats',
      '/v1/usage/stats?hour_of_day=5&day_of_week=2',
      '/v1/usage/recent?limit=1000',
      '/catalog/models',
      '/api/v1/models/openai/gpt-4o/endpoints',
      '/api/logs?limit=500',
      '/api/logs?account_id=acc_7&limit=500',
    ]
    for (const path of paths) {
      const begun = performance.now()
      const { status, text } = await bed.ask('GET', path, { key: bed.masterKey })
      const ms = performance.now() - begun
      t.diagnostic(`${path}: ${Math.round(ms)} ms, ${text.length} bytes`)
      assert.equal(status, 200, path)
      assert.ok(ms < ANSWER_MS_MAX, `${path}: ${ms} ms`)
    }
    const { json } = await bed.ask('GET', '/api/usage', { key: bed.masterKey })
    const [whole, fraction = ''] = json.total.charged_cost.split('.')
    assert.equal(BigInt(whole + fraction.padEnd(9, '0')), charged)
    assert.deepEqual([json.total.requests, json.complete], [ROWS, true])
  })

  test('R101: a page far back is as quick as the first one', async () => {
    const middleMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - (DAYS / 2) * DAY_MS
    const begun = performance.now()
    const { json } = await bed.ask('GET', `/api/logs?limit=500&cursor=${middleMs}.req_x`, { key: bed.masterKey })
    assert.equal(json.data.length, 500)
    assert.ok(performance.now() - begun < ANSWER_MS_MAX)
  })
})
