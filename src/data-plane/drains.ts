/** So many answers are read on at a time for clients that have left. Beyond it the upstream is told at once. */
export const DRAINS_MAX = 256

/** One answer that is read on; it has a place until it ends. */
export interface Drain {
  /** Gives the place back. Twice is once. */
  end(): void
}

/** Counts the answers that are read on for clients that have left, so that their usage is known (R77, fault M3). */
export class Drains {
  running = 0

  /** Null where nobody wants it (`ms` is not above 0) or all places are taken; else `giveUp` is called after `ms`, unless it ended before. */
  begin(ms: number, giveUp: () => void): Drain | null {
    if (ms <= 0 || this.running >= DRAINS_MAX) return null
    this.running++
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      this.running--
    }
    const timer = setTimeout(() => {
      end()
      giveUp()
    }, ms)
    return { end }
  }
}
