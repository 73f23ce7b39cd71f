/** The writes of stored responses, as they run inside the store's transactions. They touch neither accounts nor money. */
import type { Command } from '#store/command.ts'
import type { ResponseTable } from '#store/schema.ts'
import { run, statement } from '#store/statement.ts'

/** Rows that one sweep command deletes: a row may be 8 MB, and settlements wait behind it. */
export const SWEEP_ROWS_MAX = 20

const insertResponse = statement<keyof ResponseTable>()((db, param) =>
  db
    .insertInto('responses')
    .values({
      account_id: param('account_id'),
      id: param('id'),
      created_ms: param('created_ms'),
      expires_ms: param('expires_ms'),
      previous_id: param('previous_id'),
      model: param('model'),
      backend_id: param('backend_id'),
      bytes: param('bytes'),
      input: param('input'),
      response: param('response'),
    })
    .onConflict((conflict) => conflict.doNothing()),
)

const deleteResponse = statement<'account' | 'id'>()((db, param) =>
  db.deleteFrom('responses').where('account_id', '=', param('account')).where('id', '=', param('id')),
)

/** The ends of chains only: what a later response builds on stays until that one has gone. */
const deleteExpired = statement<'now'>()((db, param) =>
  db.deleteFrom('responses').where((where) =>
    where(
      where.refTuple('account_id', 'id'),
      'in',
      where
        .selectFrom('responses as old')
        .select(['old.account_id', 'old.id'])
        .where('old.expires_ms', '<=', param('now'))
        .where((inner) =>
          inner.not(
            inner.exists(
              inner
                .selectFrom('responses as next')
                .select('next.id')
                .whereRef('next.account_id', '=', 'old.account_id')
                .whereRef('next.previous_id', '=', 'old.id'),
            ),
          ),
        )
        .orderBy('old.expires_ms')
        .limit(SWEEP_ROWS_MAX)
        .$asTuple('account_id', 'id'),
    ),
  ),
)

/** False when the account has a response with this id, which then stays as it is. */
export const saveResponse: Command<ResponseTable, boolean> = {
  *work(row) {
    const { changes } = yield* run(insertResponse, { ...row })
    return changes > 0
  },
  accounts: () => [],
  repeatable: true,
}

/** False when there is no such response. */
export const removeResponse: Command<{ accountId: string; id: string }, boolean> = {
  *work({ accountId, id }) {
    const { changes } = yield* run(deleteResponse, { account: accountId, id })
    return changes > 0
  },
  accounts: () => [],
  repeatable: true,
}

/** Deletes at most SWEEP_ROWS_MAX expired responses and tells how many. */
export const sweepResponses: Command<{ nowMs: number }, number> = {
  *work({ nowMs }) {
    const { changes } = yield* run(deleteExpired, { now: nowMs })
    return changes
  },
  accounts: () => [],
  repeatable: true,
}
