import { z } from 'zod'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import type { Alert } from '#billing/alerts.ts'
import { formatUsd } from '#base/money.ts'
import { PAGE_QUERY } from './admin-accounts.ts'
import { ownAccount } from './billing.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { usdLimit, validate } from './validate.ts'

const URL_CHARACTERS_MAX = 2048

const CHANGE = z.object({
  thresholds: z.array(z.number()).optional(),
  balance_below: usdLimit.nullable().optional(),
  webhook_url: z.string().min(1, 'must not be empty').max(URL_CHARACTERS_MAX).nullable().optional(),
  email: z.email('expected an e-mail address').max(254).nullable().optional(),
  rotate_secret: z.boolean().default(false),
})

type OwnerCall = Call<KeyActor | MasterActor>

/** `GET /v1/me/alerts`: what an account was told, newest first. */
export async function listAlerts(call: Call<KeyActor>): Promise<Answer> {
  return pageOf(call, call.actor.caller.account.id)
}

/** `GET /api/admin/alerts`: what the operator was told. */
export async function listOperatorAlerts(call: Call<MasterActor>): Promise<Answer> {
  return pageOf(call, null)
}

async function pageOf(call: Call, accountId: string | null): Promise<Answer> {
  const { limit, cursor } = validate(PAGE_QUERY, call.query)
  const page = await call.deps.billing.alerts.list(accountId, { limit, cursor })
  return { body: { data: page.data.map(alertObject), next_cursor: page.nextCursor } }
}

/** `GET /api/v1/alert-settings`; the master key without an account: the operator's own. */
export async function readAlertSettings(call: OwnerCall): Promise<Answer> {
  return settingsAnswer(call, await ownerOf(call))
}

/** `PATCH /api/v1/alert-settings` changes what is named. */
export async function changeAlertSettings(call: OwnerCall): Promise<Answer> {
  const accountId = await ownerOf(call)
  const wish = validate(CHANGE, call.body ?? {})
  const { alerts } = call.deps.billing
  const { secret: _, ...before } = await alerts.settings(accountId)
  const after = {
    thresholds: wish.thresholds ?? before.thresholds,
    balanceBelowNano: wish.balance_below === undefined ? before.balanceBelowNano : wish.balance_below,
    webhookUrl: wish.webhook_url === undefined ? before.webhookUrl : wish.webhook_url,
    email: wish.email === undefined ? before.email : wish.email,
  }
  await alerts.change(accountId, after, wish.rotate_secret)
  return settingsAnswer(call, accountId)
}

async function settingsAnswer(call: OwnerCall, accountId: string): Promise<Answer> {
  const { thresholds, balanceBelowNano, webhookUrl, email, secret } = await call.deps.billing.alerts.settings(accountId)
  return {
    body: {
      thresholds,
      balance_below: balanceBelowNano === null ? null : formatUsd(balanceBelowNano),
      webhook_url: webhookUrl,
      webhook_secret: secret,
      email,
    },
  }
}

const ownerOf = async (call: OwnerCall): Promise<string> =>
  call.actor.kind === 'master' && call.query['account_id'] === undefined ? OPERATOR_ACCOUNT_ID : ownAccount(call)

const alertObject = ({ payload }: Alert): Record<string, unknown> => ({ ...payload })
