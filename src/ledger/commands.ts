/** The writes of money, as they run inside the store's transactions. */
import { GatewayError } from '#base/errors.ts'
import type { Command } from '#store/command.ts'
import { insertSettled, insertStep } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import { run, runAll, step } from '#store/statement.ts'
import type { Step, Work } from '#store/statement.ts'
import { spentInPeriod } from './periods.ts'
import type { PeriodStarts } from './periods.ts'
import * as sql from './statements.ts'
import type { Funds } from './statements.ts'
import type { EntryType, HoldAsk, HoldRefusal, HoldResult, SettleResult } from './types.ts'

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
}

export interface EntryArgs {
  readonly accountId: string
  readonly type: Exclude<EntryType, 'usage'>
  readonly amountNano: bigint
  readonly note: string | null
  readonly actor: string
  readonly nowMs: number
}

/** Sets the worst case of a request aside over the account and the key, or refuses and changes nothing (R94, R97). */
export const reserve: Command<ReserveArgs, HoldResult> = {
  *work(ask) {
    const { rows } = yield* run(sql.findFunds, { account: ask.accountId, key: ask.keyId ?? '' })
    const funds = rows[0]
    if (!funds) throw new GatewayError('not_found', `There is no account ${ask.accountId}.`)
    const verdict = judge(ask, funds)
    // Nothing is set aside for a free request, so it leaves no hold behind either.
    if (!verdict.granted || verdict.amountNano === 0n) return verdict
    const amount = verdict.amountNano
    const steps: Step[] = [step(sql.holdOnAccount, { account: ask.accountId, amount })]
    if (ask.keyId !== null) steps.push(step(sql.holdOnKey, { key: ask.keyId, amount }))
    const { requestId: request, accountId: account, keyId: key, nowMs: now, expiresMs: expires } = ask
    steps.push(step(sql.insertHold, { request, account, key, amount, now, expires }))
    const changes = yield* runAll(steps)
    // The batch holds the account's lock, so this cannot happen; a ledger checks its own arithmetic all the same.
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
    const { chargedNano, balanceNano } = yield* debit(accountId, args.costNano, heldNano)
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

/** Any change of a balance that is no usage. Gives the entry's number and the balance after it. */
export const credit: Command<EntryArgs, { seq: number; balanceNano: bigint }> = {
  work: (args) => postEntry(args),
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

export function* postEntry(args: EntryArgs): Work<{ seq: number; balanceNano: bigint }> {
  const credited = args.type === 'topup' || args.type === 'grant' ? args.amountNano : 0n
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
  })
  return { seq: rows[0]!.seq, balanceNano: balance }
}

function judge(ask: ReserveArgs, funds: Funds): HoldResult {
  const refuse = (refusal: HoldRefusal, availableNano: bigint): HoldResult => ({
    granted: false,
    refusal,
    availableNano: availableNano > 0n ? availableNano : 0n,
  })
  if (funds.status !== 'active') return refuse('account_suspended', 0n)
  if (ask.keyId !== null && (funds.key_id === null || funds.disabled !== 0 || funds.removed_ms !== null)) {
    return refuse('key_disabled', 0n)
  }
  const ofAccount = availableOf(funds)
  const ofKey = availableOfKey(ask, funds)
  const available = smaller(ofAccount, ofKey)
  if (available === null) return { granted: true, amountNano: ask.wantNano }
  const amountNano = ask.wantNano < available ? ask.wantNano : available
  // A free request needs no money, but a balance below zero (a refund, an adjustment) refuses even that one (R94).
  const free = ask.wantNano === 0n && funds.balance_nano >= 0n && (ofKey === null || ofKey >= 0n)
  if (free || (amountNano >= ask.floorNano && amountNano >= 0n)) {
    return { granted: true, amountNano: free ? 0n : amountNano }
  }
  if (ofAccount === null || (ofKey !== null && ofKey < ofAccount)) return refuse('key_limit_exceeded', available)
  return refuse(funds.mode === 'prepaid' ? 'insufficient_balance' : 'credit_limit_exceeded', available)
}

/** What an account can still hold; null is without limit. */
function availableOf(funds: Pick<Funds, 'mode' | 'balance_nano' | 'held_nano' | 'credit_limit_nano'>): bigint | null {
  const own = funds.balance_nano - funds.held_nano
  if (funds.mode === 'prepaid') return own
  return funds.credit_limit_nano === null ? null : own + funds.credit_limit_nano
}

function availableOfKey(ask: ReserveArgs, funds: Funds): bigint | null {
  if (ask.keyId === null || funds.limit_nano === null || funds.total_nano === null) return null
  const { total_nano, day_start_ms, day_nano, week_start_ms, week_nano, month_start_ms, month_nano } = funds
  const sums = { total_nano, day_start_ms, day_nano, week_start_ms, week_nano, month_start_ms, month_nano }
  return funds.limit_nano - spentInPeriod(sums as never, funds.limit_reset, ask) - (funds.key_held_nano ?? 0n)
}

function smaller(left: bigint | null, right: bigint | null): bigint | null {
  if (left === null || right === null) return left ?? right
  return left < right ? left : right
}

/** Takes a cost from an account and its hold off: the whole cost, or what the balance without other holds reaches. */
function* debit(
  account: string,
  cost: bigint,
  held: bigint,
): Work<{ readonly chargedNano: bigint; readonly balanceNano: bigint }> {
  if (cost <= held) {
    const { rows } = yield* run(sql.debitHeld, { account, cost, held })
    if (rows[0]) return { chargedNano: cost, balanceNano: rows[0].balance_nano }
  }
  const { rows } = yield* run(sql.findBalance, { account })
  const funds = rows[0]
  if (!funds) throw new GatewayError('not_found', `There is no account ${account}.`)
  const available = availableOf(funds)
  const room = available === null ? cost : available + held
  const chargedNano = room <= 0n ? 0n : cost < room ? cost : room
  const { rows: after } = yield* run(sql.debitAny, { account, charged: chargedNano, held })
  return { chargedNano, balanceNano: after[0]!.balance_nano }
}

function* bookedBefore(request: string): Work<SettleResult | undefined> {
  const { rows } = yield* run(sql.findBooking, { request })
  const { entry_nano: entry, row_id: row, absorbed_nano: absorbed } = rows[0]!
  if (entry === null && row === null) return undefined
  return { booked: false, chargedNano: -(entry ?? 0n), absorbedNano: absorbed ?? 0n }
}

function releaseSteps(hold: { account_id: string; key_id: string | null; amount_nano: bigint }): Step[] {
  const steps = [step(sql.releaseOnAccount, { account: hold.account_id, held: hold.amount_nano })]
  if (hold.key_id !== null) steps.push(step(sql.releaseOnKey, { key: hold.key_id, held: hold.amount_nano }))
  return steps
}
