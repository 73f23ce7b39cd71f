import type { Failure } from '#codecs/codec.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Outcome } from '#data-plane/9-reply/reply.ts'
import type { Seen } from '#data-plane/seen.ts'
import { rememberCache } from './cached-turn.ts'
import { rowOf } from './row.ts'

/**
 * Ends the request's money exactly once, whatever happened: what was delivered is booked, a hold that nothing came of is
 * voided, and the log row is written with it. The first call decides. With an outcome it fails when the store does, so
 * that no answer ends unbooked; without one it is a clean-up that never fails.
 */
export function settler(gateway: Gateway, seen: Seen): (outcome?: Outcome, breach?: Failure) => Promise<void> {
  let settling: Promise<void> | null = null
  return (outcome, breach) => {
    if (!settling) {
      if (breach) seen.breach = breach
      settling = settle(gateway, seen, outcome)
      settling.catch((error: unknown) =>
        gateway.log.error({ requestId: seen.exchange.id, err: error }, 'settlement failed'),
      )
    }
    return outcome === undefined ? settling.catch(() => undefined) : settling
  }
}

async function settle(gateway: Gateway, seen: Seen, outcome: Outcome | undefined): Promise<void> {
  const { exchange, tally } = seen
  reportHealth(seen, outcome)
  const usage = outcome === undefined ? null : (tally?.final() ?? null)
  if (outcome === 'complete') rememberCache(gateway, seen, usage)
  const cost = usage && tally ? tally.costOf(usage) : null
  const row = rowOf(seen, outcome, usage, cost?.nano ?? null)
  gateway.capture?.append(row)
  if (!seen.hold?.metered) gateway.requestLog.append(row)
  else if (cost === null) await gateway.ledger.void(exchange.id, row)
  else await gateway.ledger.settle({ requestId: exchange.id, costNano: cost.nano, row })
}

/** Only the end of a stream tells whether its backend works: one that always breaks off midway does not (R71). */
function reportHealth({ answer }: Seen, outcome: Outcome | undefined): void {
  if (outcome === 'complete') answer?.health?.succeed()
  else if (outcome === 'upstream_disconnect') answer?.health?.fail('failed', null)
  else answer?.health?.release()
}
