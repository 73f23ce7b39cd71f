import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRetention } from '#analytics/retention.ts'
import { createRollups } from '#analytics/rollups.ts'
import { readUsage } from '#analytics/usage.ts'
import { createRequestLog } from '#observe/request-log.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { NOON_MS, openBooks, sampleRow } from './contract-books.ts'
import type { Harness } from './contract-books.ts'
import type { Store } from './store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MIDNIGHT_MS = NOON_MS - 12 * HOUR_MS

async function append(store: Store, rows: readonly RequestRow[]): Promise<void> {
  const log = createRequestLog(store)
  for (const row of rows) log.append(row)
  await log.flush()
}

/** Rows over ten days, three models and two apps; every figure differs from row to row. */
function rows(count: number): RequestRow[] {
  return Array.from({ length: count }, (_, at) =>
    sampleRow({
      request_id: `req_${at}`,
      ts_start_ms: MIDNIGHT_MS + Math.floor((at * 10 * DAY_MS) / count),
      account_id: `acc_${at % 2}`,
      key_id: at % 3 === 0 ? null : 'key_1',
      key_name: 'laptop',
      system: at % 4 === 0 ? 'crm' : null,
      app_title: at % 5 === 0 ? 'A' : null,
      model_id: `model-${at % 3}`,
      vendor: 'vendor',
      backend_id: 'main',
      status: at % 7 === 0 ? 'rejected' : 'ok',
      latency_ms: at,
      tokens_input: at,
      tokens_cache_read: 1,
      tokens_output: 2 * at,
      list_cost_nano: BigInt(at),
      charged_cost_nano: BigInt(at),
    }),
  )
}

const EVERYTHING = { fromMs: MIDNIGHT_MS, toMs: MIDNIGHT_MS + 10 * DAY_MS, filter: {} }
const sum = (values: readonly bigint[]): bigint => values.reduce((all, value) => all + value, 0n)

export function rollupContract(harness: Harness): void {
  foldContract(harness)
  test('R106: sums over any grouping equal the sums over the rows', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const all = rows(2_500)
    await append(store, all)
    assert.equal(await createRollups(store).catchUp(60_000), true)
    const charged = sum(all.map((row) => row.charged_cost_nano!))
    for (const groupBy of [
      [],
      ['model_id'],
      ['account_id', 'hour'],
      ['key_id'],
      ['system'],
      ['app', 'day'],
      ['vendor', 'week'],
      ['backend_id', 'month'],
      ['protocol'],
    ] as const) {
      const report = await readUsage(store, { ...EVERYTHING, groupBy })
      assert.equal(report.total.requests, 2_500)
      assert.equal(report.total.charged_nano, charged)
      if (groupBy.length === 0) continue
      assert.equal(sum(report.groups.map((group) => group.charged_nano)), charged, groupBy.join())
    }
    const apps = await readUsage(store, { ...EVERYTHING, groupBy: ['app'] })
    assert.deepEqual(apps.groups.map(({ dimensions }) => dimensions.app).toSorted(), ['A', 'laptop'])
    const own = await readUsage(store, { ...EVERYTHING, groupBy: ['model_id'], filter: { account_id: 'acc_1' } })
    const ownRows = all.filter((row) => row.account_id === 'acc_1')
    assert.equal(own.total.charged_nano, sum(ownRows.map((row) => row.charged_cost_nano!)))
    const first = own.groups.find(({ dimensions }) => dimensions.model_id === 'model-0')!
    const firstRows = ownRows.filter((row) => row.model_id === 'model-0')
    const well = firstRows.filter((row) => row.status === 'ok')
    assert.equal(first.tokens_output, Number(sum(firstRows.map((row) => BigInt(row.tokens_output!)))))
    assert.equal(first.tokens_cache_read, firstRows.length)
    assert.equal(first.errors, firstRows.length - well.length)
    assert.deepEqual(
      [first.latency_count, first.latency_ms],
      [well.length, well.reduce((all, row) => all + row.latency_ms, 0)],
    )
  })

  test('R106: a range is whole hours, of which days are read as days', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const all = rows(2_000)
    await append(store, all)
    await createRollups(store).catchUp(60_000)
    for (const [from, to] of [
      [5, 6],
      [5, 30],
      [0, 24],
      [5, 200],
      [24, 239],
      [7, 7],
    ] as const) {
      const [fromMs, toMs] = [MIDNIGHT_MS + from * HOUR_MS, MIDNIGHT_MS + to * HOUR_MS]
      const { total } = await readUsage(store, { fromMs, toMs, groupBy: [], filter: {} })
      const inside = all.filter((row) => row.ts_start_ms >= fromMs && row.ts_start_ms < toMs)
      assert.equal(total.requests, inside.length, `${from} to ${to}`)
      assert.equal(total.charged_nano, sum(inside.map((row) => row.charged_cost_nano!)))
    }
  })
}

function foldContract(harness: Harness): void {
  retentionContract(harness)
  test('rollups: a row is counted once, however often and by how many it is folded, and after a restart', async () => {
    const { store, again } = await harness.open()
    await append(store, rows(1_500))
    await Promise.all([createRollups(store).catchUp(60_000), createRollups(store).catchUp(60_000)])
    assert.equal(await createRollups(store).catchUp(60_000), true)
    assert.equal((await readUsage(store, { ...EVERYTHING, groupBy: [] })).total.requests, 1_500)
    await append(store, [sampleRow({ request_id: 'req_late', ts_start_ms: MIDNIGHT_MS + 5 })])
    await store.close()
    const reopened = await again()
    try {
      assert.equal(await createRollups(reopened).catchUp(60_000), true)
      assert.equal((await readUsage(reopened, { ...EVERYTHING, groupBy: [] })).total.requests, 1_501)
    } finally {
      await reopened.close()
    }
  })

  test('rollups: a broken upstream cannot make a sum overflow', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const broken = { list_cost_nano: 10n ** 18n, metered_cost_nano: 10n ** 18n, tokens_output: Number.MAX_SAFE_INTEGER }
    await append(
      store,
      Array.from({ length: 20 }, (_, at) => sampleRow({ request_id: `req_${at}`, model_id: 'm', ...broken })),
    )
    assert.equal(await createRollups(store).catchUp(60_000), true)
    const { total } = await readUsage(store, { ...EVERYTHING, groupBy: [] })
    assert.deepEqual([total.list_nano, total.tokens_output], [20n * 10n ** 15n, 20_000_000_000])
  })

  test('R103: the app is the title, else the referer, else the key, else the program', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const agent = (request_id: string, user_agent: string | null, change: Partial<RequestRow> = {}) =>
      sampleRow({ request_id, user_agent, ...change })
    await append(store, [
      agent('1', 'claude-cli/1.2.3 (external, cli)'),
      agent('2', 'OpenAI/JS 4.1'),
      agent('3', 'curl'),
      agent('4', null),
      agent('5', 'curl', { key_name: 'key' }),
      agent('6', 'curl', { key_name: 'key', app_referer: 'https://example.org' }),
      agent('7', 'curl', { key_name: 'key', app_referer: 'https://example.org', app_title: 'Title' }),
    ])
    await createRollups(store).catchUp(60_000)
    const { groups } = await readUsage(store, { ...EVERYTHING, groupBy: ['app'] })
    const names = groups.map(({ dimensions }) => String(dimensions.app)).toSorted()
    assert.deepEqual(names, ['OpenAI/JS', 'Title', 'claude-cli', 'curl', 'https://example.org', 'key', 'null'])
  })
}

/** What SQLite says that a VACUUM may do: close the gaps that deleted rows have left. */
async function renumberRows(harness: Harness, store: Store): Promise<void> {
  await harness.tamper(store, "delete from requests where request_id in ('req_1', 'req_2', 'req_3')")
  await harness.tamper(store, 'update requests set rowid = rowid - 3 where rowid > 4')
}

function retentionContract(harness: Harness): void {
  test('rollups: after a restore into a server that counts its transactions anew nothing is lost or counted twice', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    await append(store, rows(300))
    await createRollups(store).catchUp(60_000)
    if (harness.engine === 'postgres') {
      // As the old server had numbered them: high, and the last row not folded yet.
      await harness.tamper(store, 'update requests set added_tx = 900000000000')
      await harness.tamper(store, 'update rollup_cursor set position = 900000000000')
      await append(store, [sampleRow({ request_id: 'tail', ts_start_ms: MIDNIGHT_MS })])
      await harness.tamper(store, "update requests set added_tx = 900000000001 where request_id = 'tail'")
    } else await append(store, [sampleRow({ request_id: 'tail', ts_start_ms: MIDNIGHT_MS })])
    await createRollups(store).catchUp(60_000)
    // And once more with everything folded, which no number tells from an idle gateway. A gateway that starts folds at once.
    if (harness.engine === 'postgres') {
      await harness.tamper(store, 'update requests set added_tx = 900000000000')
      await harness.tamper(store, 'update rollup_cursor set position = 900000000000')
      await createRollups(store).catchUp(60_000)
    } else await renumberRows(harness, store)
    await append(store, [sampleRow({ request_id: 'new', ts_start_ms: MIDNIGHT_MS })])
    await createRollups(store).catchUp(60_000)
    const { total } = await readUsage(store, { ...EVERYTHING, groupBy: [] })
    assert.equal(total.requests, 302)
  })

  test('R101: old rows go and their sums stay; a row that is not counted yet stays, and the newest one', async () => {
    await using books = await openBooks(harness)
    const { store } = books
    const all = rows(1_200)
    await append(store, all)
    const nowMs = MIDNIGHT_MS + 15 * DAY_MS
    const count = async () => (await store.read.selectFrom('requests').select('request_id').execute()).length
    assert.equal(await createRetention(store, () => 7).sweep(nowMs), 0)
    await createRollups(store).catchUp(60_000)
    assert.equal(await createRetention(store, () => 0).sweep(nowMs), 0)
    assert.equal(await createRetention(store, () => 7).sweep(nowMs), 960)
    assert.equal(await count(), 240)
    // On PostgreSQL the rows of the newest transaction stay.
    const swept = await createRetention(store, () => 7).sweep(nowMs + 30 * DAY_MS)
    assert.ok(swept > 100 && swept < 240, String(swept))
    const before = await readUsage(store, { ...EVERYTHING, groupBy: [] })
    assert.equal(before.total.requests, 1_200)
    await append(store, [sampleRow({ request_id: 'req_new', ts_start_ms: MIDNIGHT_MS })])
    await createRollups(store).catchUp(60_000)
    const later = await readUsage(store, { ...EVERYTHING, groupBy: [] })
    assert.equal(later.total.requests, 1_201)
  })
}
