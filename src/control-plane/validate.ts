import { type core, z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import { FACTOR_PPM_MAX } from '#base/factors.ts'
import { decimalText, type NanoUsd, parsePricePerMillion, parseUsd } from '#base/money.ts'

/** A value that matches the schema, or GatewayError('invalid_parameter') that names the first field at fault. */
export function validate<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const param = issue ? pathText(issue.path) : ''
  const place = param ? `Invalid value for '${param}'` : 'Invalid request body'
  throw new GatewayError('invalid_parameter', `${place}: ${issueText(issue)}`, param ? { param } : {})
}

/** `['keys', 0, 'limit']` -> `keys[0].limit`. */
function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += text ? `.${String(part)}` : String(part)
  }
  return text
}

function issueText(issue: core.$ZodIssue | undefined): string {
  const text = issue?.message ?? 'it does not match the expected form'
  return text.endsWith('.') ? text : `${text}.`
}

/** Decimals that a JSON body may carry as numbers; they are read from their source text, never from a float. */
export const MONEY_FIELDS: ReadonlySet<string> = new Set([
  'limit',
  'amount',
  'credit',
  'credit_limit',
  'threshold',
  'month_max',
  'max_usd',
  'balance_below',
  'charge_factor',
  'max_price',
])

/** USD as a decimal string or JSON number with at most nine digits behind the point -> nano-USD. */
export const usdAmount = z
  .union([z.string(), z.number()], { error: 'expected an amount in USD' })
  .transform((value, context): NanoUsd => {
    const text = decimalText(value)
    const amount = text === undefined ? undefined : parseUsd(text)
    if (amount !== undefined) return amount
    context.addIssue({
      code: 'custom',
      message: 'expected a decimal amount in USD with at most 9 digits behind the point',
    })
    return z.NEVER
  })

export const usdLimit = usdAmount.refine((amount) => amount >= 0n, { error: 'must not be negative' })

/** A factor of money as a decimal with at most six digits behind the point -> parts per million. */
export const factor = z
  .union([z.string(), z.number()], { error: 'expected a decimal factor' })
  .transform((value, context): bigint => {
    const text = decimalText(value)
    const ppm = text === undefined ? undefined : parsePricePerMillion(text)
    if (ppm !== undefined && ppm >= 0n && ppm <= FACTOR_PPM_MAX) return ppm
    context.addIssue({
      code: 'custom',
      message: 'expected a factor from 0 to 999.999999 with at most 6 digits behind the point',
    })
    return z.NEVER
  })

/** An ISO 8601 time -> milliseconds since 1970. */
export const isoTime = z.iso
  .datetime({ offset: true, error: 'expected an ISO 8601 time such as 2027-01-31T00:00:00Z' })
  .transform((text) => Date.parse(text))

const TRUTHS = new Map([
  ['1', true],
  ['true', true],
  ['yes', true],
  ['on', true],
  ['0', false],
  ['false', false],
  ['no', false],
  ['off', false],
])

/** A boolean in a query string. */
export const queryFlag = z.string().transform((text, context): boolean => {
  const flag = TRUTHS.get(text.trim().toLowerCase())
  if (flag !== undefined) return flag
  context.addIssue({ code: 'custom', message: 'expected true or false' })
  return z.NEVER
})

/** A whole number in a query string, within bounds. */
export const queryInteger = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, { error: `expected a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: `expected a whole number from ${min} to ${max}` })
