import { FREE_GROUP } from '#base/free-group.ts'
import type { Caller } from '#accounts/types.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { wantedOf } from './reserve.ts'
import type { LimitAnswer } from '#limits/rate-limits.ts'

/** Bytes of a body per token, until the answer tells: the field's rule of thumb for English prose and JSON. */
export const BYTES_PER_TOKEN = 4

/**
 * Counts the request against every limit over time that holds for it (R78, R96): all or none, before money is held and an
 * upstream is called. Null where none holds. Throws 429 rate_limit_exceeded, free_tier_daily_limit; 503 store_unavailable.
 */
export function admit(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  parsed: Parsed,
  plan: Plan,
  address: LimitAnswer | null,
): LimitAnswer | null | Promise<LimitAnswer | null> {
  const { account, key } = caller
  // Who pays afterwards or not at all has no use for a free tier, and counting tokens is free everywhere.
  const isFree =
    caller.billing === 'prepaid' && parsed.operation !== 'count' && (plan.model.free || isFreeVariant(plan))
  if (gateway.limits.isOff({ key, isFree })) return null
  const request = {
    accountId: account.id,
    tier: account.tier,
    key,
    modelId: plan.model.id,
    group: plan.group,
    ip: exchange.request.socket.remoteAddress ?? null,
    isFree,
  }
  const tell = (answer: LimitAnswer | null): LimitAnswer | null => {
    if (answer === null) return null
    exchange.limitHeaders = answer.headers
    if (answer.error) {
      if (isFree) gateway.limits.noteFreeRefusal(account.id)
      throw answer.error
    }
    return answer
  }
  const answer = gateway.limits.admit(request, tokensOf(parsed, plan), exchange.dialect === 'anthropic', address)
  return answer instanceof Promise ? answer.then(tell) : tell(answer)
}

const isFreeVariant = (plan: Plan): boolean => plan.group === FREE_GROUP && wantedOf(plan, 1)?.wantNano === 0n

/** What the request may use: its prompt, and the answer as long as its client allows. Put right when it has ended. */
function tokensOf(parsed: Parsed, { bound }: Plan): number {
  if (bound === null) return 0
  const prompt = Math.min(bound.inputTokensMax, Math.ceil(parsed.body.length / BYTES_PER_TOKEN))
  return prompt + (parsed.facts.outputTokensMax ?? 0) * bound.candidates
}
