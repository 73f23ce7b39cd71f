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
import { AMOUNT_NANO_MAX, flatten, setCharge } from '#store/request-columns.ts'
import type { FlatRow } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import { budgetsOf, NO_BUDGET_IDS, NO_BUDGETS } from './budgets.ts'
import { chargeOf, judge, scopesReach } from './funds.ts'
import { createFundsBook, FUNDS_WARM_MAX, READS_PER_REQUEST_MAX } from './funds-book.ts'
import type { AccountEntry, FundsBook, KeyEntry } from './funds-book.ts'
import { checkAsk, createLedger } from './ledger.ts'
import type { RecoverableLedger } from './ledger.ts'
import { type OpenHold, OpenHolds } from './open-holds.ts'
import { createPeriodClock, periodStarts } from './periods.ts'
import type { PeriodStarts } from './periods.ts'
import type { HoldAsk, HoldResult, Settlement, SettleResult } from './types.ts'
import { compareBook } from './verify.ts'

const isCurrent = ({ account, key }: OpenHold): boolean => account.current && key?.current !== false

const NO_HOLD: HoldResult = { granted: false, refusal: 'insufficient_balance', availableNano: 0n }

type Book = NonNullable<Store['book']>

/** The ledger over a store that one process owns. `now` gives milliseconds since the epoch. Throws for a shared store. */
export function createSingleNodeLedger(
  store: Store,
  options: { now?: () => number; warmMax?: number; write?: Book } = {},
): RecoverableLedger {
  const { now = Date.now, warmMax = FUNDS_WARM_MAX } = options
  const write = options.write ?? store.book
  if (!write) throw new TypeError('A store that several processes share needs the ledger in SQL.')
  const book = createFundsBook(store, warmMax)
  const holds = new OpenHolds()
  const startsAt = createPeriodClock()
  // Only its recovery and its checks are used: they look at the database.
  const stored = createLedger(store, { now })

  const reserve = reserverOf(book, holds, startsAt, now)
  const settleStored = storedSettlerOf(store, book)
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
  startsAt: (nowMs: number) => PeriodStarts,
  now: () => number,
): RecoverableLedger['reserve'] {
  const admit = (ask: HoldAsk, account: AccountEntry, key: KeyEntry | null): HoldResult => {
    if (holds.has(ask.requestId)) throw new GatewayError('state_conflict', `${ask.requestId} has a hold already.`)
    const own = key !== null && key.accountId === ask.accountId ? key : null
    const nowMs = now()
    const budgets = budgetsOf(account.budgets, ask, nowMs)
    const verdict = judge(ask, account.funds, own === null ? null : own.funds, startsAt(nowMs), budgets)
    if (verdict.granted) {
      const { amountNano } = verdict
      const budgetIds = budgets.length === 0 ? NO_BUDGET_IDS : budgets.map(({ id }) => id)
      holds.add({ requestId: ask.requestId, account, key: own, amountNano, budgetIds, next: undefined })
      book.hold(account, own, amountNano, budgetIds)
    }
    return verdict
  }
  const reserveCold = async (ask: HoldAsk): Promise<HoldResult> => {
    for (let loads = 0; loads < READS_PER_REQUEST_MAX; loads++) {
      const [account, key] = await book.load(ask.accountId, ask.keyId)
      if (!account) throw new GatewayError('not_found', `There is no account ${ask.accountId}.`)
      // Between the answer and this turn somebody else may have marked them.
      if (account.current && key?.current !== false) return admit(ask, account, key ?? null)
    }
    throw storeUnavailable(`The funds of ${ask.accountId} never settle.`)
  }
  return (ask) => {
    checkAsk(ask)
    const account = book.account(ask.accountId)
    const key = ask.keyId === null ? null : book.key(ask.keyId)
    return account && key !== undefined ? admit(ask, account, key) : reserveCold(ask)
  }
}

/** Adds to open holds, by the same rules as a reservation. */
function growerOf(book: FundsBook, holds: OpenHolds, starts: () => PeriodStarts): RecoverableLedger['extend'] {
  const grow = (ask: HoldAsk, hold: OpenHold): HoldResult => {
    const { account, key, budgetIds } = hold
    // Those that it is held on: one that was made since counts from the next request.
    const budgets = budgetIds.length === 0 ? NO_BUDGETS : account.budgets.filter(({ id }) => budgetIds.includes(id))
    const verdict = judge(ask, account.funds, key && key.funds, starts(), budgets)
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
      if (isCurrent(hold)) return grow(ask, hold)
    }
    throw storeUnavailable(`The funds of ${ask.accountId} never settle.`)
  }
  return (ask) => {
    checkAsk(ask)
    const hold = holds.get(ask.requestId)
    if (!hold) return NO_HOLD
    return isCurrent(hold) ? grow(ask, hold) : growCold(ask)
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
  /** As a hold stores them. */
  readonly budgetIds: string | null
  /** What was set aside for it. */
  readonly ownNano: bigint
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
    budgetIds: hold === undefined || hold.budgetIds.length === 0 ? null : hold.budgetIds.join(','),
    ownNano: hold === undefined ? 0n : hold.amountNano,
  }
}

function release(book: FundsBook, { account, key, amountNano, budgetIds }: OpenHold): void {
  book.release(account, key, amountNano, budgetIds)
}

type SettleStored = (work: Work) => Promise<SettleResult>
type SettleHeld = (work: Work, hold: OpenHold) => Promise<SettleResult>

/** A cost, or as much of it as key and budgets allow: only what outgrew its hold can be more. */
function withinScopes(
  { account, key, amountNano, budgetIds }: OpenHold,
  costNano: bigint,
  starts: PeriodStarts,
): bigint {
  if (costNano <= amountNano) return costNano
  const budgets = budgetIds.length === 0 ? NO_BUDGETS : account.budgets.filter(({ id }) => budgetIds.includes(id))
  const reach = scopesReach(key && key.funds, budgets, starts, amountNano)
  return reach !== null && reach < costNano ? reach : costNano
}

/** Settles a hold whose entries are current: the charge is decided here, in the same turn in which it is queued. */
function settlerOf(
  book: FundsBook,
  write: Book,
  startsAt: (nowMs: number) => PeriodStarts,
  settleStored: SettleStored,
): SettleHeld {
  return (work, hold) => {
    const { account, key, amountNano } = hold
    const { requestId, costNano, nowMs, flat, budgetIds } = work
    const starts = startsAt(nowMs)
    const chargedNano = chargeOf(account.funds, withinScopes(hold, costNano, starts), amountNano)
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
function storedSettlerOf(store: Store, book: FundsBook): SettleStored {
  return ({ requestId, accountId, keyId, costNano, nowMs, flat: row, budgetIds, ownNano }) => {
    const reservedNano = accountId === null ? 0n : book.heldOf(accountId)
    const inMemory = {
      ownNano,
      keyNano: keyId === null ? 0n : book.heldOfKey(keyId),
      budgetsNano: book.heldOfBudgets(accountId ?? ''),
    }
    const settlement = {
      requestId,
      accountId,
      keyId,
      costNano,
      nowMs,
      row,
      reservedNano,
      budgetIds,
      inMemory,
      ...periodStarts(nowMs),
    }
    return store.execute('settle', settlement)
  }
}
