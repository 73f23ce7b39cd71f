import { sql } from 'kysely'
import type { NanoUsd } from '#base/money.ts'
import type { RequestLog } from '#observe/request-row.ts'
import type { AgentSessionTable } from '#store/billing-schema.ts'
import { checkLimit } from '#store/reads.ts'
import type { Store } from '#store/store.ts'
import type { SessionAsk, SessionRefusal } from './session-funds.ts'

/** A session of an agent (B14), as its account sees it. */
export interface AgentSession {
  readonly id: string
  readonly name: string
  readonly keyId: string | null
  readonly maxNano: NanoUsd | null
  readonly spentNano: NanoUsd
  readonly requestsMax: number | null
  readonly requests: number
  readonly endsMs: number | null
  readonly createdMs: number
  readonly lastMs: number
  readonly stoppedMs: number | null
}

/** One request of a session. */
export interface AgentTurn {
  readonly requestId: string
  readonly startedMs: number
  readonly modelId: string | null
  readonly backendId: string | null
  readonly status: string
  readonly statusCode: number
  readonly errorCode: string | null
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly costNano: NanoUsd
}

/** Turns of one session that are told, the oldest first. */
export const TURNS_MAX = 1000

export interface AgentSessions {
  /** Those that were used last come first. */
  list(accountId: string, limit: number): Promise<AgentSession[]>
  find(accountId: string, id: string): Promise<AgentSession | undefined>
  turns(accountId: string, session: AgentSession): Promise<AgentTurn[]>
  /** False when it was stopped before. */
  stop(accountId: string, id: string): Promise<boolean>
  /** Counts a request that no hold counts; why it is refused, or null. */
  count(accountId: string, session: SessionAsk): Promise<SessionRefusal | null>
}

/** Agent sessions over a store. What they spend is held and booked by the ledger, in one step with the balance. `log` writes its rows first, so that a reader finds the request that has just ended. */
export function createAgentSessions(
  store: Store,
  now: () => number = Date.now,
  log?: Pick<RequestLog, 'flush'>,
): AgentSessions {
  const ofAccount = (accountId: string) =>
    store.read.selectFrom('agent_sessions').selectAll().where('account_id', '=', accountId)
  return {
    async list(accountId, limit) {
      const rows = await ofAccount(accountId)
        .orderBy('last_ms', 'desc')
        .orderBy('id')
        .limit(checkLimit(limit))
        .execute()
      return rows.map(sessionOf)
    },
    async find(accountId, id) {
      const row = await ofAccount(accountId).where('id', '=', id).executeTakeFirst()
      return row && sessionOf(row)
    },
    async turns(accountId, session) {
      await log?.flush()
      return readTurns(store, accountId, session)
    },
    stop: (accountId, id) => store.execute('stopAgentSession', { id, accountId, nowMs: now() }),
    count: (accountId, session) => store.execute('countAgentRequest', { session, accountId, nowMs: now() }),
  }
}

/** The rows of an account since the session began that name it. */
async function readTurns({ read }: Store, accountId: string, { id, createdMs }: AgentSession): Promise<AgentTurn[]> {
  const rows = await read
    .selectFrom('requests')
    .select(['request_id', 'ts_start_ms', 'model_id', 'backend_id', 'status', 'status_code', 'error_code'])
    .select(['tokens_input', 'tokens_output', 'charged_cost_nano'])
    .where('account_id', '=', accountId)
    .where('ts_start_ms', '>=', createdMs - CLOCKS_MS)
    .where(sql<string>`detail`, 'like', `%"session_id":"${id}"%`)
    .orderBy('ts_start_ms')
    .orderBy('request_id')
    .limit(TURNS_MAX)
    .execute()
  return rows.map((row) => ({
    requestId: row.request_id,
    startedMs: row.ts_start_ms,
    modelId: row.model_id,
    backendId: row.backend_id,
    status: row.status,
    statusCode: row.status_code,
    errorCode: row.error_code,
    inputTokens: row.tokens_input,
    outputTokens: row.tokens_output,
    costNano: row.charged_cost_nano ?? 0n,
  }))
}

/** A request begins before its session is opened, and the clocks of two nodes differ. */
const CLOCKS_MS = 3_600_000

const sessionOf = (row: AgentSessionTable): AgentSession => ({
  id: row.id,
  name: row.name,
  keyId: row.key_id,
  maxNano: row.max_nano,
  spentNano: row.spent_nano,
  requestsMax: row.requests_max,
  requests: row.requests,
  endsMs: row.ends_ms,
  createdMs: row.created_ms,
  lastMs: row.last_ms,
  stoppedMs: row.stopped_ms,
})
