import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '#base/errors.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { breakGlass, concerns, type Reason, reasonsOf, spentError } from './break-glass.ts'
import { Candidates } from './candidates.ts'
import { atAttempt, isStaged } from './faulted.ts'
import { type Lost, Racer, waitName, winnerOf } from './hedge.ts'
import { type Answered, type Failed, isAnswered, type Tried, tryTarget } from './try-target.ts'
import { errorOf, secondsOf } from './upstream-error.ts'
import { isTooLong } from './verdict.ts'

/** Tries again at the only backend there is when that one could not be reached or was overloaded (R70). */
export const SHORT_RETRIES_MAX = 1

/**
 * Goes through the plan's targets until one answers (R67-R71). Nothing has been sent to the client before that, so that a
 * failed attempt is invisible; it stands in the log row. One budget bounds it all: attempts per request, the time, and the
 * share of retries in all traffic.
 */
export class Failover {
  private readonly asked: Asked
  private readonly attempts: AttemptRecord[] = []
  private readonly failures: Failed[] = []
  private readonly deadlineAt: number
  /** What the first target says that could not take the request at all. */
  private refusal: GatewayError | null = null
  /** How long the first of the backends that have no room is full (R72). */
  private fullForMs = Infinity
  private hasTakenLarger = false
  private spare: Spare | null = null
  private readonly lost: Lost[] = []

  constructor(asked: Asked) {
    this.asked = asked
    const { totalTimeoutBudgetMs } = asked.gateway.settings.failureHandling
    this.deadlineAt = asked.exchange.startedAt + totalTimeoutBudgetMs
  }

  /** Throws GatewayError when no target answers. */
  async run(): Promise<Answer> {
    const { gateway, plan } = this.asked
    // Failures that were asked for are no sign of trouble, and take nobody's retries.
    if (plan.fault === undefined) gateway.retryBudget.offered(performance.now())
    if (plan.glass && plan.targets.every(({ route }) => gateway.health.troubleOf(route) === 'failed')) {
      const answer = await this.inEmergency(['outage'])
      if (answer) return answer
    }
    const candidates = new Candidates(plan.targets, gateway.health)
    if (candidates.isAllPaused && gateway.settings.routing.allUnhealthy === 'fail') throw this.allPaused()
    while (!candidates.isEmpty && this.mayTry()) {
      const target = candidates.next(this.attempts.length > 0)
      if (this.isFull(target)) continue
      const tried = await (this.mayHedge(target, candidates) ? this.hedged(target, candidates) : this.attempt(target))
      this.note(tried)
      if (isAnswered(tried)) {
        if (candidates.isEmpty || !tried.isEmpty) return this.take(tried)
        this.setAside(tried)
      }
      const next = tried.kind === 'failed' ? tried.verdict.next : 'target'
      if (tried.kind === 'failed' && isTooLong(tried.failure)) candidates.append(this.takeLarger())
      if (next === 'stop') break
      if (next === 'model') candidates.skipModel(target.route.model.id)
    }
    if (!this.spare) return (await this.inEmergency(reasonsOf(this.failures))) ?? this.askAgain()
    this.spare.restoreReport()
    return this.withLost(this.spare.answer)
  }

  /** Asks those that are kept for when nobody else answers (B11). Null: no rule is for this, or none of them answers. */
  private async inEmergency(reasons: readonly Reason[] | null): Promise<Answer | null> {
    const { plan, exchange } = this.asked
    if (!plan.glass || reasons === null || plan.attemptsMax === 1) return null
    for (const door of plan.glass) {
      if (exchange.departure.gone || performance.now() > this.deadlineAt || !concerns(door, reasons)) continue
      const grant = await breakGlass(this.asked, door, reasons)
      if (grant === null) {
        if (reasons.every((reason) => reason === '402')) this.refusal = spentError(door)
        continue
      }
      let tried: Tried | null = null
      try {
        if (!this.isFull(door.target)) this.note((tried = await this.attempt(door.target)))
      } finally {
        if (tried === null || !isAnswered(tried)) await grant.end(0n)
      }
      if (tried !== null && isAnswered(tried)) return this.withLost({ ...tried, glass: grant })
    }
    return null
  }

  /** Once, behind what is left of the chain (R73). */
  private takeLarger(): readonly Target[] {
    const { larger = [] } = this.asked.plan
    if (this.hasTakenLarger) return []
    this.hasTakenLarger = true
    return larger.filter(({ route }) => this.asked.gateway.health.admits(route))
  }

  /** An answer that says nothing is kept, in case no other target does better (B10). */
  private setAside(answer: Answered): void {
    this.drop()
    this.spare = { answer, restoreReport: this.asked.report.mark() }
    this.attempts[this.attempts.length - 1] = { ...answer.record, error_code: EMPTY_CODE }
  }

  private take(answer: Answer): Answer {
    this.drop()
    return this.withLost(answer)
  }

  private withLost(answer: Answer): Answer {
    return this.lost.length === 0 ? answer : { ...answer, lost: this.lost }
  }

  private drop(): void {
    const answer = this.spare?.answer
    this.spare = null
    answer?.health?.release()
    if (answer?.kind === 'stream') answer.events.abort()
  }

  /** Waits for the only backend there is, where it says when it is back (R70). */
  private async askAgain(): Promise<Answer> {
    const { plan, exchange } = this.asked
    for (let shortRetries = 0; plan.targets.length === 1 && !exchange.departure.gone;) {
      const last = this.failures.at(-1)
      const pauseMs = last ? this.pauseAfter(last, shortRetries) : null
      if (pauseMs === null || !this.mayTry()) break
      if (last!.retryAfter === null) shortRetries++
      if (!(await this.pause(pauseMs))) break
      if (this.isFull(plan.targets[0])) continue
      const tried = await this.attempt(plan.targets[0])
      this.note(tried)
      if (isAnswered(tried)) return tried
    }
    throw this.error()
  }

  /** How long to wait before the same backend is asked again; null: not worth it. */
  private pauseAfter({ verdict, retryAfter }: Failed, shortRetries: number): number | null {
    if (!verdict.isPassing || verdict.next !== 'target') return null
    const { minRetryWaitMs, maxSilentWaitMs } = this.asked.gateway.settings.failureHandling
    const seconds = secondsOf(retryAfter)
    const isLimited = verdict.trouble === 'rate-limited'
    if (seconds === undefined && (isLimited || shortRetries >= SHORT_RETRIES_MAX)) return null
    const pauseMs = Math.max(minRetryWaitMs, (seconds ?? 0) * 1000)
    const isInTime = performance.now() + pauseMs < this.deadlineAt
    return pauseMs <= maxSilentWaitMs && isInTime ? pauseMs : null
  }

  /** False when the client left meanwhile. */
  private async pause(pauseMs: number): Promise<boolean> {
    const { departure } = this.asked.exchange
    const leaving = new AbortController()
    departure.onGone(() => leaving.abort())
    await wait(pauseMs, undefined, { signal: leaving.signal }).catch(() => undefined)
    return !departure.gone
  }

  private mayTry(): boolean {
    if (this.attempts.length === 0) return true
    const { gateway, plan, exchange } = this.asked
    if (exchange.departure.gone || this.attempts.length >= plan.attemptsMax) return false
    const now = performance.now()
    return now < this.deadlineAt && (plan.fault !== undefined || gateway.retryBudget.take(now))
  }

  /** Whether its backend has been given what it may be given (R72). */
  private isFull(target: Target): boolean {
    if (!target.route.backend.caps || isStaged(atAttempt(target, this.attempts.length + 1))) return false
    const waitMs = this.asked.gateway.health.roomInMs(target.route)
    if (waitMs > 0) this.fullForMs = Math.min(this.fullForMs, waitMs)
    return waitMs > 0
  }

  private attempt(target: Target): Promise<Tried> {
    return tryTarget(this.asked, atAttempt(target, this.attempts.length + 1), this.attempts)
  }

  /** Only the first attempt is worth a second one beside it. */
  private mayHedge({ route }: Target, candidates: Candidates): boolean {
    return (
      route.model.hedge === true &&
      this.attempts.length === 0 &&
      !candidates.isEmpty &&
      this.asked.plan.fault === undefined
    )
  }

  /** A second attempt begins when the first one is late; who is first with something to say is the answer (B10). */
  private async hedged(target: Target, candidates: Candidates): Promise<Outcome> {
    const { gateway, exchange } = this.asked
    const afterMs = gateway.speeds.firstOutputs.p95(waitName(target, this.asked))
    if (afterMs === null) return this.attempt(target)
    const first = new Racer(this.asked, target)
    exchange.departure.onGone(() => first.leave())
    if (!(await first.isLate(afterMs)) || !this.mayTryBeside()) return first.finish(this.asked, this.attempts)
    const other = candidates.next(true)
    if (this.isFull(other)) return first.finish(this.asked, this.attempts)
    const second = new Racer(this.asked, other)
    const both = [first, second] as const
    exchange.departure.onGone(() => both.forEach((racer) => racer.leave()))
    try {
      const winner = await winnerOf(first, second)
      // The last attempt of a row is the one that answered, or whose failure is told.
      const told = winner ?? both.find((racer) => isFinal(racer.outcome)) ?? first
      for (const racer of both) if (racer !== told) this.note(racer.lose())
      if (winner !== null) exchange.departure.onGone(() => winner.leave())
      return await told.finish(this.asked, this.attempts)
    } catch (error) {
      for (const racer of both) racer.leave()
      throw error
    }
  }

  private mayTryBeside(): boolean {
    const { gateway, plan, exchange } = this.asked
    const now = performance.now()
    if (exchange.departure.gone || plan.attemptsMax < 2 || now >= this.deadlineAt) return false
    return gateway.retryBudget.take(now)
  }

  private note(tried: Outcome): void {
    if (tried.kind === 'refused') {
      this.refusal ??= tried.error
      return
    }
    this.attempts.push(tried.record)
    if (tried.kind === 'lost') this.lost.push(tried)
    if (tried.target.route.model.hedge && tried.kind !== 'failed')
      this.asked.gateway.speeds.firstOutputs.noted(waitName(tried.target, this.asked), tried.record.latency_ms)
    if (tried.kind !== 'failed') return
    this.failures.push(tried)
    this.warnOperator(tried)
  }

  private allPaused(): GatewayError {
    const { gateway, plan } = this.asked
    const roomsMs = plan.targets.map(({ route }) => gateway.health.roomInMs(route))
    if (!roomsMs.includes(0)) {
      this.fullForMs = Math.min(...roomsMs)
      return this.full()
    }
    const waitsMs = plan.targets.map(({ route }) => gateway.health.readyInMs(route))
    const retryAfterSeconds = Math.max(1, Math.ceil(Math.min(...waitsMs) / 1000))
    const message = `All backends of "${plan.model.id}" are paused after failures.`
    return new GatewayError('no_available_backend', message, { retryAfterSeconds })
  }

  /** Nobody was asked. What stands for an upstream's quota is told as one. */
  private full(): GatewayError {
    if (this.fullForMs === Infinity)
      return new GatewayError('no_available_backend', 'No backend can serve this request.')
    const retryAfterSeconds = Math.ceil(this.fullForMs / 1000)
    const message = `All backends of "${this.asked.plan.model.id}" have as many requests as they may be given.`
    return new GatewayError('upstream_rate_limited', message, { retryAfterSeconds })
  }

  private warnOperator({ target, failure, verdict }: Failed): void {
    if (verdict.trouble !== 'refused') return
    const { backend } = target.route
    const about = { backend: backend.id, status: failure.status, source: backend.credentialSource }
    this.asked.gateway.log.warn(about, 'a backend refused its credential')
  }

  /** One failure is told as it is; several different ones are the gateway's own. */
  private error(): GatewayError {
    const { gateway } = this.asked
    const last = this.failures.at(-1)
    if (!last) return this.refusal ?? this.full()
    if (this.refusal?.code === 'budget_exceeded') return new UpstreamError(this.refusal, this.attempts)
    const waits = this.failures.map(({ retryAfter }) => secondsOf(retryAfter))
    const isAllLimited = this.failures.every(({ verdict }) => verdict.trouble === 'rate-limited')
    // The first backend to be back decides when another try is worthwhile.
    const known = waits.filter((seconds) => seconds !== undefined)
    const retryAfter = isAllLimited && known.length > 0 ? String(Math.min(...known)) : last.retryAfter
    const told = errorOf(gateway, last.target, last.failure, retryAfter, this.attempts)
    if (last.verdict.next !== 'target' || isAllLimited || new Set(this.failures.map(backendOf)).size === 1) return told
    const message = `All ${this.failures.length} attempts at this model's backends failed. The last one: ${told.message}`
    return new UpstreamError(new GatewayError('upstream_unavailable', message), this.attempts)
  }
}

/** What came of one target, or of two at once. */
type Outcome = Tried | Lost

/** Whether no other target can do better. */
const isFinal = (outcome: Outcome | undefined): boolean => outcome?.kind === 'failed' && outcome.verdict.next === 'stop'

/** An empty answer, and what its request lost on the way. */
interface Spare {
  readonly answer: Answered
  readonly restoreReport: () => void
}

/** What the log says of an attempt whose answer said nothing. */
const EMPTY_CODE = 'empty_completion'

const backendOf = ({ target }: Failed): string => target.route.backend.id
