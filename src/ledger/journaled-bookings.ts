import { setTimeout as wait } from 'node:timers/promises'
import { type Booking, decodeBookings, encodeBooking, joinBookings } from '#store/booking.ts'
import { storeUnavailable } from '#store/failure.ts'
import type { Store } from '#store/store.ts'
import { type Journal, openJournal, type Segment } from './journal.ts'

/**
 * Settlements of the process that owns its database: written to the journal before their answer ends, and to the database
 * a little later, many in one transaction (record 10). Reads and commands wait for what is still on its way, so that
 * nobody sees the difference.
 */
export interface JournaledBookings {
  /** Resolves once no kill of this process can lose the booking. Rejects with store_unavailable when the disk refuses it. */
  write(booking: Booking): Promise<boolean>
  /** Throws store_unavailable while bookings of this account cannot reach the database: its funds are not known then. */
  checkOpen(accountId: string): void
  /** Books what an earlier process journaled and the database does not have; gives how many records were looked at. */
  replay(): Promise<number>
  /** Brings everything to the database. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** A booking waits this long for company: the price of a commit is then shared by everything that came in that time. */
export const APPLY_WAIT_MS = 250
/** So many do not wait any longer; they fit into one transaction. */
export const APPLY_LENGTH = 2000
/** Pause between attempts to bring a refused booking to the database. */
const RETRY_WAIT_MS = 500
/** A read waits no longer than this for bookings that cannot reach the database. */
export const READ_WAIT_MS = 2_000

/** Bookings of one turn of the event loop: one line of the journal, one job of the writer. */
interface Group {
  /** Encoded bookings. */
  readonly text: string
  readonly count: number
  readonly segment: Segment
}

/** `folder` is where the journal lives: the database's own. `onDelay` hears of a disk that does not take what it is given, and why a booking has to be tried again. */
export function createJournaledBookings(
  store: Store,
  folder: string,
  onDelay: (cause: unknown) => void = () => {},
): JournaledBookings {
  const { bookAll } = store
  if (!bookAll) throw new TypeError('A store that several processes share has no bookings.')
  const { journal, records, damaged, clear } = openJournal(folder, undefined, onDelay)
  if (damaged > 0) throw new Error(`The journal in ${folder} is damaged in ${damaged} lines. Restore it from a backup.`)
  const applier = createApplier(store, bookAll, journal, onDelay)
  const gatherer = createGatherer((lines) => {
    const text = joinBookings(lines)
    applier.add({ text, count: lines.length, segment: journal.append(text) })
  })
  const flush = (): Promise<void> => {
    gatherer.close()
    return applier.flush()
  }
  store.onCommand(() => {
    gatherer.close()
    applier.push()
  })
  store.onRead(() => {
    if (gatherer.length() + applier.length() === 0) return null
    return Promise.race([flush(), wait(READ_WAIT_MS, undefined, { ref: false })])
  })
  return {
    write: (booking) => gatherer.add(encodeBooking(booking)),
    checkOpen: (accountId) => applier.checkOpen(accountId),
    async replay() {
      const bookings = records.flatMap(decodeBookings)
      for (const booking of bookings) await store.execute('settle', settlementOf(booking))
      clear()
      return bookings.length
    },
    flush,
    async close() {
      await flush()
      journal.close()
    },
  }
}

/**
 * Gathers the bookings of one turn of the event loop, which then cost one write to the journal. All of them wait for the
 * same promise; it rejects with store_unavailable when the disk refuses the line.
 */
function createGatherer(append: (lines: readonly string[]) => void) {
  let lines: string[] = []
  let group: PromiseWithResolvers<boolean> | null = null
  const close = (): void => {
    if (!group) return
    const { resolve, reject } = group
    const gathered = lines
    group = null
    lines = []
    try {
      append(gathered)
      resolve(true)
    } catch (cause) {
      reject(storeUnavailable('The journal cannot be written.', cause))
    }
  }
  return {
    close,
    length() {
      return lines.length
    },
    add(line: string): Promise<boolean> {
      lines.push(line)
      if (group) return group.promise
      group = Promise.withResolvers<boolean>()
      setImmediate(close)
      return group.promise
    },
  }
}

/** Carries groups from the journal to the database, in their order. */
function createApplier(
  store: Store,
  bookAll: NonNullable<Store['bookAll']>,
  journal: Journal,
  onDelay: (cause: unknown) => void,
) {
  let waiting: Group[] = []
  let waitingCount = 0
  let timer: NodeJS.Timeout | undefined
  let underWay = 0
  const idle: (() => void)[] = []
  const blocked = new Map<string, number>()

  const finish = (group: Group): void => {
    journal.applied(group.segment)
    if (--underWay === 0 && waiting.length === 0) for (const wake of idle.splice(0)) wake()
  }
  /** Funds changed under some, or the store failed. The SQL command books exactly once whatever came before. */
  const rebook = async (group: Group, written: readonly boolean[] | null): Promise<void> => {
    const refused = decodeBookings(group.text).filter((_, at) => written?.[at] !== true)
    for (const { 2: accountId } of refused) blocked.set(accountId, (blocked.get(accountId) ?? 0) + 1)
    for (const booking of refused) {
      await settleUntilDone(store, booking, onDelay)
      const others = blocked.get(booking[2])! - 1
      if (others === 0) blocked.delete(booking[2])
      else blocked.set(booking[2], others)
    }
    finish(group)
  }
  const push = (): void => {
    clearTimeout(timer)
    timer = undefined
    const groups = waiting
    waiting = []
    waitingCount = 0
    underWay += groups.length
    for (const group of groups) {
      bookAll(group.text).then(
        (written) => (written === true ? finish(group) : rebook(group, written)),
        () => rebook(group, null),
      )
    }
  }
  return {
    length() {
      return waiting.length + underWay
    },
    push,
    add(group: Group) {
      waiting.push(group)
      waitingCount += group.count
      if (waitingCount >= APPLY_LENGTH) push()
      else timer ??= setTimeout(push, APPLY_WAIT_MS)
    },
    flush(): Promise<void> {
      push()
      return underWay === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))
    },
    checkOpen(accountId: string) {
      if (blocked.size > 0 && blocked.has(accountId))
        throw storeUnavailable(`Settlements of ${accountId} wait for the store.`)
    },
  }
}

async function settleUntilDone(store: Store, booking: Booking, onDelay: (cause: unknown) => void): Promise<void> {
  for (;;) {
    try {
      await store.execute('settle', settlementOf(booking))
      return
    } catch (cause) {
      onDelay(cause)
      await wait(RETRY_WAIT_MS)
    }
  }
}

/** In the periods in which it was decided. */
function settlementOf(booking: Booking) {
  const [row, requestId, accountId, keyId, chargedNano, , nowMs, dayStartMs, weekStartMs, monthStartMs] = booking
  return {
    requestId,
    accountId,
    keyId,
    costNano: chargedNano,
    nowMs,
    row,
    reservedNano: 0n,
    budgetIds: booking[10] ?? null,
    dayStartMs,
    weekStartMs,
    monthStartMs,
  }
}
