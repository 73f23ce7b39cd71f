import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './rollup-tables.ts'

/** How long speeds are kept by the minute and by the hour. Those of days are kept, and so is all usage. */
export const MINUTES_KEPT_MS = 2 * HOUR_MS
export const HOURS_KEPT_MS = 2 * DAY_MS

const removeSpeeds = statement<'grain' | 'before'>()((db, param) =>
  db.deleteFrom('speed_rollups').where('grain_ms', '=', param('grain')).where('start_ms', '<', param('before')),
)

/** Forgets speeds that no window reaches any more. */
export const pruneRollups: Command<{ nowMs: number }, null> = {
  *work({ nowMs }) {
    yield* run(removeSpeeds, { grain: MINUTE_MS, before: nowMs - MINUTES_KEPT_MS })
    yield* run(removeSpeeds, { grain: HOUR_MS, before: nowMs - HOURS_KEPT_MS })
    return null
  },
  accounts: () => [],
  repeatable: true,
}
