import type { Store } from '#store/store.ts'
import { createJournaledBookings } from './journaled-bookings.ts'
import { createLedger } from './ledger.ts'
import type { RecoverableLedger } from './ledger.ts'
import type { PeriodClock } from './periods.ts'
import { createSingleNodeLedger } from './single-node-ledger.ts'

/**
 * The ledger that fits the store: in memory where one process owns the database, in SQL where several share it (record 9).
 * With `journalFolder` settlements on one node go through the journal (record 10). Make one per store, call `recover` before
 * anything else, and make it before the accounts and keys, which ask it what is held.
 */
export function openLedger(
  store: Store,
  options: {
    now?: () => number
    periods?: PeriodClock
    journalFolder?: string
    onDelay?: (cause: unknown) => void
    onHoldLeft?: (cause: unknown) => void
  } = {},
): RecoverableLedger {
  if (store.book === null) return createLedger(store, options)
  if (options.journalFolder === undefined) return createSingleNodeLedger(store, options)
  const bookings = createJournaledBookings(store, options.journalFolder, options.onDelay)
  const ledger = createSingleNodeLedger(store, { ...options, write: (booking) => bookings.write(booking) })
  return {
    ...ledger,
    reserve(ask) {
      bookings.checkOpen(ask.accountId)
      return ledger.reserve(ask)
    },
    async recover() {
      await bookings.replay()
      return ledger.recover()
    },
    close: () => bookings.close(),
  }
}
