/** The writes of the budgets that the configuration file sets (R97). */
import { sql } from 'kysely'
import type { FileBudgetTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, runAll, statement, step } from '#store/statement.ts'

type Column = 'entry' | 'account' | 'scope' | 'target' | 'max' | 'period' | 'hard' | 'starts'

const findTemplates = statement<never>()((db) => db.selectFrom('file_budgets').select('entry').orderBy('entry'))

const deleteTemplate = statement<'entry'>()((db, param) =>
  db.deleteFrom('file_budgets').where('entry', '=', param('entry')),
)

const putTemplate = statement<Column>()((db, param) => {
  const change = { max_nano: param('max'), hard: param('hard'), starts_ms: param('starts') }
  return db
    .insertInto('file_budgets')
    .values({
      entry: param('entry'),
      account: param('account'),
      scope: param('scope'),
      target: param('target'),
      period: param('period'),
      ...change,
    })
    .onConflict((conflict) => conflict.column('entry').doUpdateSet(change))
})

const findOwn = statement<'account'>()((db, param) =>
  db
    .selectFrom('budgets')
    .select(['id', 'file_entry'])
    .where('account_id', '=', param('account'))
    .where('file_entry', 'is not', null)
    .orderBy('id'),
)

const deleteOwn = statement<'id'>()((db, param) => db.deleteFrom('budgets').where('id', '=', param('id')))

/** Requests may still be under way that were held on a budget of this id before it was taken out of the file. */
const heldOn = (account: unknown, id: unknown) =>
  sql<bigint>`(select cast(coalesce(sum(amount_nano), 0) as bigint) from holds where account_id = ${account}
    and ',' || budget_ids || ',' like '%,' || cast(${id} as text) || ',%')`

/** A raise arms its alerts again, as one over the API does. What was counted stays. */
const putOwn = statement<Column | 'id' | 'now'>()((db, param) =>
  db
    .insertInto('budgets')
    .values({
      id: param('id'),
      account_id: param('account'),
      scope: param('scope'),
      target: param('target'),
      max_nano: param('max'),
      period: param('period'),
      hard: param('hard'),
      set_by: 'operator',
      starts_ms: param('starts'),
      created_ms: param('now'),
      raises: 0,
      held_nano: heldOn(param('account'), param('id')),
      spent_nano: 0n,
      period_start_ms: 0,
      file_entry: param('entry'),
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        max_nano: sql<bigint>`excluded.max_nano`,
        hard: sql<number>`excluded.hard`,
        starts_ms: sql<number>`excluded.starts_ms`,
        raises: sql<number>`budgets.raises + case when excluded.max_nano > budgets.max_nano then 1 else 0 end`,
      }),
    ),
)

/** What accounts that are made from now on get; the whole list. */
export const putFileBudgets: Command<{ budgets: readonly FileBudgetTable[] }, void> = {
  *work({ budgets }) {
    const wanted = new Set(budgets.map(({ entry }) => entry))
    const { rows } = yield* run(findTemplates, {})
    const gone = rows.filter(({ entry }) => !wanted.has(entry))
    yield* runAll([
      ...gone.map(({ entry }) => step(deleteTemplate, { entry })),
      ...budgets.map((budget) => step(putTemplate, boundOf(budget))),
    ])
  },
  accounts: () => [],
  repeatable: true,
}

/** Gives an account exactly these budgets of the file; those that it sets itself stay. */
export const putAccountFileBudgets: Command<
  { accountId: string; budgets: readonly FileBudgetTable[]; nowMs: number },
  void
> = {
  *work({ accountId: account, budgets, nowMs: now }) {
    const wanted = new Set(budgets.map(({ entry }) => entry))
    const { rows } = yield* run(findOwn, { account })
    const gone = rows.filter(({ file_entry: entry }) => !wanted.has(entry!))
    yield* runAll([
      ...gone.map(({ id }) => step(deleteOwn, { id })),
      ...budgets.map((budget) =>
        step(putOwn, { ...boundOf(budget), account, id: fileBudgetId(budget.entry, account), now }),
      ),
    ])
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

/** The same on every node, so that two of them make one row. `insertFileBudgets` of the ledger makes it in SQL. */
const fileBudgetId = (entry: string, accountId: string): string => `bud_${entry}_${accountId}`

const boundOf = (budget: FileBudgetTable) => ({
  entry: budget.entry,
  account: budget.account,
  scope: budget.scope,
  target: budget.target,
  max: budget.max_nano,
  period: budget.period,
  hard: budget.hard,
  starts: budget.starts_ms,
})
