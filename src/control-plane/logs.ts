import { z } from 'zod'
import { GatewayError } from '#base/errors.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { RequestFilter } from '#store/reads.ts'
import type { Answer, Call } from './call.ts'
import { logObject, type LogView } from './log-object.ts'
import { ownAccount, type Reader, seesBackends } from './reader.ts'
import { isoTime, queryInteger, validate } from './validate.ts'

export const LOGS_PAGE_DEFAULT = 50
export const LOGS_PAGE_MAX = 500

const OUTCOMES = ['ok', 'rejected', 'upstream_error', 'upstream_disconnect', 'client_cancelled', 'error'] as const
const statusHint = `expected an HTTP status or one of ${OUTCOMES.join(', ')}`

const text = z.string().min(1).optional()

/** What rows are chosen by. */
export const LOG_FILTERS = {
  account_id: text,
  key_id: text,
  system: text,
  model: text,
  backend: text,
  /** An HTTP status or one of the outcomes. */
  status: z.union([queryInteger(100, 599), z.enum(OUTCOMES)], { error: statusHint }).optional(),
  from: isoTime.optional(),
  to: isoTime.optional(),
  request_id: text,
}

export const LOG_QUERY = z.object({
  ...LOG_FILTERS,
  limit: queryInteger(1, LOGS_PAGE_MAX).default(LOGS_PAGE_DEFAULT),
  cursor: text,
})

type LogFilters = Omit<z.output<typeof LOG_QUERY>, 'limit' | 'cursor'>

/** `GET /api/logs`: newest first; a key sees its own account, the master key everything (R101). */
export async function listLogs(call: Call<Reader>): Promise<Answer> {
  const { limit, cursor, ...query } = validate(LOG_QUERY, call.query)
  const page = await call.deps.requests.list({ filter: logFilterOf(call, query), limit, cursor })
  return { body: { data: page.data.map((row) => logObject(row, logViewOf(call))), next_cursor: page.nextCursor } }
}

/** A key is bound to its own account, whatever the query says. */
export function logFilterOf(call: Call<Reader>, query: LogFilters): RequestFilter {
  if (query.backend !== undefined && call.actor.kind !== 'master') {
    throw new GatewayError('permission_denied', 'Only the master key may filter by backend.', { param: 'backend' })
  }
  const filter = {
    accountId: ownAccount(call.actor) ?? query.account_id,
    keyId: query.key_id,
    system: query.system,
    modelId: query.model,
    backendId: query.backend,
    requestId: query.request_id,
    statusCode: typeof query.status === 'number' ? query.status : undefined,
    status: typeof query.status === 'string' ? query.status : undefined,
    fromMs: query.from,
    toMs: query.to,
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}

/** `GET /api/logs/{request_id}`: the row itself. */
export async function readLog(call: Call<Reader>): Promise<Answer> {
  return { body: logObject(await ownRow(call, call.params['id']!), logViewOf(call)) }
}

/** A row the caller may see; another account's row does not exist for it. */
export async function ownRow(call: Call<Reader>, id: string): Promise<RequestRow> {
  const row = await call.deps.requests.find(id, ownAccount(call.actor))
  if (!row) throw new GatewayError('not_found', 'There is no request with this id.')
  return row
}

export const logViewOf = (call: Call<Reader>): LogView => ({
  showBackends: seesBackends(call),
  currency: call.deps.settings.currency,
})
