/** What one credential of a backend may be given (R72); null: no bound. */
export interface Caps {
  /** Attempts in any minute. */
  readonly rpm: number | null
  /** Attempts at the same time. */
  readonly concurrency: number | null
}

/** An attempt that waits for another one to end cannot know how long; it is worth another try after this. */
export const ROOM_WAIT_MS = 1000

const SECOND_MS = 1000
/** A minute, and the second that it begins in. */
const SECONDS = 61

/** What one credential is given at the moment, and was given in the last minute. Times are milliseconds of a monotonic clock. */
export class Slot {
  private running = 0
  private readonly counts = new Int32Array(SECONDS)
  /** Which second each place of `counts` is of. */
  private readonly seconds = new Float64Array(SECONDS).fill(-SECONDS)

  /** Until another attempt may be made; 0 is now. Never lets more than the cap into any minute, and waits at most a second too long. */
  waitMs({ rpm, concurrency }: Caps, now: number): number {
    const room = concurrency === null || this.running < concurrency ? 0 : ROOM_WAIT_MS
    return rpm === null ? room : Math.max(room, this.minuteWaitMs(rpm, now))
  }

  /** An attempt begins; `free` follows exactly once. */
  take(now: number): void {
    this.running++
    const second = Math.floor(now / SECOND_MS)
    const place = second % SECONDS
    if (this.seconds[place] !== second) {
      this.seconds[place] = second
      this.counts[place] = 0
    }
    this.counts[place]!++
  }

  free(): void {
    this.running--
  }

  private minuteWaitMs(rpm: number, now: number): number {
    const latest = Math.floor(now / SECOND_MS)
    let used = 0
    // From now back: the second in which the cap is reached has to leave the minute.
    for (let second = latest; second > latest - SECONDS; second--) {
      const place = ((second % SECONDS) + SECONDS) % SECONDS
      if (this.seconds[place] !== second) continue
      used += this.counts[place]!
      if (used >= rpm) return (second + SECONDS) * SECOND_MS - now
    }
    return 0
  }
}
