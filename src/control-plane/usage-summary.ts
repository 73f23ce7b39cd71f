import { DAY_MS, type Dimension } from '#analytics/rollup-tables.ts'
import { formatUsd } from '#base/money.ts'
import { cheaperAlternatives } from '#catalog/listings/cheaper.ts'
import { listModels } from '#catalog/listings/select.ts'
import type { Answer, Call } from './call.ts'
import { analyticsOf, ownAccount, type Reader, seesBackends } from './reader.ts'
import { aboutReport, groupObjects, rangeOf, totalObject } from './usage.ts'

/** Rows of each table of the summary. */
export const TOP_MAX = 10
/** Models that are told to be costly. */
const COSTLY_MAX = 10

const TOPS: Readonly<Record<string, Dimension>> = { models: 'model_id', apps: 'app', keys: 'key_id', systems: 'system' }
const OPERATOR_TOPS: Readonly<Record<string, Dimension>> = { ...TOPS, accounts: 'account_id', backends: 'backend_id' }

/** `GET /api/usage/summary`: the figures of the dashboard's first view (R102). */
export async function readUsageSummary(call: Call<Reader>): Promise<Answer> {
  const analytics = analyticsOf(call)
  const filter = own(call)
  const today = Math.floor(call.nowMs / DAY_MS) * DAY_MS
  const since = async (fromMs: number) =>
    totalObject(call, await analytics.usage({ fromMs, toMs: call.nowMs + 1, groupBy: [], filter }))
  const week = { fromMs: today - 6 * DAY_MS, toMs: call.nowMs + 1, filter }
  const tops = await Promise.all(
    Object.entries(seesBackends(call) ? OPERATOR_TOPS : TOPS).map(async ([name, dimension]) => {
      const report = await analytics.usage({ ...week, groupBy: [dimension] })
      return [name, (await groupObjects(call, report)).slice(0, TOP_MAX)] as const
    }),
  )
  const accountId = ownAccount(call.actor)
  const account = accountId === undefined ? null : await call.deps.accounts.get(accountId)
  const latency = await analytics.latencies(week)
  return {
    body: {
      balance: account ? formatUsd(account.balanceNano) : null,
      currency: call.deps.settings.currency,
      today: await since(today),
      last_7_days: await since(today - 6 * DAY_MS),
      last_30_days: await since(today - 29 * DAY_MS),
      latency_ms: latency && { p50: latency.p50, p95: latency.p95, n: latency.n },
      top: Object.fromEntries(tops),
    },
  }
}

/** `GET /api/insights/costs`: what costs most, and what might cost less (R75, R109). */
export async function readCostInsights(call: Call<Reader>): Promise<Answer> {
  const range = rangeOf(call, {})
  const report = await analyticsOf(call).usage({ ...range, groupBy: ['model_id'], filter: own(call) })
  const cheaper = cheaperAlternatives(listModels(call.deps.catalog.current))
  const alternativesOf = (model: string | null | undefined) => (model ? (cheaper.get(model) ?? []) : [])
  const all = report.total.list_nano
  let replaceable = 0n
  for (const group of report.groups)
    if (alternativesOf(group.dimensions.model_id).length > 0) replaceable += group.list_nano
  const total = totalObject(call, report)
  const objects = await groupObjects(call, report)
  const models = objects.slice(0, COSTLY_MAX).map((group, at) => ({
    ...group,
    share_of_cost: shareOf(report.groups[at]!.list_nano, all),
    cheaper_alternatives: alternativesOf(report.groups[at]!.dimensions.model_id),
  }))
  return {
    body: {
      top_models: models,
      share_with_cheaper_alternatives: shareOf(replaceable, all),
      cache_hit_rate: total['cache_hit_rate'],
      total,
      ...aboutReport(call, report),
    },
  }
}

const own = ({ actor }: Call<Reader>): { account_id?: string } => {
  const account = ownAccount(actor)
  return account === undefined ? {} : { account_id: account }
}

/** Four digits; null where nothing was spent. Only for show: the sums themselves are exact. */
const shareOf = (part: bigint, all: bigint): number | null =>
  all === 0n ? null : Number((part * 10_000n) / all) / 10_000
