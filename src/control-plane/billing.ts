import { z } from 'zod'
import type { AutoTopupWish } from '#billing/auto-topup.ts'
import { ORDER_NANO_DEFAULT } from '#billing/payments.ts'
import { type Voucher, VOUCHERS_AT_ONCE_MAX } from '#billing/vouchers.ts'
import { GatewayError } from '#base/errors.ts'
import { formatUsd } from '#base/money.ts'
import type { AutoTopupTable, PaymentOrderTable } from '#store/billing-schema.ts'
import { NOTE_LENGTH_MAX, PAGE_QUERY } from './admin-accounts.ts'
import type { Actor, Answer, Call, KeyActor, MasterActor } from './call.ts'
import { isoOrNull } from './key-object.ts'
import { isoTime, usdAmount, usdLimit, validate } from './validate.ts'

const NEW_VOUCHERS = z.object({
  amount: usdAmount,
  count: z.number().int('expected a whole number').min(1).max(VOUCHERS_AT_ONCE_MAX).default(1),
  note: z.string().max(NOTE_LENGTH_MAX).optional(),
  expires_at: isoTime.nullable().optional(),
})

const REDEEM = z.object({ code: z.string({ error: 'expected a code' }).min(1, 'must not be empty').max(100) })

const CHECKOUT = z.object({ amount: usdAmount.optional(), keep_payment_method: z.boolean().default(false) })

const AUTO_TOPUP = z.object({
  enabled: z.boolean(),
  threshold: usdLimit.optional(),
  amount: usdLimit.optional(),
  month_max: usdLimit.optional(),
})

/** `POST /api/admin/vouchers` -> 201; the only answer with the codes. */
export async function createVouchers(call: Call<MasterActor>): Promise<Answer> {
  const { amount, count, note, expires_at: expiresMs } = validate(NEW_VOUCHERS, call.body ?? {})
  const wish = {
    amountNano: amount,
    count,
    note: note ?? null,
    expiresMs: expiresMs ?? null,
    actor: call.actor.session?.email ?? 'master',
  }
  const made = await call.deps.billing.vouchers.create(wish)
  return { status: 201, body: { data: made.map(({ voucher, code }) => ({ ...voucherObject(voucher), code })) } }
}

export async function listVouchers(call: Call<MasterActor>): Promise<Answer> {
  const { limit, cursor } = validate(PAGE_QUERY, call.query)
  const page = await call.deps.billing.vouchers.list({ limit, cursor })
  return { body: { data: page.data.map(voucherObject), next_cursor: page.nextCursor } }
}

export async function revokeVoucher(call: Call<MasterActor>): Promise<Answer> {
  await call.deps.billing.vouchers.revoke(call.params['id']!)
  return { body: { deleted: true } }
}

/** `POST /v1/me/vouchers`: credits the account of the key. */
export async function redeemVoucher(call: Call<KeyActor>): Promise<Answer> {
  const { code } = validate(REDEEM, call.body ?? {})
  const { account, key } = call.actor.caller
  const { vouchers } = call.deps.billing
  const { id, amountNano, balanceNano } = await vouchers.redeem(code, account.id, key?.id ?? 'local')
  return { body: { voucher: id, amount: formatUsd(amountNano), balance: formatUsd(balanceNano) } }
}

/** `GET /v1/me/topup`: the ways to pay that there are. */
export function readTopupWays(call: Call<KeyActor>): Answer {
  const { payments } = call.deps.billing
  const checkout = payments && { default_amount: formatUsd(ORDER_NANO_DEFAULT), currency: call.deps.settings.currency }
  const hint = payments ? null : 'Redeem a voucher, or ask your operator for credit.'
  return { body: { voucher: true, checkout, hint } }
}

/** `POST /v1/me/checkout` -> 201 with the order and the address of the provider's page. */
export async function openCheckout(call: Call<KeyActor>): Promise<Answer> {
  const payments = existing(call.deps.billing.payments)
  const { amount, keep_payment_method: keepsPaymentMethod } = validate(CHECKOUT, call.body ?? {})
  const { account } = call.actor.caller
  const { order, url } = await payments.checkout({
    accountId: account.id,
    email: account.email,
    amountNano: amount ?? ORDER_NANO_DEFAULT,
    returnUrl: `${call.deps.gatewayUrl() ?? call.origin}/`,
    keepsPaymentMethod,
  })
  return { status: 201, body: { ...orderObject(order), url } }
}

/** `GET /v1/me/orders`: the account's payments, newest first. */
export async function listOrders(call: Call<KeyActor>): Promise<Answer> {
  const { limit, cursor } = validate(PAGE_QUERY, call.query)
  const page = await call.deps.billing.orders.list(call.actor.caller.account.id, { limit, cursor })
  return { body: { data: page.data.map(orderObject), next_cursor: page.nextCursor } }
}

/** `GET /v1/me/orders/{id}`: the receipt of one payment. */
export async function readOrder(call: Call<KeyActor>): Promise<Answer> {
  const { account } = call.actor.caller
  const order = await call.deps.billing.orders.find(account.id, call.params['id']!)
  if (!order) throw new GatewayError('not_found', 'There is no such order.')
  return { body: { ...orderObject(order), account: { id: account.id, email: account.email } } }
}

/** `GET /v1/me/auto-topup`. */
export async function readAutoTopup(call: Call<KeyActor>): Promise<Answer> {
  const autoTopups = existing(call.deps.billing.autoTopups)
  return { body: wishObject(await autoTopups.read(call.actor.caller.account.id)) }
}

/** `PATCH /api/v1/auto-topup`: whoever may manage the account's keys may say how it is charged. */
export async function changeAutoTopup(call: Call<KeyActor | MasterActor>): Promise<Answer> {
  const autoTopups = existing(call.deps.billing.autoTopups)
  const accountId = await ownAccount(call)
  const input = validate(AUTO_TOPUP, call.body ?? {})
  const before = await autoTopups.read(accountId)
  const wish: AutoTopupWish = {
    enabled: input.enabled,
    thresholdNano: input.threshold ?? before?.threshold_nano ?? 0n,
    amountNano: input.amount ?? before?.amount_nano ?? 0n,
    monthMaxNano: input.month_max ?? before?.month_max_nano ?? 0n,
  }
  await autoTopups.change(accountId, wish)
  return { body: wishObject(await autoTopups.read(accountId)) }
}

/** The account of a management key; the operator names one. Throws not_found. */
export async function ownAccount(call: Call<KeyActor | MasterActor>): Promise<string> {
  if (call.actor.kind === 'key') return call.actor.caller.account.id
  const account = await call.deps.accounts.get(call.query['account_id'] ?? '')
  if (!account) throw new GatewayError('not_found', "There is no such account; name one in '?account_id='.")
  return account.id
}

/** `POST /api/webhooks/stripe`: what the provider tells. Its signature is its credential. */
export async function receivePayment(call: Call<Actor>): Promise<Answer> {
  const payments = existing(call.deps.billing.payments)
  const text = typeof call.body === 'string' ? call.body : ''
  const signature = call.headers['stripe-signature']
  const { taken } = await payments.receive(text, Array.isArray(signature) ? signature[0] : signature, call.nowMs)
  return { body: { received: true, taken } }
}

/** `POST /api/v1/credits/coinbase`: OpenRouter took this call away; its clients know the status. */
export function refuseCoinbase(): Answer {
  throw new GatewayError('not_found', 'Payments through Coinbase do not exist any more.', { status: 410 })
}

function existing<T>(part: T | null): T {
  if (part !== null) return part
  throw new GatewayError('not_found', 'No payment provider is configured: redeem a voucher, or ask your operator.')
}

function voucherObject(voucher: Voucher): Record<string, unknown> {
  return {
    id: voucher.id,
    amount: formatUsd(voucher.amountNano),
    note: voucher.note,
    actor: voucher.actor,
    created_at: isoOrNull(voucher.createdMs),
    expires_at: isoOrNull(voucher.expiresMs),
    revoked_at: isoOrNull(voucher.revokedMs),
    redeemed_by: voucher.redeemedBy,
    redeemed_at: isoOrNull(voucher.redeemedMs),
  }
}

/** What was refunded or is disputed is shown as it was booked. */
export function orderObject(order: PaymentOrderTable): Record<string, unknown> {
  return {
    id: order.id,
    channel: order.channel,
    kind: order.kind,
    status: order.status,
    amount: formatUsd(order.asked_nano),
    paid: formatUsd(order.paid_nano),
    refunded: formatUsd(order.refund_booked_nano),
    disputed: formatUsd(order.dispute_booked_nano),
    currency: order.currency,
    payment_ref: order.payment_ref,
    created_at: isoOrNull(order.created_ms),
    paid_at: isoOrNull(order.paid_ms),
  }
}

function wishObject(wish: AutoTopupTable | undefined): Record<string, unknown> {
  return {
    enabled: wish?.enabled === 1,
    threshold: formatUsd(wish?.threshold_nano ?? 0n),
    amount: formatUsd(wish?.amount_nano ?? 0n),
    month_max: formatUsd(wish?.month_max_nano ?? 0n),
    has_payment_method: wish?.customer_ref != null,
    failures: wish?.failures ?? 0,
  }
}
