import type { NanoUsd } from '#base/money.ts'
import type { Failure } from '#codecs/codec.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Outcome } from '#data-plane/9-reply/reply.ts'
import { UpstreamError } from '#data-plane/failures.ts'
import type { Seen } from '#data-plane/seen.ts'
import { speedKeyOf } from '#data-plane/speed-key.ts'
import type { Usage } from '#ir/usage.ts'
import type { RequestRow } from '#observe/request-row.ts'
import { rememberCache } from './cached-turn.ts'
import { bookLost } from './lost-attempts.ts'
import { rowOf } from './row.ts'

/**
 * Ends the request's money exactly once, whatever happened: what was delivered is booked, a hold that nothing came of is
 * voided, and the log row is written with it. The first call decides. With an outcome it fails when the store does, so
 * that no answer ends unbooked; without one it is a clean-up that never fails.
 */
export function settler(gateway: Gateway, seen: Seen): (outcome?: Outcome, breach?: Failure) => Promise<unknown> {
  let settling: Promise<unknown> | null = null
  /** The same, but it never fails: what went wrong is in the operator's log. */
  let tidied: Promise<unknown> | null = null
  return (outcome, breach) => {
    if (!settling) {
      seen.isSettling = true
      if (breach) seen.breach = breach
      settling = settle(gateway, seen, outcome)
    }
    if (outcome !== undefined) return settling
    return (tidied ??= settling.catch((error: unknown) =>
      gateway.log.error({ requestId: seen.exchange.id, err: error }, 'settlement failed'),
    ))
  }
}

function settle(gateway: Gateway, seen: Seen, outcome: Outcome | undefined): Promise<unknown> {
  try {
    return book(gateway, seen, outcome)
  } catch (error) {
    return Promise.reject(error)
  }
}

function book(gateway: Gateway, seen: Seen, outcome: Outcome | undefined): Promise<unknown> {
  const { tally } = seen
  reportHealth(seen, outcome)
  const usage = outcome === undefined ? null : (tally?.final() ?? null)
  if (outcome === 'complete') rememberCache(gateway, seen, usage)
  const ended = endLimits(gateway, seen, usage)
  const cost = usage && tally ? tally.costOf(usage) : null
  const glass = seen.answer?.glass?.end(cost?.nano ?? 0n)
  if (outcome === 'complete') measureSpeed(gateway, seen, usage)
  const row = rowOf(seen, outcome, usage, cost)
  gateway.capture?.append(row)
  if (tally?.lost) bookLost(gateway, tally.lost, row)
  const booked = bookRow(gateway, seen, cost?.nano ?? null, row)
  return ended || glass ? Promise.all([booked, ended, glass]) : booked
}

function bookRow(
  gateway: Gateway,
  { exchange, hold }: Seen,
  costNano: NanoUsd | null,
  row: RequestRow,
): Promise<unknown> {
  if (!hold?.metered) {
    gateway.requestLog.append(row)
    return DONE
  }
  if (costNano === null) return gateway.ledger.void(exchange.id, row)
  return gateway.ledger.settle({ requestId: exchange.id, costNano, row })
}

const DONE = Promise.resolve()

/** Gives the places of a request back that others wait for, and puts its tokens right. Cannot fail; a promise where nodes count together. */
function endLimits(gateway: Gateway, seen: Seen, usage: Usage | null): Promise<unknown> | null {
  const { address, admission } = seen
  if (!address && !admission) return null
  const nowMs = gateway.limits.nowMs()
  // An address counts by what it asks, not by what comes of it.
  const first = address?.grant?.end(true, null, nowMs)
  const second = admission?.grant?.end(wasSent(seen), usage && tokensOf(usage), nowMs)
  return first || second ? Promise.all([first, second]) : null
}

/** Whether an upstream was asked: one that could not be connected to was not (R96). */
function wasSent({ answer, error }: Seen): boolean {
  if (answer) return true
  return error instanceof UpstreamError && error.attempts.some((one) => one.error_code !== 'upstream_unavailable')
}

const tokensOf = (usage: Usage): number =>
  (usage.input ?? 0) +
  (usage.cacheRead ?? 0) +
  (usage.cacheWrite ?? 0) +
  (usage.cacheWrite1h ?? 0) +
  (usage.output ?? 0)
/** Only the end of a stream tells whether its backend works: one that always breaks off midway does not (R71). */
function reportHealth({ answer }: Seen, outcome: Outcome | undefined): void {
  if (outcome === 'complete') answer?.health?.succeed()
  else if (outcome === 'upstream_disconnect') answer?.health?.fail('failed', null)
  else answer?.health?.release()
}

/** Fewer tokens than these, or a shorter time, tell nothing of throughput. */
const MEASURED_TOKENS_MIN = 8
const MEASURED_MS_MIN = 20

/** A streamed answer that ended well tells how fast its target is (R66). */
function measureSpeed(gateway: Gateway, { answer }: Seen, usage: Usage | null): void {
  if (answer?.kind !== 'stream') return
  const attempt = answer.attempts.at(-1)
  if (!attempt) return
  const ms = performance.now() - answer.firstContentAt
  const tokens = usage?.source === 'upstream' ? (usage.output ?? 0) : 0
  const isTelling = tokens >= MEASURED_TOKENS_MIN && ms >= MEASURED_MS_MIN
  gateway.speeds.measured(speedKeyOf(answer.target), attempt.latency_ms, isTelling ? (tokens * 1000) / ms : null)
}
