/** Something that must end by a certain time. `deadlineAt` is on the clock of `performance.now()` and may move. */
export interface Watched {
  readonly deadlineAt: number
  /** Its place among the watched; belongs to Deadlines. -1 when it is not watched. */
  place: number
  onExpiry(): void
}

/** How late a limit may be noticed. */
export const SWEEP_MS = 100

/**
 * Watches many deadlines with one timer: a request costs a place in a list instead of timers of its own, and moving a
 * deadline costs nothing. A list with reused places and no set, whose tables would be made anew all the time under load
 * and keep what they once held from the garbage collector.
 */
export class Deadlines {
  private readonly places: (Watched | null)[] = []
  private readonly free: number[] = []
  private timer: NodeJS.Timeout | undefined

  watch(item: Watched): void {
    item.place = this.free.pop() ?? this.places.length
    this.places[item.place] = item
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  unwatch(item: Watched): void {
    if (item.place < 0) return
    this.places[item.place] = null
    this.free.push(item.place)
    item.place = -1
  }

  private sweep(): void {
    const now = performance.now()
    for (const item of this.places) {
      if (item === null || item.deadlineAt > now) continue
      this.unwatch(item)
      item.onExpiry()
    }
    if (this.free.length < this.places.length) return
    this.places.length = 0
    this.free.length = 0
    clearInterval(this.timer)
    this.timer = undefined
  }
}

/** One for the whole process: there is one event loop. */
export const deadlines = new Deadlines()
