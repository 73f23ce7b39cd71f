/** Lower bounds of buckets with how many measurements each holds. */
export type Histogram = ReadonlyMap<number, number>

export const PERCENTILES = ['p50', 'p75', 'p90', 'p95', 'p99'] as const
export type Percentile = (typeof PERCENTILES)[number]

/** Percentiles of `n` measurements, each with the interval that holds the true one with 90 % confidence (B20). */
export interface Figure extends Readonly<Record<Percentile, number>> {
  readonly n: number
  readonly interval: Readonly<Record<Percentile, readonly [number, number]>>
}

/** A share of `n` in percent, with its interval. */
export interface Share {
  readonly percent: number
  readonly n: number
  readonly interval: readonly [number, number]
}

/** Of the normal distribution, for 90 % between the two sides. */
const Z = 1.645

/** Null without a measurement: no data is not 0. `unit` is what a bucket's bound is multiplied with. */
export function figureOf(histogram: Histogram, unit = 1): Figure | null {
  const buckets = [...histogram].filter(([, count]) => count > 0).sort(([a], [b]) => a - b)
  const n = buckets.reduce((sum, [, count]) => sum + count, 0)
  if (n === 0) return null
  const at = (rank: number): number => middleOf(bucketAt(buckets, Math.min(n, Math.max(1, rank)))) * unit
  const values = PERCENTILES.map((name) => {
    const share = Number(name.slice(1)) / 100
    // The true percentile lies between two order statistics: how many values are below it is binomial.
    const spread = Z * Math.sqrt(n * share * (1 - share))
    const interval = [at(Math.floor(n * share - spread)), at(Math.ceil(n * share + spread) + 1)] as const
    return { name, value: at(Math.ceil(n * share)), interval }
  })
  return {
    ...(Object.fromEntries(values.map(({ name, value }) => [name, value])) as Record<Percentile, number>),
    n,
    interval: Object.fromEntries(values.map(({ name, interval }) => [name, interval])) as unknown as Figure['interval'],
  }
}

/** Wilson's interval, which stays honest near 0 and 100 %. Null without a trial. */
export function shareOf(successes: number, n: number): Share | null {
  if (n === 0) return null
  const share = successes / n
  const square = Z * Z
  const middle = (share + square / (2 * n)) / (1 + square / n)
  const half = (Z / (1 + square / n)) * Math.sqrt((share * (1 - share)) / n + square / (4 * n * n))
  return {
    percent: rounded(share),
    n,
    interval: [rounded(Math.max(0, middle - half)), rounded(Math.min(1, middle + half))],
  }
}

const rounded = (share: number): number => Math.round(share * 10_000) / 100

function bucketAt(buckets: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0
  for (const [bound, count] of buckets) {
    seen += count
    if (seen >= rank) return bound
  }
  return buckets.at(-1)![0]
}

/** Below 100 a bucket holds one value; above it the middle is at most a twentieth wrong. */
function middleOf(bound: number): number {
  if (bound < 100) return bound
  return bound + 10 ** (Math.floor(Math.log10(bound)) - 1) / 2
}
