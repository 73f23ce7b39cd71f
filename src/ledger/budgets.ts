/** Budgets (R97) as pure functions: the SQL commands and the book in memory decide with the same ones. */
import type { LimitReset } from '#accounts/types.ts'
import type { PeriodBegins } from './periods.ts'
import type { HoldAsk } from './types.ts'

export type BudgetScope = 'account' | 'key' | 'system' | 'group' | 'model'

/** What decides on holds. All of it belongs to one account. */
export interface BudgetFunds {
  readonly id: string
  readonly scope: BudgetScope
  /** Id of the key, group or model, name of the system; empty for the account. */
  readonly target: string
  readonly maxNano: bigint
  /** Null: it never starts over. */
  readonly period: LimitReset | null
  /** Whether it refuses, or is only told of. */
  readonly hard: boolean
  /** Nothing before counts. */
  readonly startsMs: number
  heldNano: bigint
  /** Within the period that began at `periodStartMs`. */
  spentNano: bigint
  periodStartMs: number
}

export const NO_BUDGETS: readonly BudgetFunds[] = []
export const NO_BUDGET_IDS: readonly string[] = []

/** Budgets of one account: each is looked at by every request of it. */
export const BUDGETS_PER_ACCOUNT_MAX = 100

/** Those that a request counts against. */
export function budgetsOf(
  budgets: readonly BudgetFunds[],
  ask: Pick<HoldAsk, 'keyId' | 'system' | 'groupId' | 'modelId'>,
  nowMs: number,
): readonly BudgetFunds[] {
  if (budgets.length === 0) return NO_BUDGETS
  return budgets.filter((budget) => budget.startsMs <= nowMs && isMeant(budget, ask))
}

function isMeant(
  { scope, target }: BudgetFunds,
  ask: Pick<HoldAsk, 'keyId' | 'system' | 'groupId' | 'modelId'>,
): boolean {
  switch (scope) {
    case 'account':
      return true
    case 'key':
      return ask.keyId === target
    case 'system':
      return ask.system === target
    case 'group':
      return ask.groupId === target
    case 'model':
      return ask.modelId === target
    default:
      return scope satisfies never
  }
}

/** The hard one with the least left; null when none bounds the request. */
export function strictestOf(budgets: readonly BudgetFunds[], starts: PeriodBegins): BudgetFunds | null {
  let strictest: BudgetFunds | null = null
  for (const budget of budgets) {
    if (!budget.hard) continue
    if (strictest === null || leftOf(budget, starts) < leftOf(strictest, starts)) strictest = budget
  }
  return strictest
}

/** What is left in the current period; below 0 once more was spent than is allowed. */
export const leftOf = (budget: BudgetFunds, starts: PeriodBegins): bigint =>
  budget.maxNano - spentOf(budget, starts) - budget.heldNano

/** What was spent in the current period. A later period than ours, written while a clock ran ahead, counts. */
export const spentOf = (
  { period, spentNano, periodStartMs }: Pick<BudgetFunds, 'period' | 'spentNano' | 'periodStartMs'>,
  starts: PeriodBegins,
): bigint => (periodStartMs >= startOf(period, starts) ? spentNano : 0n)

/** Counts a charge. */
export function spendOn(budget: BudgetFunds, chargedNano: bigint, starts: PeriodBegins): void {
  budget.spentNano = spentOf(budget, starts) + chargedNano
  const startMs = startOf(budget.period, starts)
  if (startMs > budget.periodStartMs) budget.periodStartMs = startMs
}

export function startOf(period: LimitReset | null, starts: PeriodBegins): number {
  switch (period) {
    case null:
      return 0
    case 'daily':
      return starts.dayStartMs
    case 'weekly':
      return starts.weekStartMs
    case 'monthly':
      return starts.monthStartMs
    default:
      return period satisfies never
  }
}
