import { z } from 'zod'
import type { Budget, BudgetEditor } from '#billing/budgets.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import { ownAccount } from './billing.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { isoOrNull } from './key-object.ts'
import { isoTime, usdLimit, validate } from './validate.ts'

const TARGET_CHARACTERS_MAX = 256

const NEW_BUDGET = z.object({
  scope: z.enum(['account', 'key', 'system', 'group', 'model']).default('account'),
  target: z.string().max(TARGET_CHARACTERS_MAX).default(''),
  max_usd: usdLimit,
  period: z.enum(['none', 'daily', 'weekly', 'monthly']).default('none'),
  hard: z.boolean().default(true),
  starts: isoTime.nullable().optional(),
})

const CHANGE = z
  .object({ max_usd: usdLimit.optional(), hard: z.boolean().optional() })
  .refine((change) => change.max_usd !== undefined || change.hard !== undefined, "name 'max_usd' or 'hard'")

type OwnerCall = Call<KeyActor | MasterActor>

/** `POST /api/v1/budgets` -> 201. A key is named by its id or its hash. */
export async function createBudget(call: OwnerCall): Promise<Answer> {
  const accountId = await ownAccount(call)
  const { scope, target, max_usd: maxNano, period, hard, starts } = validate(NEW_BUDGET, call.body ?? {})
  const budget = await call.deps.billing.budgets.create({
    accountId,
    scope,
    target: scope === 'key' ? await keyIdOf(call, accountId, target) : target,
    maxNano,
    period: period === 'none' ? null : period,
    hard,
    setBy: editorOf(call),
    startsMs: starts ?? null,
  })
  return { status: 201, body: budgetObject(budget) }
}

export async function listBudgets(call: OwnerCall): Promise<Answer> {
  const budgets = await call.deps.billing.budgets.list(await ownAccount(call))
  return { body: { data: budgets.map(budgetObject) } }
}

/** One of them, as the audit log shows what was. Throws not_found. */
export async function readBudget(call: OwnerCall): Promise<Answer> {
  const budgets = await call.deps.billing.budgets.list(await ownAccount(call))
  const found = budgets.find(({ id }) => id === call.params['id'])
  if (!found) throw new GatewayError('not_found', 'There is no such budget.')
  return { body: budgetObject(found) }
}

export async function changeBudget(call: OwnerCall): Promise<Answer> {
  const accountId = await ownAccount(call)
  const { max_usd: maxNano, hard } = validate(CHANGE, call.body ?? {})
  const { budgets } = call.deps.billing
  const budget = await budgets.change(accountId, call.params['id']!, { maxNano, hard }, editorOf(call))
  return { body: budgetObject(budget) }
}

export async function removeBudget(call: OwnerCall): Promise<Answer> {
  await call.deps.billing.budgets.remove(await ownAccount(call), call.params['id']!, editorOf(call))
  return { body: { deleted: true } }
}

/** The budgets that the key's requests count against, and of them the one with the least left (`GET /v1/me`). */
export async function budgetFields(call: Call<KeyActor>): Promise<Record<string, unknown>> {
  const { account, key } = call.actor.caller
  const budgets = await call.deps.billing.budgets.ofCaller(account.id, key)
  let tightest: Budget | undefined
  for (const budget of budgets) {
    if (budget.hard && (tightest === undefined || budget.leftNano < tightest.leftNano)) tightest = budget
  }
  return {
    budget_max: tightest ? formatUsd(tightest.maxNano) : null,
    budget_spent: formatUsd(tightest?.spentNano ?? 0n),
    budget_period: tightest ? (tightest.period ?? 'none') : null,
    budget_reset_at: isoOrNull(tightest?.resetMs ?? null),
    budgets: budgets.map(budgetObject),
  }
}

const editorOf = ({ actor }: OwnerCall): BudgetEditor => (actor.kind === 'master' ? 'operator' : 'account')

async function keyIdOf(call: OwnerCall, accountId: string, named: string): Promise<string> {
  const keys = await call.deps.keys.list({ accountId, limit: 1000, offset: 0, includeDisabled: true })
  const key = keys.find(({ id, hash }) => id === named || hash === named)
  if (key) return key.id
  throw new GatewayError('invalid_parameter', "Invalid value for 'target': the account has no such key.", {
    param: 'target',
  })
}

function budgetObject(budget: Budget): Record<string, unknown> {
  return {
    id: budget.id,
    account_id: budget.accountId,
    scope: budget.scope,
    target: budget.target === '' ? null : budget.target,
    max_usd: formatUsd(budget.maxNano),
    period: budget.period ?? 'none',
    hard: budget.hard,
    set_by: budget.setBy,
    starts: isoOrNull(budget.startsMs),
    spent: formatUsd(budget.spentNano),
    remaining: formatUsd(budget.leftNano > 0n ? budget.leftNano : 0n),
    reset_at: isoOrNull(budget.resetMs),
    created_at: isoOrNull(budget.createdMs),
  }
}
