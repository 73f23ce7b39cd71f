import type { Store } from '#store/store.ts'
import { createLedger } from './ledger.ts'
import type { RecoverableLedger } from './ledger.ts'
import { createSingleNodeLedger } from './single-node-ledger.ts'

/**
 * The ledger that fits the store: in memory where one process owns the database, in SQL where several share it (record 9).
 * Make one per store, and before the accounts and keys, which ask it what is held.
 */
export function openLedger(store: Store, options: { now?: () => number } = {}): RecoverableLedger {
  return store.book === null ? createLedger(store, options) : createSingleNodeLedger(store, options)
}
