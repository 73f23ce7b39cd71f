import type { Caller } from '#accounts/types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Hold } from '#data-plane/6-reserve/reserve.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { streamHeaders } from '#data-plane/head.ts'
import type { Report } from '#data-plane/report.ts'
import type { Answer } from './answer.ts'
import type { Asked } from './asked.ts'
import { countPrompt } from './count.ts'
import { callLegs } from './call-legs.ts'
import { Failover } from './failover.ts'

/**
 * Calls the plan's targets and returns the first answer: a whole one, or a stream at its first content. The only place
 * that tries a second target, because here nothing has been sent to the client yet. What is lost on the way goes to `report`,
 * also when it fails. Throws GatewayError with every failure.
 */
export function call(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  hold: Hold,
  report: Report,
): Promise<Answer> {
  if (parsed.operation === 'count') return countPrompt(gateway, exchange, parsed, plan, report)
  const asked = { gateway, caller, exchange, parsed, plan, hold, report }
  return parsed.stream ? keptAlive(asked) : answerTo(asked)
}

/** A stream's client hears something now and then until its answer begins. */
async function keptAlive(asked: Asked): Promise<Answer> {
  const { gateway, exchange, parsed } = asked
  const { keepaliveIntervalMs } = gateway.settings.failureHandling
  const { asJsonArray } = parsed
  exchange.keepAlive.start(keepaliveIntervalMs, streamHeaders(exchange, asJsonArray), asJsonArray)
  try {
    return await answerTo(asked)
  } finally {
    exchange.keepAlive.stop()
  }
}

function answerTo(asked: Asked): Promise<Answer> {
  const { reasoning } = asked.plan
  return reasoning ? callLegs(asked, reasoning) : new Failover(asked).run()
}
