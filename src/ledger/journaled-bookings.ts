import { setTimeout as wait } from 'node:timers/promises'
import type { Booking } from '#store/booking.ts'
import { storeUnavailable } from '#store/failure.ts'
import { REQUEST_COLUMNS, type FlatRow } from '#store/request-columns.ts'
import type { Store } from '#store/store.ts'
import { type Journal, openJournal, type Segment } from './journal.ts'
import { periodStarts } from './periods.ts'

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
export const APPLY_WAIT_MS = 25
/** So many do not wait any longer; they fit into one transaction. */
export const APPLY_LENGTH = 200
/** Pause between attempts to bring a refused booking to the database. */
const RETRY_WAIT_MS = 500
/** A read waits no longer than this for bookings that cannot reach the database. */
export const READ_WAIT_MS = 2_000

interface Waiting {
  readonly booking: Booking
  readonly segment: Segment
}

const WRITTEN = Promise.resolve(true)

/** `folder` is where the journal lives: the database's own. `onDelay` hears why a booking has to be tried again. */
export function createJournaledBookings(
  store: Store,
  folder: string,
  onDelay: (cause: unknown) => void = () => {},
): JournaledBookings {
  const { book } = store
  if (!book) throw new TypeError('A store that several processes share has no bookings.')
  const { journal, records, damaged, clear } = openJournal(folder)
  if (damaged > 0) throw new Error(`The journal in ${folder} is damaged in ${damaged} lines. Restore it from a backup.`)
  const applier = createApplier(store, book, journal, onDelay)
  store.onCommand(() => applier.push())
  store.onRead(() =>
    applier.length === 0 ? null : Promise.race([applier.flush(), wait(READ_WAIT_MS, undefined, { ref: false })]),
  )
  return {
    write(booking) {
      let segment: Segment
      try {
        segment = journal.append(encode(booking))
      } catch (cause) {
        return Promise.reject(storeUnavailable('The journal cannot be written.', cause))
      }
      applier.add({ booking, segment })
      return WRITTEN
    },
    checkOpen: (accountId) => applier.checkOpen(accountId),
    async replay() {
      for (const record of records) await store.execute('settle', settlementOf(decode(record)))
      clear()
      return records.length
    },
    flush: () => applier.flush(),
    async close() {
      await applier.flush()
      journal.close()
    },
  }
}

/** Carries bookings from the journal to the database, in their order. */
function createApplier(
  store: Store,
  book: NonNullable<Store['book']>,
  journal: Journal,
  onDelay: (cause: unknown) => void,
) {
  let waiting: Waiting[] = []
  let timer: NodeJS.Timeout | undefined
  let underWay = 0
  const idle: (() => void)[] = []
  const blocked = new Map<string, number>()

  const done = ({ segment }: Waiting): void => {
    journal.applied(segment)
    if (--underWay === 0 && waiting.length === 0) for (const wake of idle.splice(0)) wake()
  }
  /** The writer refused it: funds changed under it, or the store failed. The SQL command books exactly once whatever came before. */
  const rebook = async (entry: Waiting): Promise<void> => {
    const accountId = entry.booking[2]
    blocked.set(accountId, (blocked.get(accountId) ?? 0) + 1)
    for (;;) {
      const cause = await store.execute('settle', settlementOf(entry.booking)).then(toNothing, toCause)
      if (cause === undefined) break
      onDelay(cause)
      await wait(RETRY_WAIT_MS)
    }
    const others = blocked.get(accountId)! - 1
    if (others === 0) blocked.delete(accountId)
    else blocked.set(accountId, others)
    done(entry)
  }
  const push = (): void => {
    clearTimeout(timer)
    timer = undefined
    const entries = waiting
    waiting = []
    underWay += entries.length
    for (const entry of entries) {
      book(entry.booking).then(
        (written) => (written ? done(entry) : rebook(entry)),
        () => rebook(entry),
      )
    }
  }
  return {
    get length() {
      return waiting.length + underWay
    },
    push,
    add(entry: Waiting) {
      waiting.push(entry)
      if (waiting.length >= APPLY_LENGTH) push()
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

const toNothing = (): undefined => undefined
const toCause = (cause: unknown): unknown => cause ?? new Error('unknown')

function settlementOf([row, requestId, accountId, keyId, chargedNano, , nowMs]: Booking) {
  return { requestId, accountId, keyId, costNano: chargedNano, nowMs, row, reservedNano: 0n, ...periodStarts(nowMs) }
}

const MONEY_AT = new Set(REQUEST_COLUMNS.flatMap((column, at) => (column.endsWith('_nano') ? [at] : [])))

/** One line of JSON: positions as in a Booking, money as decimal text. */
function encode([row, requestId, accountId, keyId, chargedNano, balanceNano, nowMs, ...starts]: Booking): string {
  const cells = row.map((cell) => (typeof cell === 'bigint' ? cell.toString() : cell))
  return JSON.stringify([
    cells,
    requestId,
    accountId,
    keyId,
    chargedNano.toString(),
    balanceNano.toString(),
    nowMs,
    ...starts,
  ])
}

type Encoded = readonly [
  (string | number | null)[],
  string,
  string,
  string | null,
  string,
  string,
  number,
  number,
  number,
  number,
]

function decode(record: string): Booking {
  const [cells, requestId, accountId, keyId, charged, balance, nowMs, ...starts] = JSON.parse(record) as Encoded
  const row: FlatRow = cells.map((cell, at) => (cell !== null && MONEY_AT.has(at) ? BigInt(cell) : cell))
  return [row, requestId, accountId, keyId, BigInt(charged), BigInt(balance), nowMs, ...starts]
}
