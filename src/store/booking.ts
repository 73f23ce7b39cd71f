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

const placeOf = (column: (typeof REQUEST_COLUMNS)[number]): number => REQUEST_COLUMNS.indexOf(column)

const MONEY_AT = REQUEST_COLUMNS.flatMap((column, at) => (column.endsWith('_nano') ? [at] : []))
const REQUEST_AT = placeOf('request_id')
const ACCOUNT_AT = placeOf('account_id')
const KEY_AT = placeOf('key_id')
const START_AT = placeOf('ts_start_ms')
const END_AT = placeOf('ts_end_ms')
const CHARGED_AT = placeOf('charged_cost_nano')

/** Where the detail stands in a row: it is JSON already, and is not written as JSON once more. */
const DETAIL_AT = REQUEST_COLUMNS.length - 1
/** Between the texts of bookings, and between the two of each. JSON has no such character. */
const SEPARATOR = '\t'

/** An amount as JSON has it: a number as far as numbers are exact, else its digits as a string. */
type Amount = number | string

/** Of a request whose booking is on an account, a key or an amount that its row does not name. */
type Others = readonly [requestId: string, accountId: string, keyId: string | null, charged: Amount]

/** What stands behind the cells of the row. */
type Tail = readonly [
  balance: Amount,
  /** Since the request began, as the row's own end is. */
  sinceMs: number,
  periods: string,
  others: Others | null,
  budgetIds: string | null,
  facts: TallyFacts | null,
]

/**
 * A booking as text. One text serves the journal and the writer: it is made once, crosses to the other thread as it is, and
 * is one object for the garbage collector where a booking is fifty. Every request makes one (R123): what the row says already is
 * not said twice, and numbers are small where they can be.
 */
export function encodeBooking(booking: Booking): string {
  const [row, requestId, accountId, keyId, charged, balance, nowMs, day, week, month, budgets = null, facts] = booking
  const cells = row.slice(0, DETAIL_AT) as unknown[]
  for (const at of MONEY_AT) {
    const cell = cells[at]
    if (typeof cell === 'bigint') cells[at] = amountOf(cell)
  }
  const startMs = row[START_AT] as number
  cells[END_AT] = (row[END_AT] as number) - startMs
  const isOfRow =
    requestId === row[REQUEST_AT] &&
    accountId === row[ACCOUNT_AT] &&
    keyId === row[KEY_AT] &&
    charged === row[CHARGED_AT]
  const others: Others | null = isOfRow ? null : [requestId, accountId, keyId, amountOf(charged)]
  const periods = periodsText(day, week, month)
  const tail: Tail = [amountOf(balance), nowMs - startMs, periods, others, budgets, facts ?? null]
  cells.push(...tail)
  return JSON.stringify(cells) + SEPARATOR + (row[DETAIL_AT] as string)
}

/** Several of them as one line. */
export const joinBookings = (texts: readonly string[]): string => texts.join(SEPARATOR)

/** The bookings of a line. Throws SyntaxError for what is none. */
export function decodeBookings(line: string): Booking[] {
  const texts = line.split(SEPARATOR)
  const bookings: Booking[] = []
  for (let at = 0; at < texts.length; at += 2) bookings.push(decodeBooking(texts[at]!, texts[at + 1]!))
  return bookings
}

function decodeBooking(head: string, detail: string): Booking {
  const cells = JSON.parse(head) as unknown[]
  if (Array.isArray(cells[0])) return decodeOlder(cells as unknown as Older, detail)
  const [balance, sinceMs, periods, others, budgets, facts] = cells.splice(DETAIL_AT) as unknown as Tail
  const row = rowOf(cells, detail)
  const startMs = row[START_AT] as number
  row[END_AT] = (row[END_AT] as number) + startMs
  const [requestId, accountId, keyId] = others ?? [row[REQUEST_AT], row[ACCOUNT_AT], row[KEY_AT]]
  return [
    row,
    requestId as string,
    accountId as string,
    keyId as string | null,
    others === null ? (row[CHARGED_AT] as bigint) : BigInt(others[3]),
    BigInt(balance),
    startMs + sinceMs,
    ...periodsOf(periods),
    budgets,
    facts ?? undefined,
  ]
}

/** The cells with their amounts as they are bound, and the detail behind them. */
function rowOf(cells: unknown[], detail: string): FlatRow {
  for (const at of MONEY_AT) {
    const cell = cells[at]
    if (typeof cell === 'number' || typeof cell === 'string') cells[at] = BigInt(cell)
  }
  cells.push(detail)
  return cells as FlatRow
}

const amountOf = (amount: bigint): Amount => {
  const number = Number(amount)
  return Number.isSafeInteger(number) ? number : amount.toString()
}

type Periods = readonly [dayStartMs: number, weekStartMs: number, monthStartMs: number]

/** The same for all bookings of a day. */
let lastPeriods: Periods = [0, 0, 0]
let lastPeriodsText = '0,0,0'

function periodsText(day: number, week: number, month: number): string {
  if (day !== lastPeriods[0] || week !== lastPeriods[1] || month !== lastPeriods[2]) {
    lastPeriods = [day, week, month]
    lastPeriodsText = lastPeriods.join(',')
  }
  return lastPeriodsText
}

function periodsOf(text: string): Periods {
  if (text !== lastPeriodsText) {
    lastPeriods = text.split(',').map(Number) as unknown as Periods
    lastPeriodsText = text
  }
  return lastPeriods
}

/** As versions before 2026-11-22 journaled them. */
type Older = readonly [
  cells: unknown[],
  requestId: string,
  accountId: string,
  keyId: string | null,
  charged: string,
  balance: string,
  nowMs: number,
  dayStartMs: number,
  weekStartMs: number,
  monthStartMs: number,
  budgetIds?: string | null,
  facts?: TallyFacts | null,
]

function decodeOlder(older: Older, detail: string): Booking {
  const [cells, requestId, accountId, keyId, charged, balance, nowMs, day, week, month, budgets = null, facts] = older
  const periods = [nowMs, day, week, month] as const
  const amounts = [BigInt(charged), BigInt(balance)] as const
  return [rowOf(cells, detail), requestId, accountId, keyId, ...amounts, ...periods, budgets, facts ?? undefined]
}
