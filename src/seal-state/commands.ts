/** The writes of kept seals, as they run inside the store's transactions. They touch neither accounts nor money. */
import type { Command } from '#store/command.ts'
import type { ToolSealTable } from '#store/schema.ts'
import { run, runAll, statement, step } from '#store/statement.ts'

/** Rows that one sweep command deletes: settlements wait behind it. */
export const SWEEP_ROWS_MAX = 200

const upsertSeal = statement<keyof ToolSealTable>()((db, param) =>
  db
    .insertInto('tool_seals')
    .values({
      account_id: param('account_id'),
      id: param('id'),
      expires_ms: param('expires_ms'),
      bytes: param('bytes'),
      sealed: param('sealed'),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['account_id', 'id'])
        .doUpdateSet({ expires_ms: param('expires_ms'), bytes: param('bytes'), sealed: param('sealed') }),
    ),
)

const deleteExpired = statement<'now'>()((db, param) =>
  db
    .deleteFrom('tool_seals')
    .where((where) =>
      where(
        where.refTuple('account_id', 'id'),
        'in',
        where
          .selectFrom('tool_seals as old')
          .select(['old.account_id', 'old.id'])
          .where('old.expires_ms', '<=', param('now'))
          .orderBy('old.expires_ms')
          .limit(SWEEP_ROWS_MAX)
          .$asTuple('account_id', 'id'),
      ),
    ),
)

/** Writes these rows in their order; one that is there already is replaced. */
export const saveSeals: Command<readonly ToolSealTable[], void> = {
  *work(rows) {
    yield* runAll(rows.map((row) => step(upsertSeal, { ...row })))
  },
  accounts: () => [],
  repeatable: true,
}

/** Deletes at most SWEEP_ROWS_MAX expired rows and tells how many. */
export const sweepSeals: Command<{ nowMs: number }, number> = {
  *work({ nowMs }) {
    const { changes } = yield* run(deleteExpired, { now: nowMs })
    return changes
  },
  accounts: () => [],
  repeatable: true,
}
