/** Samples of one name that are remembered, the latest ones: enough for a quantile, and few enough to follow the day. */
export const SAMPLES_MAX = 128
/** Names that are remembered; the oldest go first. */
export const NAMES_MAX = 1000

interface Ring<Sample> {
  readonly samples: Sample[]
  next: number
}

/** What was measured last under each name, in memory of this process. */
export class LatestSamples<Sample> {
  private readonly byName = new Map<string, Ring<Sample>>()

  noted(name: string, sample: Sample): void {
    let ring = this.byName.get(name)
    if (!ring) {
      this.byName.set(name, (ring = { samples: [], next: 0 }))
      if (this.byName.size > NAMES_MAX) this.byName.delete(this.byName.keys().next().value!)
    }
    ring.samples[ring.next] = sample
    ring.next = (ring.next + 1) % SAMPLES_MAX
  }

  /** In no order. */
  of(name: string): readonly Sample[] {
    return this.byName.get(name)?.samples ?? []
  }
}

export const ascending = (one: number, two: number): number => one - two

/** The value that so many of a hundred do not pass, of values in order; null where there is none. */
export const percentile = (percent: number, ordered: readonly number[]): number | null =>
  ordered[Math.ceil((ordered.length * percent) / 100) - 1] ?? null
