/** Answers of one target that are remembered, the latest ones. */
export const RECENT_SAMPLES_MAX = 128
/** Targets that are remembered; the oldest go first. */
export const RECENT_TARGETS_MAX = 1000
/** What is older tells nothing of now. */
export const RECENT_MS = 5 * 60_000

/** How many of a hundred answers are at least as good as what is told of them. */
export const RECENT_PERCENTS = [50, 75, 90, 99] as const
export type RecentPercent = (typeof RECENT_PERCENTS)[number]

interface Sample {
  readonly at: number
  readonly ttftMs: number
  /** Null: the answer was too short to tell. */
  readonly tokensPerSecond: number | null
}

interface Samples {
  readonly ring: Sample[]
  next: number
}

/** What the answers of one target were like within the last five minutes; null: none of them tells. */
export interface RecentSpeed {
  /** Milliseconds to the first content that so many of a hundred do not exceed. */
  ttftMs(percent: RecentPercent): number | null
  /** Tokens per second that so many of a hundred reach. */
  tokensPerSecond(percent: RecentPercent): number | null
}

/** The single answers behind the means, for who wants to know of the slow ones among them; in memory of this process. */
export class RecentSpeeds {
  private readonly byTarget = new Map<string, Samples>()

  noted(target: string, sample: Sample): void {
    let samples = this.byTarget.get(target)
    if (!samples) {
      this.byTarget.set(target, (samples = { ring: [], next: 0 }))
      if (this.byTarget.size > RECENT_TARGETS_MAX) this.byTarget.delete(this.byTarget.keys().next().value!)
    }
    samples.ring[samples.next] = sample
    samples.next = (samples.next + 1) % RECENT_SAMPLES_MAX
  }

  of(target: string, now: number): RecentSpeed {
    const samples = (this.byTarget.get(target)?.ring ?? []).filter(({ at }) => now - at <= RECENT_MS)
    return {
      ttftMs: (percent) => reachedBy(percent, samples.map(({ ttftMs }) => ttftMs).toSorted(ascending)),
      tokensPerSecond: (percent) =>
        reachedBy(
          percent,
          samples
            .flatMap(({ tokensPerSecond }) => tokensPerSecond ?? [])
            .toSorted(ascending)
            .toReversed(),
        ),
    }
  }
}

const ascending = (one: number, two: number): number => one - two

/** Of values from the best to the worst. */
const reachedBy = (percent: RecentPercent, values: readonly number[]): number | null =>
  values[Math.ceil((values.length * percent) / 100) - 1] ?? null
