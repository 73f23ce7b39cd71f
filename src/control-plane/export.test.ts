import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createRequestLog } from '#observe/request-log.ts'
import { EXPORT_ROWS_AT_ONCE } from './export.ts'
import { csvCell } from './export-text.ts'
import { createRequestReads } from './request-reads.ts'
import { requestRow, startTestbed, type Testbed } from './testbed.ts'
import { RECENT_DEFAULT, RECENT_MAX } from './tracked-usage.ts'

const ROWS = 5_000
const HOUR_MS = 3_600_000
const START_MS = Date.UTC(2026, 0, 5)
const RANGE = 'from=2026-01-05T00:00:00Z&to=2026-02-01T00:00:00Z'
const DATES = 'start_date=2026-01-05&end_date=2026-02-01'

describe('export', () => {
  let bed: Testbed
  let pages = 0
  let keys: string[]
  before(async () => {
    const reads = { current: null as ReturnType<typeof createRequestReads> | null }
    bed = await startTestbed({
      requests: {
        find: (id, accountId) => reads.current!.find(id, accountId),
        keyNames: (ids) => reads.current!.keyNames(ids),
        list(query) {
          pages++
          return reads.current!.list(query)
        },
      },
    })
    reads.current = createRequestReads(bed.store)
    const log = createRequestLog(bed.store)
    const people = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const account = await bed.accounts.create({ email: `${name}@example.com`, mode: 'prepaid', actor: 'test' })
        const { plaintext } = await bed.keys.create({ name, accountId: account.id })
        return { id: account.id, key: plaintext }
      }),
    )
    keys = people.map(({ key }) => key)
    for (let at = 0; at < ROWS; at++)
      log.append(
        requestRow({
          request_id: `req_${at}`,
          account_id: people[at % 2]!.id,
          // Several rows of one millisecond lie on both sides of a page's end.
          ts_start_ms: START_MS + Math.floor(at / 7) * (HOUR_MS / 4),
          charged_cost_nano: BigInt(at) * 1_000_001n,
          app_title: at === 3 ? '=1+1' : at === 4 ? 'a "b", c' : null,
          user_agent: at % 10 === 0 ? '100%_sure/1' : 'curl/8',
        }),
      )
    await log.flush()
  })
  after(() => bed.close())
  const ask = (path: string, key = bed.masterKey) => bed.ask('GET', path, { key })

  /** An answer waits for rows that are not counted yet, but not for long. */
  const complete = async (path: string) => {
    for (;;) {
      const told = await ask(path)
      if (told.json.complete) return told
    }
  }

  test('R107: 5000 rows are 5001 lines, and their costs add up to the total of the API', async () => {
    const { text, headers } = await ask(`/api/usage/export?${RANGE}`)
    assert.equal(headers['content-disposition'], 'attachment; filename="usage-2026-01-05_2026-02-01.csv"')
    const lines = text.trimEnd().split('\r\n')
    assert.equal(lines.length, ROWS + 1)
    const column = lines[0]!.split(',').indexOf('charged_cost')
    const fromEnd = lines[0]!.split(',').length - column
    const nano = lines.slice(1).map((line) => {
      const [whole = '0', fraction = ''] = line.split(',').at(-fromEnd)!.split('.')
      return BigInt(whole + fraction.padEnd(9, '0'))
    })
    const { json } = await complete(`/api/usage?${RANGE}`)
    const [whole, fraction = ''] = json.total.charged_cost.split('.')
    assert.equal(
      nano.reduce((sum, one) => sum + one, 0n),
      BigInt(whole + fraction.padEnd(9, '0')),
    )
    const ids = new Set(lines.slice(1).map((line) => line.split(',', 1)[0]))
    assert.equal(ids.size, ROWS)
  })

  test('R107: JSON lines are the rows of the log; a key gets its own without backends', async () => {
    const { text, headers } = await ask(`/v1/usage/export?format=jsonl&${DATES}`, keys[0])
    assert.match(headers['content-type']!, /ndjson/)
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.equal(lines.length, ROWS / 2)
    assert.ok(lines.every((row) => row.backend_id === null))
    const csv = await ask(`/v1/usage/export?${DATES}`, keys[1])
    assert.equal(csv.text.includes('gpt-4o-2024'), false)
    assert.equal(csv.text.trimEnd().split('\r\n').length, ROWS / 2 + 1)
  })

  test('R107: what begins like a formula is text, and quotes are doubled', async () => {
    for (const text of ['=1+1', '+1', '-1', '@x', '\t=1', '\r=1']) assert.equal(csvCell(text), `"'${text}"`)
    assert.equal(csvCell('a,b'), '"a,b"')
    assert.equal(csvCell(-1), '-1')
    assert.equal(csvCell(null), '')
    const { text } = await ask(`/api/usage/export?${RANGE}`)
    assert.ok(text.includes(`,"'=1+1",`) && text.includes(',"a ""b"", c",'))
  })

  test('R107: pages are read one by one as the reader takes them', async () => {
    const root = await bed.app.listen({ host: '127.0.0.1', port: 0 })
    pages = 0
    const leaving = new AbortController()
    const answer = await fetch(`${root}/api/usage/export?format=jsonl&${RANGE}`, {
      headers: { authorization: `Bearer ${bed.masterKey}` },
      signal: leaving.signal,
    })
    const reader = answer.body!.getReader()
    await reader.read()
    const atFirst = pages
    let bytes = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length
    assert.ok(bytes > 0)
    assert.ok(atFirst < pages, `${atFirst} of ${pages}`)
    assert.equal(pages, ROWS / EXPORT_ROWS_AT_ONCE)
  })

  test('R106: the reference’s usage routes with its filters', async () => {
    const all = await complete(`/v1/usage/stats?${DATES}`)
    assert.equal(all.json.requests, ROWS)
    assert.equal(all.json.by_model[0].model, 'gpt-4o')
    assert.equal(all.json.by_frontend[0].protocol, 'openai')
    assert.equal(all.json.by_backend[0].backend, 'openai')
    assert.equal((await ask(`/v1/usage/stats?${DATES}`, keys[0])).json.by_backend, undefined)
    const hour = await ask(`/v1/usage/stats?${DATES}&hour_of_day=5&day_of_week=1`)
    const rows = await ask(`/v1/usage/recent?${DATES}&hour_of_day=5&day_of_week=1&limit=${RECENT_MAX}`)
    assert.equal(hour.json.requests, rows.json.data.length)
    assert.equal(rows.json.data.length, 2 * 28)
    assert.ok(rows.json.data.every((row: { ts_start: string }) => /^2026-01-(05|12)T05/.test(row.ts_start)))
    assert.equal((await ask('/v1/usage/recent')).json.data.length, RECENT_DEFAULT)
    const sure = await ask(`/v1/usage/recent?user_agent=${encodeURIComponent('100%_SURE')}&limit=${RECENT_MAX}`)
    assert.equal(sure.json.data.length, ROWS / 10)
    assert.equal((await ask(`/v1/usage/recent?limit=${RECENT_MAX + 1}`)).status, 400)
    assert.equal((await ask('/v1/usage/stats?user_agent=curl')).status, 400)
    assert.equal((await ask('/v1/usage/stats?hour_of_day=24')).status, 400)
    assert.equal((await ask('/v1/usage/stats?backend_type=openai', keys[0])).status, 403)
    assert.equal((await ask('/api/usage/export?format=xls')).status, 400)
  })
})
