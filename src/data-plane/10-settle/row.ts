import type { IncomingHttpHeaders } from 'node:http'
import { ERRORS, type GatewayError } from '#base/errors.ts'
import { adapterOf } from '#base/protocols.ts'
import type { Cost } from '#ledger/cost.ts'
import type { Usage } from '#ir/usage.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { Outcome } from '#data-plane/9-reply/reply.ts'
import type { Seen } from '#data-plane/seen.ts'
import { cacheDecisionOf } from '#data-plane/cache-decision.ts'

/** Bounds of what a client may write into our log (R101, R103). */
export const MESSAGE_CHARACTERS_MAX = 500
export const HEADER_CHARACTERS_MAX = 256
export const CLIENT_ID_CHARACTERS_MAX = 128
const METHOD_CHARACTERS_MAX = 16

/**
 * The log row of a request, from whatever steps it reached. The same keys always (R101). One literal without spreads,
 * because every request builds one.
 */
export function rowOf(seen: Seen, outcome: Outcome | undefined, usage: Usage | null, cost: Cost | null): RequestRow {
  const { exchange, caller, plan, answer, tally, selection } = seen
  const { headers } = exchange.request
  const latencyMs = Math.round(performance.now() - exchange.startedAt)
  const ttftMs = answer?.kind === 'stream' ? Math.round(answer.firstContentAt - exchange.startedAt) : null
  const target = answer?.target ?? plan?.targets[0]
  const route = target?.route
  const status = statusOf(seen, outcome)
  const kept = seen.report?.kept()
  return {
    request_id: exchange.id,
    client_request_id: header(headers['x-request-id'], CLIENT_ID_CHARACTERS_MAX),
    upstream_request_id: answer?.upstreamRequestId ?? null,
    response_id: tally?.responseId() ?? null,
    ts_start_ms: exchange.startedMs,
    ts_end_ms: exchange.startedMs + latencyMs,
    account_id: caller?.account.id ?? null,
    key_id: caller?.key?.id ?? null,
    key_name: caller?.key?.name ?? null,
    system: caller?.key?.system ?? null,
    app_title: titleOf(headers, caller?.key?.record?.app ?? null),
    app_referer: header(headers['http-referer'] ?? headers.referer),
    app_categories: header(headers['x-openrouter-categories']),
    user_agent: header(headers['user-agent']),
    ip: exchange.request.socket.remoteAddress ?? null,
    protocol: exchange.endpoint.surface,
    method: exchange.method.slice(0, METHOD_CHARACTERS_MAX),
    path: exchange.path.slice(0, HEADER_CHARACTERS_MAX),
    stream: seen.parsed?.stream ?? false,
    requested_model: (seen.parsed?.model ?? exchange.pathModel)?.slice(0, HEADER_CHARACTERS_MAX) || null,
    alias_rule: selection?.aliasRule ?? null,
    rule: selection?.rule ?? null,
    resolved_model: selection?.resolved.slice(0, HEADER_CHARACTERS_MAX) ?? null,
    model_id: route?.model.id ?? null,
    upstream_model: route?.upstreamModel ?? null,
    vendor: selection?.model.vendor ?? null,
    backend_id: route?.backend.id ?? null,
    group_id: plan?.group ?? null,
    adapter: target && seen.parsed ? adapterOf(seen.parsed.surface, target.protocol) : null,
    thinking: (target?.selection ?? selection)?.thinking ?? false,
    status: status.status,
    status_code: status.status_code,
    error_code: status.error_code,
    error_message: status.error_message,
    finish_reason: tally?.finishReason() ?? null,
    latency_ms: latencyMs,
    ttft_ms: ttftMs,
    gen_ms: ttftMs === null ? null : latencyMs - ttftMs,
    tokens_input: usage?.input ?? null,
    tokens_cache_read: usage?.cacheRead ?? null,
    tokens_cache_write: usage?.cacheWrite ?? null,
    tokens_cache_write_1h: usage?.cacheWrite1h ?? null,
    tokens_output: usage?.output ?? null,
    tokens_reasoning: usage?.reasoning ?? null,
    usage_source: usage?.source ?? 'none',
    list_cost_nano: cost?.listNano ?? null,
    metered_cost_nano: cost?.meteredNano ?? null,
    charged_cost_nano: seen.hold?.metered ? (cost?.nano ?? 0n) : null,
    absorbed_cost_nano: null,
    price_version: tally?.price?.version ?? null,
    attempts: attemptsOf(seen),
    fault: plan?.fault ?? null,
    session_id: seen.session?.ask.id ?? null,
    environment: caller?.key?.environment === 'test' ? 'test' : null,
    warnings: kept?.warnings ?? [],
    warnings_more: kept?.warnings_more ?? 0,
    tool_calls_count: tally?.toolCallsCount() ?? 0,
    cache_decision: plan ? cacheDecisionOf(plan, answer) : null,
  }
}

/** What the application calls itself; where the request says nothing of it, what its key says (R103). */
function titleOf(headers: IncomingHttpHeaders, app: string | null): string | null {
  const title = header(headers['x-openrouter-title'] ?? headers['x-title'])
  if (app === null || title !== null) return title
  return (headers['http-referer'] ?? headers.referer) ? null : app
}

type Status = Pick<RequestRow, 'status' | 'status_code' | 'error_code' | 'error_message'>

const OK: Status = { status: 'ok', status_code: 200, error_code: null, error_message: null }

function statusOf(seen: Seen, outcome: Outcome | undefined): Status {
  const { error, exchange, breach } = seen
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
      error_message: messageOf(error),
    }
  }
  switch (outcome) {
    case 'client_cancelled':
      return { ...OK, status: 'client_cancelled', error_code: 'client_closed_request' }
    case 'upstream_disconnect':
      return {
        ...OK,
        status: 'upstream_disconnect',
        error_code: breach && Object.hasOwn(ERRORS, breach.code) ? breach.code : 'upstream_unavailable',
        error_message: breach ? failureText(breach.status, breach.upstreamType, breach.upstreamCode) : null,
      }
    case 'out_of_funds':
      return { ...OK, status: 'rejected', error_code: breach!.code, error_message: breach!.message }
    case 'complete':
    case undefined:
      return OK
    default: {
      const missed: never = outcome
      throw new Error(`unknown outcome ${String(missed)}`)
    }
  }
}

/** Our own texts quote no more than a model's name; a provider's may quote the prompt, so that only its codes are kept (R101). */
function messageOf(error: GatewayError): string {
  if (!(error instanceof UpstreamError)) return error.message.slice(0, MESSAGE_CHARACTERS_MAX)
  const { upstream } = error.details
  return failureText(error.attempts.at(-1)?.status ?? error.status, upstream?.type, upstream?.code)
}

function failureText(status: number, type: string | undefined, code: string | undefined): string {
  const words = [
    `The upstream failed with ${status}`,
    ...(type ? [`type ${type}`] : []),
    ...(code ? [`code ${code}`] : []),
  ]
  return words.join(', ').slice(0, MESSAGE_CHARACTERS_MAX)
}

function attemptsOf(seen: Seen): RequestRow['attempts'] {
  if (seen.answer) return seen.answer.attempts
  return seen.error instanceof UpstreamError ? seen.error.attempts : []
}

const UNPRINTABLE = /[^\x20-\x7e\u00a0-\uffff]/g

/** A client's header as it may stand in the log: bounded, printable, or null. */
function header(value: string | string[] | undefined, charactersMax = HEADER_CHARACTERS_MAX): string | null {
  if (typeof value !== 'string' || value === '') return null
  const text = value.length > charactersMax ? value.slice(0, charactersMax) : value
  return text.replace(UNPRINTABLE, '')
}
