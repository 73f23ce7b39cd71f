import { parseUsd } from '#base/money.ts'
import { isUnlimited, type LimitSet, type RateLimitSettings, type TierLimits } from '#limits/types.ts'
import type { LimitsFile } from './feature-schema.ts'
import type { ConfigFile } from './schema.ts'

/** The file's `tiers`, `free_tier`, `limits.ip` and the `limits` of models and groups; faults are pushed as `path: reason`. */
export function readRateLimits(file: ConfigFile, faults: string[]): RateLimitSettings {
  const models = (file.models ?? []).map((model) => [model.id, model.limits] as const)
  const groups = Object.entries(file.groups ?? {}).map(([id, group]) => [id, group.limits] as const)
  const ip = readLimits(file.limits?.ip)
  // Defaults come from the table of options.
  const { rpm, rpd, rpd_paid: rpdPaid, threshold } = file.free_tier ?? {}
  return {
    ip: isUnlimited(ip) ? null : ip,
    tiers: readTiers(file.tiers ?? [], faults),
    models: namedLimits(models),
    groups: namedLimits(groups),
    freeModels: new Map(
      (file.models ?? []).flatMap(({ id, free_tier: own }) =>
        own
          ? [[id, { rpm: own.rpm ?? 0, rpd: own.rpd ?? 0, rpdPaid: own.rpd_paid ?? 0, thresholdNano: 0n }] as const]
          : [],
      ),
    ),
    freeTier: {
      rpm: rpm ?? 0,
      rpd: rpd ?? 0,
      rpdPaid: rpdPaid ?? 0,
      thresholdNano: readAmount(threshold, 'free_tier.threshold', faults),
    },
  }
}

function readTiers(tiers: NonNullable<ConfigFile['tiers']>, faults: string[]): Map<string, TierLimits> {
  const read = new Map<string, TierLimits>()
  let highest = -1n
  for (const [index, tier] of tiers.entries()) {
    const path = `tiers[${index}]`
    if (read.has(tier.name)) faults.push(`${path}.name: "${tier.name}" is already defined`)
    const amountPath = `${path}.min_lifetime_credits`
    const minLifetimeNano =
      tier.min_lifetime_credits === undefined ? null : readAmount(tier.min_lifetime_credits, amountPath, faults)
    if (minLifetimeNano !== null) {
      if (minLifetimeNano <= highest) faults.push(`${amountPath}: expected more than that of the tier below it`)
      highest = minLifetimeNano
    }
    read.set(tier.name, {
      limits: readLimits(tier),
      models: namedLimits(Object.entries(tier.models ?? {})),
      freeRpd: tier.free_rpd ?? null,
      minLifetimeNano,
    })
  }
  return read
}

/** USD as nano-USD; nothing said is 0. */
function readAmount(text: string | undefined, path: string, faults: string[]): bigint {
  const nano = parseUsd(text ?? '0')
  if (nano === undefined) faults.push(`${path}: expected an amount in USD`)
  return nano ?? 0n
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
