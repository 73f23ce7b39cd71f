import { sql } from 'kysely'
import type { Command } from './command.ts'
import { run, statement } from './statement.ts'

/** Rows of one command: settlements that share its transaction wait for it. */
export const ROWS_PER_SWEEP_MAX = 500

/**
 * Only rows that were added up. The newest row always stays: SQLite would number the next one like it, and the fold would pass it
 * by.
 */
const removeRows = statement<'before'>()((db, param, engine) => {
  const position = engine === 'sqlite' ? sql<number>`rowid` : sql<number>`added_tx`
  return db.deleteFrom('requests').where('request_id', 'in', (from) =>
    from
      .selectFrom('requests')
      .select('request_id')
      .where('ts_start_ms', '<', param('before'))
      .where(position, '<=', sql<number>`(select position from rollup_cursor where id = 1)`)
      .where(position, '<', sql<number>`(select max(${position}) from requests)`)
      .orderBy('ts_start_ms')
      .limit(sql.lit(ROWS_PER_SWEEP_MAX)),
  )
})

/** Sessions of agents that nobody used since (B14). */
const removeSessions = statement<'before'>()((db, param) =>
  db.deleteFrom('agent_sessions').where('id', 'in', (from) =>
    from
      .selectFrom('agent_sessions')
      .select('id')
      .where('last_ms', '<', param('before'))
      .where('held_nano', '=', sql<bigint>`0`)
      .orderBy('last_ms')
      .limit(sql.lit(ROWS_PER_SWEEP_MAX)),
  ),
)

/** Deletes request rows that began before a time, and sessions that ended, at most ROWS_PER_SWEEP_MAX of each; gives how many (R101). Their sums stay. */
export const sweepRows: Command<{ beforeMs: number }, number> = {
  *work({ beforeMs }) {
    const rows = yield* run(removeRows, { before: beforeMs })
    const sessions = yield* run(removeSessions, { before: beforeMs })
    return rows.changes + sessions.changes
  },
  accounts: () => [],
  repeatable: true,
}
