import { sql } from 'kysely'
import type { Kysely, RawBuilder } from 'kysely'
import type { Command } from './command.ts'
import type { Database } from './schema.ts'
import { run, runAll, statement, step } from './statement.ts'
import type { Engine, Work } from './statement.ts'
import { AMOUNTS, COUNTS, DAY_MS, DIMENSIONS, HOUR_MS, MINUTE_MS } from '#analytics/rollup-tables.ts'

/** Rows that one command folds: it shares its transaction with settlements, which wait for it. */
export const ROWS_PER_FOLD_MAX = 500
/** What a row may add to a sum, so that a few rows of a broken upstream do not overflow 64 bits and stop all folding. */
export const TOKENS_PER_ROW_MAX = 1_000_000_000
/** A million USD. */
export const AMOUNT_PER_ROW_NANO_MAX = 10n ** 15n
/** The largest measurement that is told apart: below 100 whole, above it two leading digits. */
export const BUCKET_MAX = 10_000_000

/** Fewer tokens, or a shorter time, tell nothing of throughput. */
const MEASURED_TOKENS_MIN = 8
const MEASURED_MS_MIN = 20

/** What an engine says in its own words. */
interface Words {
  readonly position: RawBuilder<number>
  readonly least: RawBuilder<unknown>
  text(name: string): RawBuilder<string | null>
  number(name: string): RawBuilder<number | null>
  /** The first word of a user agent, without its version: `claude-cli/1.0 (x)` -> `claude-cli`. */
  readonly family: RawBuilder<string>
  /** A join that gives each attempt as `attempt`. */
  readonly attempts: RawBuilder<unknown>
  attemptText(name: string): RawBuilder<string | null>
  attemptNumber(name: string): RawBuilder<number | null>
}

const AGENT_WORD = sql`substr(detail ->> '$.user_agent', 1, instr((detail ->> '$.user_agent') || ' ', ' ') - 1)`

const WORDS: Readonly<Record<Engine, Words>> = {
  sqlite: {
    position: sql<number>`rowid`,
    least: sql`min`,
    text: (name) => sql`detail ->> ${sql.lit(`$.${name}`)}`,
    number: (name) => sql`detail ->> ${sql.lit(`$.${name}`)}`,
    // A version begins with a digit: `OpenAI/JS` has none.
    family: sql`case when ${AGENT_WORD} glob '*/[0-9]*' then substr(${AGENT_WORD}, 1, instr(${AGENT_WORD}, '/') - 1) else ${AGENT_WORD} end`,
    attempts: sql`join json_each(requests.detail, '$.attempts') attempt`,
    attemptText: (name) => sql`attempt.value ->> ${sql.lit(`$.${name}`)}`,
    attemptNumber: (name) => sql`attempt.value ->> ${sql.lit(`$.${name}`)}`,
  },
  postgres: {
    position: sql<number>`added_tx`,
    least: sql`least`,
    text: (name) => sql`(detail::json ->> ${sql.lit(name)})`,
    number: (name) => sql`(detail::json ->> ${sql.lit(name)})::bigint`,
    family: sql`regexp_replace(split_part(detail::json ->> 'user_agent', ' ', 1), '/[0-9].*$', '')`,
    attempts: sql`cross join lateral json_array_elements(coalesce(detail::json -> 'attempts', '[]'::json)) attempt`,
    attemptText: (name) => sql`(attempt.value ->> ${sql.lit(name)})`,
    attemptNumber: (name) => sql`(attempt.value ->> ${sql.lit(name)})::bigint`,
  },
}

/** The application of a request (R103): what the client calls it, else the key's name, else the program that asked. */
const app = (words: Words): RawBuilder<string> =>
  sql`coalesce(${words.text('app_title')}, ${words.text('app_referer')}, ${words.text('key_name')}, ${words.family}, '')`

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

const foldUsage = statement<'from' | 'to'>()((db, param, engine) => {
  const words = WORDS[engine]
  const tokens = (name: string) => sql`${words.least}(coalesce(${sql.ref(name)}, 0), ${sql.lit(TOKENS_PER_ROW_MAX)})`
  const amount = (name: string) =>
    sql`${words.least}(coalesce(${sql.ref(name)}, 0), ${sql.raw(String(AMOUNT_PER_ROW_NANO_MAX))})`
  const each = sql.join([
    sql`ts_start_ms, status, latency_ms`,
    ...['account_id', 'key_id', 'system', 'model_id', 'backend_id', 'protocol'].map(
      (name) => sql`coalesce(${sql.ref(name)}, '') as ${sql.ref(name)}`,
    ),
    sql`coalesce(${words.text('vendor')}, '') as vendor, ${app(words)} as app`,
    sql`${tokens('tokens_input')} as tokens_input, ${tokens('tokens_cache_read')} as tokens_cache_read`,
    sql`${tokens('tokens_cache_write')} + ${tokens('tokens_cache_write_1h')} as tokens_cache_write`,
    sql`${tokens('tokens_output')} as tokens_output, ${tokens('tokens_reasoning')} as tokens_reasoning`,
    ...['list', 'metered', 'charged', 'absorbed'].map(
      (name) => sql`${amount(`${name}_cost_nano`)} as ${sql.ref(`${name}_nano`)}`,
    ),
  ])
  const counted: Readonly<Record<string, RawBuilder<unknown>>> = {
    requests: sql`count(*)`,
    errors: sql`sum(case when status in ('ok', 'client_cancelled') then 0 else 1 end)`,
    cancelled: sql`sum(case when status = 'client_cancelled' then 1 else 0 end)`,
    latency_count: sql`sum(case when status = 'ok' then 1 else 0 end)`,
    latency_ms: sql`sum(case when status = 'ok' then latency_ms else 0 end)`,
  }
  const sums = [...COUNTS, ...AMOUNTS]
  const keys = ['grain_ms', 'start_ms', ...DIMENSIONS]
  const names = (list: readonly string[]) => sql.join(list.map((name) => sql.ref(name)))
  return raw(
    db,
    sql`
    with fresh as materialized (select ${each} from requests
        where ${words.position} > ${param('from')} and ${words.position} <= ${param('to')}),
      grains as (select cast(${sql.lit(HOUR_MS)} as bigint) as grain_ms union all select ${sql.lit(DAY_MS)})
    insert into usage_rollups (${names(keys)}, ${names(sums)})
    select grain_ms, ts_start_ms - ts_start_ms % grain_ms, ${names(DIMENSIONS)},
      ${sql.join(sums.map((name) => counted[name] ?? sql`sum(${sql.ref(name)})`))}
    from fresh cross join grains where true
    group by grain_ms, ts_start_ms - ts_start_ms % grain_ms, ${names(DIMENSIONS)}
    on conflict (${names(keys)}) do update set
      ${sql.join(sums.map((name) => sql`${sql.ref(name)} = ${sql.ref(`usage_rollups.${name}`)} + ${sql.ref(`excluded.${name}`)}`))}`,
  )
})

/** Below 100 the value itself, above it two leading digits: at most a tenth of the value wide. */
const BUCKET = sql`case when value < 100 then value
  ${sql.join(
    [1e3, 1e4, 1e5, 1e6, 1e7].map(
      (bound) => sql`when value < ${sql.lit(bound)} then value - value % ${sql.lit(bound / 100)}`,
    ),
    sql` `,
  )} else ${sql.lit(BUCKET_MAX)} end`

/** An attempt that says something of its target: a client's mistake or leaving does not (B20), and a rate limit is no outage. */
const upOrDown = (words: Words): RawBuilder<string | null> => sql`case
  when ${words.attemptText('error_code')} is null then
    case status when 'ok' then 'up' when 'upstream_disconnect' then 'down' end
  when coalesce(${words.attemptNumber('status')}, 599) >= 500 then 'down'
  when ${words.attemptNumber('status')} in (401, 402, 403, 408) then 'down' end`

const foldSpeeds = statement<'from' | 'to'>()((db, param, engine) => {
  const words = WORDS[engine]
  const genMs = words.number('gen_ms')
  return raw(
    db,
    sql`
    with fresh as materialized (
      select ts_start_ms, account_id, model_id, backend_id, status, latency_ms, ttft_ms, tokens_output, detail,
        ${genMs} as gen_ms
      from requests
      where ${words.position} > ${param('from')} and ${words.position} <= ${param('to')} and model_id is not null
        and backend_id is not null and ${words.text('fault')} is null),
    measured as (
      select ts_start_ms, account_id, model_id, backend_id, 'latency' as metric, latency_ms as value
        from fresh where status = 'ok'
      union all select ts_start_ms, account_id, model_id, backend_id, 'ttft', ttft_ms
        from fresh where status = 'ok' and ttft_ms is not null
      union all select ts_start_ms, account_id, model_id, backend_id, 'throughput',
          ${words.least}(tokens_output, ${sql.lit(TOKENS_PER_ROW_MAX)}) * 10000 / gen_ms
        from fresh where status = 'ok' and tokens_output >= ${sql.lit(MEASURED_TOKENS_MIN)}
          and gen_ms >= ${sql.lit(MEASURED_MS_MIN)}
      union all select ts_start_ms, account_id, model_id, ${words.attemptText('backend')}, ${upOrDown(words)}, 0
        from fresh requests ${words.attempts}),
    grains as (select cast(${sql.lit(MINUTE_MS)} as bigint) as grain_ms union all select ${sql.lit(HOUR_MS)}
      union all select ${sql.lit(DAY_MS)}),
    placed as (
      select grain_ms, ts_start_ms - ts_start_ms % grain_ms as start_ms,
        case when grain_ms = ${sql.lit(DAY_MS)} then coalesce(account_id, '') else '' end as account_id,
        model_id, backend_id, metric, ${BUCKET} as bucket
      from measured cross join grains where metric is not null and backend_id is not null)
    insert into speed_rollups (grain_ms, start_ms, account_id, model_id, backend_id, metric, bucket, count)
    select grain_ms, start_ms, account_id, model_id, backend_id, metric, bucket, count(*) from placed where true
    group by grain_ms, start_ms, account_id, model_id, backend_id, metric, bucket
    on conflict (grain_ms, start_ms, account_id, model_id, backend_id, metric, bucket)
      do update set count = speed_rollups.count + excluded.count`,
  )
})

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

/**
 * Adds the next rows of requests to the rollups. The cursor moves in the same transaction, so that every row is counted
 * once, whatever is killed when. Null: another node is at it.
 */
export const foldRequests: Command<Record<never, never>, Folded | null> = {
  *work() {
    const { rows } = yield* run(findCursor, {})
    if (rows.length === 0) return null
    const from = yield* placeOf(rows[0]!)
    const found = yield* run(findEnd, { from })
    const { end, more, restored, last_id: lastId } = found.rows[0]!
    if (end === null || end === from) return { more: false }
    if (restored === 1) {
      yield* runAll([step(renumber, { from }), step(moveCursor, { position: FOLDED_BEFORE, lastId: null })])
      return { more: true }
    }
    const range = { from, to: end }
    yield* runAll([step(foldUsage, range), step(foldSpeeds, range), step(moveCursor, { position: end, lastId })])
    return { more: more === 1 }
  },
  accounts: () => [],
  repeatable: true,
}
