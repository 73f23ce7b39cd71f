import { id } from '#base/ids.ts'
import type { LostCost, LostTally } from '#data-plane/8-meter/tally.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { RequestRow } from '#observe/request-row.ts'

/**
 * Books what the attempts have cost that another one was faster than (B10): each as a row of its own on the operator's account,
 * so that costs by backend are whole, and the customer pays one. Nothing waits for it: what fails is in the operator's log.
 */
export function bookLost(gateway: Gateway, lost: readonly LostTally[], won: RequestRow): void {
  const promptTokens = promptOf(won)
  for (const one of lost) {
    one
      .ended(promptTokens)
      .then((ended) => ended && book(gateway, rowOf(one, ended, won, gateway.operatorAccountId)))
      .catch((error: unknown) =>
        gateway.log.error({ requestId: won.request_id, err: error }, 'the cost of a lost attempt was not booked'),
      )
  }
}

const book = (gateway: Gateway, row: RequestRow): Promise<unknown> =>
  gateway.ledger.settle({ requestId: row.request_id, costNano: row.charged_cost_nano ?? 0n, row })

/** The prompt as the provider counted it that answered. */
function promptOf(won: RequestRow): number | null {
  if (won.usage_source !== 'upstream' || won.tokens_input === null) return null
  const { tokens_cache_read: read, tokens_cache_write: written, tokens_cache_write_1h: writtenLong } = won
  return won.tokens_input + (read ?? 0) + (written ?? 0) + (writtenLong ?? 0)
}

/** That of the request it was made for, without whom and what only that one is about. */
function rowOf(
  { attempt, adapter }: LostTally,
  { answer, usage, cost }: LostCost,
  won: RequestRow,
  accountId: string,
): RequestRow {
  const { record } = attempt
  const { route } = attempt.target
  return {
    ...won,
    request_id: id('req'),
    client_request_id: won.request_id,
    upstream_request_id: answer?.upstreamRequestId ?? null,
    response_id: null,
    account_id: accountId,
    key_id: null,
    key_name: null,
    system: null,
    app_title: null,
    app_referer: null,
    app_categories: null,
    user_agent: null,
    ip: null,
    session_id: null,
    group_id: null,
    model_id: route.model.id,
    upstream_model: route.upstreamModel,
    backend_id: route.backend.id,
    adapter,
    status: 'client_cancelled',
    status_code: 499,
    error_code: record.error_code,
    error_message: null,
    finish_reason: null,
    ts_end_ms: won.ts_start_ms + record.latency_ms,
    latency_ms: record.latency_ms,
    ttft_ms: null,
    gen_ms: null,
    tokens_input: usage.input,
    tokens_cache_read: usage.cacheRead,
    tokens_cache_write: usage.cacheWrite,
    tokens_cache_write_1h: usage.cacheWrite1h,
    tokens_output: usage.output,
    tokens_reasoning: usage.reasoning,
    usage_source: usage.source,
    list_cost_nano: cost?.listNano ?? null,
    metered_cost_nano: cost?.meteredNano ?? null,
    charged_cost_nano: cost?.meteredNano ?? 0n,
    absorbed_cost_nano: null,
    price_version: route.price?.version ?? null,
    attempts: [],
    warnings: [],
    warnings_more: 0,
    tool_calls_count: 0,
    cache_decision: null,
  }
}
