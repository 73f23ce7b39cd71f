import type { Caller } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd, type NanoUsd } from '#base/money.ts'
import type { Surface } from '#base/protocols.ts'
import type { Price } from '#catalog/types.ts'
import type { AgentSession } from '#data-plane/3-parse/agent-session.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Bound } from '#data-plane/5-plan/bound.ts'
import type { Plan } from '#data-plane/5-plan/plan.ts'
import { boundOf, outputTokensWithin } from '#ledger/cost.ts'
import type { HoldResult } from '#ledger/types.ts'
import { Charge } from './charge.ts'
import { type Holder, HoldGuard } from './hold-guard.ts'

/** What was set aside for this request. */
export interface Hold {
  /** Whether the request is booked in the ledger at all (not in local mode, not for free counting). */
  readonly metered: boolean
  readonly amountNano: NanoUsd
  /** The output limit that the balance pays for, when it is lower than the worst case (R94); else null. */
  readonly outputTokensMax: number | null
  /** Tokens of output per candidate that it pays for, where the client named no limit and the answer may pass ours (M2); else null. */
  readonly watchedTokens: number | null
}

const NOTHING: Hold = { metered: false, amountNano: 0n, outputTokensMax: null, watchedTokens: null }

/**
 * Sets the worst case aside, over account and key at once, before any upstream is called (R94). Throws 402
 * insufficient_balance, credit_limit_exceeded, key_limit_exceeded; 403 for an account or key that changed meanwhile.
 */
export function reserve(
  gateway: Gateway,
  caller: Caller,
  exchange: Exchange,
  plan: Plan,
  session: AgentSession | null = null,
): Hold | Promise<Hold> {
  const { bound } = plan
  const wanted = caller.billing === 'off' ? null : wantedOf(plan, gateway.settings.reservation.minOutputTokens)
  if (wanted === null) return session === null ? NOTHING : countOnly(gateway, caller, session)
  const { wantNano, floorNano } = wanted
  const price = bound!.price!
  const firstNano = firstLeg(plan)
  const holdOf = (result: HoldResult): Hold => {
    if (!result.granted) throw refusal(gateway, result, floorNano)
    const isLowered = result.amountNano < wantNano
    const lowered = isLowered ? outputTokensWithin(result.amountNano - firstNano, promptOf(bound!, price)) : null
    const isWatched = !bound!.outputIsClients && result.amountNano > 0n
    return {
      metered: true,
      amountNano: result.amountNano,
      outputTokensMax: lowered,
      watchedTokens: isWatched ? (lowered ?? bound!.outputTokensMax) : null,
    }
  }
  const result = gateway.ledger.reserve({
    requestId: exchange.id,
    accountId: caller.account.id,
    keyId: caller.key?.id ?? null,
    system: caller.key?.system ?? null,
    groupId: plan.group,
    modelId: plan.model.id,
    session: session === null ? null : session.ask,
    wantNano,
    floorNano,
  })
  return result instanceof Promise ? result.then(holdOf) : holdOf(result)
}

/** A request that is not booked belongs to its session all the same. */
async function countOnly(gateway: Gateway, { account }: Caller, { ask }: AgentSession): Promise<Hold> {
  const reason = await gateway.agentSessions.count(account.id, ask)
  if (reason === null) return NOTHING
  throw refusal(gateway, { granted: false, refusal: reason, availableNano: 0n }, 0n)
}

/** What a plan would set aside: the worst case, and the least that lets the request through (R94). Null: nothing. */
export function wantedOf(plan: Plan, minOutputTokens: number): { wantNano: NanoUsd; floorNano: NanoUsd } | null {
  const { bound } = plan
  if (bound === null || bound.price === null) return null
  const firstNano = firstLeg(plan)
  const wantNano = worstCase(bound, bound.price, bound.outputTokensMax) + firstNano
  const least = Math.min(bound.outputTokensMax, minOutputTokens)
  return { wantNano, floorNano: bound.outputIsClients ? wantNano : worstCase(bound, bound.price, least) + firstNano }
}

/** What the leg that reasons first may cost; one hold covers both (R40). */
function firstLeg({ reasoning }: Plan): NanoUsd {
  const bound = reasoning?.bound
  return bound?.price ? worstCase(bound, bound.price, bound.outputTokensMax) : 0n
}

function worstCase(bound: Bound, price: Price, outputTokensMax: number): NanoUsd {
  return boundOf({ ...promptOf(bound, price), outputTokensMax })
}

function promptOf(bound: Bound, price: Price): { inputTokensMax: number; n: number; price: Price } {
  return { inputTokensMax: bound.inputTokensMax, n: bound.candidates, price }
}

function refusal(gateway: Gateway, result: HoldResult & { granted: false }, neededNano: NanoUsd): GatewayError {
  const { refusal: reason, availableNano } = result
  const needed = `This request may cost up to ${formatUsd(neededNano)} ${gateway.settings.currency}`
  switch (reason) {
    case 'insufficient_balance': {
      const where = gateway.settings.gatewayUrl
        ? ` Top up at ${gateway.settings.gatewayUrl}/.`
        : ' Ask your operator for credit.'
      return new GatewayError(reason, `${needed} and ${formatUsd(availableNano)} is available.${where}`)
    }
    case 'credit_limit_exceeded':
      return new GatewayError(
        reason,
        `${needed} and ${formatUsd(availableNano)} is left of the account's credit limit.`,
      )
    case 'key_limit_exceeded':
      return new GatewayError(reason, `${needed} and ${formatUsd(availableNano)} is left of the key's limit.`)
    case 'budget_exceeded': {
      const { scope, target, resetMs } = result.budget!
      const whose = scope === 'account' ? "the account's budget" : `the budget of ${scope} ${target}`
      const again = resetMs === null ? '' : ` It starts over at ${new Date(resetMs).toISOString()}.`
      return new GatewayError(reason, `${needed} and ${formatUsd(availableNano)} is left of ${whose}.${again}`)
    }
    case 'session_budget_exceeded':
      return new GatewayError(reason, `${needed}, and the budget of this session does not allow it.`)
    case 'session_stopped':
      return new GatewayError(reason, 'This session was stopped; name another one.')
    case 'account_suspended':
      return new GatewayError(reason, 'The account of this key is suspended.')
    case 'key_disabled':
      return new GatewayError(reason, 'This key is disabled.')
    default: {
      const missed: never = reason
      throw new Error(`unknown refusal ${String(missed)}`)
    }
  }
}

/** Watches the stream of a hold that its answer may outgrow; null for every other. */
export function guardOf(
  { ledger }: Gateway,
  caller: Caller,
  exchange: Exchange,
  { bound }: Plan,
  { watchedTokens }: Hold,
  surface: Surface,
  charge: Charge,
): HoldGuard | null {
  if (watchedTokens === null) return null
  return new HoldGuard(ledger, holderOf(caller, exchange), bound!, watchedTokens, surface, charge)
}

/** What the answer tells as its cost. */
export const chargeOf = ({ ledger }: Gateway, caller: Caller, exchange: Exchange, hold: Hold): Charge =>
  new Charge(ledger, holderOf(caller, exchange), hold.metered ? hold.amountNano : null)

const holderOf = ({ account, key }: Caller, { id }: Exchange): Holder => ({
  requestId: id,
  accountId: account.id,
  keyId: key?.id ?? null,
})
