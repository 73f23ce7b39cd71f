import { sql } from 'kysely'
import type { Kysely, RawBuilder } from 'kysely'
import { AMOUNTS, COUNTS, DIMENSIONS } from '#analytics/rollup-tables.ts'
import { RowTally, TALLIED_COLUMNS } from '#analytics/row-tally.ts'
import type { Command } from './command.ts'
import { type LiveCount, takeLiveCount } from './live-count.ts'
import type { Database } from './schema.ts'
import { run, runAll, statement, step } from './statement.ts'
import type { Engine, Step, Work } from './statement.ts'

/** Rows that one command reads and folds: it shares its transaction with settlements, which wait for it. */
export const ROWS_PER_FOLD_MAX = 500

const POSITION: Readonly<Record<Engine, RawBuilder<number>>> = { sqlite: sql`rowid`, postgres: sql`added_tx` }

const findCursor = statement<never>()((db, _param, engine) => {
  const cursor = db.selectFrom('rollup_cursor').select(['position', 'last_id']).where('id', '=', 1)
  // One node folds at a time; another one's settlements must not wait for it.
  return engine === 'postgres' ? cursor.forUpdate().skipLocked() : cursor
})

const moveCursor = statement<'position' | 'lastId'>()((db, param) =>
  db
    .updateTable('rollup_cursor')
    .set({ position: param('position'), last_id: param('lastId') })
    .where('id', '=', 1),
)

/** Where the row is that was folded last; null: it is gone, or PostgreSQL, where rows keep their numbers. */
const findLast = statement<'lastId'>()((db, param, engine) =>
  db.selectNoFrom([
    engine === 'sqlite'
      ? sql<number | null>`(select rowid from requests where request_id = ${param('lastId')})`.as('position')
      : sql<number | null>`cast(null as bigint)`.as('position'),
  ]),
)

/** Every transaction below it has ended: no row of a lower number can still appear. */
const OLDEST_OPEN = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`

/** Up to where the next fold goes, and whether more waits behind it. */
const findEnd = statement<'from'>()((db, param, engine) => {
  const from = param('from')
  if (engine === 'sqlite') {
    const next = sql`(select rowid as position, request_id from requests where rowid > ${from} order by rowid limit ${sql.lit(ROWS_PER_FOLD_MAX)})`
    return db.selectNoFrom([
      sql<number | null>`(select max(position) from ${next} next)`.as('end'),
      sql<number>`(select count(*) from ${next} next) = ${sql.lit(ROWS_PER_FOLD_MAX)}`.as('more'),
      sql<number>`0`.as('restored'),
      sql<string | null>`(select request_id from ${next} next order by position desc limit 1)`.as('last_id'),
    ])
  }
  // A transaction is folded whole, so that the number of its last row is the end.
  const full = sql`(select added_tx from requests where added_tx > ${from} and added_tx < ${OLDEST_OPEN}
    order by added_tx offset ${sql.lit(ROWS_PER_FOLD_MAX - 1)} limit 1)`
  return db.selectNoFrom([
    sql<number | null>`coalesce(${full}, ${OLDEST_OPEN} - 1)`.as('end'),
    sql<number>`case when ${full} is null then 0 else 1 end`.as('more'),
    sql<number>`case when ${OLDEST_OPEN} - 1 < ${from} then 1 else 0 end`.as('restored'),
    sql<string | null>`cast(null as text)`.as('last_id'),
  ])
})

/** What was folded by the server that counted before. */
const FOLDED_BEFORE = -1

/**
 * A database that was restored into a new server counts its transactions anew, so that the old numbers mean nothing: rows that were
 * folded lie before all others, those that were not behind them.
 */
const renumber = statement<'from'>()((db, param, engine) =>
  raw(
    db,
    engine === 'sqlite'
      ? sql`update requests set response_id = response_id where rowid > ${param('from')} and false`
      : sql`update requests set added_tx = case when added_tx > ${param('from')} then 0 else ${sql.lit(FOLDED_BEFORE)} end`,
  ),
)

const findRows = statement<'from' | 'to'>()((db, param, engine) =>
  db
    .selectFrom('requests')
    .select(TALLIED_COLUMNS)
    .where(POSITION[engine], '>', param('from'))
    .where(POSITION[engine], '<=', param('to')),
)

/** The cells of JSON arrays, one array for each record. */
const cellsOf = (engine: Engine, entries: unknown, types: readonly ('text' | 'bigint')[]) => {
  const cells = types.map((type, at) =>
    engine === 'sqlite'
      ? sql`cast(value ->> ${sql.lit(`$[${at}]`)} as ${sql.raw(type === 'text' ? 'text' : 'integer')})`
      : sql`(value ->> ${sql.lit(at)})::${sql.raw(type)}`,
  )
  const list =
    engine === 'sqlite' ? sql`json_each(${entries})` : sql`json_array_elements(${entries}::json) entry (value)`
  return sql`select ${sql.join(cells)} from ${list} where true`
}

const names = (list: readonly string[]) => sql.join(list.map((name) => sql.ref(name)))

const USAGE_KEY = ['grain_ms', 'start_ms', ...DIMENSIONS]
const USAGE_SUMS = [...COUNTS, ...AMOUNTS]
const bigints = (list: readonly string[]) => list.map(() => 'bigint' as const)

const addUsage = statement<'entries'>()((db, param, engine) =>
  raw(
    db,
    sql`insert into usage_rollups (${names([...USAGE_KEY, ...USAGE_SUMS])})
    ${cellsOf(engine, param('entries'), ['bigint', 'bigint', ...DIMENSIONS.map(() => 'text' as const), ...bigints(USAGE_SUMS)])}
    on conflict (${names(USAGE_KEY)}) do update set
      ${sql.join(USAGE_SUMS.map((name) => sql`${sql.ref(name)} = ${sql.ref(`usage_rollups.${name}`)} + ${sql.ref(`excluded.${name}`)}`))}`,
  ),
)

const SPEED_KEY = ['grain_ms', 'start_ms', 'account_id', 'model_id', 'backend_id', 'metric', 'bucket']

const addSpeeds = statement<'entries'>()((db, param, engine) =>
  raw(
    db,
    sql`insert into speed_rollups (${names([...SPEED_KEY, 'count'])})
    ${cellsOf(engine, param('entries'), ['bigint', 'bigint', 'text', 'text', 'text', 'text', 'bigint', 'bigint'])}
    on conflict (${names(SPEED_KEY)}) do update set count = speed_rollups.count + excluded.count`,
  ),
)

const raw = (db: Kysely<Database>, query: RawBuilder<unknown>) => ({ compile: () => query.compile(db) })

export interface Folded {
  /** Whether more rows wait. */
  readonly more: boolean
}

/** Up to where rows are folded, also after SQLite has numbered them anew (VACUUM): their order stays. */
function* placeOf({ position, last_id: lastId }: { position: number; last_id: string | null }): Work<number> {
  if (lastId === null) return position
  const { rows } = yield* run(findLast, { lastId })
  return rows[0]!.position ?? position
}

const addAll = (tally: RowTally): Step[] => [
  step(addUsage, { entries: JSON.stringify(tally.usage()) }),
  step(addSpeeds, { entries: JSON.stringify(tally.speeds()) }),
]

/** What the writer has counted while it wrote: nothing is read again. */
function* foldLive({ tally, position, lastId }: LiveCount): Work<Folded> {
  yield* runAll([...addAll(tally), step(moveCursor, { position, lastId })])
  return { more: false }
}

/**
 * Adds the next rows of requests to the rollups. The cursor moves in the same transaction, so that every row is counted
 * once, whatever is killed when. Null: another node is at it.
 */
export const foldRequests: Command<Record<never, never>, Folded | null> = {
  *work() {
    const { rows } = yield* run(findCursor, {})
    if (rows.length === 0) return null
    const from = yield* placeOf(rows[0]!)
    const live = yield* run(takeLiveCount, { from })
    if (live.rows.length > 0) return yield* foldLive(live.rows[0]!)
    const found = yield* run(findEnd, { from })
    const { end, more, restored, last_id: lastId } = found.rows[0]!
    if (end === null || end === from) return { more: false }
    if (restored === 1) {
      yield* runAll([step(renumber, { from }), step(moveCursor, { position: FOLDED_BEFORE, lastId: null })])
      return { more: true }
    }
    const tally = new RowTally()
    for (const row of (yield* run(findRows, { from, to: end })).rows) tally.add(row)
    yield* runAll([...addAll(tally), step(moveCursor, { position: end, lastId })])
    return { more: more === 1 }
  },
  accounts: () => [],
  repeatable: true,
}
