import { type TalliedRow, type TallyFacts, tallyFactsOf } from '#analytics/row-tally.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { Command } from './command.ts'
import type { RequestTable } from './schema.ts'
import { runAll, statement } from './statement.ts'
import type { Bound, Statement, Step } from './statement.ts'
import { readWarnings } from './warning-texts.ts'

/** A request row as it is bound: one value per column of REQUEST_COLUMNS. An array clones cheaper than an object. */
export type FlatRow = Bound[]

/** A command never carries more rows than this, so that a long write-behind flush does not delay a settlement. */
export const ROWS_PER_COMMAND_MAX = 100

const DIRECT_COLUMNS = [
  'request_id',
  'response_id',
  'ts_start_ms',
  'ts_end_ms',
  'account_id',
  'key_id',
  'system',
  'protocol',
  'model_id',
  'backend_id',
  'status',
  'status_code',
  'error_code',
  'latency_ms',
  'ttft_ms',
  'tokens_input',
  'tokens_cache_read',
  'tokens_cache_write',
  'tokens_cache_write_1h',
  'tokens_output',
  'tokens_reasoning',
  'list_cost_nano',
  'metered_cost_nano',
  'charged_cost_nano',
  'absorbed_cost_nano',
] as const satisfies readonly (keyof RequestRow & keyof RequestTable)[]

type DirectColumn = (typeof DIRECT_COLUMNS)[number]
type DetailKey = Exclude<keyof RequestRow, DirectColumn>

/** What a detail key reads as when its value was left out of the JSON. Spelled out so that a new key cannot be forgotten. */
const DETAIL_DEFAULTS: Readonly<Record<DetailKey, unknown>> = {
  client_request_id: null,
  upstream_request_id: null,
  key_name: null,
  app_title: null,
  app_referer: null,
  app_categories: null,
  user_agent: null,
  ip: null,
  method: null,
  path: null,
  stream: false,
  requested_model: null,
  alias_rule: null,
  rule: null,
  resolved_model: null,
  upstream_model: null,
  vendor: null,
  group_id: null,
  adapter: null,
  thinking: false,
  error_message: null,
  finish_reason: null,
  gen_ms: null,
  usage_source: null,
  price_version: null,
  attempts: [],
  warnings: [],
  warnings_more: 0,
  tool_calls_count: 0,
  cache_decision: null,
  environment: null,
  fault: null,
  session_id: null,
}

export const REQUEST_COLUMNS = [...DIRECT_COLUMNS, 'day_key', 'detail'] as const
type RequestColumn = (typeof REQUEST_COLUMNS)[number]

/** Where each column stands in a flat row. */
const AT = Object.fromEntries(REQUEST_COLUMNS.map((column, at) => [column, at])) as Record<RequestColumn, number>
const KEY_AT = AT.key_id
const CHARGED_AT = AT.charged_cost_nano
const ABSORBED_AT = AT.absorbed_cost_nano

/** Integer columns of the store are 64 bits wide; a cost beyond a billion USD is a broken upstream and is cut. */
export const AMOUNT_NANO_MAX = 10n ** 18n

const DAY_MS = 86_400_000

let lastDayNumber = Number.NaN
let lastDay = ''

/** The UTC day of a time, `2026-11-20`. */
export function dayKey(ms: number): string {
  const dayNumber = Math.floor(ms / DAY_MS)
  if (dayNumber !== lastDayNumber) {
    lastDay = new Date(ms).toISOString().slice(0, 10)
    lastDayNumber = dayNumber
  }
  return lastDay
}

/**
 * A row as the values of its columns, in the order of REQUEST_COLUMNS. Spelled out, because a loop over the names costs
 * several times as much and every request comes through here (R123); a test holds it against the names.
 */
export function flatten(row: RequestRow): FlatRow {
  return [
    row.request_id,
    row.response_id,
    row.ts_start_ms,
    row.ts_end_ms,
    row.account_id,
    row.key_id,
    row.system,
    row.protocol,
    row.model_id,
    row.backend_id,
    row.status,
    row.status_code,
    row.error_code,
    row.latency_ms,
    row.ttft_ms,
    row.tokens_input,
    row.tokens_cache_read,
    row.tokens_cache_write,
    row.tokens_cache_write_1h,
    row.tokens_output,
    row.tokens_reasoning,
    cut(row.list_cost_nano),
    cut(row.metered_cost_nano),
    cut(row.charged_cost_nano),
    cut(row.absorbed_cost_nano),
    dayKey(row.ts_start_ms),
    detailOf(row),
  ]
}

/** The key of a flat row. */
export const keyIdOf = (flat: FlatRow): string | null => flat[KEY_AT] as string | null

/** A flat row as what is counted of it. */
export function talliedRow(flat: FlatRow): TalliedRow {
  return {
    ts_start_ms: flat[AT.ts_start_ms] as TalliedRow['ts_start_ms'],
    account_id: flat[AT.account_id] as TalliedRow['account_id'],
    key_id: flat[AT.key_id] as TalliedRow['key_id'],
    system: flat[AT.system] as TalliedRow['system'],
    protocol: flat[AT.protocol] as TalliedRow['protocol'],
    model_id: flat[AT.model_id] as TalliedRow['model_id'],
    backend_id: flat[AT.backend_id] as TalliedRow['backend_id'],
    status: flat[AT.status] as TalliedRow['status'],
    latency_ms: flat[AT.latency_ms] as TalliedRow['latency_ms'],
    ttft_ms: flat[AT.ttft_ms] as TalliedRow['ttft_ms'],
    tokens_input: flat[AT.tokens_input] as TalliedRow['tokens_input'],
    tokens_cache_read: flat[AT.tokens_cache_read] as TalliedRow['tokens_cache_read'],
    tokens_cache_write: flat[AT.tokens_cache_write] as TalliedRow['tokens_cache_write'],
    tokens_cache_write_1h: flat[AT.tokens_cache_write_1h] as TalliedRow['tokens_cache_write_1h'],
    tokens_output: flat[AT.tokens_output] as TalliedRow['tokens_output'],
    tokens_reasoning: flat[AT.tokens_reasoning] as TalliedRow['tokens_reasoning'],
    list_cost_nano: flat[AT.list_cost_nano] as TalliedRow['list_cost_nano'],
    metered_cost_nano: flat[AT.metered_cost_nano] as TalliedRow['metered_cost_nano'],
    charged_cost_nano: flat[AT.charged_cost_nano] as TalliedRow['charged_cost_nano'],
    absorbed_cost_nano: flat[AT.absorbed_cost_nano] as TalliedRow['absorbed_cost_nano'],
    detail: flat[AT.detail] as TalliedRow['detail'],
  }
}

/** The rest of what is counted, which a flat row has in its detail. */
export const factsOf = (row: RequestRow): TallyFacts => tallyFactsOf(row, row.backend_id)

/** Sets what was really debited. */
export function setCharge(flat: FlatRow, chargedNano: bigint, absorbedNano: bigint): void {
  flat[CHARGED_AT] = chargedNano
  flat[ABSORBED_AT] = absorbedNano
}

/** The row that was flattened: every key of RequestRow, null and 0 as they were. */
export function unflatten(record: RequestTable): RequestRow {
  const row: Record<string, unknown> = {}
  for (const column of DIRECT_COLUMNS) row[column] = record[column]
  const detail = JSON.parse(record.detail) as Record<string, unknown>
  return { ...row, ...DETAIL_DEFAULTS, ...detail, ...readWarnings(detail['warnings']) } as unknown as RequestRow
}

/** The step that writes one row; a request id that has its row keeps it. */
export function insertStep(flat: FlatRow): Step {
  return { statement: insertRequest, parameters: flat }
}

/** The same with what was really debited. */
export function insertSettled(flat: FlatRow, chargedNano: bigint, absorbedNano: bigint): Step {
  const settled = flat.slice()
  setCharge(settled, chargedNano, absorbedNano)
  return insertStep(settled)
}

/** Rows that carry no money, written behind (R101). */
export const appendRows: Command<readonly FlatRow[], number> = {
  *work(rows) {
    const changes = yield* runAll(rows.map((row) => insertStep(row)))
    return changes.reduce((sum, count) => sum + count, 0)
  },
  accounts: () => [],
  repeatable: true,
}

export const insertRequest: Statement<RequestColumn, unknown> = statement<RequestColumn>()((db, param) =>
  db
    .insertInto('requests')
    .values(Object.fromEntries(REQUEST_COLUMNS.map((column) => [column, param(column)])) as never)
    .onConflict((conflict) => conflict.column('request_id').doNothing()),
)

const cut = (amountNano: bigint | null): bigint | null =>
  amountNano !== null && amountNano > AMOUNT_NANO_MAX ? AMOUNT_NANO_MAX : amountNano

/** JSON that holds U+0000 is not read by PostgreSQL, whatever of it is asked for: U+FFFD stands for it, as in its columns. */
const NUL = '\\u0000'
/** Behind a backslash that is one itself these are six characters of the text. */
const NULS = /(?<!\\)((?:\\\\)*)\\u0000/g

/** What is empty is left out: JSON has no undefined. One literal of one shape, for the same reason as in `flatten`. */
function detailOf(row: RequestRow): string {
  const detail: Record<DetailKey, unknown> = {
    client_request_id: row.client_request_id ?? undefined,
    upstream_request_id: row.upstream_request_id ?? undefined,
    key_name: row.key_name ?? undefined,
    app_title: row.app_title ?? undefined,
    app_referer: row.app_referer ?? undefined,
    app_categories: row.app_categories ?? undefined,
    user_agent: row.user_agent ?? undefined,
    ip: row.ip ?? undefined,
    method: row.method,
    path: row.path,
    stream: row.stream || undefined,
    requested_model: row.requested_model ?? undefined,
    alias_rule: row.alias_rule ?? undefined,
    rule: row.rule ?? undefined,
    resolved_model: row.resolved_model ?? undefined,
    upstream_model: row.upstream_model ?? undefined,
    vendor: row.vendor ?? undefined,
    group_id: row.group_id ?? undefined,
    adapter: row.adapter ?? undefined,
    thinking: row.thinking || undefined,
    error_message: row.error_message ?? undefined,
    finish_reason: row.finish_reason ?? undefined,
    gen_ms: row.gen_ms ?? undefined,
    usage_source: row.usage_source,
    price_version: row.price_version ?? undefined,
    attempts: row.attempts.length === 0 ? undefined : row.attempts,
    warnings: row.warnings.length === 0 ? undefined : row.warnings,
    warnings_more: row.warnings_more === 0 ? undefined : row.warnings_more,
    tool_calls_count: row.tool_calls_count === 0 ? undefined : row.tool_calls_count,
    cache_decision: row.cache_decision ?? undefined,
    environment: row.environment ?? undefined,
    fault: row.fault ?? undefined,
    session_id: row.session_id ?? undefined,
  }
  const text = JSON.stringify(detail)
  return text.includes(NUL) ? text.replace(NULS, '$1\\ufffd') : text
}
