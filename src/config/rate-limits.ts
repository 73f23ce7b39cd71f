import { decimalText, parseUsd } from '#base/money.ts'
import { isUnlimited, type LimitSet, type RateLimitSettings, type TierLimits } from '#limits/types.ts'
import type { ConfigFile, LimitsFile } from './schema.ts'

/** What OpenRouter gives for nothing (R96). */
export const FREE_TIER_DEFAULTS = { rpm: 20, rpd: 50, rpdPaid: 1000, threshold: '10' } as const

/** The file's `tiers`, `free_tier`, `limits.ip` and the `limits` of models and groups; faults are pushed as `path: reason`. */
export function readRateLimits(file: ConfigFile, faults: string[]): RateLimitSettings {
  const tiers = new Map<string, TierLimits>()
  for (const [name, { models, ...limits }] of Object.entries(file.tiers ?? {})) {
    tiers.set(name, { limits: readLimits(limits), models: namedLimits(Object.entries(models ?? {})) })
  }
  const models = (file.models ?? []).map((model) => [model.id, model.limits] as const)
  const groups = Object.entries(file.groups ?? {}).map(([id, group]) => [id, group.limits] as const)
  const ip = readLimits(file.limits?.ip)
  const { rpm, rpd, rpd_paid: rpdPaid, threshold } = file.free_tier ?? {}
  const text = decimalText(threshold ?? FREE_TIER_DEFAULTS.threshold)
  const thresholdNano = text === undefined ? undefined : parseUsd(text)
  if (thresholdNano === undefined || thresholdNano < 0n) faults.push('free_tier.threshold: expected an amount in USD')
  return {
    ip: isUnlimited(ip) ? null : ip,
    tiers,
    models: namedLimits(models),
    groups: namedLimits(groups),
    freeTier: {
      rpm: rpm ?? FREE_TIER_DEFAULTS.rpm,
      rpd: rpd ?? FREE_TIER_DEFAULTS.rpd,
      rpdPaid: rpdPaid ?? FREE_TIER_DEFAULTS.rpdPaid,
      thresholdNano: thresholdNano ?? 0n,
    },
  }
}

const readLimits = (limits: LimitsFile = {}): LimitSet => ({
  rpm: limits.rpm ?? 0,
  tpm: limits.tpm ?? 0,
  rp5h: limits.rp5h ?? 0,
  rpd: limits.rpd ?? 0,
  rp7d: limits.rp7d ?? 0,
  concurrency: limits.concurrency ?? 0,
})

/** Only those that limit something. */
function namedLimits(entries: readonly (readonly [string, LimitsFile | undefined])[]): Map<string, LimitSet> {
  const read = entries.map(([name, limits]) => [name, readLimits(limits)] as const)
  return new Map(read.filter(([, limits]) => !isUnlimited(limits)))
}
