import type { DatabaseSync } from 'node:sqlite'
import type { TallyFacts } from '#analytics/row-tally.ts'
import type { LiveCounter } from './live-count.ts'
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
  /** The budgets it counts against, ids with commas between them. Absent in what an older version journaled. */
  budgetIds?: string | null,
  /** What the rollups count of the row's detail. Absent in what an older version journaled. */
  facts?: TallyFacts | undefined,
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

export type OpenBookings = (db: DatabaseSync, live: LiveCounter) => Bookings

const MONEY_AT = REQUEST_COLUMNS.flatMap((column, at) => (column.endsWith('_nano') ? [at] : []))

/** Where the detail stands in a row: it is JSON already, and is not written as JSON once more. */
const DETAIL_AT = REQUEST_COLUMNS.length - 1
/** Between the texts of bookings, and between the two of each. JSON has no such character. */
const SEPARATOR = '\t'

/**
 * A booking as text, money as decimals. One text serves the journal and the writer: it is made once, crosses to the other
 * thread as it is, and is one object for the garbage collector where a booking is fifty.
 */
export function encodeBooking(booking: Booking): string {
  const [row, requestId, accountId, keyId, chargedNano, balanceNano, nowMs, day, week, month, budgets = null, facts] =
    booking
  const cells = row.slice(0, DETAIL_AT) as (string | number | bigint | null)[]
  for (const at of MONEY_AT) {
    const cell = cells[at]
    if (typeof cell === 'bigint') cells[at] = cell.toString()
  }
  const money = [chargedNano.toString(), balanceNano.toString()]
  const head = JSON.stringify([cells, requestId, accountId, keyId, ...money, nowMs, day, week, month, budgets, facts])
  return head + SEPARATOR + (row[DETAIL_AT] as string)
}

/** Several of them as one line. */
export const joinBookings = (texts: readonly string[]): string => texts.join(SEPARATOR)

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
  (string | null)?,
  (TallyFacts | null)?,
]

/** The bookings of a line. Throws SyntaxError for what is none. */
export function decodeBookings(line: string): Booking[] {
  const texts = line.split(SEPARATOR)
  const bookings: Booking[] = []
  for (let at = 0; at < texts.length; at += 2) bookings.push(decodeBooking(texts[at]!, texts[at + 1]!))
  return bookings
}

function decodeBooking(head: string, detail: string): Booking {
  const [cells, requestId, accountId, keyId, charged, balance, nowMs, day, week, month, budgets = null, facts] =
    JSON.parse(head) as Encoded
  const row: FlatRow = cells
  for (const at of MONEY_AT) {
    const cell = row[at]
    if (typeof cell === 'string') row[at] = BigInt(cell)
  }
  row.push(detail)
  const periods = [nowMs, day, week, month] as const
  return [row, requestId, accountId, keyId, BigInt(charged), BigInt(balance), ...periods, budgets, facts ?? undefined]
}
