import { z } from 'zod'
import { parseUsd, type NanoUsd } from '#base/money.ts'
import { decimal } from './feature-schema.ts'

/** Budgets of one file: every account that they are for looks at all of them with every request. */
export const FILE_BUDGETS_MAX = 50
const TARGET_CHARACTERS_MAX = 256

const filled = z.string().min(1, 'must not be empty').max(TARGET_CHARACTERS_MAX)
const time = z
  .string()
  .refine((text) => /^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(Date.parse(text)), 'expected an ISO 8601 time')

export const budgets = z
  .array(
    z.strictObject({
      account: filled.optional(),
      scope: z
        .enum(['account', 'key', 'system', 'group', 'model'], 'expected account, key, system, group or model')
        .optional(),
      target: filled.optional(),
      max_usd: decimal,
      period: z.enum(['none', 'daily', 'weekly', 'monthly'], 'expected none, daily, weekly or monthly').optional(),
      hard: z.boolean().optional(),
      starts: time.optional(),
    }),
  )
  .max(FILE_BUDGETS_MAX, `expected at most ${FILE_BUDGETS_MAX} budgets`)
export type BudgetsFile = z.output<typeof budgets>

/** A budget of the file (R97). */
export interface BudgetRule {
  /** Id or e-mail address; null: every account has one of its own. */
  readonly account: string | null
  readonly scope: 'account' | 'key' | 'system' | 'group' | 'model'
  /** Empty for the account. */
  readonly target: string
  readonly maxNano: NanoUsd
  readonly period: 'daily' | 'weekly' | 'monthly' | null
  readonly hard: boolean
  readonly startsMs: number
}

/** `budgets:` in our units; faults are pushed as `path: reason`. */
export function readBudgets(file: BudgetsFile, faults: string[]): BudgetRule[] {
  const seen = new Map<string, number>()
  return file.map((entry, index) => {
    const path = `budgets[${index}]`
    const { account, scope = 'account', target = '', period = 'none', hard = true, starts } = entry
    if (scope === 'account' && target !== '') faults.push(`${path}.target: an account is named by "account"`)
    if (scope !== 'account' && target === '') faults.push(`${path}.target: missing, scope ${scope} names one`)
    if (scope === 'key' && account !== undefined) faults.push(`${path}.account: a key has one account`)
    const about = JSON.stringify([account, scope, target, period])
    const before = seen.get(about)
    if (before !== undefined) faults.push(`${path}: means the same as budgets[${before}]`)
    seen.set(about, index)
    const maxNano = parseUsd(entry.max_usd)
    if (maxNano === undefined || maxNano > MAX_NANO) {
      faults.push(
        `${path}.max_usd: expected an amount in USD from 0 to a billion with at most 9 digits behind the point`,
      )
    }
    return {
      account: account === undefined ? null : account.includes('@') ? account.toLowerCase() : account,
      scope,
      target,
      maxNano: maxNano ?? 0n,
      period: period === 'none' ? null : period,
      hard,
      startsMs: starts === undefined ? 0 : Date.parse(starts),
    }
  })
}

/** A billion USD. */
const MAX_NANO = 10n ** 18n

/** Whether this is a zone of the IANA database. */
export function isTimeZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
