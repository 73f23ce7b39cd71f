/** The agent sessions of one account in memory, beside its funds (B14, record 9). */
import { storeUnavailable } from '#store/failure.ts'
import type { Store } from '#store/store.ts'
import { isSessionId } from './session-funds.ts'
import type { SessionAsk, SessionFunds } from './session-funds.ts'

/** Sessions of one account that are kept in memory; one that nobody holds on gives way. */
export const SESSIONS_WARM_MAX = 200
/** Reads that one request makes while others keep changing the session. */
const READS_MAX = 8

/** What is held in this book: it is in no database. */
interface Held {
  nano: bigint
  requests: number
}

export class BookSessions {
  private readonly known = new Map<string, SessionFunds>()
  private readonly held = new Map<string, Held>()
  /** Counts the charges of sessions that are not known: what is read meanwhile may lack them. */
  private unseen = 0
  /** Counts the times that all was forgotten. */
  private times = 0

  get(id: string): SessionFunds | undefined {
    return this.known.get(id)
  }

  /** Something of the account has changed: everything is read again. Holds stay. */
  forget(): void {
    this.known.clear()
    this.times++
  }

  /** Opens or reads a session. Throws store_unavailable. */
  async load(store: Store, accountId: string, session: SessionAsk, nowMs: number): Promise<void> {
    for (let reads = 0; reads < READS_MAX; reads++) {
      const { unseen, times } = this
      const found = await store.execute('openAgentSession', { session, accountId, nowMs })
      if (this.known.has(session.id)) return
      if (this.unseen !== unseen || this.times !== times) continue
      this.evict()
      const held = this.held.get(session.id)
      this.known.set(session.id, {
        ...found,
        heldNano: found.heldNano + (held?.nano ?? 0n),
        requests: found.requests + (held?.requests ?? 0),
      })
      return
    }
    throw storeUnavailable(`The session ${session.id} never settles.`)
  }

  /** `count` is 1 with a new hold, 0 when one grows, -1 when one ends. */
  hold(budgetIds: readonly string[], amountNano: bigint, count: number): void {
    const id = budgetIds.find(isSessionId)
    if (id === undefined) return
    const held = this.held.get(id) ?? { nano: 0n, requests: 0 }
    held.nano += amountNano
    held.requests += count
    if (held.requests === 0) this.held.delete(id)
    else this.held.set(id, held)
    const session = this.known.get(id)
    if (!session) return
    session.heldNano += amountNano
    session.requests += count
  }

  charge(budgetIds: readonly string[], chargedNano: bigint): void {
    const id = budgetIds.find(isSessionId)
    if (id === undefined) return
    const session = this.known.get(id)
    if (!session) {
      this.unseen++
      return
    }
    session.spentNano += chargedNano
    session.requests++
  }

  private evict(): void {
    if (this.known.size < SESSIONS_WARM_MAX) return
    for (const id of this.known.keys()) {
      if (this.held.has(id)) continue
      this.known.delete(id)
      return
    }
  }
}
