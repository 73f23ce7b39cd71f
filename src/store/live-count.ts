import type { StatementResultingChanges } from 'node:sqlite'
import { sql } from 'kysely'
import { RowTally, type TallyFacts } from '#analytics/row-tally.ts'
import { type FlatRow, talliedRow } from './request-columns.ts'
import { statement } from './statement.ts'

/** Groups that are counted in memory; more are read from the database again when they are folded. */
export const LIVE_GROUPS_MAX = 10_000

/** The rows behind a position, all of them. */
export interface LiveCount {
  readonly tally: RowTally
  /** Of the last row. */
  readonly position: number
  readonly lastId: string
}

/**
 * Asks the SQLite writer for the rows that it has written behind `from`, if it has counted every one; it counts anew
 * afterwards. A database answers nothing: the rows are read.
 */
export const takeLiveCount = statement<'from'>()((db, param) =>
  db
    .selectNoFrom(sql<never>`${param('from')}`.as('tally'))
    .where(sql.lit(false))
    .$castTo<LiveCount>(),
)

/**
 * Counts rows while they are written, because to read them again costs the writer more than to write them (R123). It holds
 * one run of rows without a gap; what breaks the run is forgotten, and the fold reads the database instead.
 */
export class LiveCounter {
  private tally = new RowTally()
  private rows = 0
  private position = 0
  private lastId = ''

  /** The result of an INSERT within the open transaction; a row that was there before is not counted again. */
  note({ changes, lastInsertRowid }: StatementResultingChanges, row: FlatRow, facts?: TallyFacts): void {
    if (Number(changes) === 1) this.add(Number(lastInsertRowid), row, facts)
  }

  add(position: number, row: FlatRow, facts?: TallyFacts): void {
    if (this.rows > 0 && (position !== this.position + 1 || this.tally.size >= LIVE_GROUPS_MAX)) this.forget()
    this.tally.add(talliedRow(row), facts)
    this.rows += 1
    this.position = position
    this.lastId = row[0] as string
  }

  /** The transaction was rolled back: what it had written is not there. */
  forget(): void {
    this.tally = new RowTally()
    this.rows = 0
  }

  /** Every row behind `from`, or null when some of them are not counted here. It is empty afterwards either way. */
  take(from: number): LiveCount | null {
    const { tally, rows, position, lastId } = this
    this.forget()
    return rows > 0 && position - rows === from ? { tally, position, lastId } : null
  }
}
