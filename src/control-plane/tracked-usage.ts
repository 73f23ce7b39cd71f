import { z } from 'zod'
import type { UsageQuery } from '#analytics/usage.ts'
import { GatewayError } from '#base/errors.ts'
import type { RequestFilter } from '#store/reads.ts'
import type { Answer, Call } from './call.ts'
import { exportRows } from './export.ts'
import { logObject } from './log-object.ts'
import { logViewOf } from './logs.ts'
import { analyticsOf, demandOperator, ownAccount, type Reader, seesBackends } from './reader.ts'
import { aboutReport, groupObjects, rangeOf, totalObject } from './usage.ts'
import { queryInteger, validate } from './validate.ts'

/** `/v1/usage/…` as the reference has it: other names for what `/api/usage` and `/api/logs` tell (R106). */

export const RECENT_DEFAULT = 100
export const RECENT_MAX = 1000

const text = z.string().min(1).optional()
/** A day begins in UTC. */
const date = z
  .string()
  .refine((value) => /^\d{4}-\d{2}-\d{2}/.test(value) && !Number.isNaN(Date.parse(value)), 'expected a day or a time')
  .transform((value) => Date.parse(value))
  .optional()

const FILTERS = {
  backend_type: text,
  model: text,
  frontend_type: text,
  user_agent: text,
  /** Id of a key or of an account. */
  proxy_user: text,
  start_date: date,
  end_date: date,
  hour_of_day: queryInteger(0, 23).optional(),
  /** 0 is Sunday. */
  day_of_week: queryInteger(0, 6).optional(),
}
const STATS_QUERY = z.object(FILTERS)
const RECENT_QUERY = z.object({ ...FILTERS, limit: queryInteger(1, RECENT_MAX).default(RECENT_DEFAULT) })
const EXPORT_QUERY = z.object({ ...FILTERS, format: z.enum(['csv', 'jsonl'], 'expected csv or jsonl').default('csv') })

type Query = z.output<typeof STATS_QUERY>

/** `GET /v1/usage/stats`: sums of the range, and by model, application and protocol. */
export async function readUsageStats(call: Call<Reader>): Promise<Answer> {
  const query = validate(STATS_QUERY, call.query)
  if (query.user_agent !== undefined) {
    const message = 'Sums are not kept by user agent; /v1/usage/recent and /v1/usage/export filter by it.'
    throw new GatewayError('invalid_parameter', message, { param: 'user_agent' })
  }
  const analytics = analyticsOf(call)
  const filter = usageFilterOf(call, query)
  const parts = { by_model: 'model_id', by_app: 'app', by_frontend: 'protocol' } as const
  const groupings = Object.entries(seesBackends(call) ? { ...parts, by_backend: 'backend_id' as const } : parts)
  const reports = await Promise.all(groupings.map(([, name]) => analytics.usage({ ...filter, groupBy: [name] })))
  const groups = await Promise.all(reports.map((report) => groupObjects(call, report)))
  const [first] = reports
  return {
    body: {
      ...totalObject(call, first!),
      ...Object.fromEntries(groupings.map(([name], at) => [name, groups[at]])),
      ...aboutReport(call, first!),
    },
  }
}

/** `GET /v1/usage/recent`: the newest requests. */
export async function readRecentUsage(call: Call<Reader>): Promise<Answer> {
  const { limit, ...query } = validate(RECENT_QUERY, call.query)
  analyticsOf(call)
  const page = await call.deps.requests.list({ filter: rowFilterOf(call, query), limit })
  return { body: { data: page.data.map((row) => logObject(row, logViewOf(call))) } }
}

/** `GET /v1/usage/export`: CSV or JSON lines (R107). */
export function exportTrackedUsage(call: Call<Reader>): Promise<Answer> {
  const { format, ...query } = validate(EXPORT_QUERY, call.query)
  return exportRows(call, format, { ...rowFilterOf(call, query), ...rangeOf(call, rangeNames(query)) })
}

const rangeNames = ({ start_date: from, end_date: to }: Query) => ({ from, to })

function usageFilterOf(call: Call<Reader>, query: Query): Omit<UsageQuery, 'groupBy'> {
  const { accountId, keyId } = ownerOf(call, query)
  const filter = {
    account_id: accountId,
    key_id: keyId,
    model_id: query.model,
    backend_id: query.backend_type,
    protocol: query.frontend_type,
  }
  return {
    ...rangeOf(call, rangeNames(query)),
    filter: defined(filter),
    ...defined({ hourOfDay: query.hour_of_day, dayOfWeek: query.day_of_week }),
  }
}

function rowFilterOf(call: Call<Reader>, query: Query): RequestFilter {
  return defined({
    ...ownerOf(call, query),
    modelId: query.model,
    backendId: query.backend_type,
    protocol: query.frontend_type,
    userAgent: query.user_agent,
    hourOfDay: query.hour_of_day,
    dayOfWeek: query.day_of_week,
    fromMs: query.start_date,
    toMs: query.end_date,
  })
}

/** A key is bound to its own account, whatever the query says. */
function ownerOf(call: Call<Reader>, query: Query): { accountId: string | undefined; keyId: string | undefined } {
  if (query.backend_type !== undefined) demandOperator(call, 'backend', 'backend_type')
  const isKey = query.proxy_user?.startsWith('key_') === true
  return {
    accountId: ownAccount(call.actor) ?? (isKey ? undefined : query.proxy_user),
    keyId: isKey ? query.proxy_user : undefined,
  }
}

/** Without the members that are not said. */
function defined<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as never
}
