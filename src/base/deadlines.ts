/** Something that must end by a certain time. `deadlineAt` is on the clock of `performance.now()` and may move. */
export interface Watched {
  readonly deadlineAt: number
  onExpiry(): void
}

/** How late a limit may be noticed. */
export const SWEEP_MS = 100

/**
 * Watches many deadlines with one timer: a request costs an entry in a set instead of timers of its own, and moving a
 * deadline costs nothing.
 */
export class Deadlines {
  private readonly watched = new Set<Watched>()
  private timer: NodeJS.Timeout | undefined

  watch(item: Watched): void {
    this.watched.add(item)
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  unwatch(item: Watched): void {
    this.watched.delete(item)
  }

  private sweep(): void {
    const now = performance.now()
    for (const item of this.watched) {
      if (item.deadlineAt > now) continue
      this.watched.delete(item)
      item.onExpiry()
    }
    if (this.watched.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}

/** One for the whole process: there is one event loop. */
export const deadlines = new Deadlines()
