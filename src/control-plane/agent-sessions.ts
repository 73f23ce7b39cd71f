import { z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import type { AgentSession, AgentTurn } from '#ledger/agent-sessions.ts'
import { ownAccount } from './billing.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { isoOrNull } from './key-object.ts'
import { queryInteger, validate } from './validate.ts'

const SESSIONS_DEFAULT = 50
const SESSIONS_MAX = 500

export const SESSION_QUERY = z.object({ limit: queryInteger(1, SESSIONS_MAX).default(SESSIONS_DEFAULT) })

type OwnerCall = Call<KeyActor | MasterActor>

/** `GET /api/sessions`: agent sessions of the account (B14), those that were used last first. */
export async function listSessions(call: OwnerCall): Promise<Answer> {
  const { limit } = validate(SESSION_QUERY, call.query)
  const sessions = await call.deps.agentSessions.list(await ownAccount(call), limit)
  return { body: { data: sessions.map(sessionObject) } }
}

/** `GET /api/sessions/{id}`: with its turns, and what each model cost. */
export async function readSession(call: OwnerCall): Promise<Answer> {
  const { accountId, session } = await existing(call)
  const turns = await call.deps.agentSessions.turns(accountId, session)
  const models = Map.groupBy(turns, ({ modelId }) => modelId)
  return {
    body: {
      ...sessionObject(session),
      models: [...models].map(([model, own]) => ({
        model,
        turns: own.length,
        cost: formatUsd(own.reduce((sum, { costNano }) => sum + costNano, 0n)),
      })),
      turns: turns.map(turnObject),
    },
  }
}

/** `POST /api/sessions/{id}/stop`: its next call is refused; what runs goes on to its end. */
export async function stopSession(call: OwnerCall): Promise<Answer> {
  const { accountId, session } = await existing(call)
  await call.deps.agentSessions.stop(accountId, session.id)
  const after = await call.deps.agentSessions.find(accountId, session.id)
  return { body: sessionObject(after ?? session) }
}

async function existing(call: OwnerCall): Promise<{ accountId: string; session: AgentSession }> {
  const accountId = await ownAccount(call)
  const session = await call.deps.agentSessions.find(accountId, call.params['id']!)
  if (session) return { accountId, session }
  throw new GatewayError('not_found', 'There is no such session.')
}

const textOrNull = (nano: bigint | null): string | null => (nano === null ? null : formatUsd(nano))

const sessionObject = (session: AgentSession): Record<string, unknown> => ({
  id: session.id,
  session_id: session.name,
  key_id: session.keyId,
  max_usd: textOrNull(session.maxNano),
  spent: formatUsd(session.spentNano),
  max_requests: session.requestsMax,
  requests: session.requests,
  ends_at: isoOrNull(session.endsMs),
  created_at: isoOrNull(session.createdMs),
  last_at: isoOrNull(session.lastMs),
  stopped_at: isoOrNull(session.stoppedMs),
})

const turnObject = (turn: AgentTurn): Record<string, unknown> => ({
  request_id: turn.requestId,
  at: isoOrNull(turn.startedMs),
  model: turn.modelId,
  status: turn.status,
  status_code: turn.statusCode,
  error_code: turn.errorCode,
  tokens_input: turn.inputTokens,
  tokens_output: turn.outputTokens,
  cost: formatUsd(turn.costNano),
})
