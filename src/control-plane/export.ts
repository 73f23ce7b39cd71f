import { Readable } from 'node:stream'
import { z } from 'zod'
import type { Page } from '#accounts/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { RequestFilter } from '#store/reads.ts'
import type { Answer, Call } from './call.ts'
import { CSV_HEAD, csvLine, jsonLine } from './export-text.ts'
import { LOG_FILTERS, logFilterOf, logViewOf } from './logs.ts'
import { analyticsOf, type Reader } from './reader.ts'
import { rangeOf } from './usage.ts'
import { validate } from './validate.ts'

/** Rows that are in memory at once. */
export const EXPORT_ROWS_AT_ONCE = 500

const FORMAT = z.enum(['csv', 'jsonl'], 'expected csv or jsonl').default('csv')
const EXPORT_QUERY = z.object({ ...LOG_FILTERS, format: FORMAT })

/** `GET /api/usage/export`: the log rows of a range as a file, newest first, one page at a time (R107). */
export function exportUsage(call: Call<Reader>): Promise<Answer> {
  const { format, ...query } = validate(EXPORT_QUERY, call.query)
  return exportRows(call, format, logFilterOf(call, { ...query, ...namedRange(call, query) }))
}

function namedRange(call: Call, query: { from?: number | undefined; to?: number | undefined }) {
  const { fromMs: from, toMs: to } = rangeOf(call, query)
  return { from, to }
}

/** A file of the rows that a filter lets through; its range is in its name. */
export async function exportRows(call: Call<Reader>, format: 'csv' | 'jsonl', filter: RequestFilter): Promise<Answer> {
  analyticsOf(call)
  const view = logViewOf(call)
  const read = (cursor?: string) => call.deps.requests.list({ filter, limit: EXPORT_ROWS_AT_ONCE, cursor })
  // A failure before the first byte is an answer of its own; a later one breaks the connection off.
  const first = await read()
  const lineOf = format === 'csv' ? csvLine : jsonLine
  const textOf = (page: Page<RequestRow>): string => page.data.map((row) => lineOf(row, view)).join('')
  async function* pages(): AsyncGenerator<string> {
    if (format === 'csv') yield CSV_HEAD
    for (let page = first; ; page = await read(page.nextCursor!)) {
      if (page.data.length > 0) yield textOf(page)
      if (page.nextCursor === null) return
    }
  }
  const day = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString().slice(0, 10))
  const name = `usage-${day(filter.fromMs)}_${day(filter.toMs)}.${format}`
  return {
    headers: {
      'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8',
      'content-disposition': `attachment; filename="${name}"`,
    },
    body: Readable.from(pages(), { objectMode: false, highWaterMark: 1 }),
  }
}
