import type { Command } from './command.ts'
import { run, statement } from './statement.ts'

const insertSetting = statement<'name' | 'value' | 'now'>()((db, param) =>
  db
    .insertInto('settings')
    .values({ name: param('name'), value: param('value'), updated_ms: param('now') })
    .onConflict((conflict) => conflict.column('name').doNothing()),
)

const findSetting = statement<'name'>()((db, param) =>
  db.selectFrom('settings').select('value').where('name', '=', param('name')),
)

/** Stores a setting unless it exists; gives the one that counts, so that several nodes agree on the first. */
export const putSetting: Command<{ name: string; value: string; nowMs: number }, string> = {
  *work({ name, value, nowMs }) {
    yield* run(insertSetting, { name, value, now: nowMs })
    const { rows } = yield* run(findSetting, { name })
    return rows[0]!.value
  },
  accounts: () => [],
  repeatable: true,
}

const changeSetting = statement<'name' | 'from' | 'value' | 'now'>()((db, param) =>
  db
    .updateTable('settings')
    .set({ value: param('value'), updated_ms: param('now') })
    .where('name', '=', param('name'))
    .where('value', '=', param('from')),
)

/** Replaces a setting that still has the value `from` (null: does not exist yet). False when somebody else was first. */
export const swapSetting: Command<{ name: string; from: string | null; value: string; nowMs: number }, boolean> = {
  *work({ name, from, value, nowMs }) {
    if (from === null) yield* run(insertSetting, { name, value, now: nowMs })
    else yield* run(changeSetting, { name, from, value, now: nowMs })
    const { rows } = yield* run(findSetting, { name })
    return rows[0]?.value === value
  },
  accounts: () => [],
  repeatable: true,
}
