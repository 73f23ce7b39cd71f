import type { Strategy } from '#catalog/types.ts'
import type { Failure } from '#codecs/codec.ts'
import { orderTargets } from '#data-plane/5-plan/order.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { Candidates } from '#data-plane/7-call/candidates.ts'
import { tellHealth } from '#data-plane/7-call/try-target.ts'
import { judge } from '#data-plane/7-call/verdict.ts'
import { speedKeyOf } from '#data-plane/speed-key.ts'
import { backendOf, modelOf, routeOf, selectionOf } from '#data-plane/testbed.ts'
import { RetryBudget } from '#health/retry-budget.ts'
import { type HealthWatch, TargetHealth } from '#health/target-health.ts'
import { TargetSpeeds } from '#health/target-speed.ts'

/**
 * One gateway's router in virtual time (fault R18): the engine's own order, candidates, verdicts, health, speeds and retry budget in
 * front of backends that are a script. Requests overlap: an attempt takes the time that its backend says.
 */

/** Attempts of one request. */
export const HOPS_MAX = 6
/** How long a request may go on trying. */
const BUDGET_MS = 90_000
const MODEL = modelOf('m')

const told = (status: number, code = 'upstream_error'): Failure => ({ status, code, message: 'scripted' })
export const RETRY_AFTER_MS = 2000

/** What a backend may do wrong. */
const AILMENTS = {
  failed: { failure: told(500), retryAfter: null },
  unreached: { failure: told(502, 'upstream_unavailable'), retryAfter: null },
  late: { failure: told(504, 'upstream_timeout'), retryAfter: null },
  'rate-limited': { failure: told(429), retryAfter: String(RETRY_AFTER_MS / 1000) },
  'rate-limited, no word how long': { failure: told(429), retryAfter: null },
  refused: { failure: told(401), retryAfter: null },
} as const
/** `cut`: it breaks in the middle of its answer, when nothing can be tried any more. */
export type Ailment = keyof typeof AILMENTS | 'cut'

/** What is wrong with a backend at a time; null: nothing. */
export type Condition = (now: number, random: () => number) => Ailment | null

export interface Script {
  readonly weight?: number
  readonly priority?: number
  readonly condition?: Condition
  /** Of one attempt, to its failure or its first content; absent: none. */
  readonly latencyMs?: (now: number, random: () => number) => number
  /** From the first content to the end, or to the break; absent: none. */
  readonly streamMs?: (now: number, random: () => number) => number
}

export interface World {
  readonly strategy?: Strategy
  readonly backends: Readonly<Record<string, Script>>
  readonly seed: number
}

export interface Attempted {
  readonly at: number
  readonly backend: string
  readonly trouble: Ailment | null
}

export interface Asked {
  readonly at: number
  /** Names of the backends that were tried, in order. */
  readonly tried: string[]
  /** `exhausted`: no target is left; `budget`: the gateway as a whole may not retry any more. */
  ended: 'served' | 'broken' | 'exhausted' | 'hops' | 'budget' | null
}

/** Hears of everything in the order in which it happens. */
export interface Observer {
  onRequest(asked: Asked, now: number): void
  onBegin(asked: Asked, backend: string, now: number): void
  /** The first content. */
  onCommit(asked: Asked, backend: string): void
  onEnd(asked: Asked, backend: string, trouble: Ailment | null, now: number): void
}

/** Numbers from 0 to below 1; the same for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export class Simulator {
  now = 0
  readonly attempts: Attempted[] = []
  readonly requests: Asked[] = []
  readonly health = new TargetHealth(() => this.now)
  private readonly budget = new RetryBudget()
  private readonly speeds = new TargetSpeeds(() => this.now)
  private readonly world: World
  private readonly random: () => number
  private readonly targets: readonly Target[]
  private readonly observer: Observer | null
  private readonly clock = new Clock()

  constructor(world: World, observer: Observer | null = null) {
    this.world = world
    this.observer = observer
    this.random = seeded(world.seed)
    this.targets = Object.entries(world.backends).map(([id, { weight = 1, priority = 0 }]) => {
      const route = routeOf(MODEL, backendOf(id), { weight, priority })
      return { route, protocol: 'openai-chat', selection: selectionOf([route]) }
    })
  }

  get failed(): number {
    return this.requests.filter(({ ended }) => ended !== 'served').length
  }

  /** So many requests, one every `gapMs`, until all have ended. Returns who served each. */
  run(requests: number, gapMs: number, affinityOf = (index: number) => `acc_${index}`): string[] {
    const before = this.requests.length
    for (let index = 0; index < requests; index++)
      this.clock.at(this.now + gapMs * (index + 1), () => this.arrive(affinityOf(index)))
    this.drain()
    return this.requests.slice(before).flatMap(({ ended, tried }) => (ended === 'served' ? [tried.at(-1)!] : []))
  }

  /** Requests at random moments, so many per second on average, until `untilMs`. */
  offer(perSecond: number, untilMs: number): void {
    const gapMs = (): number => (-Math.log(1 - this.random()) * 1000) / perSecond
    const next = (): void => {
      const at = this.now + gapMs()
      if (at >= untilMs) return
      this.clock.at(at, () => {
        this.arrive(`acc_${Math.floor(this.random() * 50)}`)
        next()
      })
    }
    next()
    this.drain()
    this.now = Math.max(this.now, untilMs)
  }

  attemptsAt(backend: string): readonly Attempted[] {
    return this.attempts.filter((attempt) => attempt.backend === backend)
  }

  private drain(): void {
    for (let due = this.clock.take(); due; due = this.clock.take()) {
      this.now = due.at
      due.happen()
    }
  }

  private arrive(affinity: string): void {
    const asked: Asked = { at: this.now, tried: [], ended: null }
    this.requests.push(asked)
    this.observer?.onRequest(asked, this.now)
    this.budget.offered(this.now)
    const ordered = orderTargets(this.targets, MODEL, {
      surface: 'openai-chat',
      strategy: this.world.strategy ?? 'weighted_random',
      sort: null,
      affinity,
      random: this.random,
      speedOf: (target) => this.speeds.speedOf(speedKeyOf(target)),
      turn: (name) => this.speeds.turn(name),
      lastUsed: (target) => this.speeds.lastUsed(speedKeyOf(target)),
    })
    this.tryNext(asked, new Candidates(ordered, this.health))
  }

  private tryNext(asked: Asked, candidates: Candidates): void {
    const isRetry = asked.tried.length > 0
    const why = isRetry ? this.whyNot(asked, candidates) : null
    if (why) {
      end(asked, why)
      return
    }
    const target = candidates.next(isRetry)
    const backend = target.route.backend.id
    asked.tried.push(backend)
    this.observer?.onBegin(asked, backend, this.now)
    const watch = this.health.begin(target.route)
    this.speeds.picked(speedKeyOf(target))
    const { condition, latencyMs } = this.world.backends[backend]!
    const trouble = condition?.(this.now, this.random) ?? null
    this.attempts.push({ at: this.now, backend, trouble })
    const tookMs = latencyMs?.(this.now, this.random) ?? 0
    this.clock.at(this.now + tookMs, () => {
      if (trouble === null || trouble === 'cut') {
        this.speeds.measured(speedKeyOf(target), tookMs, null)
        this.answer(asked, backend, watch, trouble)
        return
      }
      this.observer?.onEnd(asked, backend, trouble, this.now)
      const { failure, retryAfter } = AILMENTS[trouble]
      tellHealth(watch, failure, judge(failure), retryAfter)
      this.tryNext(asked, candidates)
    })
  }

  private answer(asked: Asked, backend: string, watch: HealthWatch, trouble: Ailment | null): void {
    this.observer?.onCommit(asked, backend)
    watch.commit()
    const finish = (): void => {
      this.observer?.onEnd(asked, backend, trouble, this.now)
      if (trouble === null) watch.succeed()
      else watch.fail('failed', null)
      end(asked, trouble === null ? 'served' : 'broken')
    }
    const streamMs = this.world.backends[backend]!.streamMs?.(this.now, this.random) ?? 0
    if (streamMs === 0) finish()
    else this.clock.at(this.now + streamMs, finish)
  }

  private whyNot(asked: Asked, candidates: Candidates): Asked['ended'] {
    if (candidates.isEmpty) return 'exhausted'
    if (asked.tried.length >= HOPS_MAX || this.now - asked.at >= BUDGET_MS) return 'hops'
    return this.budget.take(this.now) ? null : 'budget'
  }
}

function end(asked: Asked, how: Asked['ended']): void {
  if (asked.ended !== null) throw new Error('a request ended twice')
  asked.ended = how
}

interface Due {
  readonly at: number
  readonly happen: () => void
}

/** What is to happen, in the order of its time; at one time in the order in which it was told. */
class Clock {
  private readonly due: Due[] = []

  at(at: number, happen: () => void): void {
    let low = 0
    let high = this.due.length
    // The end is next: what is added is mostly soon.
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.due[middle]!.at > at) low = middle + 1
      else high = middle
    }
    this.due.splice(low, 0, { at, happen })
  }

  take(): Due | undefined {
    return this.due.pop()
  }
}
