/** The rules of money as pure functions. The SQL commands and the book in memory decide with the same ones (R94, R97). */
import type { LimitReset } from '#accounts/types.ts'
import { type BudgetFunds, leftOf, NO_BUDGETS, strictestOf } from './budgets.ts'
import { endOf, spentInPeriod } from './periods.ts'
import type { PeriodBegins, PeriodStarts, PeriodSums } from './periods.ts'
import { leftOfSession, sessionRefusal } from './session-funds.ts'
import type { SessionFunds } from './session-funds.ts'
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
  session: SessionFunds | null = null,
  nowMs = 0,
): HoldResult {
  if (account.status !== 'active') return refuse('account_suspended', 0n)
  if (ask.keyId !== null && (key === null || key.disabled)) return refuse('key_disabled', 0n)
  const ended = session === null ? null : sessionRefusal(session, nowMs)
  if (ended !== null) return refuse(ended, 0n)
  const ofAccount = availableOf(account)
  const ofKey = key === null ? null : availableOfKey(key, starts)
  const budget = strictestOf(budgets, starts)
  const ofBudget = budget === null ? null : leftOf(budget, starts)
  const withoutBudgets = smaller(ofAccount, ofKey)
  const withoutSession = smaller(withoutBudgets, ofBudget)
  const ofSession = session === null ? null : leftOfSession(session)
  const available = smaller(withoutSession, ofSession)
  if (available === null) return { granted: true, amountNano: ask.wantNano }
  const amountNano = ask.wantNano < available ? ask.wantNano : available
  // A free request needs no money, but a balance below zero (a refund, an adjustment) refuses even that one (R94).
  const free =
    ask.wantNano === 0n &&
    account.balanceNano >= 0n &&
    (ofKey === null || ofKey >= 0n) &&
    (ofBudget === null || ofBudget >= 0n) &&
    (ofSession === null || ofSession >= 0n)
  if (free || (amountNano >= ask.floorNano && amountNano >= 0n)) {
    return { granted: true, amountNano: free ? 0n : amountNano }
  }
  if (ofSession !== null && (withoutSession === null || ofSession < withoutSession)) {
    return refuse('session_budget_exceeded', available)
  }
  if (budget !== null && (withoutBudgets === null || ofBudget! < withoutBudgets)) {
    const { scope, target, period } = budget
    return { ...refuse('budget_exceeded', available), budget: { scope, target, resetMs: endOf(period, starts) } }
  }
  if (ofAccount === null || (ofKey !== null && ofKey < ofAccount)) return refuse('key_limit_exceeded', available)
  return refuse(account.mode === 'prepaid' ? 'insufficient_balance' : 'credit_limit_exceeded', available)
}

/** The limits beside the balance that a hold was set aside on. */
export interface Scopes {
  readonly key: KeyFunds | null
  readonly budgets: readonly BudgetFunds[]
  readonly starts: PeriodBegins
  /** What was set aside on them: that much may be taken whatever became of them since. */
  readonly grantedNano: bigint
}

/**
 * What is taken of a cost: all of it, or what the balance reaches without the holds of others, and never less than 0. Beyond
 * its own hold it is no more than its key and its hard budgets leave either: no limit is passed by an answer that was longer
 * than it should be (M2, R97). `scopes` are given where the cost is above the hold.
 */
export function chargeOf(account: AccountFunds, costNano: bigint, ownHoldNano: bigint, scopes: Scopes | null): bigint {
  const within = scopes ? withinScopes(costNano, ownHoldNano, scopes) : costNano
  const available = availableOf(account)
  if (available === null) return within
  const room = available + ownHoldNano
  if (room <= 0n) return 0n
  return within < room ? within : room
}

function withinScopes(costNano: bigint, ownHoldNano: bigint, scopes: Scopes): bigint {
  const { key, budgets, starts, grantedNano } = scopes
  const budget = strictestOf(budgets, starts)
  const left = smaller(key && availableOfKey(key, starts), budget && leftOf(budget, starts))
  if (left === null) return costNano
  const free = left + ownHoldNano
  const room = free > grantedNano ? free : grantedNano
  return costNano < room ? costNano : room
}

/** What an account can still hold; null is without limit. */
export function availableOf(account: Omit<AccountFunds, 'status'>): bigint | null {
  const own = account.balanceNano - account.heldNano
  if (account.mode === 'prepaid') return own
  return account.creditLimitNano === null ? null : own + account.creditLimitNano
}

/** What is left of a key's limit in the current period; null is without limit. */
export function availableOfKey(key: KeyFunds, starts: PeriodBegins): bigint | null {
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
