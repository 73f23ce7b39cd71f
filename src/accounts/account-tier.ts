import type { TierLimits } from '#limits/types.ts'
import type { AccountTable } from '#store/schema.ts'

/** The configured tiers, the lowest first; asked again whenever an account is read, since a reload may change them. */
export type Tiers = () => ReadonlyMap<string, Pick<TierLimits, 'minLifetimeNano'>>

export const NO_TIERS: Tiers = () => new Map()

/**
 * The tier of an account (R22): the one that an administrator gave it, else the highest whose threshold its purchases reach,
 * else the one that it began with.
 */
export function tierOf(
  {
    tier,
    tier_assigned: assigned,
    purchased_nano: purchased,
  }: Pick<AccountTable, 'tier' | 'tier_assigned' | 'purchased_nano'>,
  tiers: Tiers,
): string {
  if (assigned !== 0) return tier
  let reached = tier
  for (const [name, { minLifetimeNano }] of tiers()) {
    if (minLifetimeNano !== null && purchased >= minLifetimeNano) reached = name
  }
  return reached
}
