import { type Caller, OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import type { Answer, Call, KeyActor, MasterActor, RouteAsker, RouteExplainer } from './call.ts'

type Asker = KeyActor | MasterActor

/** `GET /api/resolve?model=`: what a model string means, step by step (R43). `group` chooses as `x-gateway-group` does. */
export function resolveModel(call: Call<Asker>): Answer {
  const { model } = call.query
  if (model === undefined || model === '')
    throw new GatewayError('missing_model', 'The query names no model.', { param: 'model' })
  return { body: explainerOf(call).resolve(askerOf(call), model) }
}

/** `POST /v1/route/explain`: where a request would go and what it could cost, without a call and without a charge (B7). */
export async function explainRoute(call: Call<Asker>): Promise<Answer> {
  const question = Buffer.from(typeof call.body === 'string' ? call.body : '')
  const explanation = await explainerOf(call).explain(askerOf(call), question)
  return { body: { ...explanation, limits: await limitsOf(call) } }
}

/** What is left to spend, as the reservation would find it. */
async function limitsOf({ actor, deps, nowMs }: Call<Asker>): Promise<object | null> {
  if (actor.kind === 'master' || actor.caller.billing === 'off') return null
  const { account, key } = actor.caller
  const [current, usage] = await Promise.all([deps.accounts.get(account.id), key && deps.keys.usage(key, nowMs)])
  const remaining = key && key.limitNano !== null ? key.limitNano - (usage?.limitUsedNano ?? 0n) : null
  return {
    available: current ? formatUsd(current.balanceNano - current.heldNano) : null,
    key_limit_remaining: remaining === null ? null : formatUsd(remaining < 0n ? 0n : remaining),
  }
}

function explainerOf({ deps }: Call<Asker>): RouteExplainer {
  if (deps.explainer) return deps.explainer
  throw new GatewayError('not_found', 'Only a running gateway explains its routes.')
}

/** The operator asks as somebody who is in every group and pays nothing. */
const OPERATOR: Caller = {
  account: { id: OPERATOR_ACCOUNT_ID, email: 'operator@localhost', mode: 'postpaid', status: 'active', tier: 'free' },
  key: null,
  billing: 'off',
}

function askerOf({ actor, headers, query }: Call<Asker>): RouteAsker {
  const { group } = query
  return {
    caller: actor.kind === 'master' ? OPERATOR : actor.caller,
    seesBackends: actor.kind === 'master' || actor.caller.key === null,
    headers: group === undefined || group === '' ? headers : { ...headers, 'x-gateway-group': group },
  }
}
