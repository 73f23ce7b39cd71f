import { DEFAULT_GROUPS } from '#accounts/keys.ts'
import type { KeyUsage } from '#accounts/types.ts'
import { usdNumber } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd, type NanoUsd } from '#base/money.ts'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import type { FreeDay } from '#limits/rate-limits.ts'
import { budgetFields } from './budgets.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { isoOrNull, limitFields, usageFields } from './key-object.ts'

/** `GET /v1/me`: who am I, what may I spend; amounts are decimal strings (R90). Works with an empty balance. */
export async function readMe(call: Call<KeyActor>): Promise<Answer> {
  const { account, key } = call.actor.caller
  const [current, usage] = await Promise.all([call.deps.accounts.get(account.id), usageOf(call)])
  const { id, email, tier, status } = current ?? account
  const free = await freeDayOf(call)
  const { limit, used } = free
  return {
    body: {
      account: { id, email, tier, status },
      key: key && {
        hash: key.hash,
        name: key.name,
        system: key.system,
        group: key.groups[0] ?? null,
        expires_at: isoOrNull(key.expiresMs),
        limit: textOrNull(key.limitNano),
        limit_reset: key.limitReset,
        limit_used: formatUsd(usage?.limitUsedNano ?? 0n),
      },
      balance: current ? formatUsd(current.balanceNano) : null,
      currency: call.deps.settings.currency,
      expiring_credits: (await call.deps.accounts.creditsLeft(account.id)).map(({ leftNano, expiresMs }) => ({
        left: formatUsd(leftNano),
        expires_at: isoOrNull(expiresMs),
      })),
      ...(await budgetFields(call)),
      free_requests: { limit, used, remaining: remainingOf(free), reset_at: new Date(free.resetMs).toISOString() },
      groups: key?.groups ?? DEFAULT_GROUPS,
    },
  }
}

/** Only who pays in advance has a free tier; for everyone else free models are models at a price of nothing. */
async function freeDayOf(call: Call<KeyActor>): Promise<FreeDay> {
  const { account, billing } = call.actor.caller
  const free = await call.deps.freeDay(account.id, account.tier)
  return billing === 'prepaid' ? free : { ...free, limit: null, used: 0 }
}

const remainingOf = ({ limit, used }: FreeDay): number | null => (limit === null ? null : Math.max(0, limit - used))

/** `GET /api/v1/key` in OpenRouter's form. */
export async function readCurrentKey(call: Call<KeyActor>): Promise<Answer> {
  const { account, key } = call.actor.caller
  const usage = await usageOf(call)
  if (!key || !usage) throw new GatewayError('not_found', 'Authentication is off: there is no key to describe.')
  const isManagement = key.kind === 'management'
  const free = await freeDayOf(call)
  const { creditedNano } = await call.deps.accounts.totals(account.id)
  return {
    body: {
      data: {
        label: key.label,
        ...limitFields(key, usage),
        include_byok_in_limit: false,
        ...usageFields(usage),
        is_free_tier: account.mode === 'prepaid' && creditedNano === 0n,
        is_management_key: isManagement,
        is_provisioning_key: isManagement,
        creator_user_id: null,
        expires_at: isoOrNull(key.expiresMs),
        rate_limit: { requests: -1, interval: '10s', note: 'Deprecated and not enforced.' },
        // OpenRouter's SDK takes numbers only.
        free_model_daily_requests: { limit: free.limit ?? 0, used: free.used, remaining: remainingOf(free) ?? 0 },
        allowed_data_regions: [],
        organization_id: null,
        workspace_id: account.id,
      },
    },
  }
}

/** `GET /api/v1/credits`: all credit ever booked and all usage; the balance is the difference. */
export async function readCredits(call: Call<KeyActor | MasterActor>): Promise<Answer> {
  const accountId =
    call.actor.kind === 'master' ? (call.query['account_id'] ?? OPERATOR_ACCOUNT_ID) : call.actor.caller.account.id
  const { creditedNano, usedNano } = await call.deps.accounts.totals(accountId)
  return { body: { data: { total_credits: usdNumber(creditedNano), total_usage: usdNumber(usedNano) } } }
}

async function usageOf(call: Call<KeyActor>): Promise<KeyUsage | null> {
  const { key } = call.actor.caller
  return key && call.deps.keys.usage(key, call.nowMs)
}

const textOrNull = (amount: NanoUsd | null): string | null => (amount === null ? null : formatUsd(amount))
