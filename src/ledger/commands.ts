/** The writes of money, as they run inside the store's transactions. */
import { GatewayError } from '#base/errors.ts'
import type { AgentSessionTable, BudgetTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { insertSettled, insertStep } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import type { HoldTable } from '#store/schema.ts'
import { run, runAll, step } from '#store/statement.ts'
import type { Step, Work } from '#store/statement.ts'
import { budgetFundsOf, findBudgets, holdOnBudget, spendOnBudget } from './budget-statements.ts'
import { type BudgetFunds, budgetsOf } from './budgets.ts'
import { chargeOf, judge } from './funds.ts'
import type { AccountFunds, KeyFunds, Scopes } from './funds.ts'
import type { PeriodBegins, PeriodStarts } from './periods.ts'
import { findSession, holdOnSession, openSteps, spendOnSession } from './session-commands.ts'
import { isSessionId, runningFunds, sessionFundsOf } from './session-funds.ts'
import type { SessionFunds } from './session-funds.ts'
import { accountFundsOf, keyFundsOf } from './stored-funds.ts'
import * as sql from './statements.ts'
import type { Funds } from './statements.ts'
import type { EntryType, HoldAsk, HoldResult, SettleResult } from './types.ts'

export interface ReserveArgs extends HoldAsk, PeriodStarts {
  readonly nowMs: number
  readonly expiresMs: number
}

export interface SettleArgs extends PeriodBegins {
  readonly requestId: string
  readonly accountId: string | null
  readonly keyId: string | null
  readonly costNano: bigint
  readonly nowMs: number
  readonly row: FlatRow
  /** What others hold on the account in memory: a settlement never takes it. */
  readonly reservedNano?: bigint
  /** The same of the key, and of each budget by its id. */
  readonly keyReservedNano?: bigint
  readonly budgetsReserved?: readonly (readonly [string, bigint])[]
  /** What its hold in memory was. */
  readonly grantedNano?: bigint
  /** The budgets it counts against where its hold was in memory, as a hold stores them. */
  readonly budgetIds?: string | null
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
    const opening = ask.session ? openSteps(ask.session, account, ask.nowMs) : []
    const found = yield [
      step(sql.findFunds, { account, key: ask.keyId ?? '' }),
      step(findBudgets, { account }),
      ...opening,
    ]
    const funds = found[0]!.rows[0] as Funds | undefined
    if (!funds) throw new GatewayError('not_found', `There is no account ${ask.accountId}.`)
    const budgets = budgetsOf((found[1]!.rows as BudgetTable[]).map(budgetFundsOf), ask, ask.nowMs)
    const session = ask.session ? sessionFundsOf(found[3]!.rows[0] as AgentSessionTable) : null
    const verdict = judge(ask, accountFundsOf(funds), keyFundsOf(funds), ask, budgets, session, ask.nowMs)
    // Nothing is set aside for a free request, so it leaves no hold behind either, unless it is counted.
    if (!verdict.granted || (verdict.amountNano === 0n && session === null)) return verdict
    const amount = verdict.amountNano
    const steps: Step[] = [step(sql.holdOnAccount, { account: ask.accountId, amount })]
    if (ask.keyId !== null) steps.push(step(sql.holdOnKey, { key: ask.keyId, amount }))
    for (const { id: budget } of budgets) steps.push(step(holdOnBudget, { budget, amount }))
    const { requestId: request, keyId: key, nowMs: now, expiresMs: expires } = ask
    if (session) steps.push(step(holdOnSession, { id: session.id, amount, count: 1 }))
    const ids = [...budgets, ...(session ? [session] : [])].map(({ id }) => id)
    const held = ids.length === 0 ? null : ids.join(',')
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
    const session = yield* runningSession(ids)
    const verdict = judge(ask, accountFundsOf(funds), keyFundsOf(funds), ask, budgets, session)
    if (!verdict.granted || verdict.amountNano === 0n) return verdict
    const amount = verdict.amountNano
    const [grown] = yield* runAll([step(sql.growHold, { request, amount, expires })])
    if (grown === 0) return { granted: false, refusal: 'insufficient_balance', availableNano: 0n }
    const steps: Step[] = [step(sql.holdOnAccount, { account, amount })]
    if (key !== null) steps.push(step(sql.holdOnKey, { key, amount }))
    for (const { id: budget } of budgets) steps.push(step(holdOnBudget, { budget, amount }))
    if (session) steps.push(step(holdOnSession, { id: session.id, amount, count: 0 }))
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
    const keyId = hold ? hold.key_id : args.keyId
    const budgetIds = hold ? idsOf(hold.budget_ids) : yield* budgetsWithoutHold(args, accountId)
    const { chargedNano, balanceNano } = yield* debit(args, { accountId, keyId, budgetIds, heldNano })
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
    if (keyId !== null) {
      const { dayStartMs: day, weekStartMs: week, monthStartMs: month } = args
      steps.push(step(sql.spendOnKey, { key: keyId, held: heldNano, charged: chargedNano, day, week, month }))
    }
    for (const budget of budgetIds) {
      if (isSessionId(budget)) {
        const counters = { id: budget, held: heldNano, charged: chargedNano, count: hold ? 0 : 1 }
        steps.push(step(spendOnSession, { ...counters, now: args.nowMs }))
        continue
      }
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
  const isGivenBack = args.type === 'expiry' || (args.type === 'refund' && args.amountNano < 0n)
  const counts = args.type === 'topup' || args.type === 'grant' || isGivenBack
  const credited = counts ? args.amountNano : 0n
  const { rows: balances } = yield* run(sql.creditAccount, {
    account: args.accountId,
    amount: args.amountNano,
    credited,
    purchased: isPurchase(args) ? args.amountNano : 0n,
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

/** What was bought, and what of it was paid back: a refund or a dispute of its payment. */
const isPurchase = ({ type, amountNano, paymentRef }: EntryArgs): boolean =>
  type === 'topup' ||
  (type === 'refund' && amountNano < 0n) ||
  (type === 'adjustment' && typeof paymentRef === 'string')

/** Whose money a settlement takes, and what was set aside for it. */
interface Payer {
  readonly accountId: string
  readonly keyId: string | null
  readonly budgetIds: readonly string[]
  readonly heldNano: bigint
}

/** Takes a cost from an account and its hold off. What others hold beside the database stays untouched (record 9). */
function* debit(args: SettleArgs, payer: Payer): Work<{ readonly chargedNano: bigint; readonly balanceNano: bigint }> {
  const { accountId: account, keyId, heldNano: held } = payer
  const { costNano: cost, reservedNano = 0n } = args
  if (cost <= held && reservedNano === 0n) {
    const { rows } = yield* run(sql.debitHeld, { account, cost, held })
    if (rows[0]) return { chargedNano: cost, balanceNano: rows[0].balance_nano }
  }
  const { rows } = yield* run(sql.findFunds, { account, key: keyId ?? '' })
  if (!rows[0]) throw new GatewayError('not_found', `There is no account ${account}.`)
  const funds = accountFundsOf(rows[0])
  const grantedNano = args.grantedNano ?? held
  const scopes = cost > grantedNano ? yield* scopesOf(args, payer, keyFundsOf(rows[0]), grantedNano) : null
  const chargedNano = chargeOf({ ...funds, heldNano: funds.heldNano + reservedNano }, cost, held, scopes)
  const { rows: after } = yield* run(sql.debitAny, { account, charged: chargedNano, held })
  return { chargedNano, balanceNano: after[0]!.balance_nano }
}

/** The key and the budgets that a hold was set aside on, with what is held beside the database. */
function* scopesOf(
  args: SettleArgs,
  { accountId, budgetIds }: Payer,
  key: KeyFunds | null,
  grantedNano: bigint,
): Work<Scopes> {
  const { keyReservedNano = 0n, budgetsReserved = [] } = args
  const known = budgetIds.length === 0 ? [] : (yield* run(findBudgets, { account: accountId })).rows
  const budgets = known.map(budgetFundsOf).filter(({ id }) => budgetIds.includes(id))
  for (const [id, nano] of budgetsReserved) {
    const budget = budgets.find((one) => one.id === id)
    if (budget) budget.heldNano += nano
  }
  return { key: key && { ...key, heldNano: key.heldNano + keyReservedNano }, budgets, starts: args, grantedNano }
}

function* bookedBefore(request: string): Work<SettleResult | undefined> {
  const { rows } = yield* run(sql.findBooking, { request })
  const { entry_nano: entry, row_id: row, absorbed_nano: absorbed } = rows[0]!
  if (entry === null && row === null) return undefined
  return { booked: false, chargedNano: -(entry ?? 0n), absorbedNano: absorbed ?? 0n }
}

function* budgetsWithoutHold(
  { budgetIds, scopes, keyId, nowMs }: SettleArgs,
  account: string,
): Work<readonly string[]> {
  if (scopes === undefined) return idsOf(budgetIds)
  const { rows } = yield* run(findBudgets, { account })
  return budgetsOf(rows.map(budgetFundsOf), { keyId, ...scopes }, nowMs).map(({ id }) => id)
}

/** The session of a hold: while a request runs, its stop and its count are no matter, only its money. */
function* runningSession(ids: readonly string[]): Work<SessionFunds | null> {
  const id = ids.find(isSessionId)
  if (id === undefined) return null
  const { rows } = yield* run(findSession, { id })
  return rows[0] ? runningFunds(sessionFundsOf(rows[0])) : null
}

const idsOf = (text: string | null | undefined): readonly string[] => (text ? text.split(',') : [])

function releaseSteps(hold: Pick<HoldTable, 'account_id' | 'key_id' | 'amount_nano' | 'budget_ids'>): Step[] {
  const steps = [step(sql.releaseOnAccount, { account: hold.account_id, held: hold.amount_nano })]
  if (hold.key_id !== null) steps.push(step(sql.releaseOnKey, { key: hold.key_id, held: hold.amount_nano }))
  for (const budget of idsOf(hold.budget_ids)) {
    const amount = -hold.amount_nano
    steps.push(
      isSessionId(budget)
        ? step(holdOnSession, { id: budget, amount, count: -1 })
        : step(holdOnBudget, { budget, amount }),
    )
  }
  return steps
}
