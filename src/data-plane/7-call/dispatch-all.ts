import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import { Departure } from '#data-plane/departure.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { AttemptOutcome } from './attempt.ts'
import { dispatch, type Sending } from './dispatch.ts'

/** Calls of one request that run at a time: an upstream has limits of its own. */
export const CALLS_AT_ONCE_MAX = 8

/**
 * Sends one request as several whole calls (R4). The outcome's body is the JSON list of their answers, in the order of the
 * bodies; the first failure is that of all: no further call begins, and those under way are given up, as when the client leaves.
 */
export async function dispatchAll(
  gateway: Gateway,
  exchange: Exchange,
  target: Target,
  sending: Sending,
  bodies: readonly Buffer[],
): Promise<AttemptOutcome> {
  const answers: Buffer[] = []
  const running = new Set<Departure>()
  const giveUp = (): void => running.forEach((departure) => departure.leave())
  exchange.departure.onGone(giveUp)
  let failed: AttemptOutcome | null = null
  let next = 0
  let bytes = 0
  let last: AttemptOutcome | null = null
  const run = async (): Promise<void> => {
    while (next < bodies.length && !failed) {
      const index = next++
      // A listener of its own for each: one departure has room for one.
      const departure = new Departure()
      if (exchange.departure.gone) departure.leave()
      running.add(departure)
      const own = { ...exchange, departure }
      const outcome = await dispatch(gateway, own, target, { ...sending, body: bodies[index]! }, null)
      running.delete(departure)
      if (outcome.kind !== 'whole') {
        failed ??= outcome
        giveUp()
        return
      }
      answers[index] = outcome.body
      bytes += outcome.body.length
      if (bytes > gateway.settings.limits.upstreamBodyBytesMax) {
        failed ??= TOO_LARGE
        giveUp()
      }
      last = outcome
    }
  }
  await Promise.all(Array.from({ length: Math.min(CALLS_AT_ONCE_MAX, bodies.length) }, run))
  if (failed) return failed
  const body = Buffer.from(`[${answers.map((answer) => answer.toString('utf8')).join(',')}]`)
  const { upstreamRequestId } = last!
  return { kind: 'whole', body, status: 200, upstreamRequestId }
}

const TOO_LARGE: AttemptOutcome = {
  kind: 'failed',
  failure: { status: 502, code: 'upstream_bad_response', message: 'The upstream sent too much.' },
  retryAfter: null,
  upstreamRequestId: null,
}
