import type { DatabaseSync } from 'node:sqlite'
import type { FlatRow } from './request-columns.ts'

/**
 * One settlement on its way to the writer: the hot write of the gateway, so it is positions instead of an object and a name.
 * The row carries what was charged already. `balanceNano` is the balance that the sender expects afterwards.
 */
export type Booking = readonly [
  row: FlatRow,
  requestId: string,
  accountId: string,
  keyId: string | null,
  chargedNano: bigint,
  balanceNano: bigint,
  nowMs: number,
  dayStartMs: number,
  weekStartMs: number,
  monthStartMs: number,
]

/**
 * Writes bookings within the engine's transaction. Balances are read once per batch and written once at its end, so
 * whoever reads or writes them in between calls `finish` first.
 */
export interface Bookings {
  /** False when nothing was written: the request is booked already, or the balance is not the expected one. */
  book(booking: Booking): boolean
  /** Writes the balances and forgets them. */
  finish(): void
  /** Forgets what the transaction that was rolled back had read. */
  forget(): void
}

export type OpenBookings = (db: DatabaseSync) => Bookings
