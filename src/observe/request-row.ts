import type { ErrorCode } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'

export interface AttemptRecord {
  readonly backend: string
  readonly status: number | null
  readonly error_code: string | null
  readonly latency_ms: number
  readonly retry_after: number | null
}

/** A difference between what one side said and what the other got (B2). */
export interface Warning {
  /** JSON pointer into the client's body; behind `/response` into the upstream's answer. */
  readonly path: string
  readonly action: 'dropped' | 'rewritten' | 'emulated' | 'narrowed' | 'noticed'
  readonly reason: string
  /** The protocol that had no place for it: the upstream's, for an answer the client's. Null when nobody noted it. */
  readonly target: string | null
}

/** Whether a conversation stayed where its prompt is cached (B5). */
export interface CacheDecisionRecord {
  readonly decision: 'kept' | 'switched'
  readonly reason: 'cache_is_cheaper' | 'saving_is_larger' | 'route_not_eligible' | 'route_failed'
  /** What leaving the cache costs, as decimal text; null where a price is not known. */
  readonly cache_break_cost: string | null
}

/**
 * One row per request, the same keys for every protocol and outcome (R101). Token classes are disjoint; `null` is
 * "not reported", which is not 0. Costs are null when the model has no price.
 */
export interface RequestRow {
  readonly request_id: string
  readonly client_request_id: string | null
  readonly upstream_request_id: string | null
  /** The `id` in the response body, for `GET /api/v1/generation?id=`. */
  readonly response_id: string | null
  readonly ts_start_ms: number
  readonly ts_end_ms: number
  readonly account_id: string | null
  readonly key_id: string | null
  readonly key_name: string | null
  readonly system: string | null
  readonly app_title: string | null
  readonly app_referer: string | null
  /** What the application says it is for, names with commas (R103). */
  readonly app_categories: string | null
  readonly user_agent: string | null
  readonly ip: string | null
  readonly protocol: string
  readonly method: string
  readonly path: string
  readonly stream: boolean
  readonly requested_model: string | null
  readonly alias_rule: number | null
  /** The operator's rule that chose the model (R75). */
  readonly rule: string | null
  readonly resolved_model: string | null
  readonly model_id: string | null
  readonly upstream_model: string | null
  readonly vendor: string | null
  readonly backend_id: string | null
  readonly group_id: string | null
  readonly adapter: string | null
  readonly thinking: boolean
  readonly status: 'ok' | 'rejected' | 'upstream_error' | 'upstream_disconnect' | 'client_cancelled' | 'error'
  readonly status_code: number
  readonly error_code: ErrorCode | string | null
  /** Redacted, at most 500 characters, never a prompt or a completion. */
  readonly error_message: string | null
  readonly finish_reason: string | null
  readonly latency_ms: number
  readonly ttft_ms: number | null
  readonly gen_ms: number | null
  readonly tokens_input: number | null
  readonly tokens_cache_read: number | null
  readonly tokens_cache_write: number | null
  readonly tokens_cache_write_1h: number | null
  readonly tokens_output: number | null
  readonly tokens_reasoning: number | null
  readonly usage_source: 'upstream' | 'estimated' | 'none'
  readonly list_cost_nano: NanoUsd | null
  readonly metered_cost_nano: NanoUsd | null
  readonly charged_cost_nano: NanoUsd | null
  readonly absorbed_cost_nano: NanoUsd | null
  readonly price_version: string | null
  readonly attempts: readonly AttemptRecord[]
  readonly warnings: readonly Warning[]
  /** How many warnings there were beyond those that are kept. */
  readonly warnings_more: number
  readonly tool_calls_count: number
  /** Null: nothing was cached for this conversation, or there was nothing to decide. */
  readonly cache_decision: CacheDecisionRecord | null
  /** Of the key; null: production, or no key. */
  readonly environment: 'test' | null
  /** What the client asked to go wrong (B12); such a row is no real traffic. */
  readonly fault: string | null
  /** The agent session that it belongs to (B14). */
  readonly session_id: string | null
}

/** Finds the row of one request. */
export interface RequestFinder {
  /** By request id, or by the `id` in the response body. With an account only its rows exist. */
  find(id: string, accountId?: string): Promise<RequestRow | undefined>
}

/** Rows of requests that hold no money (rejections, free calls): written behind, flushed on shutdown. */
export interface RequestLog {
  append(row: RequestRow): void
  flush(): Promise<void>
}
