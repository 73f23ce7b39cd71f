import assert from 'node:assert/strict'
import { type Ailment, type Asked, type Observer, RETRY_AFTER_MS } from './router-simulator.ts'

/** What R71 says, in its own numbers: the engine must not be its own judge. */
const FAILURES_IN_A_ROW = 3
const OPEN_MS = 10_000
const REFUSED_MS = 5 * 60_000
const SHORTEST_PAUSE_MS = 5000
/** Fault R4, and what a quiet gateway may always do. */
const RETRY_SHARE = 0.2
const RETRIES_PER_SECOND = 10
const RETRIES_AT_START = 50

/** One reason not to ask a backend: since when, and until when at least. */
interface Pause {
  readonly since: number
  readonly until: number
}

const NONE: Pause = { since: -Infinity, until: 0 }

/** What has been seen of one backend. */
class Seen {
  inARow = 0
  open = NONE
  limited = NONE
  refused = NONE
  /** Attempts under way since its circuit opened. */
  probing = 0

  /** Why it must not be asked while another one can be; null: it may. */
  pausedBy(now: number): string | null {
    if (now < this.open.until) return 'its circuit is open'
    if (now < this.limited.until) return 'it is rate limited'
    if (now < this.refused.until) return 'it refuses the credential'
    return this.open !== NONE && this.probing > 0 ? 'it is being probed' : null
  }
}

/** Checks at every step what must hold in any world. Throws AssertionError. */
export class Oracle implements Observer {
  /** Attempts at a paused backend, for want of another one. */
  panics = 0
  private offered = 0
  private retries = 0
  private readonly seen: ReadonlyMap<string, Seen>
  /** What may be tried for each request that is under way. */
  private readonly left = new Map<Asked, Set<string>>()
  /** Attempts under way: when each began, and whether it is a probe. */
  private readonly begun = new Map<Asked, { readonly at: number; readonly isProbe: boolean }>()

  constructor(backends: readonly string[]) {
    this.seen = new Map(backends.map((id) => [id, new Seen()]))
  }

  onRequest(asked: Asked, now: number): void {
    this.offered++
    const ids = [...this.seen.keys()]
    const working = ids.filter((id) => this.seen.get(id)!.pausedBy(now) === null)
    this.left.set(asked, new Set(working.length > 0 ? working : ids))
  }

  onBegin(asked: Asked, backend: string, now: number): void {
    const left = this.left.get(asked)!
    const seen = this.seen.get(backend)!
    assert.ok(left.has(backend), `${backend} is tried twice, or was paused when the request came`)
    if (asked.tried.length > 1) this.retries++
    const mayRetry = RETRIES_AT_START + this.offered * RETRY_SHARE + (now / 1000) * RETRIES_PER_SECOND
    assert.ok(this.retries <= mayRetry, `${this.retries} retries for ${this.offered} requests in ${now} ms`)
    const why = seen.pausedBy(now)
    const others = [...left].filter((id) => id !== backend && this.seen.get(id)!.pausedBy(now) === null)
    assert.ok(why === null || others.length === 0, `${backend} is asked at ${now} though ${why}; left: ${others}`)
    const isProbe = why === null && seen.open !== NONE
    if (why !== null) this.panics++
    if (isProbe) seen.probing++
    this.begun.set(asked, { at: now, isProbe })
    left.delete(backend)
  }

  onEnd(asked: Asked, backend: string, trouble: Ailment | null, now: number): void {
    const seen = this.seen.get(backend)!
    const { at, isProbe } = this.begun.get(asked)!
    if (isProbe) seen.probing--
    if (trouble === 'failed' || trouble === 'unreached' || trouble === 'late') fail(seen, isProbe, now)
    else answer(seen, at)
    if (trouble === null) lift(seen, at)
    else pause(seen, trouble, now)
    this.begun.delete(asked)
    if (trouble === null) this.left.delete(asked)
  }
}

function fail(seen: Seen, isProbe: boolean, now: number): void {
  // What was under way before tells nothing of the time since.
  if (seen.open !== NONE && !isProbe) return
  if (++seen.inARow >= FAILURES_IN_A_ROW) seen.open = { since: now, until: now + OPEN_MS }
}

/** Whoever answers, if only to refuse, works. */
function answer(seen: Seen, begunAt: number): void {
  seen.inARow = 0
  if (begunAt >= seen.open.since) seen.open = NONE
}

function lift(seen: Seen, begunAt: number): void {
  if (begunAt >= seen.limited.since) seen.limited = NONE
  if (begunAt >= seen.refused.since) seen.refused = NONE
}

function pause(seen: Seen, trouble: Ailment, now: number): void {
  const until = (pauseMs: number, before: Pause): Pause => ({
    since: now,
    until: Math.max(before.until, now + pauseMs),
  })
  if (trouble === 'refused') seen.refused = until(REFUSED_MS, seen.refused)
  if (trouble === 'rate-limited') seen.limited = until(RETRY_AFTER_MS, seen.limited)
  if (trouble === 'rate-limited, no word how long') seen.limited = until(SHORTEST_PAUSE_MS, seen.limited)
}
