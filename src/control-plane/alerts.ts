import { z } from 'zod'
import { OPERATOR_ACCOUNT_ID } from '#accounts/types.ts'
import type { Alert } from '#billing/alerts.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import { PAGE_QUERY } from './admin-accounts.ts'
import { ownAccount } from './billing.ts'
import type { Answer, Call, KeyActor, MasterActor } from './call.ts'
import { isoOrNull } from './key-object.ts'
import { queryFlag, usdLimit, validate } from './validate.ts'

const URL_CHARACTERS_MAX = 2048

const CHANGE = z.object({
  thresholds: z.array(z.number()).nullable().optional(),
  balance_below: usdLimit.nullable().optional(),
  key_share: z.number().nullable().optional(),
  spend_spike: z.number().nullable().optional(),
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

/** `PATCH /api/v1/alert-settings` changes what is named; null is what the operator has. */
export async function changeAlertSettings(call: OwnerCall): Promise<Answer> {
  const accountId = await ownerOf(call)
  const wish = validate(CHANGE, call.body ?? {})
  const { alerts } = call.deps.billing
  const { own: before } = await alerts.settings(accountId)
  const after = {
    thresholds: wish.thresholds === undefined ? before.thresholds : wish.thresholds,
    balanceBelowNano: wish.balance_below === undefined ? before.balanceBelowNano : wish.balance_below,
    keySharePercent: wish.key_share === undefined ? before.keySharePercent : wish.key_share,
    spikeTimes: wish.spend_spike === undefined ? before.spikeTimes : wish.spend_spike,
    webhookUrl: wish.webhook_url === undefined ? before.webhookUrl : wish.webhook_url,
    email: wish.email === undefined ? before.email : wish.email,
  }
  const named = Object.fromEntries(Object.entries(after).filter(([, value]) => value !== undefined))
  await alerts.change(accountId, named, wish.rotate_secret)
  return settingsAnswer(call, accountId)
}

async function settingsAnswer(call: OwnerCall, accountId: string): Promise<Answer> {
  const { thresholds, balanceBelowNano, keySharePercent, spikeTimes, webhookUrl, email, secret } =
    await call.deps.billing.alerts.settings(accountId)
  return {
    body: {
      thresholds,
      balance_below: balanceBelowNano === null ? null : formatUsd(balanceBelowNano),
      key_share: keySharePercent,
      spend_spike: spikeTimes,
      webhook_url: webhookUrl,
      webhook_secret: secret,
      email,
    },
  }
}

const ownerOf = async (call: OwnerCall): Promise<string> =>
  call.actor.kind === 'master' && call.query['account_id'] === undefined ? OPERATOR_ACCOUNT_ID : ownAccount(call)

export const BELL_QUERY = PAGE_QUERY.extend({ unread: queryFlag.default(false) })

/** `GET /api/alerts`, the bell: the account's alerts, or with the master key the operator's, with how many are unread. */
export async function readBell(call: OwnerCall): Promise<Answer> {
  const { limit, cursor, unread } = validate(BELL_QUERY, call.query)
  const { alerts } = call.deps.billing
  const owner = await bellOwnerOf(call)
  const [page, count] = await Promise.all([
    alerts.list(owner, { limit, cursor, unreadOnly: unread }),
    alerts.countUnread(owner),
  ])
  const data = page.data.map((alert) => ({ ...alertObject(alert), read_at: isoOrNull(alert.readMs) }))
  return { body: { data, unread: count, next_cursor: page.nextCursor } }
}

/** `POST /api/alerts/{id}/acknowledge`; without an id, all of them. */
export async function acknowledgeAlerts(call: OwnerCall): Promise<Answer> {
  const { alerts } = call.deps.billing
  const owner = await bellOwnerOf(call)
  const acknowledged = await alerts.acknowledge(owner, call.params['id'] ?? null)
  if (acknowledged === null) throw new GatewayError('not_found', 'There is no such alert.')
  return { body: { acknowledged, unread: await alerts.countUnread(owner) } }
}

const bellOwnerOf = async (call: OwnerCall): Promise<string | null> =>
  call.actor.kind === 'master' && call.query['account_id'] === undefined ? null : ownAccount(call)

const alertObject = ({ payload }: Alert): Record<string, unknown> => ({ ...payload })
