import { mayBeKept } from '#store/failure.ts'
import type { Store } from '#store/store.ts'
import type { HoldAsk, HoldResult } from './types.ts'

/** Leases that one command renews. */
export const RENEWALS_MAX = 200

interface Lease {
  readonly accountId: string
  expiresMs: number
}

/** The holds that this process has in a shared database: each is a lease, renewed while its request lives (B1). */
export interface Leases {
  /**
   * Passes the result of a reservation on, and remembers what it set aside. One that failed and may have been kept is taken back,
   * or it would hold money for a request that never was until its lease is over.
   */
  keep(ask: HoldAsk, result: Promise<HoldResult>, nowMs: number): Promise<HoldResult>
  /** The same for a hold that grows, which renews it; its request may have ended meanwhile. */
  grow(ask: HoldAsk, result: Promise<HoldResult>, nowMs: number): Promise<HoldResult>
  /** The request ends. */
  drop(requestId: string): void
  /** Renews those whose time is half over. */
  renew(nowMs: number): Promise<void>
}

/** `onHoldLeft` hears why a hold could not be taken back. */
export function createLeases(store: Store, ttlMs: number, onHoldLeft: (cause: unknown) => void): Leases {
  const open = new Map<string, Lease>()
  /** The store repeats it while the database is away; what is not taken back then ends with its lease. */
  const takeBack = (requestId: string, accountId: string): void => {
    const ids = { requestIds: [requestId], accountIds: [accountId] }
    store.execute('releaseExpired', { ...ids, beforeMs: Number.MAX_SAFE_INTEGER }).catch(onHoldLeft)
  }
  return {
    async keep({ requestId, accountId }, result, nowMs) {
      const told = await result.catch((error: unknown) => {
        if (mayBeKept(error)) takeBack(requestId, accountId)
        throw error
      })
      // A free request leaves no hold behind.
      if (told.granted && told.amountNano > 0n) open.set(requestId, { accountId, expiresMs: nowMs + ttlMs })
      return told
    },
    async grow({ requestId }, result, nowMs) {
      const told = await result
      const lease = open.get(requestId)
      if (lease && told.granted && told.amountNano > 0n) lease.expiresMs = nowMs + ttlMs
      return told
    },
    drop: (requestId) => void open.delete(requestId),
    async renew(nowMs) {
      const due = [...open].filter(([, { expiresMs }]) => expiresMs - nowMs < ttlMs / 2)
      for (let at = 0; at < due.length; at += RENEWALS_MAX) {
        const part = due.slice(at, at + RENEWALS_MAX)
        const requestIds = part.map(([id]) => id).toSorted()
        const accountIds = [...new Set(part.map(([, { accountId }]) => accountId))]
        await store.execute('renewHolds', { requestIds, accountIds, expiresMs: nowMs + ttlMs })
        for (const [, lease] of part) lease.expiresMs = nowMs + ttlMs
      }
    },
  }
}
