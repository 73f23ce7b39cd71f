import { type Caps, Slot } from './caps.ts'
import { Circuit, type CircuitState, type Trouble } from './circuit.ts'

/** What health is kept of: the part of a route that matters here, so that this folder knows no catalog. */
export interface HealthTarget {
  readonly upstreamModel: string
  readonly backend: HealthBackend
}

export interface HealthBackend {
  readonly id: string
  readonly credentials: readonly string[]
  /** What each credential may be given; absent: as much as there is. */
  readonly caps?: Caps
  /** The backend whose credential this is under a name of its own, and which one; absent: it stands for itself. */
  readonly part?: { readonly of: string; readonly index: number }
}

/**
 * One attempt, from its beginning to the one word that ends it: only the first such word counts. A stream commits before, with
 * its first content.
 */
export interface HealthWatch {
  /** Index of the credential to use; 0 when the backend has none. */
  readonly credential: number
  /** It begins to answer: others need not wait for its end. */
  commit(): void
  succeed(): void
  fail(trouble: Trouble, retryAfterMs: number | null): void
  /** It said nothing about health. */
  release(): void
}

export interface BackendHealth {
  readonly state: CircuitState
  /** Whether its probe found it dead, whatever the requests say. */
  readonly is_down: boolean
  readonly credentials: readonly CredentialHealth[]
}

export interface CredentialHealth {
  readonly index: number
  readonly state: CircuitState
  /** Why it is not closed. */
  readonly trouble: Trouble | null
}

/** Rate limits remembered at once, one per credential and model; the oldest go first. */
export const QUOTAS_MAX = 10_000

/** A backend's own circuit and those of its credentials. */
interface Kept {
  readonly circuit: Circuit
  readonly credentials: readonly Circuit[]
  turn: number
}

/**
 * Health of backends and their credentials, in memory of this process (R71, R72). A backend that fails is left out as a
 * whole; a rate limit belongs to a credential and a model; a refused credential is only left out itself.
 */
export class TargetHealth {
  private readonly backends = new Map<string, Kept>()
  /** Only where a limit was hit and not yet lifted: names of models are not ours to count. */
  private readonly quotas = new Map<string, Circuit>()
  /** What the probes found dead. */
  private readonly down = new Set<string>()
  /** Of credentials with caps, by backend and index. */
  private readonly slots = new Map<string, Slot>()
  private readonly now: () => number

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now
  }

  /** Whether an attempt at this target is worth making now. */
  admits(target: HealthTarget): boolean {
    if (this.down.size > 0 && this.down.has(target.backend.id)) return false
    const now = this.now()
    const kept = this.keptOf(target.backend)
    return kept.circuit.admits(now) && this.nextCredential(kept, target, now) >= 0
  }

  /** What a probe has found. */
  setDown(backendId: string, isDown: boolean): void {
    if (isDown) this.down.add(backendId)
    else this.down.delete(backendId)
  }

  /** Why the target's backend is paused as a whole; null while it is not. */
  troubleOf({ backend }: HealthTarget): Trouble | null {
    if (this.down.has(backend.id)) return 'failed'
    const { circuit } = this.keptOf(backend)
    return circuit.state(this.now()) === 'open' ? circuit.trouble : null
  }

  /** Milliseconds until the target is worth trying again; 0 for now. */
  readyInMs(target: HealthTarget): number {
    const now = this.now()
    const kept = this.keptOf(target.backend)
    const soonest = Math.min(...kept.credentials.map((_, index) => this.pausedUntil(kept, target, index)))
    return Math.max(0, kept.circuit.until - now, soonest - now)
  }

  /** Until some credential may be given another attempt; 0 is now. Pauses after failures do not count. */
  roomInMs({ backend }: HealthTarget): number {
    if (!backend.caps) return 0
    const now = this.now()
    let soonest = Infinity
    for (let index = 0; index < countOf(backend); index++)
      soonest = Math.min(soonest, this.slotOf(backend, index)!.waitMs(backend.caps, now))
    return soonest
  }

  /** Null for a backend without caps. */
  slotOf({ id, caps, part }: HealthBackend, index: number): Slot | null {
    if (!caps) return null
    const key = part ? quotaPrefix(part.of, part.index) : quotaPrefix(id, index)
    let slot = this.slots.get(key)
    if (!slot) this.slots.set(key, (slot = new Slot()))
    return slot
  }

  /** Begins an attempt with the next credential in turn; with all of them paused, the one that is back first. */
  begin(target: HealthTarget): HealthWatch {
    const kept = this.keptOf(target.backend)
    const now = this.now()
    const next = this.nextCredential(kept, target, now)
    const credential = next >= 0 ? next : this.firstBack(kept, target, now)
    kept.turn = credential + 1
    return new Watch(this, kept, target, credential)
  }

  /** Of one backend, for operators. */
  describe(backend: HealthBackend): BackendHealth {
    const now = this.now()
    const kept = this.keptOf(backend)
    const credentials = kept.credentials.map((circuit, index) => {
      const prefix = quotaPrefix(backend.id, index)
      const quotas = [...this.quotas].filter(([key]) => key.startsWith(prefix)).map(([, quota]) => quota)
      const worst = [circuit, ...quotas].find((each) => each.state(now) !== 'closed')
      return { index, state: worst?.state(now) ?? ('closed' as const), trouble: worst?.trouble ?? null }
    })
    return { state: kept.circuit.state(now), is_down: this.down.has(backend.id), credentials }
  }

  /** How often the circuit of a backend has opened. */
  openingsOf(backend: HealthBackend): number {
    return this.keptOf(backend).circuit.openings
  }

  /** Forgets what belongs to none of these backends; one whose credentials changed begins anew. */
  keepOnly(backends: ReadonlyMap<string, HealthBackend>): void {
    for (const [id, kept] of this.backends) {
      const backend = backends.get(id)
      if (!backend || countOf(backend) !== kept.credentials.length) this.backends.delete(id)
    }
    for (const id of this.down) if (!backends.has(id)) this.down.delete(id)
    for (const key of this.quotas.keys())
      if (!this.backends.has(key.slice(0, key.indexOf(' ')))) this.quotas.delete(key)
    for (const key of this.slots.keys()) if (!backends.has(key.slice(0, key.indexOf(' ')))) this.slots.delete(key)
  }

  /** Made when the first rate limit is met. */
  openQuota(target: HealthTarget, credential: number): Circuit {
    const key = quotaKey(target, credential)
    let quota = this.quotas.get(key)
    if (!quota) {
      this.quotas.set(key, (quota = new Circuit()))
      if (this.quotas.size > QUOTAS_MAX) this.quotas.delete(this.quotas.keys().next().value!)
    }
    return quota
  }

  findQuota(target: HealthTarget, credential: number): Circuit | undefined {
    return this.quotas.size === 0 ? undefined : this.quotas.get(quotaKey(target, credential))
  }

  /** Unless another one has taken its place meanwhile. */
  dropQuota(target: HealthTarget, credential: number, quota: Circuit): void {
    const key = quotaKey(target, credential)
    if (this.quotas.get(key) === quota) this.quotas.delete(key)
  }

  clock(): number {
    return this.now()
  }

  private keptOf(backend: HealthBackend): Kept {
    let kept = this.backends.get(backend.id)
    if (!kept || kept.credentials.length !== countOf(backend)) {
      const credentials = Array.from({ length: countOf(backend) }, () => new Circuit())
      this.backends.set(backend.id, (kept = { circuit: new Circuit(), credentials, turn: 0 }))
    }
    return kept
  }

  /** The next credential in turn that is not paused; -1 when all are. */
  private nextCredential(kept: Kept, target: HealthTarget, now: number): number {
    const count = kept.credentials.length
    for (let step = 0; step < count; step++) {
      const index = (kept.turn + step) % count
      const quota = this.findQuota(target, index)
      if (!kept.credentials[index]!.admits(now) || (quota !== undefined && !quota.admits(now))) continue
      if (this.hasRoom(target, index, now)) return index
    }
    return -1
  }

  /** The one that is back first, of those that have room where some have. */
  private firstBack(kept: Kept, target: HealthTarget, now: number): number {
    let best = 0
    for (let index = 1; index < kept.credentials.length; index++) {
      const isRoomier = this.hasRoom(target, index, now) && !this.hasRoom(target, best, now)
      const isLater = this.pausedUntil(kept, target, index) >= this.pausedUntil(kept, target, best)
      if (isRoomier || (!isLater && this.hasRoom(target, index, now))) best = index
    }
    return best
  }

  private hasRoom({ backend }: HealthTarget, index: number, now: number): boolean {
    return !backend.caps || this.slotOf(backend, index)!.waitMs(backend.caps, now) === 0
  }

  private pausedUntil(kept: Kept, target: HealthTarget, index: number): number {
    return Math.max(kept.credentials[index]!.until, this.findQuota(target, index)?.until ?? 0)
  }
}

class Watch implements HealthWatch {
  readonly credential: number
  private readonly health: TargetHealth
  private readonly target: HealthTarget
  private readonly backend: Circuit
  private readonly own: Circuit
  private readonly quota: Circuit | undefined
  private readonly begunAt: number
  private readonly slot: Slot | null
  private readonly probes: readonly [boolean, boolean, boolean]
  /** Failures that were forgotten when it began to answer; null before. */
  private forgotten: number | null = null
  private isEnded = false

  constructor(health: TargetHealth, kept: Kept, target: HealthTarget, credential: number) {
    this.health = health
    this.target = target
    this.credential = credential
    this.backend = kept.circuit
    this.own = kept.credentials[credential]!
    this.quota = health.findQuota(target, credential)
    const now = (this.begunAt = health.clock())
    this.slot = health.slotOf(target.backend, credential)
    this.slot?.take(now)
    this.probes = [this.backend.begin(now), this.own.begin(now), this.quota?.begin(now) ?? false]
  }

  commit(): void {
    if (this.forgotten !== null || this.isEnded) return
    const { begunAt, quota } = this
    this.forgotten = this.backend.commit(this.probes[0], begunAt)
    this.own.commit(this.probes[1], begunAt)
    quota?.commit(this.probes[2], begunAt)
    if (quota?.until === 0) this.health.dropQuota(this.target, this.credential, quota)
  }

  succeed(): void {
    this.commit()
    this.end()
  }

  release(): void {
    if (!this.end() || this.forgotten !== null) return
    this.backend.release(this.probes[0])
    this.own.release(this.probes[1])
    this.quota?.release(this.probes[2])
  }

  fail(trouble: Trouble, retryAfterMs: number | null): void {
    if (!this.end()) return
    const now = this.health.clock()
    if (this.forgotten !== null) {
      this.backend.breakOff(this.forgotten, now)
      return
    }
    // A backend that limits or refuses does work.
    if (trouble === 'failed') this.backend.fail(this.probes[0], trouble, retryAfterMs, now)
    else this.backend.commit(this.probes[0], this.begunAt)
    if (trouble === 'refused') this.own.fail(this.probes[1], trouble, retryAfterMs, now)
    else this.own.release(this.probes[1])
    if (trouble === 'rate-limited')
      this.health.openQuota(this.target, this.credential).fail(this.probes[2], trouble, retryAfterMs, now)
    else this.quota?.release(this.probes[2])
  }

  private end(): boolean {
    const isFirst = !this.isEnded
    this.isEnded = true
    if (isFirst) this.slot?.free()
    return isFirst
  }
}

/** A backend without credentials counts as having one. */
const countOf = (backend: HealthBackend): number => Math.max(1, backend.credentials.length)
const quotaPrefix = (backendId: string, index: number): string => `${backendId} ${index} `
const quotaKey = (target: HealthTarget, index: number): string =>
  quotaPrefix(target.backend.id, index) + target.upstreamModel
