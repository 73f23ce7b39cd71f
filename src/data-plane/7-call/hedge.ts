import { setTimeout as wait } from 'node:timers/promises'
import { Departure } from '#data-plane/departure.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { Report } from '#data-plane/report.ts'
import type { AttemptRecord } from '#observe/request-row.ts'
import type { LostAttempt } from './answer.ts'
import type { Asked } from './asked.ts'
import { type Answered, type Tried, tryTarget } from './try-target.ts'

/** What the log says of an attempt that another one was faster than. */
const LOST_CODE = 'hedge_lost'

export interface Lost extends LostAttempt {
  readonly kind: 'lost'
}

/** Under this name the waits for a model's first output are known: whole answers take far longer than the first of a stream. */
export const waitName = (target: Target, { parsed }: Asked): string => `${target.route.model.id} ${parsed.stream}`

/** One of two attempts at a time: it can be ended alone, and what its request loses is its own until it has won. */
export class Racer {
  readonly tried: Promise<Tried>
  /** Undefined while it is under way. */
  outcome: Tried | undefined
  private readonly target: Target
  private readonly departure = new Departure()
  private readonly report: Report
  private readonly startedAt = performance.now()

  constructor(asked: Asked, target: Target) {
    this.target = target
    this.report = new Report(asked.plan.losses)
    this.tried = this.run({ ...asked, exchange: { ...asked.exchange, departure: this.departure }, report: this.report })
  }

  /** Whether nothing has come of it after this time. */
  async isLate(afterMs: number): Promise<boolean> {
    const settled = new AbortController()
    const late = wait(afterMs, true, { signal: settled.signal }).catch(() => false)
    const isLate = await Promise.race([late, this.tried.then(() => false)])
    settled.abort()
    return isLate
  }

  /** The client left, or the other one won. */
  leave(): void {
    this.departure.leave()
  }

  /** What is said of it when it has not won: its failure, or that it was too slow, and then nobody reads its answer any more. */
  lose(): Tried | Lost {
    const { outcome, target } = this
    if (outcome !== undefined && !isAnswer(outcome)) return outcome
    this.leave()
    const ended = this.tried.then(dropAnswer, () => null)
    const backend = target.route.backend.id
    const latencyMs = Math.round(performance.now() - this.startedAt)
    const record = { backend, status: null, error_code: LOST_CODE, latency_ms: latencyMs, retry_after: null }
    return { kind: 'lost', target, record, ended }
  }

  /** What came of it, as that of the request with these `attempts`. */
  async finish(asked: Asked, attempts: readonly AttemptRecord[]): Promise<Tried> {
    const outcome = await this.tried
    if (!isAnswer(outcome)) return outcome
    asked.report.adopt(this.report)
    return { ...outcome, report: asked.report, attempts }
  }

  private async run(asked: Asked): Promise<Tried> {
    return (this.outcome = await tryTarget(asked, this.target, []))
  }
}

/** Nobody reads on. */
function dropAnswer(tried: Tried): Answered | null | undefined {
  if (tried.kind === 'refused') return undefined
  if (!isAnswer(tried)) return null
  tried.health?.release()
  if (tried.kind === 'stream') tried.events.abort()
  return tried
}

/**
 * The first of the two with something to say; else one that answered at all, if only with nothing; null when both failed.
 */
export async function winnerOf(first: Racer, second: Racer): Promise<Racer | null> {
  const both = [first, second] as const
  const early = await Promise.race(both.map((racer) => racer.tried.then(() => racer)))
  if (isTelling(early.outcome)) return early
  await Promise.all(both.map((racer) => racer.tried))
  return both.find((racer) => isTelling(racer.outcome)) ?? both.find((racer) => isAnswer(racer.outcome)) ?? null
}

const isAnswer = (tried: Tried | undefined): tried is Answered => tried?.kind === 'whole' || tried?.kind === 'stream'
const isTelling = (tried: Tried | undefined): boolean => isAnswer(tried) && !tried.isEmpty
