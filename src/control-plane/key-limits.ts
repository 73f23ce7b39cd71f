import { z } from 'zod'
import type { LimitSet } from '#limits/types.ts'

/** A larger number is no limit any more. */
export const RATE_MAX = 1_000_000_000

const rate = z
  .number({ error: 'expected a whole number' })
  .int('expected a whole number')
  .min(0, 'must not be negative')
  .max(RATE_MAX)
  .nullable()
  .optional()

/** `rate_limits` (R15, R78), and its most used members on their own. 0 and null are no limit. */
export const RATE_FIELDS = {
  rate_limits: z
    .strictObject({ rpm: rate, tpm: rate, rp5h: rate, rpd: rate, rp7d: rate, concurrency: rate })
    .nullable()
    .optional(),
  rpm: rate,
  tpm: rate,
  concurrency: rate,
}

type RateInput = z.output<z.ZodObject<typeof RATE_FIELDS>>

/** The limits of a key after a change; undefined when it names none. `rate_limits` replaces all, a single member itself. */
export function changedLimits(input: RateInput, current: LimitSet | null): LimitSet | null | undefined {
  const { rate_limits: all, rpm, tpm, concurrency } = input
  const single = { rpm, tpm, concurrency }
  const named = Object.entries(single).filter(([, value]) => value !== undefined)
  if (all === undefined && named.length === 0) return undefined
  const base = all === undefined ? current : all
  const of = (name: keyof LimitSet): number => base?.[name] ?? 0
  return {
    rpm: rpm === undefined ? of('rpm') : (rpm ?? 0),
    tpm: tpm === undefined ? of('tpm') : (tpm ?? 0),
    rp5h: of('rp5h'),
    rpd: of('rpd'),
    rp7d: of('rp7d'),
    concurrency: concurrency === undefined ? of('concurrency') : (concurrency ?? 0),
  }
}
