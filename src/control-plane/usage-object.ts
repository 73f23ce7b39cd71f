import { formatUsd } from '#base/money.ts'
import type { UsageGroup, UsageSums } from '#analytics/usage.ts'

/** Sums as the wire has them: `cost` is what was charged, without billing what it would have cost; amounts as decimal strings, input with what was read from caches, null where there is nothing to average. */
export function sumsObject(sums: UsageSums, billingOff: boolean): Record<string, unknown> {
  const input = sums.tokens_input + sums.tokens_cache_read + sums.tokens_cache_write
  return {
    requests: sums.requests,
    errors: sums.errors,
    cancelled: sums.cancelled,
    error_rate: sums.requests === 0 ? null : ratio(sums.errors, sums.requests),
    input_tokens: input,
    output_tokens: sums.tokens_output,
    reasoning_tokens: sums.tokens_reasoning,
    cached_tokens: sums.tokens_cache_read,
    cache_write_tokens: sums.tokens_cache_write,
    cache_hit_rate: input === 0 ? null : ratio(sums.tokens_cache_read, input),
    total_tokens: input + sums.tokens_output,
    cost: formatUsd(billingOff ? sums.list_nano : sums.charged_nano),
    list_cost: formatUsd(sums.list_nano),
    metered_cost: formatUsd(sums.metered_nano),
    charged_cost: formatUsd(sums.charged_nano),
    absorbed_cost: formatUsd(sums.absorbed_nano),
    avg_latency_ms: sums.latency_count === 0 ? null : Math.round(sums.latency_ms / sums.latency_count),
  }
}

/** What a dimension is called on the wire. */
export const WIRE_NAMES = {
  account_id: 'account',
  key_id: 'key',
  system: 'system',
  model_id: 'model',
  vendor: 'vendor',
  backend_id: 'backend',
  protocol: 'protocol',
  app: 'app',
} as const

/** A group with the names of its dimensions first; `period` is the begin of its hour, day, week or month. */
export function groupObject(
  group: UsageGroup,
  keyNames: ReadonlyMap<string, string>,
  billingOff: boolean,
): Record<string, unknown> {
  const named: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(group.dimensions)) {
    named[WIRE_NAMES[name as keyof typeof WIRE_NAMES]] = value
    if (name === 'key_id') named['key_name'] = value === null ? null : (keyNames.get(value) ?? null)
  }
  if (group.startMs !== null) named['period'] = new Date(group.startMs).toISOString()
  return { ...named, ...sumsObject(group, billingOff) }
}

/** To four digits behind the point. */
const ratio = (part: number, whole: number): number => Math.round((part / whole) * 10_000) / 10_000
