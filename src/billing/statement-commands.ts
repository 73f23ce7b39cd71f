import type { StatementTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, statement } from '#store/statement.ts'

const findStatement = statement<'account' | 'month'>()((db, param) =>
  db
    .selectFrom('statements')
    .selectAll()
    .where('account_id', '=', param('account'))
    .where('month', '=', param('month')),
)

const countStatements = statement<'month'>()((db, param) =>
  db
    .selectFrom('statements')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('month', '=', param('month')),
)

const insertStatement = statement<'number' | 'account' | 'month' | 'body' | 'now'>()((db, param) =>
  db.insertInto('statements').values({
    number: param('number'),
    account_id: param('account'),
    month: param('month'),
    body: param('body'),
    closed_ms: param('now'),
  }),
)

/**
 * Closes a month of an account under the next number, or gives the statement that closed it before: it is never written
 * again. Throws GatewayError('state_conflict') when another node took the number at the same moment; then try again.
 */
export const closeStatement: Command<Omit<StatementTable, 'number'>, StatementTable> = {
  *work({ account_id: account, month, body, closed_ms: now }) {
    const { rows } = yield* run(findStatement, { account, month })
    if (rows[0]) return rows[0]
    const { rows: counted } = yield* run(countStatements, { month })
    const number = `INV-${month.replace('-', '')}-${Number(counted[0]!.count) + 1}`
    yield* run(insertStatement, { number, account, month, body, now })
    return { number, account_id: account, month, body, closed_ms: now }
  },
  accounts: ({ account_id: account }) => [account],
  repeatable: true,
}
