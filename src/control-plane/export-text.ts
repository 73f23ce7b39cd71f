import { formatUsd } from '#base/money.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { logObject, type LogView } from './log-object.ts'

/** A line per request, every value flat. */
type Column = readonly [name: string, value: (row: RequestRow) => string | number | boolean | null]

const cost = (amount: bigint | null): string | null => (amount === null ? null : formatUsd(amount))

/** The columns of an export, in their order (R107). Backends are an operator's. */
const COLUMNS: readonly Column[] = [
  ['request_id', (row) => row.request_id],
  ['ts_start', (row) => new Date(row.ts_start_ms).toISOString()],
  ['ts_end', (row) => new Date(row.ts_end_ms).toISOString()],
  ['account_id', (row) => row.account_id],
  ['key_id', (row) => row.key_id],
  ['key_name', (row) => row.key_name],
  ['system', (row) => row.system],
  ['app_title', (row) => row.app_title],
  ['app_referer', (row) => row.app_referer],
  ['app_categories', (row) => row.app_categories],
  ['user_agent', (row) => row.user_agent],
  ['protocol', (row) => row.protocol],
  ['stream', (row) => row.stream],
  ['requested_model', (row) => row.requested_model],
  ['model_id', (row) => row.model_id],
  ['vendor', (row) => row.vendor],
  ['backend_id', (row) => row.backend_id],
  ['status', (row) => row.status],
  ['status_code', (row) => row.status_code],
  ['error_code', (row) => row.error_code],
  ['finish_reason', (row) => row.finish_reason],
  ['latency_ms', (row) => row.latency_ms],
  ['ttft_ms', (row) => row.ttft_ms],
  ['tokens_input', (row) => row.tokens_input],
  ['tokens_cache_read', (row) => row.tokens_cache_read],
  ['tokens_cache_write', (row) => row.tokens_cache_write],
  ['tokens_cache_write_1h', (row) => row.tokens_cache_write_1h],
  ['tokens_output', (row) => row.tokens_output],
  ['tokens_reasoning', (row) => row.tokens_reasoning],
  ['usage_source', (row) => row.usage_source],
  ['list_cost', (row) => cost(row.list_cost_nano)],
  ['metered_cost', (row) => cost(row.metered_cost_nano)],
  ['charged_cost', (row) => cost(row.charged_cost_nano)],
  ['absorbed_cost', (row) => cost(row.absorbed_cost_nano)],
]

export const CSV_HEAD = `${COLUMNS.map(([name]) => name).join(',')}\r\n`

export function csvLine(row: RequestRow, { showBackends }: LogView): string {
  const cells = COLUMNS.map(([name, value]) => (name === 'backend_id' && !showBackends ? null : value(row)))
  return `${cells.map(csvCell).join(',')}\r\n`
}

/** The row as `GET /api/logs` has it. */
export const jsonLine = (row: RequestRow, view: LogView): string => `${JSON.stringify(logObject(row, view))}\n`

/** A spreadsheet runs what begins like a formula: such a text gets an apostrophe in front. */
const FORMULA = /^[=+\-@\t\r]/
const NEEDS_QUOTES = /[",\r\n]/

/** One cell (RFC 4180). Null and absent are empty. */
export function csvCell(value: string | number | boolean | null): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  if (FORMULA.test(value)) return `"'${value.replaceAll('"', '""')}"`
  return NEEDS_QUOTES.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}
