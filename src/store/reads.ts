import { sql } from 'kysely'
import type { SelectQueryBuilder } from 'kysely'
import { hourOf, weekdayOf } from '#analytics/time-parts.ts'
import { GatewayError } from '#base/errors.ts'
import type { Page } from '#accounts/types.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { unflatten } from './request-columns.ts'
import type { Database, RequestTable } from './schema.ts'
import type { Store } from './store.ts'

/** Rows of one page at most. */
export const PAGE_LENGTH_MAX = 1000
/** Keys that are looked up in one query. */
const KEYS_AT_ONCE = 500

export interface RequestFilter {
  readonly accountId?: string
  readonly keyId?: string
  readonly system?: string
  readonly modelId?: string
  readonly backendId?: string
  readonly status?: string
  readonly statusCode?: number
  readonly requestId?: string
  readonly protocol?: string
  /** Anywhere in it, in any case. */
  readonly userAgent?: string
  /** UTC. */
  readonly hourOfDay?: number
  /** UTC; 0 is Sunday. */
  readonly dayOfWeek?: number
  /** Start of the request: from inclusive, to exclusive. */
  readonly fromMs?: number
  readonly toMs?: number
}

type Rows = SelectQueryBuilder<Database, 'requests', RequestTable>

/**
 * Request rows, newest first (R101). `limit` is 1 to PAGE_LENGTH_MAX; `cursor` is the one of the page before. Throws
 * GatewayError('invalid_parameter').
 */
export async function listRequests(
  store: Store,
  query: { filter?: RequestFilter; limit: number; cursor?: string | undefined },
): Promise<Page<RequestRow>> {
  const limit = checkLimit(query.limit)
  let rows = filtered(store, query.filter ?? {})
  if (query.cursor !== undefined) {
    const { ms, requestId } = parseCursor(query.cursor)
    // The id breaks ties, so that rows of one millisecond are neither repeated nor skipped between pages.
    // The plain bound is what an index can begin at; of an alternative it cannot.
    rows = rows
      .where('ts_start_ms', '<=', ms)
      .where((where) =>
        where.or([
          where('ts_start_ms', '<', ms),
          where.and([where('ts_start_ms', '=', ms), where('request_id', '<', requestId)]),
        ]),
      )
  }
  const found = await rows
    .orderBy('ts_start_ms', 'desc')
    .orderBy('request_id', 'desc')
    .limit(limit + 1)
    .execute()
  const data = found.slice(0, limit).map(unflatten)
  const last = data.at(-1)
  return { data, nextCursor: found.length > limit && last ? `${last.ts_start_ms}.${last.request_id}` : null }
}

/** One row by our request id or by the `id` of the response body (`GET /api/v1/generation?id=`). */
export async function findRequest(
  store: Store,
  by: { requestId: string } | { responseId: string },
  accountId?: string,
): Promise<RequestRow | undefined> {
  let rows = store.read.selectFrom('requests').selectAll()
  if ('requestId' in by) rows = rows.where('request_id', '=', by.requestId)
  else rows = rows.where('response_id', '=', by.responseId)
  if (accountId !== undefined) rows = rows.where('account_id', '=', accountId)
  // An upstream may repeat a response id; the latest is the one its client asks for.
  const found = await rows.orderBy('ts_start_ms', 'desc').limit(1).executeTakeFirst()
  return found && unflatten(found)
}

/** Names of keys by their ids, of removed ones too. */
export async function findKeyNames({ read }: Store, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  for (let at = 0; at < ids.length; at += KEYS_AT_ONCE) {
    const some = ids.slice(at, at + KEYS_AT_ONCE)
    const found = await read.selectFrom('api_keys').select(['id', 'name']).where('id', 'in', some).execute()
    for (const { id, name } of found) names.set(id, name)
  }
  return names
}

/** A page's length, or GatewayError('invalid_parameter'). */
export function checkLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= PAGE_LENGTH_MAX) return limit
  throw new GatewayError('invalid_parameter', `limit must be a whole number from 1 to ${PAGE_LENGTH_MAX}.`, {
    param: 'limit',
  })
}

/** A cursor that is one whole number, or GatewayError('invalid_parameter'). */
export function checkNumberCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new GatewayError('invalid_parameter', 'The cursor is not one that this server gave.', { param: 'cursor' })
}

function filtered({ read, engine }: Store, filter: RequestFilter): Rows {
  const rows = read.selectFrom('requests').selectAll()
  const equal = {
    account_id: filter.accountId,
    key_id: filter.keyId,
    system: filter.system,
    model_id: filter.modelId,
    backend_id: filter.backendId,
    status: filter.status,
    status_code: filter.statusCode,
    request_id: filter.requestId,
    protocol: filter.protocol,
  }
  let result = rows
  for (const [column, value] of Object.entries(equal) as [keyof typeof equal, string | undefined][]) {
    if (value !== undefined) result = result.where(column, '=', value)
  }
  if (filter.fromMs !== undefined) result = result.where('ts_start_ms', '>=', filter.fromMs)
  if (filter.toMs !== undefined) result = result.where('ts_start_ms', '<', filter.toMs)
  if (filter.userAgent !== undefined) {
    const agent =
      engine === 'sqlite' ? sql<string>`detail ->> '$.user_agent'` : sql<string>`detail::json ->> 'user_agent'`
    const pattern = `%${filter.userAgent.toLowerCase().replaceAll(/[\\%_]/g, '\\$&')}%`
    result = result.where(sql<boolean>`lower(${agent}) like ${pattern} escape '\\'`)
  }
  const { hourOfDay, dayOfWeek } = filter
  if (hourOfDay !== undefined) result = result.where(hourOf('ts_start_ms'), '=', hourOfDay)
  if (dayOfWeek !== undefined) result = result.where(weekdayOf('ts_start_ms'), '=', dayOfWeek)
  return result
}

function parseCursor(cursor: string): { ms: number; requestId: string } {
  const dot = cursor.indexOf('.')
  return { ms: checkNumberCursor(dot < 0 ? '' : cursor.slice(0, dot)), requestId: cursor.slice(dot + 1) }
}
