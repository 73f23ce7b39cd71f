import { ascending, LatestSamples, percentile } from './latest-samples.ts'

/** With fewer waits nothing is known. */
export const SAMPLES_MIN = 20

/** How long the first output takes, as it was lately, in memory of this process (B10). */
export class FirstOutputs {
  private readonly waitsMs = new LatestSamples<number>()

  noted(name: string, ms: number): void {
    this.waitsMs.noted(name, ms)
  }

  /** What nineteen of twenty do not exceed, in milliseconds; null: too few are known. */
  p95(name: string): number | null {
    const waits = this.waitsMs.of(name)
    return waits.length < SAMPLES_MIN ? null : percentile(95, waits.toSorted(ascending))
  }
}
