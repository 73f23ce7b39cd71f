import { z } from 'zod'
import { parseUsd, type NanoUsd } from '#base/money.ts'
import { decimal } from './feature-schema.ts'

const URL_CHARACTERS_MAX = 2048
export const THRESHOLDS_MAX = 10

const count = z.number().int('expected integer').min(0, 'must not be negative')
const percent = count.max(100, 'expected a percentage')

export const alerts = z.strictObject({
  thresholds: z
    .array(count.min(1, 'expected 1 to 1000').max(1000, 'expected 1 to 1000'))
    .max(THRESHOLDS_MAX, `expected at most ${THRESHOLDS_MAX}`)
    .refine((list) => new Set(list).size === list.length, 'expected different percentages')
    .optional(),
  balance_below: decimal.optional(),
  key_share: z.strictObject({ percent: percent.optional(), min_usd: decimal.optional() }).optional(),
  spend_spike: z.strictObject({ times: count.optional(), min_usd: decimal.optional() }).optional(),
  webhook_url: z.url('expected an absolute URL').max(URL_CHARACTERS_MAX).optional(),
  email: z.email('expected an e-mail address').optional(),
  error_rate: z.strictObject({ percent: percent.optional(), min_attempts: count.optional() }).optional(),
  upstream_credits_below: decimal.optional(),
  free_tier_refusals: count.optional(),
})
export type AlertsFile = z.output<typeof alerts>

/** What alerts are raised of and where they go, where nobody says otherwise (R98). Of a percentage, a factor or a count 0 is off. */
export interface AlertRules {
  readonly thresholds: readonly number[]
  readonly balanceBelowNano: NanoUsd | null
  /** Of what an account spends in a month, and the least that it must have spent. */
  readonly keySharePercent: number
  readonly keyShareMinNano: NanoUsd
  /** How many times the mean hour of seven days, and the least that it must be. */
  readonly spikeTimes: number
  readonly spikeMinNano: NanoUsd
  readonly webhookUrl: string | null
  readonly email: string | null
  /** Of a backend's attempts in five minutes, and the least number of them. */
  readonly errorRatePercent: number
  readonly errorRateAttemptsMin: number
  readonly upstreamCreditsBelowNano: NanoUsd | null
  /** Refused requests of an account for free models in a day. */
  readonly freeTierRefusals: number
}

/** `alerts:` in our units; faults are pushed as `path: reason`. */
export function readAlerts(file: AlertsFile, faults: string[]): AlertRules {
  const amount = (text: string | undefined, path: string): NanoUsd | null => {
    if (text === undefined) return null
    const nano = parseUsd(text)
    if (nano === undefined)
      faults.push(`alerts.${path}: expected an amount in USD with at most 9 digits behind the point`)
    return nano ?? null
  }
  return {
    thresholds: file.thresholds ?? [50, 80, 100],
    balanceBelowNano: amount(file.balance_below, 'balance_below'),
    keySharePercent: file.key_share?.percent ?? 0,
    keyShareMinNano: amount(file.key_share?.min_usd, 'key_share.min_usd') ?? ONE_USD,
    spikeTimes: file.spend_spike?.times ?? 5,
    spikeMinNano: amount(file.spend_spike?.min_usd, 'spend_spike.min_usd') ?? ONE_USD,
    webhookUrl: file.webhook_url ?? null,
    email: file.email ?? null,
    errorRatePercent: file.error_rate?.percent ?? 50,
    errorRateAttemptsMin: file.error_rate?.min_attempts ?? 20,
    upstreamCreditsBelowNano: amount(file.upstream_credits_below, 'upstream_credits_below'),
    freeTierRefusals: file.free_tier_refusals ?? 100,
  }
}

const ONE_USD = 1_000_000_000n
