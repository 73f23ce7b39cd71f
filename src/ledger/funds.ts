/** The rules of money as pure functions. The SQL commands and the book in memory decide with the same ones (R94, R97). */
import type { LimitReset } from '#accounts/types.ts'
import { type BudgetFunds, leftOf, NO_BUDGETS, resetOf, strictestOf } from './budgets.ts'
import { spentInPeriod } from './periods.ts'
import type { PeriodStarts, PeriodSums } from './periods.ts'
import type { HoldAsk, HoldRefusal, HoldResult } from './types.ts'

export interface AccountFunds {
  readonly status: 'active' | 'suspended'
  readonly mode: 'prepaid' | 'postpaid'
  readonly balanceNano: bigint
  /** The sum of all open holds. */
  readonly heldNano: bigint
  /** Postpaid only: how far below zero the balance may go; null is no limit. */
  readonly creditLimitNano: bigint | null
}

export interface KeyFunds {
  /** Disabled or removed: it holds nothing more. */
  readonly disabled: boolean
  readonly limitNano: bigint | null
  readonly limitReset: LimitReset | null
  readonly heldNano: bigint
  readonly sums: PeriodSums
}

/**
 * Whether a hold fits the account, the key and the budgets it counts against at once, and how much of it. `key` is null without a key, and also when the
 * key that is named does not exist or belongs to another account; the two differ by `ask.keyId`.
 */
export function judge(
  ask: Pick<HoldAsk, 'keyId' | 'wantNano' | 'floorNano'>,
  account: AccountFunds,
  key: KeyFunds | null,
  starts: PeriodStarts,
  budgets: readonly BudgetFunds[] = NO_BUDGETS,
): HoldResult {
  if (account.status !== 'active') return refuse('account_suspended', 0n)
  if (ask.keyId !== null && (key === null || key.disabled)) return refuse('key_disabled', 0n)
  const ofAccount = availableOf(account)
  const ofKey = key === null ? null : availableOfKey(key, starts)
  const budget = strictestOf(budgets, starts)
  const ofBudget = budget === null ? null : leftOf(budget, starts)
  const withoutBudgets = smaller(ofAccount, ofKey)
  const available = smaller(withoutBudgets, ofBudget)
  if (available === null) return { granted: true, amountNano: ask.wantNano }
  const amountNano = ask.wantNano < available ? ask.wantNano : available
  // A free request needs no money, but a balance below zero (a refund, an adjustment) refuses even that one (R94).
  const free =
    ask.wantNano === 0n &&
    account.balanceNano >= 0n &&
    (ofKey === null || ofKey >= 0n) &&
    (ofBudget === null || ofBudget >= 0n)
  if (free || (amountNano >= ask.floorNano && amountNano >= 0n)) {
    return { granted: true, amountNano: free ? 0n : amountNano }
  }
  if (budget !== null && (withoutBudgets === null || ofBudget! < withoutBudgets)) {
    const { scope, target, period } = budget
    return { ...refuse('budget_exceeded', available), budget: { scope, target, resetMs: resetOf(period, starts) } }
  }
  if (ofAccount === null || (ofKey !== null && ofKey < ofAccount)) return refuse('key_limit_exceeded', available)
  return refuse(account.mode === 'prepaid' ? 'insufficient_balance' : 'credit_limit_exceeded', available)
}

/** What is taken of a cost: all of it, or what the balance reaches without the holds of others, and never less than 0. */
export function chargeOf(account: AccountFunds, costNano: bigint, ownHoldNano: bigint): bigint {
  const available = availableOf(account)
  if (available === null) return costNano
  const room = available + ownHoldNano
  if (room <= 0n) return 0n
  return costNano < room ? costNano : room
}

/**
 * The most that a request may be charged by its key and its budgets (B1): its hold, which they allowed, and beyond it what is left
 * of them. Null is without limit. The rest is absorbed, as where the balance ends.
 */
export function scopesReach(
  key: KeyFunds | null,
  budgets: readonly BudgetFunds[],
  starts: PeriodStarts,
  ownHoldNano: bigint,
): bigint | null {
  const budget = strictestOf(budgets, starts)
  const left = smaller(key && availableOfKey(key, starts), budget && leftOf(budget, starts))
  if (left === null) return null
  return left > 0n ? ownHoldNano + left : ownHoldNano
}

/** What an account can still hold; null is without limit. */
export function availableOf(account: Omit<AccountFunds, 'status'>): bigint | null {
  const own = account.balanceNano - account.heldNano
  if (account.mode === 'prepaid') return own
  return account.creditLimitNano === null ? null : own + account.creditLimitNano
}

/** What is left of a key's limit in the current period; null is without limit. */
export function availableOfKey(key: KeyFunds, starts: PeriodStarts): bigint | null {
  if (key.limitNano === null) return null
  return key.limitNano - spentInPeriod(key.sums, key.limitReset, starts) - key.heldNano
}

function refuse(refusal: HoldRefusal, availableNano: bigint): HoldResult & { granted: false } {
  return { granted: false, refusal, availableNano: availableNano > 0n ? availableNano : 0n }
}

function smaller(left: bigint | null, right: bigint | null): bigint | null {
  if (left === null || right === null) return left ?? right
  return left < right ? left : right
}
