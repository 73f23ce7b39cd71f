import { formatUsd, type NanoUsd } from '#base/money.ts'
import type { AttemptRecord, RequestRow } from '#observe/request-row.ts'

export interface LogView {
  /** Operators see backends, upstream names and upstream ids; the keys are there for everybody (R101). */
  readonly showBackends: boolean
  readonly currency: string
}

/** One request as `GET /api/logs` shows it: the same keys for every protocol and outcome, costs as decimal strings. */
export function logObject(row: RequestRow, { showBackends, currency }: LogView): Record<string, unknown> {
  return {
    request_id: row.request_id,
    client_request_id: row.client_request_id,
    upstream_request_id: showBackends ? row.upstream_request_id : null,
    response_id: row.response_id,
    ts_start: new Date(row.ts_start_ms).toISOString(),
    ts_end: new Date(row.ts_end_ms).toISOString(),
    account_id: row.account_id,
    key_id: row.key_id,
    key_name: row.key_name,
    system: row.system,
    app: { title: row.app_title, referer: row.app_referer, categories: categoriesOf(row) },
    user_agent: row.user_agent,
    ip: row.ip,
    protocol: row.protocol,
    method: row.method,
    path: row.path,
    stream: row.stream,
    requested_model: row.requested_model,
    alias_rule: row.alias_rule,
    rule: row.rule,
    resolved_model: row.resolved_model,
    model_id: row.model_id,
    upstream_model: showBackends ? row.upstream_model : null,
    vendor: row.vendor,
    backend_id: showBackends ? row.backend_id : null,
    group: row.group_id,
    adapter: showBackends ? row.adapter : null,
    thinking: row.thinking,
    status: row.status,
    status_code: row.status_code,
    error_code: row.error_code,
    error_message: row.error_message,
    finish_reason: row.finish_reason,
    latency_ms: row.latency_ms,
    ttft_ms: row.ttft_ms,
    gen_ms: row.gen_ms,
    tokens: tokensOf(row),
    usage_source: row.usage_source,
    list_cost: textOrNull(row.list_cost_nano),
    metered_cost: textOrNull(row.metered_cost_nano),
    charged_cost: textOrNull(row.charged_cost_nano),
    absorbed_cost: textOrNull(row.absorbed_cost_nano),
    currency,
    price_version: row.price_version,
    attempts: row.attempts.map((attempt) => attemptObject(attempt, showBackends)),
    warnings: row.warnings,
    warnings_more: row.warnings_more,
    tool_calls_count: row.tool_calls_count,
    cache_decision: row.cache_decision,
    fault: row.fault,
    environment: row.environment ?? (row.key_id === null ? null : 'production'),
  }
}

/** Names; none: an empty list. */
const categoriesOf = ({ app_categories: text }: RequestRow): string[] =>
  (text ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

/** Disjoint classes; reasoning is part of output. The total is null where nothing was reported. */
function tokensOf(row: RequestRow): Record<string, number | null> {
  return {
    input: row.tokens_input,
    output: row.tokens_output,
    reasoning: row.tokens_reasoning,
    cache_read: row.tokens_cache_read,
    cache_write: row.tokens_cache_write,
    cache_write_1h: row.tokens_cache_write_1h,
    total: sumReported([promptTokens(row), row.tokens_output]),
  }
}

/** All input of a request, cached or not; null when nothing was reported. */
export function promptTokens(row: RequestRow): number | null {
  return sumReported([row.tokens_input, row.tokens_cache_read, row.tokens_cache_write, row.tokens_cache_write_1h])
}

function sumReported(counts: readonly (number | null)[]): number | null {
  const reported = counts.filter((count) => count !== null)
  return reported.length === 0 ? null : reported.reduce((sum, count) => sum + count, 0)
}

function attemptObject(attempt: AttemptRecord, showBackends: boolean): Record<string, unknown> {
  return {
    backend: showBackends ? attempt.backend : null,
    status: attempt.status,
    error_code: attempt.error_code,
    latency_ms: attempt.latency_ms,
    retry_after: attempt.retry_after,
  }
}

const textOrNull = (amount: NanoUsd | null): string | null => (amount === null ? null : formatUsd(amount))
