import { type Counted, DAY_MS, type Part, SlidingWindow, UtcDay, type Window } from './sliding-window.ts'
import type { HistoryFilter, LimitSet, PastRequests } from './types.ts'

/** Limits that are counted over a time; the name is that of its limit. */
export type WindowName = Exclude<keyof ScopeLimits, 'concurrency'>

export interface ScopeLimits extends LimitSet {
  /** Requests per UTC day. */
  readonly perUtcDay: number
}

/** One thing that is limited, an account or a key for example, with its own counts. */
export interface Scope {
  /** Unique among all scopes. */
  readonly id: string
  /** What a client is told of: "this API key". */
  readonly what: string
  readonly limits: ScopeLimits
  /** Where its past is found; null: it has none. */
  readonly history: HistoryFilter | null
}

/** Where a limit stands. */
export interface Level {
  readonly limit: number
  readonly remaining: number
  /** Until all of it can be used again. */
  readonly resetMs: number
}

/** The tightest limits after an admission or a refusal; null where none of the kind applies. */
export interface Standing {
  readonly requests: Level | null
  readonly tokens: Level | null
  readonly freeDay: Level | null
}

export interface Refused {
  readonly granted: false
  readonly scope: Scope
  readonly limit: WindowName | 'concurrency'
  readonly waitMs: number
  readonly standing: Standing
}

export interface Granted {
  readonly granted: true
  readonly grant: RunningGrant
  readonly standing: Standing
}

/** An admitted request. */
export interface Grant {
  /**
   * The request is over. `wasSent`: an upstream was asked; else it is not counted. `tokens`: what it really used, null
   * when nobody knows. Calls after the first change nothing. Where nodes count together it resolves when they know, and never rejects.
   */
  end(wasSent: boolean, tokens: number | null, nowMs: number): void | Promise<void>
}

/** Where an admission was counted, so that it can be put right where the counts are written down. */
export interface Mark {
  readonly scopeId: string
  readonly name: WindowName
  readonly firstMs: number
}

/** The counts of one scope as they are written down. */
export interface ScopeCounts {
  readonly windows: Partial<Record<WindowName, readonly Part[]>>
  readonly loaded: readonly WindowName[]
}

/** More scopes are not kept: the one that was looked at longest ago is forgotten first. */
export const SCOPES_MAX = 50_000
/** Scopes that each admission looks at, so that idle ones go without a timer. */
const SWEPT_PER_ADMISSION = 2
/** A request that waits for another one to end cannot know how long; it may try again after this. */
export const CONCURRENCY_WAIT_MS = 1000

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** Milliseconds of each sliding window. */
export const WINDOW_MS = { rpm: MINUTE_MS, tpm: MINUTE_MS, rp5h: 5 * HOUR_MS, rpd: DAY_MS, rp7d: 7 * DAY_MS } as const

const REQUEST_WINDOWS = ['rpm', 'rp5h', 'rpd', 'rp7d', 'perUtcDay'] as const satisfies readonly WindowName[]
const WINDOWS = [...REQUEST_WINDOWS, 'tpm'] as const
/** Windows that are long enough to outlive a restart. */
export const LONG_WINDOWS = ['rp5h', 'rpd', 'rp7d', 'perUtcDay'] as const satisfies readonly WindowName[]

class Entry {
  running = 0
  readonly windows: Partial<Record<WindowName, Window>> = {}
  readonly loaded = new Set<WindowName>()

  window(name: WindowName): Window {
    return (this.windows[name] ??= name === 'perUtcDay' ? new UtcDay() : new SlidingWindow(WINDOW_MS[name]))
  }

  isIdle(nowMs: number): boolean {
    return this.running === 0 && WINDOWS.every((name) => (this.windows[name]?.used(nowMs) ?? 0) === 0)
  }
}

/**
 * Counts requests and tokens per scope, in memory. An admission checks and counts all of its scopes in one step, so that
 * nothing is counted for a request that is refused. Knows no clock: every call brings its time.
 */
export class Limiter {
  private readonly entries = new Map<string, Entry>()
  private readonly scopesMax: number
  private readonly sweptPerAdmission: number

  constructor(scopesMax: number = SCOPES_MAX, sweptPerAdmission: number = SWEPT_PER_ADMISSION) {
    this.scopesMax = scopesMax
    this.sweptPerAdmission = sweptPerAdmission
  }

  get size(): number {
    return this.entries.size
  }

  /** Long windows of a scope whose past was not put in yet. */
  unloaded(scope: Scope): WindowName[] {
    if (scope.history === null) return []
    const loaded = this.entries.get(scope.id)?.loaded
    return LONG_WINDOWS.filter((name) => scope.limits[name] > 0 && !loaded?.has(name))
  }

  load(scope: Scope, name: WindowName, past: readonly PastRequests[]): void {
    const entry = this.entryOf(scope.id)
    if (entry.loaded.has(name)) return
    entry.loaded.add(name)
    entry.window(name).load(past)
  }

  /** Admits a request of about `tokens` tokens, or tells the limit that keeps it waiting longest. */
  admit(scopes: readonly Scope[], tokens: number, nowMs: number): Granted | Refused {
    const entries = scopes.map(({ id }) => this.entryOf(id))
    let worst: Omit<Refused, 'granted' | 'standing'> | null = null
    for (const [index, scope] of scopes.entries()) {
      const entry = entries[index]!
      const { limits } = scope
      if (limits.concurrency > 0 && entry.running >= limits.concurrency)
        worst ??= { scope, limit: 'concurrency', waitMs: CONCURRENCY_WAIT_MS }
      for (const name of WINDOWS) {
        if (limits[name] === 0) continue
        const waitMs = entry.window(name).waitMs(name === 'tpm' ? tokens : 1, limits[name], nowMs)
        if (waitMs > (worst?.waitMs ?? 0)) worst = { scope, limit: name, waitMs }
      }
    }
    const grant = worst ? null : new RunningGrant(scopes, entries, tokens, nowMs)
    // Not before: a scope whose past is empty would be idle until it is counted.
    this.sweep(nowMs)
    const standing = standingOf(scopes, entries, nowMs)
    return worst ? { granted: false, ...worst, standing } : { granted: true, grant: grant!, standing }
  }

  /** What a scope used of a window. */
  used(scopeId: string, name: WindowName, nowMs: number): number {
    return this.entries.get(scopeId)?.windows[name]?.used(nowMs) ?? 0
  }

  /** Puts back what `dump` gave, with so many requests under way. */
  restore(scopeId: string, { windows, loaded }: ScopeCounts, running: number): void {
    const entry = this.entryOf(scopeId)
    entry.running = running
    for (const [name, parts] of Object.entries(windows) as [WindowName, readonly Part[]][])
      entry.window(name).restore(parts)
    for (const name of loaded) entry.loaded.add(name)
  }

  dump(scopeId: string, nowMs: number): ScopeCounts {
    const { windows, loaded } = this.entryOf(scopeId)
    const parts: ScopeCounts['windows'] = {}
    for (const name of WINDOWS) {
      const counted = windows[name]?.parts(nowMs) ?? []
      if (counted.length > 0) parts[name] = counted
    }
    return { windows: parts, loaded: [...loaded] }
  }

  /** Until nothing is left of a scope's counts. */
  resetMs(scopeId: string, nowMs: number): number {
    const { windows } = this.entryOf(scopeId)
    return Math.max(0, ...WINDOWS.map((name) => windows[name]?.resetMs(nowMs) ?? 0))
  }

  adjust({ scopeId, name, firstMs }: Mark, delta: number, nowMs: number): void {
    const window = this.entryOf(scopeId).window(name)
    const counted = window.find(firstMs)
    if (counted) window.adjust(counted, delta, nowMs)
  }

  private entryOf(id: string): Entry {
    let entry = this.entries.get(id)
    if (!entry) {
      if (this.entries.size >= this.scopesMax) this.entries.delete(this.entries.keys().next().value!)
      this.entries.set(id, (entry = new Entry()))
    }
    return entry
  }

  /** The scope looked at longest ago stands first: an idle one goes, another one goes to the end. */
  private sweep(nowMs: number): void {
    for (let count = 0; count < this.sweptPerAdmission; count++) {
      const first = this.entries.entries().next()
      if (first.done) return
      const [id, entry] = first.value
      this.entries.delete(id)
      if (!entry.isIdle(nowMs)) this.entries.set(id, entry)
    }
  }
}

/** A grant of this memory. Where the counts are written down, its marks say where it was counted. */
export class RunningGrant implements Grant {
  readonly marks: Mark[] = []
  private readonly entries: Entry[] = []
  private readonly requests: { window: Window; counted: Counted }[] = []
  private readonly tokens: { window: Window; counted: Counted }[] = []
  private readonly estimate: number
  private hasEnded = false

  constructor(scopes: readonly Scope[], entries: readonly Entry[], tokens: number, nowMs: number) {
    this.estimate = tokens
    for (const [index, { id, limits }] of scopes.entries()) {
      const entry = entries[index]!
      if (limits.concurrency > 0) {
        entry.running++
        this.entries.push(entry)
      }
      for (const name of WINDOWS) {
        if (limits[name] === 0) continue
        const window = entry.window(name)
        const isTokens = name === 'tpm'
        const counted = window.add(isTokens ? tokens : 1, nowMs)
        const list = isTokens ? this.tokens : this.requests
        list.push({ window, counted })
        this.marks.push({ scopeId: id, name, firstMs: counted.firstMs })
      }
    }
  }

  end(wasSent: boolean, tokens: number | null, nowMs: number): void {
    if (this.hasEnded) return
    this.hasEnded = true
    for (const entry of this.entries) entry.running--
    if (!wasSent) for (const { window, counted } of this.requests) window.adjust(counted, -1, nowMs)
    const used = wasSent ? (tokens ?? this.estimate) : 0
    for (const { window, counted } of this.tokens) window.adjust(counted, used - this.estimate, nowMs)
  }
}

function standingOf(scopes: readonly Scope[], entries: readonly Entry[], nowMs: number): Standing {
  let requests: Level | null = null
  let tokens: Level | null = null
  let freeDay: Level | null = null
  for (const [index, { limits }] of scopes.entries()) {
    for (const name of WINDOWS) {
      const limit = limits[name]
      if (limit === 0) continue
      const window = entries[index]!.window(name)
      const level = { limit, remaining: Math.max(0, limit - window.used(nowMs)), resetMs: window.resetMs(nowMs) }
      if (name === 'tpm') tokens = tighter(tokens, level)
      else requests = tighter(requests, level)
      if (name === 'perUtcDay') freeDay = tighter(freeDay, level)
    }
  }
  return { requests, tokens, freeDay }
}

/** The tighter of both, kind by kind. */
export function mergeStandings(left: Standing, right: Standing): Standing {
  const both = (kind: keyof Standing): Level | null =>
    left[kind] && right[kind] ? tighter(left[kind], right[kind]) : (left[kind] ?? right[kind])
  return { requests: both('requests'), tokens: both('tokens'), freeDay: both('freeDay') }
}

/** The one with less left; of two with as much left the one that takes longer. */
function tighter(left: Level | null, right: Level): Level {
  if (left === null || right.remaining < left.remaining) return right
  return right.remaining === left.remaining && right.resetMs > left.resetMs ? right : left
}
