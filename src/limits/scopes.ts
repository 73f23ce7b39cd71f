import { isIPv6 } from 'node:net'
import type { Scope, ScopeLimits } from './limiter.ts'
import type { HistoryFilter, LimitSet, RateLimitSettings } from './types.ts'
import { NO_LIMITS } from './types.ts'

/** Who asks for what, as far as limits go. */
export interface LimitedRequest {
  readonly accountId: string
  readonly tier: string
  readonly key: { readonly id: string; readonly rateLimits: LimitSet | null } | null
  readonly modelId: string
  readonly group: string
  /** Null: unknown. */
  readonly ip: string | null
  /** Whether the free tier's limits hold for it (R96). */
  readonly isFree: boolean
}

/** An IPv6 client owns at least a /64 and may take another address for each request. */
const IPV6_GROUPS = 4

/** Which limits hold for a request; empty where none do. The free tier's day needs to know who has paid. */
export function scopesOf(settings: RateLimitSettings, request: LimitedRequest, hasPaid: () => boolean): Scope[] {
  const { accountId, key, modelId, group } = request
  const scopes: Scope[] = []
  const add = (id: string, what: string, limits: LimitSet | null | undefined, history: HistoryFilter | null): void => {
    if (limits) scopes.push({ id, what, limits: limitsOf(limits), history })
  }
  if (settings.tiers.size > 0) {
    const tier = settings.tiers.get(request.tier)
    add(`account ${accountId}`, 'this account', tier?.limits, { accountId })
    const own = tier?.models.get(modelId)
    add(`tier ${accountId} ${modelId}`, `"${modelId}" in this account's tier`, own, { accountId, modelId })
  }
  if (key) add(`key ${key.id}`, 'this API key', key.rateLimits, { accountId, keyId: key.id })
  if (settings.models.size > 0) {
    add(`model ${accountId} ${modelId}`, `"${modelId}"`, settings.models.get(modelId), { accountId, modelId })
  }
  if (settings.groups.size > 0) {
    // Rows are not found by their group; an account's other groups make its past look larger, never smaller.
    add(`group ${accountId} ${group}`, `the group "${group}"`, settings.groups.get(group), { accountId })
  }
  if (settings.ip && settings.ip.tpm > 0 && request.ip !== null) {
    add(addressId(request.ip), 'this address', { ...NO_LIMITS, tpm: settings.ip.tpm }, null)
  }
  if (request.isFree) {
    const own = settings.freeModels.get(modelId)
    if (own) {
      const perUtcDay = hasPaid() && own.rpdPaid > 0 ? own.rpdPaid : own.rpd
      const ownLimits = { ...NO_LIMITS, rpm: own.rpm, perUtcDay }
      scopes.push({
        id: `free ${accountId} ${modelId}`,
        what: `"${modelId}"`,
        limits: ownLimits,
        history: { accountId, modelId, freeModelIds: [] },
      })
    }
    const perUtcDay = freeDayLimit(settings, request.tier, hasPaid)
    const limits = { ...NO_LIMITS, rpm: settings.freeTier.rpm, perUtcDay }
    // Which models are free is the catalog's matter; whoever loads the past puts them in.
    const history = { accountId, freeModelIds: [] }
    scopes.push({ id: freeId(accountId), what: 'free models', limits, history })
  }
  return scopes
}

/** The scope of an address, before anything else of the request is known; null where addresses are not limited. */
export function addressScope(settings: RateLimitSettings, ip: string | null): Scope | null {
  if (!settings.ip || ip === null) return null
  const limits = { ...settings.ip, tpm: 0, perUtcDay: 0 }
  return { id: addressId(ip), what: 'this address', limits, history: null }
}

/** Requests to free models per UTC day; 0 is off. A tier may have its own. */
export function freeDayLimit({ tiers, freeTier }: RateLimitSettings, tier: string, hasPaid: () => boolean): number {
  return tiers.get(tier)?.freeRpd ?? (hasPaid() ? freeTier.rpdPaid : freeTier.rpd)
}

export const freeId = (accountId: string): string => `free ${accountId}`

const withoutDay = new WeakMap<LimitSet, ScopeLimits>()

/** The same object for the same settings, because every request asks. */
function limitsOf(limits: LimitSet): ScopeLimits {
  let known = withoutDay.get(limits)
  if (!known) withoutDay.set(limits, (known = { ...limits, perUtcDay: 0 }))
  return known
}

/** `ip 192.0.2.1`, `ip 2001:db8:0:1::/64`. */
function addressId(ip: string): string {
  const bare = ip.startsWith('::ffff:') && ip.includes('.') ? ip.slice('::ffff:'.length) : ip
  return `ip ${isIPv6(bare) ? `${networkOf(bare)}::/64` : bare}`
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  const groups = tail === undefined ? first : [...first, ...zeros, ...last]
  return groups
    .slice(0, IPV6_GROUPS)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')
}
