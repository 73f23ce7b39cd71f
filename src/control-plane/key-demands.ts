import { z } from 'zod'
import { DEMAND_CHARACTERS_MAX, DEMANDS_MAX } from '#accounts/key-policy.ts'
import type { KeyPolicy } from '#accounts/types.ts'

const name = z.string().trim().min(1, 'must not be empty').max(DEMAND_CHARACTERS_MAX)

/** A list, or names with commas between them as a form sends them; empty and null: none. */
const names = z
  .preprocess(
    (value) =>
      typeof value === 'string'
        ? value
            .split(',')
            .map((each) => each.trim())
            .filter((each) => each !== '')
        : value,
    z.array(name, { error: 'expected a list of names' }).max(DEMANDS_MAX),
  )
  .nullable()
  .optional()

/** What a key demands of its requests (R18, R65, C24), and the environment that it belongs to (B12). */
export const DEMAND_FIELDS = {
  model_whitelist: names,
  regions: names,
  data_policy: names,
  strict_model: z.boolean().nullable().optional(),
  ip_allow: names,
  ip_deny: names,
  environment: z.enum(['production', 'test']).optional(),
}

type DemandInput = Partial<z.output<z.ZodObject<typeof DEMAND_FIELDS>>>

/** The demands of a key after a change; undefined when it names none. */
export function changedPolicy(input: DemandInput, current: KeyPolicy | null): KeyPolicy | undefined {
  const { model_whitelist: models, regions, data_policy: dataPolicy, strict_model: strictModel } = input
  const { ip_allow: ipAllow, ip_deny: ipDeny } = input
  if ([models, regions, dataPolicy, strictModel, ipAllow, ipDeny].every((each) => each === undefined)) return undefined
  return {
    models: models === undefined ? (current?.models ?? []) : (models ?? []),
    regions: regions === undefined ? (current?.regions ?? []) : (regions ?? []),
    dataPolicy: dataPolicy === undefined ? (current?.dataPolicy ?? []) : (dataPolicy ?? []),
    strictModel: strictModel === undefined ? (current?.strictModel ?? false) : (strictModel ?? false),
    ipAllow: ipAllow === undefined ? (current?.ipAllow ?? []) : (ipAllow ?? []),
    ipDeny: ipDeny === undefined ? (current?.ipDeny ?? []) : (ipDeny ?? []),
  }
}

/** As they are shown; empty lists demand nothing. */
export const policyFields = (policy: KeyPolicy | null): Record<string, unknown> => ({
  model_whitelist: policy?.models ?? [],
  regions: policy?.regions ?? [],
  data_policy: policy?.dataPolicy ?? [],
  strict_model: policy?.strictModel ?? false,
  ip_allow: policy?.ipAllow ?? [],
  ip_deny: policy?.ipDeny ?? [],
})
