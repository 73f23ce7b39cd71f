/** The statements of budgets: compiled once, bound by name. The account's lock covers them. */
import { sql } from 'kysely'
import type { BudgetTable } from '#store/billing-schema.ts'
import { statement } from '#store/statement.ts'
import type { BudgetFunds } from './budgets.ts'

export const findBudgets = statement<'account'>()((db, param) =>
  db.selectFrom('budgets').selectAll().where('account_id', '=', param('account')).orderBy('id'),
)

export const holdOnBudget = statement<'budget' | 'amount'>()((db, param) =>
  db
    .updateTable('budgets')
    .set({ held_nano: sql<bigint>`held_nano + ${param('amount')}` })
    .where('id', '=', param('budget')),
)

/** Adds a charge to the current period. A later one than ours, written by a node whose clock runs ahead, is kept. */
export const spendOnBudget = statement<'budget' | 'held' | 'charged' | 'day' | 'week' | 'month'>()((db, param) => {
  const start = sql<number>`case period when 'daily' then cast(${param('day')} as bigint)
    when 'weekly' then cast(${param('week')} as bigint)
    when 'monthly' then cast(${param('month')} as bigint) else 0 end`
  return db
    .updateTable('budgets')
    .set({
      held_nano: sql<bigint>`held_nano - ${param('held')}`,
      spent_nano: sql<bigint>`(case when period_start_ms >= ${start} then spent_nano else 0 end) + ${param('charged')}`,
      period_start_ms: sql<number>`case when period_start_ms > ${start} then period_start_ms else ${start} end`,
    })
    .where('id', '=', param('budget'))
})

/** Gives a new account the budgets of the configuration file that are for it or for everybody. Their ids are the same on every node. */
export const insertFileBudgets = statement<'account' | 'email' | 'now'>()((db, param) =>
  db
    .insertInto('budgets')
    .columns([
      ...([
        'id',
        'account_id',
        'set_by',
        'created_ms',
        'raises',
        'held_nano',
        'spent_nano',
        'period_start_ms',
      ] as const),
      ...(['file_entry', 'scope', 'target', 'max_nano', 'period', 'hard', 'starts_ms'] as const),
    ])
    .expression(
      db
        .selectFrom('file_budgets')
        .select([
          sql<string>`'bud_' || entry || '_' || cast(${param('account')} as text)`.as('id'),
          sql<string>`cast(${param('account')} as text)`.as('account_id'),
          sql<'operator'>`'operator'`.as('set_by'),
          sql<number>`cast(${param('now')} as bigint)`.as('created_ms'),
          sql<number>`0`.as('raises'),
          sql<bigint>`0`.as('held_nano'),
          sql<bigint>`0`.as('spent_nano'),
          sql<number>`0`.as('period_start_ms'),
        ])
        .select(['entry', 'scope', 'target', 'max_nano', 'period', 'hard', 'starts_ms'])
        .where((where) =>
          where.or([
            where('account', 'is', null),
            where('account', '=', param('account')),
            where('account', '=', param('email')),
          ]),
        ),
    ),
)

export const budgetFundsOf = (row: BudgetTable): BudgetFunds => ({
  id: row.id,
  scope: row.scope,
  target: row.target,
  maxNano: row.max_nano,
  period: row.period,
  hard: row.hard !== 0,
  // Without a start of its own it is in force once it is there, whatever the clock of another node says at that moment.
  startsMs: row.starts_ms <= row.created_ms ? 0 : row.starts_ms,
  heldNano: row.held_nano,
  spentNano: row.spent_nano,
  periodStartMs: row.period_start_ms,
})
