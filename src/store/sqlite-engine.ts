import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { bind } from './bind.ts'
import { type Booking, type Bookings, decodeBookings, type OpenBookings } from './booking.ts'
import type { Command } from './command.ts'
import type { CommandCall } from './commands.ts'
import { failureOf } from './failure.ts'
import { LiveCounter, takeLiveCount } from './live-count.ts'
import { migrate } from './migrations.ts'
import type { Migration } from './migrations.ts'
import type { Reply } from './queue.ts'
import { type FlatRow, insertRequest } from './request-columns.ts'
import type { Bound, CompiledStatement, Outcome, Statement, Step } from './statement.ts'

const BUSY_TIMEOUT_MS = 5_000
/** Of a new database. Rows are about a kilobyte and most come in order: twice SQLite's own size halves the writes to the log. */
const PAGE_BYTES = 8_192
/** Pages of the log before they are copied into the database, 16 MB: hot pages are then copied less often. */
const CHECKPOINT_PAGES = 2_000
/** FULL flushes the log at every commit: what was answered survives a power cut (R123). NORMAL would not. */
const WRITER_PRAGMAS = `pragma page_size = ${PAGE_BYTES}; pragma journal_mode = wal; pragma synchronous = full;
  pragma foreign_keys = on; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`
/** Texts of ad-hoc reads whose prepared form is kept. */
const PREPARED_READS_MAX = 200

/** A synchronous engine over one connection; the worker thread is its only user. */
export interface SqliteEngine {
  migrate(migrations: readonly Migration[], nowMs: number): void
  /** One transaction for all; one by one when a command throws, so that only the bad one fails. */
  runBatch(calls: readonly Call[]): Reply[]
  query(sql: string, values: readonly Bound[]): unknown[]
  close(): void
}

/** A booking is known by being an array. */
/** A string is a JSON array of encoded bookings. */
export type Call = CommandCall | Booking | string

type CommandLookup = (call: CommandCall) => Command<unknown, unknown>

interface Prepared {
  readonly compiled: CompiledStatement
  readonly run: (values: readonly Bound[]) => Outcome<unknown>
}

export interface WriterParts {
  /** Finds a command's body. */
  readonly commandOf: CommandLookup
  readonly openBookings: OpenBookings
}

/** Without `parts` the connection only reads. */
export function openSqliteEngine(file: string, parts?: WriterParts): SqliteEngine {
  const db = new DatabaseSync(file, { readOnly: parts === undefined, timeout: BUSY_TIMEOUT_MS })
  if (parts) db.exec(WRITER_PRAGMAS)
  // Opened by the first booking, because its statements need the tables.
  let bookings: Bookings | undefined
  const live = new LiveCounter()
  const [begin, commit, rollback] = ['begin immediate', 'commit', 'rollback'].map((sql) => db.prepare(sql)) as [
    StatementSync,
    StatementSync,
    StatementSync,
  ]

  const execute = executorOf(db, live)

  const perform = (call: Call): Reply => {
    if (typeof call === 'string') return bookAll((bookings ??= parts!.openBookings(db, live)), call)
    if (isBooking(call)) return (bookings ??= parts!.openBookings(db, live)).book(call) || NOT_BOOKED
    bookings?.finish()
    return { value: performCommand(call) }
  }

  const performCommand = (call: CommandCall): unknown => {
    const work = parts!.commandOf(call).work(call.args)
    let turn = work.next(NOTHING)
    while (!turn.done) {
      const { value: steps } = turn
      turn = work.next(steps.length === 1 ? [execute(steps[0]!)] : steps.map(execute))
    }
    return turn.value
  }

  const attempt = (calls: readonly Call[]): Reply[] => {
    begin.run()
    try {
      const replies = calls.map(perform)
      bookings?.finish()
      commit.run()
      return replies
    } catch (cause) {
      bookings?.forget()
      live.forget()
      if (db.isTransaction) rollback.run()
      throw cause
    }
  }

  return {
    migrate(migrations, nowMs) {
      runMigrations(db, migrations, nowMs)
    },
    runBatch(calls) {
      try {
        return attempt(calls)
      } catch (cause) {
        if (calls.length === 1) return [{ failure: failureOf(cause) }]
        return calls.map((call) => {
          try {
            return attempt([call])[0]!
          } catch (alone) {
            return { failure: failureOf(alone) }
          }
        })
      }
    },
    query: queriesOf(db),
    close: () => db.close(),
  }
}

function bookAll(bookings: Bookings, encoded: string): Reply {
  const written = decodeBookings(encoded).map((booking) => bookings.book(booking))
  return written.includes(false) ? { value: written } : true
}

const isBooking = (call: Call): call is Booking => Array.isArray(call)

const NOT_BOOKED: Reply = { value: false }
const NOTHING: readonly Outcome<unknown>[] = []
const NO_ROWS: readonly unknown[] = []

/** Runs ad-hoc reads and keeps their prepared forms. */
function queriesOf(db: DatabaseSync): SqliteEngine['query'] {
  const reads = new Map<string, (values: readonly Bound[]) => unknown[]>()
  return (sql, values) => {
    let read = reads.get(sql)
    if (!read) {
      if (reads.size >= PREPARED_READS_MAX) reads.clear()
      read = reader(db.prepare(sql))
      reads.set(sql, read)
    }
    return read(values)
  }
}

/** Runs the statements of commands and keeps their prepared forms. */
function executorOf(db: DatabaseSync, live: LiveCounter): (step: Step) => Outcome<unknown> {
  const prepared = new Map<Statement<string, unknown>, Prepared>()
  const runnerOf = (statement: Statement<string, unknown>, compiled: CompiledStatement): Prepared['run'] => {
    if (statement === takeLiveCount) return ([from]) => answered(live.take(from as number))
    const ready = db.prepare(compiled.sql)
    return statement === insertRequest ? countingRunner(ready, live) : runner(ready, compiled.returnsRows)
  }
  return ({ statement, parameters }) => {
    let entry = prepared.get(statement)
    if (!entry) {
      const compiled = statement.compiled('sqlite')
      entry = { compiled, run: runnerOf(statement, compiled) }
      prepared.set(statement, entry)
    }
    return entry.run(bind(entry.compiled, parameters))
  }
}

const answered = (row: unknown): Outcome<unknown> => ({ rows: row === null ? NO_ROWS : [row], changes: 0 })

/** Writes a row of requests and counts it, unless it was there before. */
function countingRunner(insert: StatementSync, live: LiveCounter): Prepared['run'] {
  return (values) => {
    const result = insert.run(...values)
    live.note(result, values as FlatRow)
    return { rows: NO_ROWS, changes: Number(result.changes) }
  }
}

function runner(statement: StatementSync, returnsRows: boolean): Prepared['run'] {
  if (!returnsRows) return (values) => ({ rows: NO_ROWS, changes: Number(statement.run(...values).changes) })
  const read = reader(statement)
  return (values) => {
    const rows = read(values)
    return { rows, changes: rows.length }
  }
}

/** Rows as plain objects: money (`_nano`) as bigint, all other integers as number. */
function reader(statement: StatementSync): (values: readonly Bound[]) => unknown[] {
  const names = statement.columns().map((column) => column.name)
  const money = names.map((name) => name.endsWith('_nano'))
  statement.setReadBigInts(money.includes(true))
  statement.setReturnArrays(true)
  return (values) =>
    (statement.all(...values) as unknown as unknown[][]).map((cells) => {
      const row: Record<string, unknown> = {}
      for (let at = 0; at < names.length; at++) {
        const cell = cells[at]
        row[names[at]!] = typeof cell === 'bigint' && !money[at] ? Number(cell) : cell
      }
      return row
    })
}

function runMigrations(db: DatabaseSync, migrations: readonly Migration[], nowMs: number): void {
  const work = migrate('sqlite', migrations, nowMs)
  let turn = work.next(NO_ROWS)
  while (!turn.done) {
    const { sql, values = [] } = turn.value
    try {
      turn = work.next(db.prepare(sql === 'begin' ? 'begin immediate' : sql).all(...values))
    } catch (cause) {
      turn = work.throw(cause)
    }
  }
}
