import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '#base/errors.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { atAttempt, isStaged } from './faulted.ts'
import { type Answered, type Failed, tryTarget } from './try-target.ts'
import { breakGlass, concerns, type Reason, reasonsOf, spentError } from './break-glass.ts'
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
    const admitted = plan.targets.filter(({ route }) => gateway.health.admits(route))
    if (admitted.length === 0 && gateway.settings.routing.allUnhealthy === 'fail') throw this.allPaused()
    // With everything paused, to try is better than to refuse (R71).
    let rest: readonly Target[] = admitted.length > 0 ? admitted : plan.targets
    while (rest.length > 0 && this.mayTry()) {
      const [target, ...others] = rest as readonly [Target, ...Target[]]
      const tried = await this.attempt(target)
      if (tried?.kind === 'answered') {
        if (others.length === 0 || !tried.answer.isEmpty) return this.take(tried.answer)
        this.setAside(tried.answer)
      }
      const next = tried?.kind === 'failed' ? tried.failed.verdict.next : 'target'
      rest = next === 'model' ? others.filter(isOtherModel(target)) : others
      if (tried?.kind === 'failed' && isTooLong(tried.failed.failure)) rest = [...rest, ...this.takeLarger()]
      if (next === 'stop') break
    }
    if (!this.spare) return (await this.inEmergency(reasonsOf(this.failures))) ?? this.askAgain()
    this.spare.restoreReport()
    return this.spare.answer
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
      let tried
      try {
        tried = await this.attempt(door.target)
      } finally {
        if (tried?.kind !== 'answered') await grant.end(0n)
      }
      if (tried?.kind === 'answered') return { ...tried.answer, glass: grant }
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
    return answer
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
      const tried = await this.attempt(plan.targets[0])
      if (tried?.kind === 'answered') return tried.answer
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

  /** Null when the target cannot take the request. */
  private async attempt(
    target: Target,
  ): Promise<{ kind: 'answered'; answer: Answered } | { kind: 'failed'; failed: Failed } | null> {
    const asAsked = atAttempt(target, this.attempts.length + 1)
    const waitMs = isStaged(asAsked) ? 0 : this.asked.gateway.health.roomInMs(target.route)
    if (waitMs > 0) {
      this.fullForMs = Math.min(this.fullForMs, waitMs)
      return null
    }
    let tried
    try {
      tried = await tryTarget(this.asked, asAsked)
    } catch (error) {
      if (!(error instanceof GatewayError) || error.status >= 500) throw error
      this.refusal ??= error
      return null
    }
    this.attempts.push(tried.record)
    if (tried.kind !== 'failed') return { kind: 'answered', answer: { ...tried, attempts: this.attempts } }
    this.failures.push(tried)
    this.warnOperator(tried)
    return { kind: 'failed', failed: tried }
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

/** An empty answer, and what its request lost on the way. */
interface Spare {
  readonly answer: Answered
  readonly restoreReport: () => void
}

/** What the log says of an attempt whose answer said nothing. */
const EMPTY_CODE = 'empty_completion'

const backendOf = ({ target }: Failed): string => target.route.backend.id
const isOtherModel =
  (tried: Target) =>
  ({ route }: Target): boolean =>
    route.model.id !== tried.route.model.id
