import { randomUUID } from 'node:crypto'
import type { Counts, SharedCounts } from './types.ts'

/** Tries to write before the backend is left out: each time somebody else was faster. */
export const GLASS_SWAPS_MAX = 50
/** What a request may cost is held for it no longer, so that a killed node holds nothing for ever. */
export const GLASS_LEASE_MS = 15 * 60_000
/** Longer than any period. */
const KEPT_MS = 40 * 86_400_000

/** A request that goes to a break-glass backend. */
export interface GlassGrant {
  /** Whether it is the first one of the period. */
  readonly isFirst: boolean
  /** What it cost in the end. Calls after the first change nothing. Never rejects. */
  end(costNano: bigint): Promise<void>
}

interface State {
  readonly sinceMs: number
  readonly spent: string
  /** Whether somebody was told of it in this period. */
  readonly isTold: boolean
  /** Requests under way: `[id, nano-USD, untilMs]`. */
  readonly held: readonly (readonly [string, string, number])[]
}

/**
 * What break-glass backends have cost in the current period (B11), in the store, so that it outlives a restart and all nodes spend
 * together. A request passes as long as something is left of the amount; what runs counts with the most that it can cost.
 */
export class BreakGlass {
  private readonly counts: SharedCounts
  private readonly onUnspent: (cause: unknown) => void
  private readonly known = new Map<string, Counts>()

  /** `onUnspent` hears when the store does not take what a request cost: then the amount that may be spent is too large. */
  constructor(counts: SharedCounts, onUnspent: (cause: unknown) => void) {
    this.counts = counts
    this.onUnspent = onUnspent
  }

  /** Null when nothing is left. `id` names the rule, `sinceMs` its period. Rejects with store_unavailable. */
  async take(id: string, maxNano: bigint, sinceMs: number, wantNano: bigint): Promise<GlassGrant | null> {
    const lease = randomUUID()
    let isFirst = false
    const isTaken = await this.change(`glass ${id}`, sinceMs, (state, nowMs) => {
      const held = state.held.filter(([, , untilMs]) => untilMs > nowMs)
      const used = held.reduce((sum, [, nano]) => sum + BigInt(nano), BigInt(state.spent))
      if (used >= maxNano) return null
      isFirst = !state.isTold
      return { ...state, isTold: true, held: [...held, [lease, String(wantNano), nowMs + GLASS_LEASE_MS]] }
    })
    if (!isTaken) return null
    let hasEnded = false
    return {
      isFirst,
      end: async (costNano) => {
        if (hasEnded) return
        hasEnded = true
        const spend = (state: State): State => ({
          ...state,
          spent: String(BigInt(state.spent) + costNano),
          held: state.held.filter(([other]) => other !== lease),
        })
        await this.change(`glass ${id}`, sinceMs, spend).catch(this.onUnspent)
      },
    }
  }

  /** False when `work` wants no change. */
  private async change(
    id: string,
    sinceMs: number,
    work: (state: State, nowMs: number) => State | null,
  ): Promise<boolean> {
    for (let swap = 1; ; swap++) {
      const { version, state } = this.known.get(id) ?? { version: 0, state: '' }
      const nowMs = this.counts.now()
      const before = state === '' ? null : (JSON.parse(state) as State)
      // A period begins with nothing spent, and with what is under way.
      const fresh = { sinceMs, spent: '0', isTold: false, held: before?.held ?? [] }
      const current = before && before.sinceMs >= sinceMs ? before : fresh
      const next = work(current, nowMs)
      const text = next && JSON.stringify(next)
      const nextVersion = Math.max(version + 1, nowMs)
      const found = await this.counts.swap([
        { id, version, next: nextVersion, state: text, expiresMs: nowMs + KEPT_MS },
      ])
      if (found === null) {
        if (text !== null) this.known.set(id, { id, version: nextVersion, state: text })
        return text !== null
      }
      this.known.set(id, found[0]!)
      if (swap === GLASS_SWAPS_MAX) throw this.counts.busy()
    }
  }
}
