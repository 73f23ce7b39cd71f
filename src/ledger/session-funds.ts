/** Agent sessions (B14) as the ledger sees them: one more scope of a reservation, beside balance, limit and budgets. */
import type { AgentSessionTable } from '#store/billing-schema.ts'

/** A session as a request names it. What it may use is what the request that opened it brought along. */
export interface SessionAsk {
  /** `ses_` and a digest of account and name: the same on every node. */
  readonly id: string
  readonly name: string
  readonly keyId: string | null
  /** Null: no such bound. */
  readonly maxNano: bigint | null
  readonly requestsMax: number | null
  readonly durationMs: number | null
}

/** What decides on the holds of a session. */
export interface SessionFunds {
  readonly id: string
  readonly maxNano: bigint | null
  readonly requestsMax: number | null
  readonly endsMs: number | null
  readonly isStopped: boolean
  heldNano: bigint
  spentNano: bigint
  /** Those that were admitted, running ones as well. */
  requests: number
}

const SESSION_PREFIX = 'ses_'

/** Whether an id among those of a hold's budgets is that of a session. */
export const isSessionId = (id: string): boolean => id.startsWith(SESSION_PREFIX)

export type SessionRefusal = 'session_stopped' | 'session_budget_exceeded'

/** Why nothing more is admitted, whatever it costs; null when something is. */
export function sessionRefusal(session: SessionFunds, nowMs: number): SessionRefusal | null {
  if (session.isStopped) return 'session_stopped'
  if (session.endsMs !== null && nowMs >= session.endsMs) return 'session_budget_exceeded'
  if (session.requestsMax !== null && session.requests >= session.requestsMax) return 'session_budget_exceeded'
  return null
}

/** What is left of its money; null is without limit. */
export const leftOfSession = ({ maxNano, spentNano, heldNano }: SessionFunds): bigint | null =>
  maxNano === null ? null : maxNano - spentNano - heldNano

/** As it counts for a request that was admitted: only its money still bounds it. */
export const runningFunds = (session: SessionFunds): SessionFunds => ({
  ...session,
  isStopped: false,
  endsMs: null,
  requestsMax: null,
})

export const sessionFundsOf = (row: AgentSessionTable): SessionFunds => ({
  id: row.id,
  maxNano: row.max_nano,
  requestsMax: row.requests_max,
  endsMs: row.ends_ms,
  isStopped: row.stopped_ms !== null,
  heldNano: row.held_nano,
  spentNano: row.spent_nano,
  requests: row.requests,
})
