import { asGatewayError } from '#base/errors.ts'
import type { Exchange } from './1-receive/exchange.ts'
import { admitAddress } from './2-authenticate/admit-address.ts'
import { authenticate } from './2-authenticate/authenticate.ts'
import { namesSession, readSession } from './3-parse/agent-session.ts'
import { parse } from './3-parse/parse.ts'
import { planFaults } from './5-plan/fault-lab.ts'
import { planLegs } from './5-plan/legs.ts'
import { withinSession } from './5-plan/session-ceiling.ts'
import { admit } from './6-reserve/admit.ts'
import { chargeOf, guardOf, reserve } from './6-reserve/reserve.ts'
import { call } from './7-call/call.ts'
import { meter } from './8-meter/meter.ts'
import { refuse } from './9-reply/refuse.ts'
import { reply } from './9-reply/reply.ts'
import { settler } from './10-settle/settle.ts'
import { copyContent } from './content-copy.ts'
import type { Gateway } from './gateway.ts'
import { checkHops } from './hops.ts'
import { claimKey, isKeyed } from './idempotent.ts'
import { resolveInTier } from './in-tier.ts'
import { Report } from './report.ts'
import { begun } from './seen.ts'

/**
 * One request, from its socket to its ledger entry. Each step takes what the steps before it made; a step that cannot go
 * on throws a GatewayError, which is written in the client's own dialect.
 *
 * A step that knows its answer at once gives it without a promise, and only then is nothing awaited (R123).
 * `settle` runs exactly once: inside `reply`, before the last byte is released, so that an answer that a client saw to its
 * end is in the ledger whatever is killed; or here, when something failed, before the error's status line.
 */
export async function handleRequest(gateway: Gateway, exchange: Exchange): Promise<void> {
  const seen = begun(exchange)
  const settle = settler(gateway, seen)
  try {
    checkHops(exchange)
    const admitting = admitAddress(gateway, exchange)
    const address = (seen.address = admitting instanceof Promise ? await admitting : admitting)
    const authenticating = authenticate(gateway, exchange)
    seen.caller = authenticating instanceof Promise ? await authenticating : authenticating
    const parsed = (seen.parsed = await parse(gateway, exchange))
    const session = (seen.session = namesSession(exchange, parsed) ? readSession(seen.caller, exchange, parsed) : null)
    if (isKeyed(exchange)) {
      seen.leading = await claimKey(gateway, seen.caller, exchange, parsed)
      if (seen.leading === null) return void (await settle())
    }
    const { contentLog } = seen.caller
    if (contentLog) seen.content = copyContent(gateway.contents, contentLog, seen.caller, exchange, parsed)
    const resolving = resolveInTier(gateway, seen, parsed, exchange)
    const selection = (seen.selection = resolving instanceof Promise ? await resolving : resolving)
    const { caller } = seen
    const routed = planLegs(gateway, caller, parsed, selection, exchange)
    const planned = session === null ? routed : withinSession(routed, session)
    const planning = planFaults(gateway, caller, exchange, parsed, planned)
    const plan = (seen.plan = planning instanceof Promise ? await planning : planning)
    const limiting = admit(gateway, caller, exchange, parsed, plan, address)
    seen.admission = limiting instanceof Promise ? await limiting : limiting
    const holding = reserve(gateway, caller, exchange, plan, session)
    const hold = (seen.hold = holding instanceof Promise ? await holding : holding)
    const report = (seen.report = new Report(plan.losses))
    const answer = (seen.answer = await call(gateway, caller, exchange, parsed, plan, hold, report))
    const tally = (seen.tally = meter(parsed, plan, answer, gateway.settings.billsEmpty))
    const drainMs = gateway.settings.routing.drainOnDisconnectMs
    const charge = chargeOf(gateway, caller, exchange, hold)
    const guard = guardOf(gateway, caller, exchange, plan, hold, parsed.surface, charge)
    await reply(exchange, parsed, plan, answer, tally, settle, gateway.drains, drainMs, guard, charge)
  } catch (thrown) {
    seen.error = asGatewayError(thrown)
    if (seen.error.code === 'internal_error')
      gateway.log.error({ requestId: exchange.id, err: thrown }, 'request failed')
    await settle()
    refuse(gateway, exchange, seen.error)
  }
  if (!seen.isSettling) await settle()
  seen.leading?.finish()
  seen.content?.finish()
}
