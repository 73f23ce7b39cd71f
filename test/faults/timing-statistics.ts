/** Whether two samples of times differ: medians, and a rank test that no outlier moves (Mann and Whitney). */

export interface Comparison {
  /** Of the first less that of the second, in the unit of the samples. */
  readonly medianDifference: number
  /** Of the rank sum in its standard deviations; beyond 3.29 chance is one in a thousand. */
  readonly z: number
}

export function median(samples: readonly number[]): number {
  const sorted = Float64Array.from(samples).sort()
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function compare(first: readonly number[], second: readonly number[]): Comparison {
  const all = [...first.map((value) => ({ value, own: 1 })), ...second.map((value) => ({ value, own: 0 }))]
  all.sort((left, right) => left.value - right.value)
  let rankSum = 0
  let tied = 0
  for (let start = 0; start < all.length;) {
    let end = start
    while (end < all.length && all[end]!.value === all[start]!.value) end++
    const length = end - start
    const rank = (start + end + 1) / 2
    for (let at = start; at < end; at++) rankSum += all[at]!.own * rank
    tied += length ** 3 - length
    start = end
  }
  const [n, m] = [first.length, second.length]
  const total = n + m
  const variance = ((n * m) / 12) * (total + 1 - tied / (total * (total - 1)))
  const z = (rankSum - (n * (total + 1)) / 2) / Math.sqrt(variance)
  return { medianDifference: median(first) - median(second), z }
}

/** A seeded order in which every class comes equally often, so that drift and neighbours hit all alike. */
export function* interleaved(classes: number, rounds: number, seed: number): Generator<number> {
  let state = seed >>> 0
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  for (let round = 0; round < rounds; round++) {
    const order = Array.from({ length: classes }, (_, at) => at)
    for (let at = classes - 1; at > 0; at--) {
      const other = Math.floor(random() * (at + 1))
      ;[order[at], order[other]] = [order[other]!, order[at]!]
    }
    yield* order
  }
}

/**
 * How likely two samples of one distribution lie as far apart as these (Kolmogorov and Smirnov): sees differences of shape too,
 * as when only some answers come faster.
 */
export function sameDistribution(first: readonly number[], second: readonly number[]): number {
  const [one, two] = [first, second].map((samples) => Float64Array.from(samples).sort())
  let distance = 0
  for (let at = 0, other = 0; at < one!.length && other < two!.length;) {
    const value = Math.min(one![at]!, two![other]!)
    while (one![at] === value) at++
    while (two![other] === value) other++
    distance = Math.max(distance, Math.abs(at / one!.length - other / two!.length))
  }
  const root = Math.sqrt((one!.length * two!.length) / (one!.length + two!.length))
  const lambda = (root + 0.12 + 0.11 / root) * distance
  if (lambda < 0.2) return 1
  let probability = 0
  for (let term = 1; term <= 100; term++) probability += (term % 2 === 1 ? 2 : -2) * Math.exp(-2 * (term * lambda) ** 2)
  return Math.min(1, Math.max(0, probability))
}
