import type { AccountEntry, KeyEntry } from './funds-book.ts'
import type { SessionAsk } from './session-funds.ts'

/** What one request has set aside in memory. */
export interface OpenHold {
  readonly requestId: string
  readonly account: AccountEntry
  readonly key: KeyEntry | null
  amountNano: bigint
  /** The budgets it is held on as well. */
  readonly budgetIds: readonly string[]
  /** The session that it is held on (B14), one of those ids; null: none. */
  readonly session: SessionAsk | null
  /** Another hold with the same mark. */
  next: OpenHold | undefined
}

/** Last characters of an id that its mark is made of: the random ones. */
const MARKED_CHARACTERS = 6

/**
 * The open holds by the id of their request. A Map of the ids would have V8 intern each of them, which costs more than the
 * rest of a reservation; so it is a Map of small numbers made of them, and whose number is the same stand in a row.
 */
export class OpenHolds {
  private readonly rows = new Map<number, OpenHold>()
  private count = 0

  get size(): number {
    return this.count
  }

  has(requestId: string): boolean {
    return this.get(requestId) !== undefined
  }

  get(requestId: string): OpenHold | undefined {
    let hold = this.rows.get(markOf(requestId))
    while (hold && hold.requestId !== requestId) hold = hold.next
    return hold
  }

  add(hold: OpenHold): void {
    const mark = markOf(hold.requestId)
    hold.next = this.rows.get(mark)
    this.rows.set(mark, hold)
    this.count++
  }

  /** Takes out a hold that is in here. */
  delete(hold: OpenHold): void {
    const mark = markOf(hold.requestId)
    const first = this.rows.get(mark)
    if (first !== hold) {
      let before = first
      while (before && before.next !== hold) before = before.next
      if (!before) return
      before.next = hold.next
    } else if (hold.next) this.rows.set(mark, hold.next)
    else this.rows.delete(mark)
    this.count--
  }

  *values(): Generator<OpenHold> {
    for (const first of this.rows.values())
      for (let hold: OpenHold | undefined = first; hold; hold = hold.next) yield hold
  }
}

function markOf(requestId: string): number {
  let mark = 0
  for (let at = Math.max(0, requestId.length - MARKED_CHARACTERS); at < requestId.length; at++)
    mark = (Math.imul(mark, 31) + requestId.charCodeAt(at)) | 0
  return mark
}
