import { type Figure, PERCENTILES, type Percentile, type Share } from '#analytics/histogram.ts'
import { SAMPLES_MIN, type TargetStats } from '#analytics/target-stats.ts'
import { formatPricePerMillion } from '#base/money.ts'
import type { Price } from '#catalog/types.ts'

/** Figures as the catalog and `/api/stats/models` show them, each with how many measurements it stands on (R104, B20). */
export function statsObject(stats: TargetStats): Record<string, unknown> {
  return {
    window: stats.window,
    samples: stats.samples,
    /** So few that the intervals are what counts. */
    low_confidence: stats.samples < SAMPLES_MIN,
    latency_ms: figureObject(stats.latency),
    ttft_ms: figureObject(stats.ttft),
    throughput_tps: figureObject(stats.throughput),
    uptime: {
      last_5m: shareObject(stats.uptime.last5m),
      last_30m: shareObject(stats.uptime.last30m),
      last_1d: shareObject(stats.uptime.last1d),
    },
  }
}

/** USD per million tokens as decimal strings; `blended` is three parts of input and one of output. Null: unpriced. */
export function priceObject(price: Price | null): Record<string, string> | null {
  if (price === null) return null
  return {
    input: formatPricePerMillion(price.input),
    output: formatPricePerMillion(price.output),
    blended: formatPricePerMillion((price.input * 3n + price.output) / 4n),
  }
}

/** The percentiles that OpenRouter tells, as numbers; null: no data. */
export function percentilesObject(figure: Figure | null | undefined): Record<string, number> | null {
  if (!figure) return null
  const { p50, p75, p90, p99 } = figure
  return { p50: rounded(p50), p75: rounded(p75), p90: rounded(p90), p99: rounded(p99) }
}

function figureObject(figure: Figure | null): Record<string, unknown> | null {
  if (figure === null) return null
  const of = <Value>(make: (name: Percentile) => Value) =>
    Object.fromEntries(PERCENTILES.map((name) => [name, make(name)]))
  return {
    ...of((name) => rounded(figure[name])),
    n: figure.n,
    interval_90: of((name) => figure.interval[name].map(rounded)),
  }
}

const shareObject = (share: Share | null): Record<string, unknown> | null =>
  share && { percent: share.percent, n: share.n, interval_90: share.interval }

/** Tenths have no exact binary form. */
const rounded = (value: number): number => Math.round(value * 10) / 10
