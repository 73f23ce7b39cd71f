import { z } from 'zod'
import type { StatsSnapshot, StatsWindow, TargetStats } from '#analytics/target-stats.ts'
import { listModels, type ListedModel } from '#catalog/listings/select.ts'
import { findPreset } from '#providers/presets.ts'
import type { Answer, Call } from './call.ts'
import { listingFilterOf } from './models.ts'
import { analyticsOf, type Reader, seesBackends } from './reader.ts'
import { priceObject, statsObject } from './stats-object.ts'
import { validate } from './validate.ts'

const STATS_QUERY = z.object({
  window: z.enum(['30m', '1d'], 'expected 30m or 1d').optional(),
  ids: z.string().min(1).optional(),
  sort: z.enum(['latency', 'ttft', 'throughput', 'uptime'], 'expected latency, ttft, throughput or uptime').optional(),
})

type Sort = NonNullable<z.output<typeof STATS_QUERY>['sort']>

/**
 * `GET /api/stats/models`: speed, uptime and price of the models that the caller may call, and of each backend that serves them
 * (R104). Sorted by the worse end of the interval, so that a few lucky measurements do not win (B20).
 */
export async function readModelStats(call: Call<Reader>): Promise<Answer> {
  const { window, ids, sort } = validate(STATS_QUERY, call.query)
  const wanted = ids === undefined ? null : new Set(ids.split(',').map((id) => id.trim()))
  const snapshot = await analyticsOf(call).targets()
  const listed = listModels(call.deps.catalog.current, listingFilterOf(call)).filter(
    ({ model }) => wanted === null || wanted.has(model.id),
  )
  const known = listed.map((entry) => ({ entry, stats: snapshot.ofModel(entry.model.id, window) }))
  if (sort) known.sort((a, b) => worthOf(b.stats, sort) - worthOf(a.stats, sort))
  return {
    body: {
      object: 'list',
      data: known.map(({ entry, stats }) => ({
        id: entry.model.id,
        display_name: entry.model.displayName,
        price_per_million: priceObject(entry.price),
        stats: stats ? statsObject(stats) : null,
        endpoints: endpointsOf(call, entry, snapshot, window),
      })),
    },
  }
}

function endpointsOf(call: Call, { model, routes }: ListedModel, snapshot: StatsSnapshot, window?: StatsWindow) {
  return routes.map(({ backend, price }) => {
    const stats = snapshot.ofTarget(model.id, backend.id, window)
    return {
      provider_name: findPreset(backend.type)?.label ?? backend.type,
      backend: seesBackends(call) ? backend.id : null,
      price_per_million: priceObject(price),
      stats: stats ? statsObject(stats) : null,
    }
  })
}

/** More is better; what is not known is worst. */
function worthOf(stats: TargetStats | undefined, sort: Sort): number {
  switch (sort) {
    case 'latency':
    case 'ttft':
      return -(stats?.[sort]?.interval.p50[1] ?? Number.MAX_VALUE)
    case 'throughput':
      return stats?.throughput?.interval.p50[0] ?? -1
    case 'uptime':
      return stats?.uptime.last1d?.interval[0] ?? -1
    default:
      return sort satisfies never
  }
}
