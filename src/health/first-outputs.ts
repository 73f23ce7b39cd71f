/** Waits of one name that are remembered: enough for a quantile, and few enough to follow the day. */
export const SAMPLES_MAX = 128
/** With fewer nothing is known. */
export const SAMPLES_MIN = 20
/** Names that are remembered; the oldest go first. */
export const NAMES_MAX = 1000

interface Samples {
  readonly ms: number[]
  next: number
}

/** How long the first output takes, as it was lately, in memory of this process (B10). */
export class FirstOutputs {
  private readonly byName = new Map<string, Samples>()

  noted(name: string, ms: number): void {
    let samples = this.byName.get(name)
    if (!samples) {
      this.byName.set(name, (samples = { ms: [], next: 0 }))
      if (this.byName.size > NAMES_MAX) this.byName.delete(this.byName.keys().next().value!)
    }
    samples.ms[samples.next] = ms
    samples.next = (samples.next + 1) % SAMPLES_MAX
  }

  /** What nineteen of twenty do not exceed, in milliseconds; null: too few are known. */
  p95(name: string): number | null {
    const ms = this.byName.get(name)?.ms
    if (!ms || ms.length < SAMPLES_MIN) return null
    return ms.toSorted((one, two) => one - two)[Math.ceil(ms.length * 0.95) - 1]!
  }
}
