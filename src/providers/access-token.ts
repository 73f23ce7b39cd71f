/** A value that is good for a while, such as an access token or temporary keys. */
export interface Lease<Value> {
  readonly value: Value
  /** Unix time in milliseconds. */
  readonly expiresAtMs: number
}

/** A lease is renewed when this much of it is left, beside the requests that go on using it. */
export const RENEW_AHEAD_MS = 5 * 60_000
/** A value this close to its end is not used any more: the request has to arrive with it. */
export const LAPSE_AHEAD_MS = 10_000
/** After a renewal that failed the next one waits this long, while the old value is still good. */
export const RENEW_PAUSE_MS = 10_000

/**
 * Keeps one lease fresh: at most one renewal is under way, and nobody waits for it while the old value is good. The first
 * request, or one after a long silence, waits.
 */
export class Renewable<Value> {
  private readonly fetchLease: () => Promise<Lease<Value>>
  private readonly now: () => number
  private lease: Lease<Value> | null = null
  private running: Promise<Value> | null = null
  private renewFromMs = 0

  constructor(fetchLease: () => Promise<Lease<Value>>, now: () => number = Date.now) {
    this.fetchLease = fetchLease
    this.now = now
  }

  /** The value, when there is one that is still good. Begins its renewal when the end is near. */
  get current(): Value | null {
    const { lease } = this
    const nowMs = this.now()
    if (lease === null || nowMs >= lease.expiresAtMs - LAPSE_AHEAD_MS) return null
    // The old value goes on being used; a renewal that fails is tried again later, and told when the old one has lapsed.
    if (nowMs >= this.renewFromMs && this.running === null) void this.renew().catch(() => undefined)
    return lease.value
  }

  /** Fetches a new value; whoever asks meanwhile waits for the same one. Rejects with what the source failed with. */
  renew(): Promise<Value> {
    this.running ??= this.fetchLease()
      .then(
        (lease) => {
          const nowMs = this.now()
          this.lease = lease
          // Short leases are renewed in their second half, and not at once again.
          const ahead = Math.min(RENEW_AHEAD_MS, (lease.expiresAtMs - nowMs) / 2)
          this.renewFromMs = lease.expiresAtMs - ahead
          return lease.value
        },
        (error: unknown) => {
          this.renewFromMs = this.now() + RENEW_PAUSE_MS
          throw error
        },
      )
      .finally(() => (this.running = null))
    return this.running
  }

  /** The upstream refused this value: the next request fetches another one. */
  forget(value: Value): void {
    if (this.lease?.value === value) this.lease = null
  }
}
