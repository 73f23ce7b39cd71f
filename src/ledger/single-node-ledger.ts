/**
 * The ledger of a process that owns its database alone (record 9): what an account may hold is decided in memory at once,
 * and a settlement is one queued write. Open holds live in memory only. The requests of a killed process died with it, so
 * its holds are void by definition; what is durable is every settlement that was answered.
 *
 * What memory cannot decide (a settlement without a hold, a second one, one whose funds changed under it) goes through the
 * SQL command `settle`, which books exactly once whatever came before.
 */
import { GatewayError } from '#base/errors.ts'
import type { Booking } from '#store/booking.ts'
import { storeUnavailable } from '#store/failure.ts'
import { AMOUNT_NANO_MAX, factsOf, flatten, setCharge } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import { type BudgetFunds, budgetsOf, NO_BUDGET_IDS, NO_BUDGETS } from './budgets.ts'
import { chargeOf, judge, type Scopes } from './funds.ts'
import { createFundsBook, FUNDS_WARM_MAX, READS_PER_REQUEST_MAX } from './funds-book.ts'
import type { AccountEntry, FundsBook, KeyEntry } from './funds-book.ts'
import { checkAsk, createLedger } from './ledger.ts'
import type { RecoverableLedger } from './ledger.ts'
import { type OpenHold, OpenHolds } from './open-holds.ts'
import { createPeriodClock } from './periods.ts'
import type { PeriodClock, PeriodStarts } from './periods.ts'
import { runningFunds } from './session-funds.ts'
import type { SessionAsk } from './session-funds.ts'
import type { HoldAsk, HoldResult, Settlement, SettleResult } from './types.ts'
import { compareBook } from './verify.ts'

const isCurrent = ({ account, key }: OpenHold): boolean => account.current && key?.current !== false

const isReady = (account: AccountEntry, key: KeyEntry | null | undefined): boolean =>
  account.current && key?.current !== false

/** Whether the funds of the session are in the book, where there is one. */
const knowsSession = (account: AccountEntry, session: SessionAsk | null | undefined): boolean =>
  !session || account.sessions?.get(session.id) !== undefined

function idsOf(budgets: readonly BudgetFunds[], session: SessionAsk | null): readonly string[] {
  if (session !== null) return [...budgets.map(({ id }) => id), session.id]
  return budgets.length === 0 ? NO_BUDGET_IDS : budgets.map(({ id }) => id)
}

const NO_HOLD: HoldResult = { granted: false, refusal: 'insufficient_balance', availableNano: 0n }

type Book = NonNullable<Store['book']>

/** The ledger over a store that one process owns. `now` gives milliseconds since the epoch. Throws for a shared store. */
export function createSingleNodeLedger(
  store: Store,
  options: { now?: () => number; periods?: PeriodClock; warmMax?: number; write?: Book } = {},
): RecoverableLedger {
  const { now = Date.now, periods: startsAt = createPeriodClock(), warmMax = FUNDS_WARM_MAX } = options
  const write = options.write ?? store.book
  if (!write) throw new TypeError('A store that several processes share needs the ledger in SQL.')
  const book = createFundsBook(store, warmMax)
  const holds = new OpenHolds()
  // Only its recovery and its checks are used: they look at the database.
  const stored = createLedger(store, { now })

  const reserve = reserverOf(book, holds, startsAt, now)
  const settleStored = storedSettlerOf(store, book, startsAt)
  const settleHeld = settlerOf(book, write, startsAt, settleStored)
  const settleCold = coldSettlerOf(book, settleHeld, settleStored)

  return {
    reserve,
    extend: growerOf(book, holds, () => startsAt(now())),
    settle(settlement) {
      const hold = holds.get(settlement.requestId)
      const work = workOf(settlement, now(), hold)
      if (hold) holds.delete(hold)
      return hold && isCurrent(hold) ? settleHeld(work, hold) : settleCold(work, hold)
    },
    async void(requestId, row) {
      const hold = holds.get(requestId)
      if (!hold) {
        await store.execute('void', { requestId, accountId: row.account_id, row: flatten(row) })
        return
      }
      holds.delete(hold)
      release(book, hold)
      await store.execute('appendRows', [flatten(row)])
    },
    recover: () => stored.recover(),
    async verify() {
      const found = await stored.verify()
      const problems = [...found.problems, ...(await compareBook(store, book, holds.values()))]
      return { ...found, openHolds: found.openHolds + holds.size, problems }
    },
    heldOf: book.heldOf,
    heldOfKey: book.heldOfKey,
    close: async () => {},
  }
}

/** Opens holds: at once when the funds are known, else after one read. */
function reserverOf(
  book: FundsBook,
  holds: OpenHolds,
  startsAt: PeriodClock,
  now: () => number,
): RecoverableLedger['reserve'] {
  const admit = (ask: HoldAsk, account: AccountEntry, key: KeyEntry | null): HoldResult => {
    if (holds.has(ask.requestId)) throw new GatewayError('state_conflict', `${ask.requestId} has a hold already.`)
    const own = key !== null && key.accountId === ask.accountId ? key : null
    const nowMs = now()
    const budgets = budgetsOf(account.budgets, ask, nowMs)
    const session = ask.session ?? null
    const funds = session === null ? null : account.sessions!.get(session.id)!
    const verdict = judge(ask, account.funds, own === null ? null : own.funds, startsAt(nowMs), budgets, funds, nowMs)
    if (verdict.granted) {
      const { amountNano } = verdict
      const budgetIds = idsOf(budgets, session)
      holds.add({ requestId: ask.requestId, account, key: own, amountNano, budgetIds, session, next: undefined })
      book.hold(account, own, amountNano, budgetIds)
    }
    return verdict
  }
  const reserveCold = async (ask: HoldAsk): Promise<HoldResult> => {
    for (let loads = 0; loads < READS_PER_REQUEST_MAX; loads++) {
      const [account, key] = await book.load(ask.accountId, ask.keyId)
      if (!account) throw new GatewayError('not_found', `There is no account ${ask.accountId}.`)
      // Between the answer and this turn somebody else may have marked them.
      if (isReady(account, key) && !knowsSession(account, ask.session)) {
        await book.loadSession(account, ask.session!, now())
      }
      if (isReady(account, key) && knowsSession(account, ask.session)) return admit(ask, account, key ?? null)
    }
    throw storeUnavailable(`The funds of ${ask.accountId} never settle.`)
  }
  return (ask) => {
    checkAsk(ask)
    const account = book.account(ask.accountId)
    const key = ask.keyId === null ? null : book.key(ask.keyId)
    if (!account || key === undefined) return reserveCold(ask)
    return !ask.session || knowsSession(account, ask.session) ? admit(ask, account, key) : reserveCold(ask)
  }
}

/** Those that a hold is on: one that was made since counts from the next request. */
const heldBudgets = ({ account, budgetIds }: OpenHold): readonly BudgetFunds[] =>
  budgetIds.length === 0 ? NO_BUDGETS : account.budgets.filter(({ id }) => budgetIds.includes(id))

const scopesOf = (hold: OpenHold, starts: PeriodStarts): Scopes => ({
  key: hold.key && hold.key.funds,
  budgets: heldBudgets(hold),
  starts,
  grantedNano: hold.amountNano,
})

/** Adds to open holds, by the same rules as a reservation. */
function growerOf(book: FundsBook, holds: OpenHolds, starts: () => PeriodStarts): RecoverableLedger['extend'] {
  const grow = (ask: HoldAsk, hold: OpenHold): HoldResult => {
    const { account, key, budgetIds, session } = hold
    const funds = session && runningFunds(account.sessions!.get(session.id)!)
    const verdict = judge(ask, account.funds, key && key.funds, starts(), heldBudgets(hold), funds)
    if (verdict.granted) {
      hold.amountNano += verdict.amountNano
      book.grow(account, key, verdict.amountNano, budgetIds)
    }
    return verdict
  }
  const growCold = async (ask: HoldAsk): Promise<HoldResult> => {
    for (let loads = 0; loads < READS_PER_REQUEST_MAX; loads++) {
      await book.load(ask.accountId, ask.keyId)
      // It may have ended meanwhile.
      const hold = holds.get(ask.requestId)
      if (!hold) return NO_HOLD
      if (isCurrent(hold) && !knowsSession(hold.account, hold.session)) {
        await book.loadSession(hold.account, hold.session!, 0)
        if (holds.get(ask.requestId) !== hold) return NO_HOLD
      }
      if (isCurrent(hold) && knowsSession(hold.account, hold.session)) return grow(ask, hold)
    }
    throw storeUnavailable(`The funds of ${ask.accountId} never settle.`)
  }
  return (ask) => {
    checkAsk(ask)
    const hold = holds.get(ask.requestId)
    if (!hold) return NO_HOLD
    return isCurrent(hold) && knowsSession(hold.account, hold.session) ? grow(ask, hold) : growCold(ask)
  }
}

/** A settlement, ready to be booked. */
interface Work {
  readonly requestId: string
  readonly accountId: string | null
  readonly keyId: string | null
  readonly costNano: bigint
  readonly nowMs: number
  readonly flat: FlatRow
  readonly facts: ReturnType<typeof factsOf>
  /** As a hold stores them. */
  readonly budgetIds: string | null
  readonly grantedNano: bigint
}

function workOf({ requestId, costNano, row }: Settlement, nowMs: number, hold: OpenHold | undefined): Work {
  if (costNano < 0n) throw new RangeError('A cost is never negative.')
  return {
    requestId,
    accountId: hold ? hold.account.id : row.account_id,
    keyId: hold ? (hold.key?.id ?? null) : row.key_id,
    costNano: costNano > AMOUNT_NANO_MAX ? AMOUNT_NANO_MAX : costNano,
    nowMs,
    flat: flatten(row),
    facts: factsOf(row),
    budgetIds: hold === undefined || hold.budgetIds.length === 0 ? null : hold.budgetIds.join(','),
    grantedNano: hold?.amountNano ?? 0n,
  }
}

function release(book: FundsBook, { account, key, amountNano, budgetIds }: OpenHold): void {
  book.release(account, key, amountNano, budgetIds)
}

type SettleStored = (work: Work) => Promise<SettleResult>
type SettleHeld = (work: Work, hold: OpenHold) => Promise<SettleResult>

/** Settles a hold whose entries are current: the charge is decided here, in the same turn in which it is queued. */
function settlerOf(book: FundsBook, write: Book, startsAt: PeriodClock, settleStored: SettleStored): SettleHeld {
  return (work, hold) => {
    const { account, key, amountNano } = hold
    const { requestId, costNano, nowMs, flat, facts, budgetIds } = work
    const starts = startsAt(nowMs)
    // Hardly ever above its hold: then its limits are looked at again.
    const scopes = costNano > amountNano ? scopesOf(hold, starts) : null
    const chargedNano = chargeOf(account.funds, costNano, amountNano, scopes)
    const absorbedNano = costNano - chargedNano
    release(book, hold)
    book.charge(account, key, chargedNano, starts, hold.budgetIds)
    setCharge(flat, chargedNano, absorbedNano)
    account.users++
    if (key) key.users++
    const booking: Booking = [
      flat,
      requestId,
      account.id,
      key === null ? null : key.id,
      chargedNano,
      account.funds.balanceNano,
      nowMs,
      starts.dayStartMs,
      starts.weekStartMs,
      starts.monthStartMs,
      budgetIds,
      facts,
    ]
    const finish = (): void => {
      account.users--
      if (key) key.users--
    }
    return write(booking).then(
      (written) => {
        finish()
        if (written) return { booked: true, chargedNano, absorbedNano }
        book.mark(account, key)
        return settleStored(work)
      },
      (cause: unknown) => {
        finish()
        // What became of it is unknown: nothing more is decided before the funds were read again.
        book.mark(account, key)
        throw cause
      },
    )
  }
}

/** Settles what cannot be decided now: reads the funds again first, behind whatever waits for the same read. */
function coldSettlerOf(book: FundsBook, settleHeld: SettleHeld, settleStored: SettleStored) {
  return async (work: Work, hold: OpenHold | undefined): Promise<SettleResult> => {
    if (work.accountId !== null) {
      // When they cannot be read, the settlement below fails with the same error, or decides without them.
      await book.load(work.accountId, hold?.key?.id ?? null).catch(() => undefined)
    }
    if (!hold) return settleStored(work)
    if (isCurrent(hold)) return settleHeld(work, hold)
    release(book, hold)
    return settleStored(work)
  }
}

/** Settles by what the database says; the holds in memory are told to it, so that it never takes the money of others. */
function storedSettlerOf(store: Store, book: FundsBook, startsAt: PeriodClock): SettleStored {
  return ({ requestId, accountId, keyId, costNano, nowMs, flat: row, budgetIds, grantedNano }) => {
    const reservedNano = accountId === null ? 0n : book.heldOf(accountId)
    const keyReservedNano = keyId === null ? 0n : book.heldOfKey(keyId)
    const budgetsReserved = accountId === null ? [] : book.heldOnBudgets(accountId)
    const settlement = {
      requestId,
      accountId,
      keyId,
      costNano,
      nowMs,
      row,
      reservedNano,
      keyReservedNano,
      budgetsReserved,
      budgetIds,
      grantedNano,
      ...startsAt(nowMs),
    }
    return store.execute('settle', settlement)
  }
}
