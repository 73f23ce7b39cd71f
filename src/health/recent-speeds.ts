import { ascending, LatestSamples, percentile } from './latest-samples.ts'

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

/** What the answers of one target were like within the last five minutes; null: none of them tells. */
export interface RecentSpeed {
  /** Milliseconds to the first content that so many of a hundred do not exceed. */
  ttftMs(percent: RecentPercent): number | null
  /** Tokens per second that so many of a hundred reach. */
  tokensPerSecond(percent: RecentPercent): number | null
}

/** The single answers behind the means, for who wants to know of the slow ones among them; in memory of this process. */
export class RecentSpeeds {
  private readonly samples = new LatestSamples<Sample>()

  noted(target: string, sample: Sample): void {
    this.samples.noted(target, sample)
  }

  of(target: string, now: number): RecentSpeed {
    const samples = this.samples.of(target).filter(({ at }) => now - at <= RECENT_MS)
    return {
      ttftMs: (percent) => percentile(percent, samples.map(({ ttftMs }) => ttftMs).toSorted(ascending)),
      // From the best to the worst: so many of a hundred reach it.
      tokensPerSecond: (percent) =>
        percentile(
          percent,
          samples
            .flatMap(({ tokensPerSecond }) => tokensPerSecond ?? [])
            .toSorted(ascending)
            .toReversed(),
        ),
    }
  }
}
