import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '#base/errors.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { atAttempt } from './faulted.ts'
import { type Answered, type Failed, tryTarget } from './try-target.ts'
import { errorOf, secondsOf } from './upstream-error.ts'

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
      if (next === 'stop') break
    }
    if (!this.spare) return this.askAgain()
    this.spare.restoreReport()
    return this.spare.answer
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
    let tried
    try {
      tried = await tryTarget(this.asked, atAttempt(target, this.attempts.length + 1))
    } catch (error) {
      const isOfTarget =
        error instanceof GatewayError && (error.status < 500 || error.code === 'no_backend_meets_policy')
      if (!isOfTarget) throw error
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
    const waitsMs = plan.targets.map(({ route }) => gateway.health.readyInMs(route))
    const retryAfterSeconds = Math.max(1, Math.ceil(Math.min(...waitsMs) / 1000))
    const message = `All backends of "${plan.model.id}" are paused after failures.`
    return new GatewayError('no_available_backend', message, { retryAfterSeconds })
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
    if (!last) return this.refusal ?? new GatewayError('no_available_backend', 'No backend can serve this request.')
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
