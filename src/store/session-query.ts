import type { Command } from './command.ts'
import type { Bound, Outcome, Statement } from './statement.ts'

/** Texts that are kept ready; better-auth makes a few dozen of them, because values are bound. */
export const SESSION_STATEMENTS_MAX = 500

/** A write that better-auth's query builder made. Its tables all begin with `auth_`; any other is refused. */
export interface SessionQuery {
  readonly sql: string
  readonly values: readonly Bound[]
  readonly returnsRows: boolean
}

/** One object for each text: the engines keep the prepared form of an object, and PostgreSQL its name. */
const statements = new Map<string, Statement<string, unknown>>()

const OWN_TABLE = /\b(?:into|from|update|join)\s+"(?!auth_)/i

/** Runs one write over the tables of sessions. */
export const sessionQuery: Command<SessionQuery, Outcome<unknown>> = {
  *work({ sql, values, returnsRows }) {
    if (OWN_TABLE.test(sql)) throw new TypeError('A session query may only write to the tables of sessions.')
    const outcomes = yield [{ statement: statementOf(sql, returnsRows), parameters: values }]
    return outcomes[0]!
  },
  accounts: () => [],
  repeatable: false,
}

function statementOf(sql: string, returnsRows: boolean): Statement<string, unknown> {
  const known = statements.get(sql)
  if (known) return known
  const compiled = { sql, slots: [], returnsRows }
  const fresh: Statement<string, unknown> = { compiled: () => compiled }
  if (statements.size >= SESSION_STATEMENTS_MAX) statements.clear()
  statements.set(sql, fresh)
  return fresh
}
