import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { id } from '#base/ids.ts'
import { adapterOf } from '#base/protocols.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Answer, LostAttempt } from '#data-plane/7-call/answer.ts'
import { meter, meterUnanswered } from '#data-plane/8-meter/meter.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Usage } from '#ir/usage.ts'
import type { Cost } from '#ledger/cost.ts'
import type { RequestRow } from '#observe/request-row.ts'

/**
 * Books what the attempts have cost that another one was faster than (B10): each as a row of its own on the operator's account,
 * so that costs by backend are whole, and the customer pays one. Nothing waits for it: what fails is in the operator's log.
 */
export function bookLost(gateway: Gateway, answer: Answer, parsed: Parsed, plan: Plan, won: RequestRow): void {
  for (const lost of answer.lost ?? []) {
    lost.ended
      .then((ended) => (ended === undefined ? undefined : book(gateway, lost, ended, parsed, plan, won)))
      .catch((error: unknown) =>
        gateway.log.error({ requestId: won.request_id, err: error }, 'the cost of a lost attempt was not booked'),
      )
  }
  const { reasoning } = answer
  if (reasoning && plan.reasoning) bookLost(gateway, reasoning.answer, reasoning.parsed, plan.reasoning, won)
}

async function book(
  gateway: Gateway,
  lost: LostAttempt,
  ended: Answer | null,
  parsed: Parsed,
  plan: Plan,
  won: RequestRow,
): Promise<void> {
  const { usage, cost } = costOf(lost, ended, parsed, plan, won)
  const row = rowOf(lost, ended, usage, cost, parsed, won)
  await gateway.ledger.settle({ requestId: row.request_id, costNano: cost?.meteredNano ?? 0n, row })
}

/** What it had said is counted as that of a client who left; its provider grants no insurance of empty answers. */
function costOf(
  { target }: LostAttempt,
  ended: Answer | null,
  parsed: Parsed,
  plan: Plan,
  won: RequestRow,
): { usage: Usage; cost: Cost | null } {
  const tally = ended === null ? null : meter(parsed, plan, ended, true)
  const usage = tally?.final()
  return tally && usage ? { usage, cost: tally.costOf(usage) } : meterUnanswered(parsed, plan, target, promptOf(won))
}

/** The prompt as the provider counted it that answered. */
function promptOf(won: RequestRow): number | null {
  if (won.usage_source !== 'upstream' || won.tokens_input === null) return null
  const { tokens_cache_read: read, tokens_cache_write: written, tokens_cache_write_1h: writtenLong } = won
  return won.tokens_input + (read ?? 0) + (written ?? 0) + (writtenLong ?? 0)
}

/** That of the request it was made for, without whom and what only that one is about. */
function rowOf(
  { target, record }: LostAttempt,
  ended: Answer | null,
  usage: Usage,
  cost: Cost | null,
  parsed: Parsed,
  won: RequestRow,
): RequestRow {
  const { route } = target
  return {
    ...won,
    request_id: id('req'),
    client_request_id: won.request_id,
    upstream_request_id: ended?.upstreamRequestId ?? null,
    response_id: null,
    account_id: OPERATOR_ACCOUNT_ID,
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
    adapter: adapterOf(parsed.surface, target.protocol),
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
