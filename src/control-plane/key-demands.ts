import { z } from 'zod'
import { DEMAND_CHARACTERS_MAX, DEMANDS_MAX, KEY_FALLBACKS_MAX } from '#accounts/key-policy.ts'
import type { KeyBreakGlass, KeyPolicy, KeySession } from '#accounts/types.ts'
import { formatUsd } from '#base/money.ts'
import { usdLimit as usdAmount } from './validate.ts'

const name = z.string().trim().min(1, 'must not be empty').max(DEMAND_CHARACTERS_MAX)

/** A list, or names with commas between them as a form sends them; empty and null: none. */
const namesUpTo = (max: number) =>
  z
    .preprocess(
      (value) =>
        typeof value === 'string'
          ? value
              .split(',')
              .map((each) => each.trim())
              .filter((each) => each !== '')
          : value,
      z.array(name, { error: 'expected a list of names' }).max(max),
    )
    .nullable()
    .optional()

const names = namesUpTo(DEMANDS_MAX)

/** Rules of one key for when all backends fail. */
export const BREAK_GLASS_MAX = 8

const breakGlass = z.object({
  on: z
    .preprocess((on) => [on].flat().map(String), z.array(z.enum(['402', 'outage'])).min(1))
    .default(['402', 'outage']),
  use: name,
  max_usd: usdAmount,
  period: z.enum(['daily', 'weekly', 'monthly']).default('monthly'),
  notify: z.boolean().default(true),
})

const amountText = usdAmount.transform(formatUsd).nullable()
const wholeOrNull = (max: number) => z.number().int().min(1).max(max).nullable()
/** A year. */
const DURATION_S_MAX = 366 * 86_400

/** Bounds of the key's agent sessions (B14). */
const session = z.strictObject({
  max_usd: amountText.default(null),
  max_requests: wholeOrNull(1_000_000_000).default(null),
  max_duration: wholeOrNull(DURATION_S_MAX).default(null),
  models: z.array(name).max(DEMANDS_MAX).default([]),
  max_price: amountText.default(null),
  loop: z.enum(['warn', 'block', 'off']).default('warn'),
  loop_turns: z.number().int().min(2).max(100).default(5),
})

/** What a key demands of its requests (R18, R65, C24), what they fall back to (R68), and the environment that it belongs to (B12). */
export const DEMAND_FIELDS = {
  model_whitelist: names,
  regions: names,
  data_policy: names,
  strict_model: z.boolean().nullable().optional(),
  fallbacks: namesUpTo(KEY_FALLBACKS_MAX),
  ip_allow: names,
  ip_deny: names,
  environment: z.enum(['production', 'test']).optional(),
  break_glass: z.array(breakGlass).max(BREAK_GLASS_MAX).nullable().optional(),
  session: session.nullable().optional(),
}

type DemandInput = Partial<z.output<z.ZodObject<typeof DEMAND_FIELDS>>>

/** The demands of a key after a change; undefined when it names none. */
export function changedPolicy(input: DemandInput, current: KeyPolicy | null): KeyPolicy | undefined {
  const { model_whitelist: models, regions, data_policy: dataPolicy, strict_model: strictModel } = input
  const { ip_allow: ipAllow, ip_deny: ipDeny, break_glass: glass, session: bounds, fallbacks } = input
  const named = [models, regions, dataPolicy, strictModel, ipAllow, ipDeny, glass, bounds, fallbacks]
  if (named.every((each) => each === undefined)) return undefined
  const rules = glass === undefined ? current?.breakGlass : glass?.map(readRule)
  const sessions = bounds === undefined ? current?.session : bounds && readSession(bounds)
  const chain = fallbacks === undefined ? current?.fallbacks : fallbacks
  return {
    ...(chain && { fallbacks: chain }),
    ...(rules && { breakGlass: rules }),
    ...(sessions && { session: sessions }),
    models: models === undefined ? (current?.models ?? []) : (models ?? []),
    regions: regions === undefined ? (current?.regions ?? []) : (regions ?? []),
    dataPolicy: dataPolicy === undefined ? (current?.dataPolicy ?? []) : (dataPolicy ?? []),
    strictModel: strictModel === undefined ? (current?.strictModel ?? false) : (strictModel ?? false),
    ipAllow: ipAllow === undefined ? (current?.ipAllow ?? []) : (ipAllow ?? []),
    ipDeny: ipDeny === undefined ? (current?.ipDeny ?? []) : (ipDeny ?? []),
  }
}

const readSession = (bounds: z.output<typeof session>): KeySession => ({
  maxUsd: bounds.max_usd,
  maxRequests: bounds.max_requests,
  maxDurationS: bounds.max_duration,
  models: bounds.models,
  maxPrice: bounds.max_price,
  loop: bounds.loop,
  loopTurns: bounds.loop_turns,
})

function sessionField({ session: bounds }: KeyPolicy): Record<string, unknown> | null {
  if (!bounds) return null
  const { maxUsd, maxRequests, maxDurationS, models, maxPrice, loop, loopTurns } = bounds
  return {
    max_usd: maxUsd,
    max_requests: maxRequests,
    max_duration: maxDurationS,
    models,
    max_price: maxPrice,
    loop,
    loop_turns: loopTurns,
  }
}

const readRule = ({ on, use, max_usd: maxNano, period, notify }: z.output<typeof breakGlass>): KeyBreakGlass => ({
  on,
  use,
  maxUsd: formatUsd(maxNano),
  period,
  notify,
})

/** As they are shown; empty lists demand nothing. */
export const policyFields = (policy: KeyPolicy | null): Record<string, unknown> => ({
  model_whitelist: policy?.models ?? [],
  regions: policy?.regions ?? [],
  data_policy: policy?.dataPolicy ?? [],
  strict_model: policy?.strictModel ?? false,
  fallbacks: policy?.fallbacks ?? [],
  // Which backend it is stays the operator's to know.
  break_glass: (policy?.breakGlass ?? []).map(({ on, maxUsd, period }) => ({ on, max_usd: maxUsd, period })),
  session: policy && sessionField(policy),
  ip_allow: policy?.ipAllow ?? [],
  ip_deny: policy?.ipDeny ?? [],
})
