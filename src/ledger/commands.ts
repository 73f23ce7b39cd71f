/** The writes of money, as they run inside the store's transactions. */
import { GatewayError } from '#base/errors.ts'
import type { BudgetTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { insertSettled, insertStep } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import type { HoldTable } from '#store/schema.ts'
import { run, runAll, step } from '#store/statement.ts'
import type { Step, Work } from '#store/statement.ts'
import { budgetFundsOf, findBudgets, holdOnBudget, spendOnBudget } from './budget-statements.ts'
import { type BudgetFunds, budgetsOf } from './budgets.ts'
import { chargeOf, judge, scopesReach } from './funds.ts'
import type { AccountFunds, KeyFunds } from './funds.ts'
import type { PeriodStarts } from './periods.ts'
import * as sql from './statements.ts'
import type { Funds } from './statements.ts'
import type { EntryType, HoldAsk, HoldResult, SettleResult } from './types.ts'

export interface ReserveArgs extends HoldAsk, PeriodStarts {
  readonly nowMs: number
  readonly expiresMs: number
}

export interface SettleArgs extends PeriodStarts {
  readonly requestId: string
  readonly accountId: string | null
  readonly keyId: string | null
  readonly costNano: bigint
  readonly nowMs: number
  readonly row: FlatRow
  /** What others hold on the account in memory: a settlement never takes it. */
  readonly reservedNano?: bigint
  /** The budgets it counts against where its hold was in memory, as a hold stores them. */
  readonly budgetIds?: string | null
  /** Where holds are in memory: the one of this request, and those of others on its key and on budgets, by their ids. */
  readonly inMemory?: {
    readonly ownNano: bigint
    readonly keyNano: bigint
    readonly budgetsNano: ReadonlyMap<string, bigint>
  }
  /** What budgets may be about, for a settlement that finds its hold released: its lease was over. */
  readonly scopes?: Pick<HoldAsk, 'system' | 'groupId' | 'modelId'>
}

export interface EntryArgs {
  readonly accountId: string
  readonly type: Exclude<EntryType, 'usage'>
  readonly amountNano: bigint
  readonly note: string | null
  readonly actor: string
  readonly nowMs: number
  /** What it was paid by; no two entries have the same, so that nothing is credited twice. */
  readonly paymentRef?: string | null
}

/** Sets the worst case of a request aside over the account and the key, or refuses and changes nothing (R94, R97). */
export const reserve: Command<ReserveArgs, HoldResult> = {
  *work(ask) {
    const account = ask.accountId
    const found = yield [step(sql.findFunds, { account, key: ask.keyId ?? '' }), step(findBudgets, { account })]
    const funds = found[0]!.rows[0] as Funds | undefined
    if (!funds) throw new GatewayError('not_found', `There is no account ${ask.accountId}.`)
    const budgets = budgetsOf((found[1]!.rows as BudgetTable[]).map(budgetFundsOf), ask, ask.nowMs)
    const verdict = judge(ask, accountFundsOf(funds), keyFundsOf(funds), ask, budgets)
    // Nothing is set aside for a free request, so it leaves no hold behind either.
    if (!verdict.granted || verdict.amountNano === 0n) return verdict
    const amount = verdict.amountNano
    const steps: Step[] = [step(sql.holdOnAccount, { account: ask.accountId, amount })]
    if (ask.keyId !== null) steps.push(step(sql.holdOnKey, { key: ask.keyId, amount }))
    for (const { id: budget } of budgets) steps.push(step(holdOnBudget, { budget, amount }))
    const { requestId: request, keyId: key, nowMs: now, expiresMs: expires } = ask
    const held = budgets.length === 0 ? null : budgets.map(({ id }) => id).join(',')
    steps.push(step(sql.insertHold, { request, account, key, amount, now, expires, budgets: held }))
    const changes = yield* runAll(steps)
    // The batch holds the account's lock, so this cannot happen; a ledger checks its own arithmetic all the same.
    if (changes.includes(0)) throw new Error(`The hold of ${request} did not fit what was read before.`)
    return verdict
  },
  accounts: (ask) => [ask.accountId],
  repeatable: false,
}

/** Adds to the hold of a request over the account and the key, and renews it; or refuses and changes nothing (M2). */
export const extendHold: Command<ReserveArgs, HoldResult> = {
  *work(ask) {
    const { requestId: request, accountId: account, keyId: key, expiresMs: expires } = ask
    const [found, known, held] = yield [
      step(sql.findFunds, { account, key: key ?? '' }),
      step(findBudgets, { account }),
      step(sql.findHold, { request }),
    ]
    const funds = found!.rows[0] as Funds | undefined
    if (!funds) throw new GatewayError('not_found', `There is no account ${account}.`)
    const hold = held!.rows[0] as Pick<HoldTable, 'budget_ids'> | undefined
    if (!hold) return { granted: false, refusal: 'insufficient_balance', availableNano: 0n }
    // Those that it is held on: one that was made since counts from the next request.
    const ids = idsOf(hold.budget_ids)
    const budgets = (known!.rows as BudgetTable[]).map(budgetFundsOf).filter(({ id }) => ids.includes(id))
    const verdict = judge(ask, accountFundsOf(funds), keyFundsOf(funds), ask, budgets)
    if (!verdict.granted || verdict.amountNano === 0n) return verdict
    const amount = verdict.amountNano
    const [grown] = yield* runAll([step(sql.growHold, { request, amount, expires })])
    if (grown === 0) return { granted: false, refusal: 'insufficient_balance', availableNano: 0n }
    const steps: Step[] = [step(sql.holdOnAccount, { account, amount })]
    if (key !== null) steps.push(step(sql.holdOnKey, { key, amount }))
    for (const { id: budget } of budgets) steps.push(step(holdOnBudget, { budget, amount }))
    const changes = yield* runAll(steps)
    if (changes.includes(0)) throw new Error(`The hold of ${request} did not fit what was read before.`)
    return verdict
  },
  accounts: (ask) => [ask.accountId],
  repeatable: false,
}

/** Books a finished request exactly once: hold, balance, entry, key usage and log row in one transaction. */
export const settle: Command<SettleArgs, SettleResult> = {
  *work(args) {
    const { rows: holds } = yield* run(sql.takeHold, { request: args.requestId })
    const hold = holds[0]
    if (!hold) {
      const before = yield* bookedBefore(args.requestId)
      if (before) return before
    }
    const accountId = hold?.account_id ?? args.accountId
    if (accountId === null) {
      yield [insertSettled(args.row, 0n, args.costNano)]
      return { booked: true, chargedNano: 0n, absorbedNano: args.costNano }
    }
    const heldNano = hold?.amount_nano ?? 0n
    const costNano = yield* withinScopes(args, accountId, hold)
    const { chargedNano, balanceNano } = yield* debit(accountId, costNano, heldNano, args.reservedNano ?? 0n)
    const steps: Step[] = [
      step(sql.insertEntry, {
        account: accountId,
        type: 'usage',
        amount: -chargedNano,
        balance: balanceNano,
        request: args.requestId,
        note: null,
        actor: 'gateway',
        now: args.nowMs,
      }),
    ]
    const keyId = hold ? hold.key_id : args.keyId
    if (keyId !== null) {
      const { dayStartMs: day, weekStartMs: week, monthStartMs: month } = args
      steps.push(step(sql.spendOnKey, { key: keyId, held: heldNano, charged: chargedNano, day, week, month }))
    }
    const budgets = hold ? idsOf(hold.budget_ids) : yield* budgetsWithoutHold(args, accountId)
    for (const budget of budgets) {
      const { dayStartMs: day, weekStartMs: week, monthStartMs: month } = args
      steps.push(step(spendOnBudget, { budget, held: heldNano, charged: chargedNano, day, week, month }))
    }
    const absorbedNano = args.costNano - chargedNano
    steps.push(insertSettled(args.row, chargedNano, absorbedNano))
    yield* runAll(steps)
    return { booked: true, chargedNano, absorbedNano }
  },
  accounts: (args) => (args.accountId === null ? [] : [args.accountId]),
  repeatable: true,
}

/** Releases a hold without booking and writes the log row; without a hold only the row. */
export const voidHold: Command<{ requestId: string; accountId: string | null; row: FlatRow }, boolean> = {
  *work({ requestId, row }) {
    const { rows } = yield* run(sql.takeHold, { request: requestId })
    const hold = rows[0]
    yield* runAll(hold ? [...releaseSteps(hold), insertStep(row)] : [insertStep(row)])
    return hold !== undefined
  },
  accounts: ({ accountId }) => (accountId === null ? [] : [accountId]),
  repeatable: true,
}

/** Releases those of the named holds that expired before `beforeMs`; gives how many (R94: a dead process's holds). */
export const releaseExpired: Command<
  { requestIds: readonly string[]; accountIds: readonly string[]; beforeMs: number },
  number
> = {
  *work({ requestIds, beforeMs }) {
    let released = 0
    for (const request of requestIds) {
      const { rows } = yield* run(sql.takeExpiredHold, { request, before: beforeMs })
      const hold = rows[0]
      if (!hold) continue
      yield* runAll(releaseSteps(hold))
      released++
    }
    return released
  },
  accounts: ({ accountIds }) => accountIds,
  repeatable: true,
}

/** Renews the leases of requests that live; those that ended meanwhile have none any more. */
export const renewHolds: Command<
  { requestIds: readonly string[]; accountIds: readonly string[]; expiresMs: number },
  void
> = {
  *work({ requestIds, expiresMs: expires }) {
    yield requestIds.map((request) => step(sql.renewHold, { request, expires }))
  },
  accounts: ({ accountIds }) => accountIds,
  repeatable: true,
}

/** Any change of a balance that is no usage. Gives the entry's number and the balance after it. */
export const credit: Command<EntryArgs, { seq: number; balanceNano: bigint }> = {
  work: (args) => postEntry(args),
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

/** What decides on the holds of an account, in order with the writes; undefined when there is no such account. */
export const readAccountFunds: Command<
  { accountId: string },
  (AccountFunds & { readonly budgets: BudgetFunds[] }) | undefined
> = {
  *work({ accountId: account }) {
    const { rows } = yield* run(sql.findBalance, { account })
    if (!rows[0]) return undefined
    const { rows: budgets } = yield* run(findBudgets, { account })
    return { ...accountFundsOf(rows[0]), budgets: budgets.map(budgetFundsOf) }
  },
  accounts: () => [],
  repeatable: true,
}

/** The same of a key, with the account that it belongs to and the hash that changes name it by. */
export const readKeyFunds: Command<
  { keyId: string },
  (KeyFunds & { readonly accountId: string; readonly hash: string }) | undefined
> = {
  *work({ keyId: key }) {
    const { rows: owners } = yield* run(sql.findKeyOwner, { key })
    if (!owners[0]) return undefined
    const { account_id: accountId, hash } = owners[0]
    const { rows } = yield* run(sql.findFunds, { account: accountId, key })
    return { accountId, hash, ...keyFundsOf(rows[0]!)! }
  },
  accounts: () => [],
  repeatable: true,
}

export function* postEntry(args: EntryArgs): Work<{ seq: number; balanceNano: bigint }> {
  // What a provider pays back was not bought in the end; a refund of ours to the customer is no purchase either way.
  const counts = args.type === 'topup' || args.type === 'grant' || (args.type === 'refund' && args.amountNano < 0n)
  const credited = counts ? args.amountNano : 0n
  const { rows: balances } = yield* run(sql.creditAccount, {
    account: args.accountId,
    amount: args.amountNano,
    credited,
  })
  const balance = balances[0]?.balance_nano
  if (balance === undefined) throw new GatewayError('not_found', `There is no account ${args.accountId}.`)
  const { rows } = yield* run(sql.insertEntryForSeq, {
    account: args.accountId,
    type: args.type,
    amount: args.amountNano,
    balance,
    request: null,
    note: args.note,
    actor: args.actor,
    now: args.nowMs,
    payment: args.paymentRef ?? null,
  })
  return { seq: rows[0]!.seq, balanceNano: balance }
}

type AccountColumns = Pick<Funds, 'status' | 'mode' | 'balance_nano' | 'held_nano' | 'credit_limit_nano'>

const accountFundsOf = (row: AccountColumns): AccountFunds => ({
  status: row.status,
  mode: row.mode,
  balanceNano: row.balance_nano,
  heldNano: row.held_nano,
  creditLimitNano: row.credit_limit_nano,
})

function keyFundsOf(funds: Funds): KeyFunds | null {
  if (funds.key_id === null) return null
  return {
    disabled: funds.disabled !== 0 || funds.removed_ms !== null,
    // Without its counters a key has no limit that could be counted.
    limitNano: funds.total_nano === null ? null : funds.limit_nano,
    limitReset: funds.limit_reset,
    heldNano: funds.key_held_nano ?? 0n,
    sums: {
      total_nano: funds.total_nano ?? 0n,
      day_start_ms: funds.day_start_ms ?? 0,
      day_nano: funds.day_nano ?? 0n,
      week_start_ms: funds.week_start_ms ?? 0,
      week_nano: funds.week_nano ?? 0n,
      month_start_ms: funds.month_start_ms ?? 0,
      month_nano: funds.month_nano ?? 0n,
    },
  }
}

/** Takes a cost from an account and its hold off. `reservedNano` is held by others beside the database (record 9). */
function* debit(
  account: string,
  cost: bigint,
  held: bigint,
  reservedNano: bigint,
): Work<{ readonly chargedNano: bigint; readonly balanceNano: bigint }> {
  if (cost <= held && reservedNano === 0n) {
    const { rows } = yield* run(sql.debitHeld, { account, cost, held })
    if (rows[0]) return { chargedNano: cost, balanceNano: rows[0].balance_nano }
  }
  const { rows } = yield* run(sql.findBalance, { account })
  if (!rows[0]) throw new GatewayError('not_found', `There is no account ${account}.`)
  const funds = accountFundsOf(rows[0])
  const chargedNano = chargeOf({ ...funds, heldNano: funds.heldNano + reservedNano }, cost, held)
  const { rows: after } = yield* run(sql.debitAny, { account, charged: chargedNano, held })
  return { chargedNano, balanceNano: after[0]!.balance_nano }
}

function* bookedBefore(request: string): Work<SettleResult | undefined> {
  const { rows } = yield* run(sql.findBooking, { request })
  const { entry_nano: entry, row_id: row, absorbed_nano: absorbed } = rows[0]!
  if (entry === null && row === null) return undefined
  return { booked: false, chargedNano: -(entry ?? 0n), absorbedNano: absorbed ?? 0n }
}

/** A cost, or as much of it as key and budgets allow. What was charged before it is written again (neither is told) stays as it was. */
function* withinScopes(
  args: SettleArgs,
  account: string,
  hold: Pick<HoldTable, 'amount_nano' | 'key_id' | 'budget_ids'> | undefined,
): Work<bigint> {
  const { costNano, scopes, inMemory, nowMs } = args
  const ownNano = hold?.amount_nano ?? inMemory?.ownNano ?? 0n
  if (costNano <= ownNano || (scopes === undefined && inMemory === undefined)) return costNano
  const keyId = hold ? hold.key_id : args.keyId
  const [found, known] = yield [step(sql.findFunds, { account, key: keyId ?? '' }), step(findBudgets, { account })]
  const all = (known!.rows as BudgetTable[]).map(budgetFundsOf)
  const ids = idsOf(hold ? hold.budget_ids : args.budgetIds)
  const isByScopes = hold === undefined && scopes !== undefined
  const budgets = isByScopes ? budgetsOf(all, { keyId, ...scopes }, nowMs) : all.filter(({ id }) => ids.includes(id))
  // Of what is in memory its own part was taken off before.
  const ownAgainNano = inMemory ? ownNano : 0n
  for (const budget of budgets) budget.heldNano += ownAgainNano + (inMemory?.budgetsNano.get(budget.id) ?? 0n)
  const funds = found!.rows[0] as Funds | undefined
  const key = funds === undefined ? null : keyFundsOf(funds)
  const withMemory = key && { ...key, heldNano: key.heldNano + ownAgainNano + (inMemory?.keyNano ?? 0n) }
  const reach = scopesReach(withMemory, budgets, args, ownNano)
  return reach !== null && reach < costNano ? reach : costNano
}

function* budgetsWithoutHold(
  { budgetIds, scopes, keyId, nowMs }: SettleArgs,
  account: string,
): Work<readonly string[]> {
  if (scopes === undefined) return idsOf(budgetIds)
  const { rows } = yield* run(findBudgets, { account })
  return budgetsOf(rows.map(budgetFundsOf), { keyId, ...scopes }, nowMs).map(({ id }) => id)
}

const idsOf = (text: string | null | undefined): readonly string[] => (text ? text.split(',') : [])

function releaseSteps(hold: Pick<HoldTable, 'account_id' | 'key_id' | 'amount_nano' | 'budget_ids'>): Step[] {
  const steps = [step(sql.releaseOnAccount, { account: hold.account_id, held: hold.amount_nano })]
  if (hold.key_id !== null) steps.push(step(sql.releaseOnKey, { key: hold.key_id, held: hold.amount_nano }))
  for (const budget of idsOf(hold.budget_ids)) steps.push(step(holdOnBudget, { budget, amount: -hold.amount_nano }))
  return steps
}
