import { setImmediate } from 'node:timers/promises'

/** Half of what the event loop may be held up, so that what comes between two looks at the clock fits in too. */
const SLICE_MS = 8

let last: Promise<unknown> = Promise.resolve()

/**
 * Long works one after the other, and others' turn between them: several at once would each take a slice before anybody else
 * could.
 */
export function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work)
  const rest = (): Promise<void> => setImmediate()
  last = result.then(rest, rest)
  return result
}

/** Long work in slices: others have their turn whenever one is used up. */
export class Pace {
  private startMs = performance.now()

  /** Whether it is time to rest. */
  isDue(): boolean {
    return performance.now() - this.startMs >= SLICE_MS
  }

  /** Gives way to others if it is due. */
  async rest(): Promise<void> {
    if (!this.isDue()) return
    await setImmediate()
    this.startMs = performance.now()
  }
}
