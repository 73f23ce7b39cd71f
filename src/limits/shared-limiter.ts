import { randomUUID } from 'node:crypto'
import {
  type Grant,
  type Granted,
  Limiter,
  type Mark,
  type Refused,
  type Scope,
  type ScopeCounts,
  type WindowName,
} from './limiter.ts'
import type { Counts, PastRequests, SharedCounts } from './types.ts'

/** Admissions and ends that are written together. */
export const SHARED_BATCH_MAX = 200
/** Tries to write before a request is refused: each time another node was faster. */
export const SWAPS_MAX = 50
/** Scopes whose last state is remembered, so that most admissions need one round trip. */
export const KNOWN_MAX = 10_000
/** A request that runs longer, or whose node was killed, gives its place among those at the same time back. */
export const LEASE_MS = 15 * 60_000

/** What the past of a scope's long windows is, by `<scope> <window>`. */
export type Pasts = ReadonlyMap<string, readonly PastRequests[]>

export interface SharedGranted extends Omit<Granted, 'grant'> {
  readonly grant: Grant
}

interface State extends ScopeCounts {
  /** Requests under way: `[id, untilMs]`. */
  readonly leases: readonly (readonly [string, number])[]
}

interface Op {
  readonly scopeIds: readonly string[]
  /** May run several times, each time on fresh counts. */
  apply(counts: Batch): void
  resolve(): void
  reject(cause: unknown): void
}

/**
 * Counts as `Limiter` does, in one place for several nodes (R78): what is decided is decided on counts that nobody changed meanwhile, or
 * decided again. What waits is decided together, one write at a time, so that a scope that everybody wants costs few of them.
 */
export class SharedLimiter {
  private readonly counts: SharedCounts
  private readonly known = new Map<string, Counts>()
  private waiting: Op[] = []
  private isRunning = false

  constructor(counts: SharedCounts) {
    this.counts = counts
  }

  /** As of `Limiter`; null when some window's past is needed first and not in `pasts`. Rejects with store_unavailable. */
  async admit(
    scopes: readonly Scope[],
    tokens: number,
    nowMs: number,
    pasts: Pasts | null,
  ): Promise<SharedGranted | Refused | null> {
    const lease = randomUUID()
    const decided = await this.push(
      scopes.map(({ id }) => id),
      (batch) => (batch.load(scopes, pasts) ? batch.admit(scopes, tokens, nowMs, lease) : null),
    )
    if (!decided?.granted) return decided
    const { standing } = decided
    return { granted: true, standing, grant: this.grantOf(scopes, decided.grant.marks, tokens, lease) }
  }

  /** What a scope used of a window; null when its past is needed first. */
  used(scope: Scope, name: WindowName, nowMs: number, pasts: Pasts | null): Promise<number | null> {
    return this.push([scope.id], (batch) =>
      batch.load([scope], pasts) ? batch.limiter.used(scope.id, name, nowMs) : null,
    )
  }

  private grantOf(scopes: readonly Scope[], marks: readonly Mark[], estimate: number, lease: string): Grant {
    const held = scopes.filter(({ limits }) => limits.concurrency > 0).map(({ id }) => id)
    let hasEnded = false
    return {
      end: (wasSent, tokens, nowMs) => {
        if (hasEnded) return undefined
        hasEnded = true
        const used = wasSent ? (tokens ?? estimate) : 0
        const deltaOf = ({ name }: Mark): number => (name === 'tpm' ? used - estimate : wasSent ? 0 : -1)
        const changed = marks.filter((mark) => deltaOf(mark) !== 0)
        const ids = [...new Set([...held, ...changed.map(({ scopeId }) => scopeId)])]
        if (ids.length === 0) return undefined
        const ended = this.push(ids, (batch) => {
          for (const mark of changed) batch.limiter.adjust(mark, deltaOf(mark), nowMs)
          for (const id of held) batch.leases.get(id)!.delete(lease)
        })
        // What could not be put right leaves its windows by itself, and a lease ends.
        return ended.catch(() => undefined)
      },
    }
  }

  private push<Result>(scopeIds: readonly string[], work: (batch: Batch) => Result): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    let result: Result
    this.waiting.push({
      scopeIds,
      apply: (batch) => {
        result = work(batch)
      },
      resolve: () => resolve(result),
      reject,
    })
    if (!this.isRunning) void this.run()
    return promise
  }

  private async run(): Promise<void> {
    this.isRunning = true
    while (this.waiting.length > 0) {
      const ops = this.waiting.splice(0, SHARED_BATCH_MAX)
      try {
        await this.decide(ops)
        for (const op of ops) op.resolve()
      } catch (cause) {
        for (const op of ops) op.reject(cause)
      }
    }
    this.isRunning = false
  }

  private async decide(ops: readonly Op[]): Promise<void> {
    const ids = [...new Set(ops.flatMap(({ scopeIds }) => scopeIds))].toSorted()
    for (let swap = 1; ; swap++) {
      const before = ids.map((id) => this.known.get(id) ?? { id, version: 0, state: '' })
      const batch = new Batch(before, this.counts.now())
      for (const op of ops) op.apply(batch)
      const writes = before.map((counts) => batch.writeOf(counts))
      const current = await this.counts.swap(writes)
      if (current === null) {
        for (const [index, { id, next, state }] of writes.entries())
          this.remember(state === null ? before[index]! : { id, version: next, state })
        // Each new scope takes old ones with it, so that none needs a timer.
        if (writes.some(({ version }) => version === 0)) this.counts.sweep(this.counts.now()).catch(() => undefined)
        return
      }
      for (const counts of current) this.remember(counts)
      if (swap === SWAPS_MAX) throw this.counts.busy()
    }
  }

  private remember(counts: Counts): void {
    this.known.delete(counts.id)
    if (this.known.size >= KNOWN_MAX) this.known.delete(this.known.keys().next().value!)
    this.known.set(counts.id, counts)
  }
}

/** The counts of some scopes at one version, and what is decided on them. */
class Batch {
  readonly limiter: Limiter
  /** By scope: until when each request under way is counted. */
  readonly leases = new Map<string, Map<string, number>>()
  private readonly nowMs: number

  constructor(all: readonly Counts[], nowMs: number) {
    this.nowMs = nowMs
    this.limiter = new Limiter(all.length, 0)
    for (const { id, state } of all) {
      const { leases, ...counts }: State = state === '' ? EMPTY : (JSON.parse(state) as State)
      const live = leases.filter(([, untilMs]) => untilMs > nowMs)
      this.leases.set(id, new Map(live))
      this.limiter.restore(id, counts, live.length)
    }
  }

  /** False when a window's past is missing. */
  load(scopes: readonly Scope[], pasts: Pasts | null): boolean {
    for (const scope of scopes) {
      for (const name of this.limiter.unloaded(scope)) {
        const past = pasts?.get(`${scope.id} ${name}`)
        if (!past) return false
        this.limiter.load(scope, name, past)
      }
    }
    return true
  }

  admit(scopes: readonly Scope[], tokens: number, nowMs: number, lease: string): Granted | Refused {
    const decided = this.limiter.admit(scopes, tokens, nowMs)
    if (decided.granted)
      for (const { id, limits } of scopes) if (limits.concurrency > 0) this.leases.get(id)!.set(lease, nowMs + LEASE_MS)
    return decided
  }

  /** A state that did not change is only compared, not written. */
  writeOf({ id, version, state }: Counts): Parameters<SharedCounts['swap']>[0][number] {
    const leases = [...this.leases.get(id)!]
    const counts = { ...this.limiter.dump(id, this.nowMs), leases } satisfies State
    const text = JSON.stringify(counts)
    const lastMs = Math.max(this.nowMs + this.limiter.resetMs(id, this.nowMs), ...leases.map(([, until]) => until))
    // The clock is part of it, so that a scope that was forgotten and began anew is not taken for the old one.
    const next = Math.max(version + 1, this.nowMs)
    return { id, version, next, state: text === state && version > 0 ? null : text, expiresMs: lastMs }
  }
}

const EMPTY: State = { windows: {}, loaded: [], leases: [] }
