/** The writes of budgets' settings; what they count is written with holds and settlements (src/ledger). */
import { sql } from 'kysely'
import { GatewayError } from '#base/errors.ts'
import { BUDGETS_PER_ACCOUNT_MAX } from '#ledger/budgets.ts'
import type { BudgetTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'

export type NewBudget = Omit<BudgetTable, 'raises' | 'held_nano' | 'spent_nano' | 'period_start_ms' | 'file_entry'>

type Column = 'id' | 'account' | 'scope' | 'target' | 'max' | 'period' | 'hard' | 'setBy' | 'starts' | 'now'

const insertBudget = statement<Column>()((db, param) =>
  db.insertInto('budgets').values({
    id: param('id'),
    account_id: param('account'),
    scope: param('scope'),
    target: param('target'),
    max_nano: param('max'),
    period: param('period'),
    hard: param('hard'),
    set_by: param('setBy'),
    starts_ms: param('starts'),
    created_ms: param('now'),
    raises: 0,
    held_nano: 0n,
    spent_nano: 0n,
    period_start_ms: 0,
    file_entry: null,
  }),
)

const countBudgets = statement<'account'>()((db, param) =>
  db
    .selectFrom('budgets')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('account_id', '=', param('account')),
)

const updateBudget = statement<'id' | 'account' | 'max' | 'hard'>()((db, param) =>
  db
    .updateTable('budgets')
    .set({
      max_nano: param('max'),
      hard: param('hard'),
      raises: sql<number>`raises + case when ${param('max')} > max_nano then 1 else 0 end`,
    })
    .where('id', '=', param('id'))
    .where('account_id', '=', param('account')),
)

const deleteBudget = statement<'id' | 'account'>()((db, param) =>
  db.deleteFrom('budgets').where('id', '=', param('id')).where('account_id', '=', param('account')),
)

/** Throws GatewayError('state_conflict') when the account has as many as it may. */
export const createBudget: Command<NewBudget, void> = {
  *work(budget) {
    const { id, account_id: account, scope, target, max_nano: max, period, hard, set_by: setBy } = budget
    const { rows } = yield* run(countBudgets, { account })
    if (Number(rows[0]!.count) >= BUDGETS_PER_ACCOUNT_MAX) {
      throw new GatewayError('state_conflict', `An account has at most ${BUDGETS_PER_ACCOUNT_MAX} budgets.`)
    }
    const { starts_ms: starts, created_ms: now } = budget
    yield* run(insertBudget, { id, account, scope, target, max, period, hard, setBy, starts, now })
  },
  accounts: ({ account_id: account }) => [account],
  repeatable: false,
}

/** False when the account has no such budget. */
export const changeBudget: Command<{ id: string; accountId: string; maxNano: bigint; hard: number }, boolean> = {
  *work({ id, accountId: account, maxNano: max, hard }) {
    const { changes } = yield* run(updateBudget, { id, account, max, hard })
    return changes > 0
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

/** False when the account has no such budget. */
export const removeBudget: Command<{ id: string; accountId: string }, boolean> = {
  *work({ id, accountId: account }) {
    const { changes } = yield* run(deleteBudget, { id, account })
    return changes > 0
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}
