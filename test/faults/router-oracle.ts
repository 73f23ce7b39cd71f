import assert from 'node:assert/strict'
import { type Ailment, type Asked, type Observer, RETRY_AFTER_MS } from './router-simulator.ts'

/** What R71 says, in its own numbers: the engine must not be its own judge. */
const FAILURES_IN_A_ROW = 3
const OPEN_MS = 10_000
const REFUSED_MS = 5 * 60_000
const STEPS_MS: readonly number[] = [5000, 15_000, 30_000, 60_000]
/** Nobody is out for longer where nobody said how long. */
const PROBE_AFTER_MAX_MS = 25_000
/** Fault R4, and what a quiet gateway may always do. */
const RETRY_SHARE = 0.2
const RETRIES_PER_SECOND = 10
const RETRIES_AT_START = 50

/** One reason not to ask a backend for a while; after it one attempt at a time shows whether it still holds. */
class Pause {
  readonly what: string
  private isOn = false
  private since = 0
  private until = 0
  private probeAt = 0
  private isProbed = false

  constructor(what: string) {
    this.what = what
  }

  holds(now: number): boolean {
    return this.isOn && (now < this.probeAt || this.isProbed)
  }

  /** Whether its time is not over. */
  lasts(now: number): boolean {
    return this.isOn && now < this.until
  }

  /** Returns whether the attempt that begins is the probe. */
  begin(now: number): boolean {
    if (!this.isOn || this.holds(now)) return false
    this.isProbed = true
    return true
  }

  end(): void {
    this.isProbed = false
  }

  extend(now: number, pauseMs: number, probeMs: number = pauseMs): void {
    this.until = this.isOn ? Math.max(this.until, now + pauseMs) : now + pauseMs
    this.probeAt = this.isOn ? Math.max(this.probeAt, now + probeMs) : now + probeMs
    this.isOn = true
    this.since = now
  }

  /** An attempt that began before tells nothing of the time since. */
  lift(begunAt: number): void {
    if (!this.isOn || begunAt < this.since) return
    this.isOn = false
    this.isProbed = false
  }

  get isLifted(): boolean {
    return !this.isOn
  }
}

/** What has been seen of one backend. */
class Seen {
  inARow = 0
  /** Rate limits one after the other. */
  steps = 0
  readonly open = new Pause('its circuit is open')
  readonly limited = new Pause('it is rate limited')
  readonly refused = new Pause('it refuses the credential')
  readonly pauses = [this.open, this.limited, this.refused]

  /** Why it must not be asked while another one can be; undefined: it may. */
  pausedBy(now: number): string | undefined {
    return this.pauses.find((each) => each.holds(now))?.what
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
  /** Attempts under way: when each began, and which pauses it probes. */
  private readonly begun = new Map<Asked, { readonly at: number; readonly probes: readonly Pause[] }>()
  /** Answers under way: failures in a row that came before each. */
  private readonly answering = new Map<Asked, number>()

  constructor(backends: readonly string[]) {
    this.seen = new Map(backends.map((id) => [id, new Seen()]))
  }

  onRequest(asked: Asked, now: number): void {
    this.offered++
    const ids = [...this.seen.keys()]
    const working = ids.filter((id) => this.seen.get(id)!.pausedBy(now) === undefined)
    this.left.set(asked, new Set(working.length > 0 ? working : ids))
  }

  onBegin(asked: Asked, backend: string, now: number): void {
    const left = this.left.get(asked)!
    const seen = this.seen.get(backend)!
    const judge = (isRight: boolean, what: string): void => {
      if (!isRight) assert.fail(`${backend}: ${what}: ${JSON.stringify({ now, asked, seen: [...this.seen] })}`)
    }
    judge(left.has(backend), 'tried twice, or paused when the request came')
    if (asked.tried.length > 1) this.retries++
    const mayRetry = RETRIES_AT_START + this.offered * RETRY_SHARE + (now / 1000) * RETRIES_PER_SECOND
    judge(this.retries <= mayRetry, `${this.retries} retries for ${this.offered} requests`)
    const why = seen.pausedBy(now)
    const others = [...left].filter((id) => id !== backend && this.seen.get(id)!.pausedBy(now) === undefined)
    judge(why === undefined || others.length === 0, `asked though ${why}, and there is ${others[0]}`)
    if (why !== undefined) this.panics++
    this.begun.set(asked, { at: now, probes: seen.pauses.filter((pause) => pause.begin(now)) })
    left.delete(backend)
  }

  onCommit(asked: Asked, backend: string): void {
    const seen = this.seen.get(backend)!
    const { at, probes } = this.begun.get(asked)!
    for (const pause of probes) pause.end()
    this.answering.set(asked, seen.inARow)
    seen.inARow = 0
    for (const pause of seen.pauses) pause.lift(at)
  }

  onEnd(asked: Asked, backend: string, trouble: Ailment | null, now: number): void {
    const seen = this.seen.get(backend)!
    const before = this.answering.get(asked)
    if (before === undefined) this.fail(seen, asked, trouble, now)
    else if (trouble === 'cut') cut(seen, before, now)
    if (before !== undefined) this.left.delete(asked)
    this.answering.delete(asked)
    this.begun.delete(asked)
  }

  private fail(seen: Seen, asked: Asked, trouble: Ailment | null, now: number): void {
    const { at, probes } = this.begun.get(asked)!
    for (const pause of probes) pause.end()
    if (trouble === 'failed' || trouble === 'unreached' || trouble === 'late') {
      fail(seen, probes.includes(seen.open), now)
      return
    }
    // Whoever refuses works.
    seen.inARow = 0
    seen.open.lift(at)
    if (trouble === 'refused') seen.refused.extend(now, REFUSED_MS)
    else limit(seen, trouble, probes.includes(seen.limited), now)
  }
}

/** An answer that breaks was none: what came before it counts again. */
function cut(seen: Seen, before: number, now: number): void {
  if (!seen.open.isLifted) return
  seen.inARow += before + 1
  if (seen.inARow >= FAILURES_IN_A_ROW) seen.open.extend(now, OPEN_MS)
}

function fail(seen: Seen, isProbe: boolean, now: number): void {
  if (!seen.open.isLifted && !isProbe) return
  if (++seen.inARow >= FAILURES_IN_A_ROW) seen.open.extend(now, OPEN_MS)
}

function limit(seen: Seen, trouble: Ailment | null, isProbe: boolean, now: number): void {
  if (seen.limited.isLifted) seen.steps = 0
  // Those that were under way together are refused together.
  if (isProbe || !seen.limited.lasts(now)) seen.steps++
  const step = STEPS_MS[Math.min(seen.steps, STEPS_MS.length) - 1]!
  if (trouble === 'rate-limited') seen.limited.extend(now, RETRY_AFTER_MS)
  else seen.limited.extend(now, step, Math.min(step, PROBE_AFTER_MAX_MS))
}
