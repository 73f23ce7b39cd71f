import { z } from 'zod'
import { DAY_MS, type Dimension } from '#analytics/rollup-tables.ts'
import type { Period, UsageReport } from '#analytics/usage.ts'
import { GatewayError } from '#base/errors.ts'
import type { Answer, Call } from './call.ts'
import { analyticsOf, demandOperator, ownAccount, type Reader } from './reader.ts'
import { groupObject, sumsObject } from './usage-object.ts'
import { isoTime, validate } from './validate.ts'

/** Days that are told when none are named. */
export const USAGE_DAYS_DEFAULT = 30
/** Groupings of one answer. */
export const GROUP_BY_MAX = 2

const GROUPS: Readonly<Record<string, Dimension | Period>> = {
  model: 'model_id',
  vendor: 'vendor',
  app: 'app',
  key: 'key_id',
  system: 'system',
  account: 'account_id',
  backend: 'backend_id',
  protocol: 'protocol',
  hour: 'hour',
  day: 'day',
  week: 'week',
  month: 'month',
}
const PERIODS: ReadonlySet<string> = new Set(['hour', 'day', 'week', 'month'])

const text = z.string().min(1).optional()

export const RANGE_QUERY = { from: isoTime.optional(), to: isoTime.optional() }

const USAGE_QUERY = z.object({
  ...RANGE_QUERY,
  group_by: text,
  account: text,
  account_id: text,
  // Not `key`, which would be taken for a secret in the URL.
  key_id: text,
  system: text,
  model: text,
  vendor: text,
  backend: text,
  protocol: text,
  app: text,
})

/** `GET /api/usage`: sums by at most two groupings (R106). A key sees its own account, the master key everything. */
export async function readUsage(call: Call<Reader>): Promise<Answer> {
  const query = validate(USAGE_QUERY, call.query)
  const groupBy = groupsOf(query.group_by)
  const report = await analyticsOf(call).usage({
    ...rangeOf(call, query),
    groupBy,
    filter: filterOf(call, query, groupBy),
  })
  return {
    body: { data: await groupObjects(call, report), total: totalObject(call, report), ...aboutReport(call, report) },
  }
}

/** The range of a query in milliseconds; without one the last USAGE_DAYS_DEFAULT days. Throws GatewayError invalid_parameter. */
export function rangeOf(
  call: Call,
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined },
): { fromMs: number; toMs: number } {
  const toMs = to ?? call.nowMs + 1
  const fromMs = from ?? toMs - USAGE_DAYS_DEFAULT * DAY_MS
  if (fromMs <= toMs) return { fromMs, toMs }
  throw new GatewayError('invalid_parameter', "Invalid value for 'from': it is after 'to'.", { param: 'from' })
}

/** The sums of the whole answer. */
export const totalObject = ({ deps }: Call, { total }: UsageReport): Record<string, unknown> =>
  sumsObject(total, deps.settings.billingMode === 'off')

/** What holds of the whole answer. The range is widened to whole hours, which is told. */
export function aboutReport(call: Call, report: UsageReport & { readonly complete: boolean }): Record<string, unknown> {
  return {
    from: new Date(report.fromMs).toISOString(),
    to: new Date(report.toMs).toISOString(),
    currency: call.deps.settings.currency,
    truncated: report.truncated,
    complete: report.complete,
  }
}

/** Groups with the names of their keys, which are looked up once. */
export async function groupObjects(call: Call, { groups }: UsageReport): Promise<Record<string, unknown>[]> {
  const ids = new Set(groups.flatMap(({ dimensions }) => dimensions.key_id ?? []))
  const names = ids.size === 0 ? new Map<string, string>() : await call.deps.requests.keyNames([...ids])
  return groups.map((group) => groupObject(group, names, call.deps.settings.billingMode === 'off'))
}

function groupsOf(list: string | undefined): (Dimension | Period)[] {
  const names = [
    ...new Set(
      (list ?? '')
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    ),
  ]
  const unknown = names.find((name) => !Object.hasOwn(GROUPS, name))
  if (unknown !== undefined || names.length > GROUP_BY_MAX || names.filter((name) => PERIODS.has(name)).length > 1) {
    const message = `Invalid value for 'group_by': expected at most ${GROUP_BY_MAX} of ${Object.keys(GROUPS).join(', ')}, with one period.`
    throw new GatewayError('invalid_parameter', message, { param: 'group_by' })
  }
  return names.map((name) => GROUPS[name]!)
}

type UsageFilter = Partial<Record<Dimension, string>>

function filterOf(
  call: Call<Reader>,
  query: z.output<typeof USAGE_QUERY>,
  groupBy: readonly (Dimension | Period)[],
): UsageFilter {
  if (query.backend !== undefined || groupBy.includes('backend_id')) demandOperator(call, 'backend', 'backend')
  const filter = {
    account_id: ownAccount(call.actor) ?? query.account ?? query.account_id,
    key_id: query.key_id,
    system: query.system,
    model_id: query.model,
    vendor: query.vendor,
    backend_id: query.backend,
    protocol: query.protocol,
    app: query.app,
  }
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined))
}
