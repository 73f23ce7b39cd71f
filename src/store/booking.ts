import type { DatabaseSync } from 'node:sqlite'
import { type FlatRow, REQUEST_COLUMNS } from './request-columns.ts'

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

const MONEY_AT = new Set(REQUEST_COLUMNS.flatMap((column, at) => (column.endsWith('_nano') ? [at] : [])))

/**
 * A booking as JSON, money as decimal text. One text serves the journal and the writer: it is made once, crosses to the
 * other thread as it is, and is one object for the garbage collector where a booking is fifty.
 */
export function encodeBooking(booking: Booking): string {
  const [row, requestId, accountId, keyId, chargedNano, balanceNano, nowMs, day, week, month] = booking
  const cells: (string | number | null)[] = []
  for (const cell of row) cells.push(typeof cell === 'bigint' ? cell.toString() : (cell as string | number | null))
  const money = [chargedNano.toString(), balanceNano.toString()]
  return JSON.stringify([cells, requestId, accountId, keyId, ...money, nowMs, day, week, month])
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

/** The bookings of a JSON array of encoded ones. */
export function decodeBookings(text: string): Booking[] {
  return (JSON.parse(text) as Encoded[]).map((encoded) => {
    const [cells, requestId, accountId, keyId, charged, balance, nowMs, day, week, month] = encoded
    const row: FlatRow = cells.map((cell, at) => (cell !== null && MONEY_AT.has(at) ? BigInt(cell) : cell))
    return [row, requestId, accountId, keyId, BigInt(charged), BigInt(balance), nowMs, day, week, month]
  })
}
