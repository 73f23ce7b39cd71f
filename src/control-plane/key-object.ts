import type { ApiKey, KeyUsage } from '#accounts/types.ts'
import { usdNumber, usdNumberOrNull } from '#base/exact-json.ts'
import type { NanoUsd } from '#base/money.ts'
import { contentWishObject } from './content-wish.ts'
import { policyFields } from './key-demands.ts'

/** OpenRouter's key object with all its required keys (openrouter-api.md section 3), and our own fields. */
export function keyObject(key: ApiKey, usage: KeyUsage): Record<string, unknown> {
  return {
    hash: key.hash,
    name: key.name,
    label: key.label,
    disabled: key.disabled,
    ...limitFields(key, usage),
    rate_limits: key.rateLimits,
    include_byok_in_limit: false,
    ...usageFields(usage),
    created_at: new Date(key.createdMs).toISOString(),
    updated_at: new Date(key.updatedMs).toISOString(),
    expires_at: isoOrNull(key.expiresMs),
    creator_user_id: null,
    external_user: null,
    workspace_id: key.accountId,
    account_id: key.accountId,
    kind: key.kind,
    system: key.system,
    app: key.record?.app ?? null,
    content_log: contentWishObject(key.record?.content ?? null),
    groups: key.groups,
    ...policyFields(key.policy),
    environment: key.environment,
  }
}

/** Limits as JSON numbers in USD; null is no limit. */
export function limitFields(key: ApiKey, usage: KeyUsage): Record<string, unknown> {
  return {
    limit: usdNumberOrNull(key.limitNano),
    limit_remaining: usdNumberOrNull(remaining(key.limitNano, usage.limitUsedNano)),
    limit_reset: key.limitReset,
  }
}

/** Usage per period; own provider keys (BYOK) are not metered apart, so their share is nothing. */
export function usageFields(usage: KeyUsage): Record<string, unknown> {
  return {
    usage: usdNumber(usage.totalNano),
    usage_daily: usdNumber(usage.dailyNano),
    usage_weekly: usdNumber(usage.weeklyNano),
    usage_monthly: usdNumber(usage.monthlyNano),
    byok_usage: 0,
    byok_usage_daily: 0,
    byok_usage_weekly: 0,
    byok_usage_monthly: 0,
  }
}

export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

function remaining(limit: NanoUsd | null, used: NanoUsd): NanoUsd | null {
  if (limit === null) return null
  return used >= limit ? 0n : limit - used
}
