/** The statements and writes of agent sessions (B14). The account's lock covers them. */
import { sql } from 'kysely'
import type { AgentSessionTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run, statement, step } from '#store/statement.ts'
import type { Step } from '#store/statement.ts'
import { type SessionAsk, sessionFundsOf, sessionRefusal } from './session-funds.ts'
import type { SessionFunds, SessionRefusal } from './session-funds.ts'

type Column = 'id' | 'account' | 'name' | 'key' | 'max' | 'requests' | 'ends' | 'now'

const insertSession = statement<Column>()((db, param) =>
  db
    .insertInto('agent_sessions')
    .values({
      id: param('id'),
      account_id: param('account'),
      name: param('name'),
      key_id: param('key'),
      max_nano: param('max'),
      requests_max: param('requests'),
      ends_ms: param('ends'),
      created_ms: param('now'),
      last_ms: param('now'),
      stopped_ms: null,
      held_nano: 0n,
      spent_nano: 0n,
      requests: 0,
    })
    .onConflict((conflict) => conflict.column('id').doNothing()),
)

export const findSession = statement<'id'>()<AgentSessionTable>((db, param) =>
  db.selectFrom('agent_sessions').selectAll().where('id', '=', param('id')),
)

/** `count` is 1 with a new hold, 0 when one grows, -1 when one is released. */
export const holdOnSession = statement<'id' | 'amount' | 'count'>()((db, param) =>
  db
    .updateTable('agent_sessions')
    .set({
      held_nano: sql<bigint>`held_nano + ${param('amount')}`,
      requests: sql<number>`requests + ${param('count')}`,
    })
    .where('id', '=', param('id')),
)

export const spendOnSession = statement<'id' | 'held' | 'charged' | 'count' | 'now'>()((db, param) =>
  db
    .updateTable('agent_sessions')
    .set({
      held_nano: sql<bigint>`held_nano - ${param('held')}`,
      spent_nano: sql<bigint>`spent_nano + ${param('charged')}`,
      requests: sql<number>`requests + ${param('count')}`,
      last_ms: param('now'),
    })
    .where('id', '=', param('id')),
)

const stopSession = statement<'id' | 'account' | 'now'>()((db, param) =>
  db
    .updateTable('agent_sessions')
    .set({ stopped_ms: param('now') })
    .where('id', '=', param('id'))
    .where('account_id', '=', param('account'))
    .where('stopped_ms', 'is', null),
)

/** Opens a session unless it is open already; then what this request brought along counts for nothing. */
export const openSteps = (session: SessionAsk, account: string, now: number): readonly Step[] => [
  step(insertSession, {
    id: session.id,
    account,
    name: session.name,
    key: session.keyId,
    max: session.maxNano,
    requests: session.requestsMax,
    ends: session.durationMs === null ? null : now + session.durationMs,
    now,
  }),
  step(findSession, { id: session.id }),
]

/** What decides on the holds of a session, in order with the writes; it is opened when it is not yet. */
export const openAgentSession: Command<{ session: SessionAsk; accountId: string; nowMs: number }, SessionFunds> = {
  *work({ session, accountId, nowMs }) {
    const [, found] = yield openSteps(session, accountId, nowMs)
    return sessionFundsOf(found!.rows[0] as AgentSessionTable)
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

/** Counts a request that the ledger does not book (billing off, counting tokens), or tells why it is refused. */
export const countAgentRequest: Command<
  { session: SessionAsk; accountId: string; nowMs: number },
  SessionRefusal | null
> = {
  *work({ session, accountId, nowMs: now }) {
    const [, found] = yield openSteps(session, accountId, now)
    const refusal = sessionRefusal(sessionFundsOf(found!.rows[0] as AgentSessionTable), now)
    if (refusal === null) yield* run(spendOnSession, { id: session.id, held: 0n, charged: 0n, count: 1, now })
    return refusal
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

/** False when it was stopped before, or is none of the account. */
export const stopAgentSession: Command<{ id: string; accountId: string; nowMs: number }, boolean> = {
  *work({ id, accountId: account, nowMs: now }) {
    const { changes } = yield* run(stopSession, { id, account, now })
    return changes > 0
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}
