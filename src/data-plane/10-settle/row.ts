import type { IncomingHttpHeaders } from 'node:http'
import type { NanoUsd } from '#base/money.ts'
import type { Usage } from '#ir/usage.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { UpstreamError } from '#data-plane/7-call/upstream-error.ts'
import type { Outcome } from '#data-plane/9-reply/reply.ts'
import type { Seen } from '#data-plane/seen.ts'

/** Bounds of what a client may write into our log (R101, R103). */
export const MESSAGE_CHARACTERS_MAX = 500
export const HEADER_CHARACTERS_MAX = 256

/** The log row of a request, from whatever steps it reached. The same keys always (R101). */
export function rowOf(
  seen: Seen,
  outcome: Outcome | undefined,
  usage: Usage | null,
  costNano: NanoUsd | null,
): RequestRow {
  const { exchange, caller, plan } = seen
  const { headers } = exchange.request
  const isBilled = seen.hold?.metered === true
  return {
    request_id: exchange.id,
    client_request_id: header(headers, 'x-request-id', 128),
    upstream_request_id: seen.answer?.upstreamRequestId ?? null,
    response_id: seen.tally?.responseId() ?? null,
    ...timesOf(seen),
    account_id: caller?.account.id ?? null,
    key_id: caller?.key?.id ?? null,
    key_name: caller?.key?.name ?? null,
    system: caller?.key?.system ?? null,
    app_title: header(headers, 'x-openrouter-title') ?? header(headers, 'x-title'),
    app_referer: header(headers, 'http-referer') ?? header(headers, 'referer'),
    user_agent: header(headers, 'user-agent'),
    ip: exchange.request.socket.remoteAddress ?? null,
    protocol: exchange.endpoint.surface,
    method: exchange.method.slice(0, 16),
    path: exchange.path.slice(0, HEADER_CHARACTERS_MAX),
    stream: seen.parsed?.stream ?? false,
    requested_model: (seen.parsed?.model ?? exchange.pathModel)?.slice(0, HEADER_CHARACTERS_MAX) ?? null,
    alias_rule: null,
    resolved_model: seen.selection?.model.id ?? null,
    model_id: plan?.model.id ?? null,
    ...upstreamOf(seen),
    group_id: plan?.group ?? null,
    adapter: plan?.adapter ?? null,
    thinking: false,
    ...statusOf(seen, outcome),
    finish_reason: seen.tally?.finishReason() ?? null,
    ...tokensOf(usage),
    list_cost_nano: costNano,
    metered_cost_nano: costNano,
    charged_cost_nano: isBilled ? (costNano ?? 0n) : null,
    absorbed_cost_nano: null,
    price_version: seen.tally?.price?.version ?? null,
    attempts: attemptsOf(seen),
    warnings: seen.answer?.warnings ?? [],
    tool_calls_count: seen.tally?.toolCallsCount() ?? 0,
  }
}

type Part<K extends keyof RequestRow> = Pick<RequestRow, K>

function timesOf(seen: Seen): Part<'ts_start_ms' | 'ts_end_ms' | 'latency_ms' | 'ttft_ms' | 'gen_ms'> {
  const { exchange, answer } = seen
  const now = performance.now()
  const latencyMs = Math.round(now - exchange.startedAt)
  const firstContentAt = answer?.kind === 'stream' ? answer.firstContentAt : null
  return {
    ts_start_ms: exchange.startedMs,
    ts_end_ms: exchange.startedMs + latencyMs,
    latency_ms: latencyMs,
    ttft_ms: firstContentAt === null ? null : Math.round(firstContentAt - exchange.startedAt),
    gen_ms: firstContentAt === null ? null : Math.round(now - firstContentAt),
  }
}

function upstreamOf(seen: Seen): Part<'upstream_model' | 'vendor' | 'backend_id'> {
  const route = (seen.answer?.target ?? seen.plan?.targets[0])?.route
  return {
    upstream_model: route?.upstreamModel ?? null,
    vendor: seen.selection?.model.vendor ?? null,
    backend_id: route?.backend.id ?? null,
  }
}

function statusOf(
  seen: Seen,
  outcome: Outcome | undefined,
): Part<'status' | 'status_code' | 'error_code' | 'error_message'> {
  const { error, exchange } = seen
  if (error) {
    const status = exchange.departure.gone
      ? 'client_cancelled'
      : error instanceof UpstreamError
        ? 'upstream_error'
        : 'rejected'
    return {
      status: error.code === 'internal_error' ? 'error' : status,
      status_code: exchange.departure.gone ? 499 : error.status,
      error_code: exchange.departure.gone ? 'client_closed_request' : error.code,
      error_message: error.message.slice(0, MESSAGE_CHARACTERS_MAX),
    }
  }
  const done = { status_code: 200, error_code: null, error_message: null }
  switch (outcome) {
    case 'client_cancelled':
      return { ...done, status: 'client_cancelled', error_code: 'client_closed_request' }
    case 'upstream_disconnect':
      return { ...done, status: 'upstream_disconnect', error_code: 'upstream_unavailable' }
    case 'complete':
    case undefined:
      return { ...done, status: 'ok' }
    default: {
      const missed: never = outcome
      throw new Error(`unknown outcome ${String(missed)}`)
    }
  }
}

type Tokens = Part<
  | 'tokens_input'
  | 'tokens_cache_read'
  | 'tokens_cache_write'
  | 'tokens_cache_write_1h'
  | 'tokens_output'
  | 'tokens_reasoning'
  | 'usage_source'
>

function tokensOf(usage: Usage | null): Tokens {
  return {
    tokens_input: usage?.input ?? null,
    tokens_cache_read: usage?.cacheRead ?? null,
    tokens_cache_write: usage?.cacheWrite ?? null,
    tokens_cache_write_1h: usage?.cacheWrite1h ?? null,
    tokens_output: usage?.output ?? null,
    tokens_reasoning: usage?.reasoning ?? null,
    usage_source: usage?.source ?? 'none',
  }
}

function attemptsOf(seen: Seen): RequestRow['attempts'] {
  if (seen.answer) return seen.answer.attempts
  return seen.error instanceof UpstreamError ? seen.error.attempts : []
}

const PRINTABLE = /[^\x20-\x7e\u00a0-\uffff]/g

function header(headers: IncomingHttpHeaders, name: string, charactersMax = HEADER_CHARACTERS_MAX): string | null {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value.slice(0, charactersMax).replace(PRINTABLE, '') : null
}
