import { GatewayError } from '#base/errors.ts'
import { id as newId } from '#base/ids.ts'
import type { NanoUsd } from '#base/money.ts'
import type { PaymentOrderTable } from '#store/billing-schema.ts'
import { checkLimit } from '#store/reads.ts'
import type { Store } from '#store/store.ts'
import { minorUnits } from './minor-units.ts'
import type { PaymentNotice, PaymentOrder, PaymentProvider } from './types.ts'

/** One order pays at least and at most this. */
export const ORDER_NANO_MIN = 1_000_000_000n
export const ORDER_NANO_MAX = 10_000_000_000_000n
export const ORDER_NANO_DEFAULT = 10_000_000_000n

export interface Payments {
  /** An order and the page on which it is paid. Throws GatewayError('invalid_parameter') and ('payment_failed'). */
  checkout(wish: {
    accountId: string
    email: string
    amountNano: NanoUsd
    returnUrl: string
    keepsPaymentMethod: boolean
  }): Promise<{ order: PaymentOrderTable; url: string }>
  /** Takes an event of the provider. `taken` is false for what is none of ours or was taken before. Throws GatewayError. */
  receive(text: string, signature: string | undefined, nowMs: number): Promise<{ taken: boolean }>
}

export interface Orders {
  /** Newest first. */
  list(
    accountId: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ data: PaymentOrderTable[]; nextCursor: string | null }>
  find(accountId: string, id: string): Promise<PaymentOrderTable | undefined>
}

export function createOrders({ read }: Store): Orders {
  return {
    async list(accountId, { limit, cursor }) {
      let rows = read.selectFrom('payment_orders').selectAll().where('account_id', '=', accountId)
      if (cursor !== undefined) rows = rows.where('id', '<', cursor)
      const found = await rows
        .orderBy('id', 'desc')
        .limit(checkLimit(limit) + 1)
        .execute()
      const data = found.slice(0, limit)
      return { data, nextCursor: found.length > limit ? data.at(-1)!.id : null }
    },
    find: (accountId, id) =>
      read
        .selectFrom('payment_orders')
        .selectAll()
        .where('account_id', '=', accountId)
        .where('id', '=', id)
        .executeTakeFirst(),
  }
}

export interface PaymentListeners {
  /** Hears of what an operator should look at. */
  onOddity(what: string, facts: object): void
  /** Hears whose purchases have changed. */
  onPurchase(accountId: string): void
}

/** Payments through one provider (R95). Nothing is credited but by its signed events, and each order once. */
export function createPayments(
  store: Store,
  provider: PaymentProvider,
  currency: string,
  now: () => number,
  { onOddity, onPurchase }: PaymentListeners,
): Payments {
  const { channel } = provider
  return {
    async checkout({ accountId, email, amountNano, returnUrl, keepsPaymentMethod }) {
      checkOrderAmount(amountNano, currency, 'amount')
      const order = await openOrder(store, channel, 'checkout', accountId, amountNano, currency, now())
      const { ref, url } = await provider.openCheckout({ ...order!, email, returnUrl, keepsPaymentMethod })
      await store.execute('noteOrder', { id: order!.id, channelRef: ref, nowMs: now() })
      return { order: (await findOrder(store, order!.id))!, url }
    },
    async receive(text, signature, nowMs) {
      const notice = await provider.read(text, signature, nowMs)
      if (!notice) return { taken: false }
      const order = await orderOf(store, channel, notice)
      if (order === null) return { taken: await keep(store, channel, notice, nowMs, onPurchase) }
      if (notice.currency !== order.currency) {
        onOddity('an event in another currency was refused', { order: order.id, currency: notice.currency })
        throw new GatewayError('invalid_request', `The order is in ${order.currency}.`)
      }
      const { eventId, type, fact } = notice
      if (fact.kind === 'paid' && fact.amountNano !== order.asked_nano) {
        onOddity('a payment differs from its order', { order: order.id, asked: order.asked_nano.toString() })
      }
      const event = { channel, eventId, type, orderId: order.id, accountId: order.account_id, fact, nowMs }
      const taken = await store.execute('applyPayment', event)
      onPurchase(order.account_id)
      return { taken }
    },
  }
}

/** Writes an order; undefined when the account has a charge of its own under way already (`auto`). */
export async function openOrder(
  store: Store,
  channel: string,
  kind: PaymentOrderTable['kind'],
  accountId: string,
  askedNano: NanoUsd,
  currency: string,
  nowMs: number,
): Promise<PaymentOrder | undefined> {
  const id = newId('ord')
  const row = { id, account_id: accountId, channel, kind, asked_nano: askedNano, currency, created_ms: nowMs }
  return (await store.execute('createOrder', row)) ? { id, accountId, kind, askedNano, currency } : undefined
}

/** Throws GatewayError('invalid_parameter') that names `param`. */
export function checkOrderAmount(amountNano: NanoUsd, currency: string, param: string): void {
  const fits = amountNano >= ORDER_NANO_MIN && amountNano <= ORDER_NANO_MAX
  if (fits && minorUnits(amountNano, currency) !== undefined) return
  throw new GatewayError('invalid_parameter', `A payment is from 1 to 10000 ${currency}, in its smallest coin.`, {
    param,
  })
}

const findOrder = (store: Store, id: string): Promise<PaymentOrderTable | undefined> =>
  store.read.selectFrom('payment_orders').selectAll().where('id', '=', id).executeTakeFirst()

/** Our orders' ids are told from those that other programs give a shared account of the provider. */
const isOurs = (id: string): boolean => id.startsWith('ord_')

/** The order that an event is about; null for none of ours, or none that is known yet. Throws for one that cannot be. */
async function orderOf(store: Store, channel: string, notice: PaymentNotice): Promise<PaymentOrderTable | null> {
  const { orderId, paymentRef } = notice
  if (orderId !== null && isOurs(orderId)) {
    const order = await findOrder(store, orderId)
    if (!order || order.channel !== channel) throw new GatewayError('not_found', 'There is no such order.')
    return order
  }
  return paymentRef === null ? null : findByPayment(store, channel, paymentRef)
}

async function findByPayment(store: Store, channel: string, paymentRef: string): Promise<PaymentOrderTable | null> {
  const row = await store.read
    .selectFrom('payment_orders')
    .selectAll()
    .where('channel', '=', channel)
    .where('payment_ref', '=', paymentRef)
    .executeTakeFirst()
  return row ?? null
}

/** Refunds and disputes may come before the payment itself: they wait for it. */
async function keep(
  store: Store,
  channel: string,
  notice: PaymentNotice,
  nowMs: number,
  onPurchase: PaymentListeners['onPurchase'],
): Promise<boolean> {
  const { eventId, type, paymentRef, fact } = notice
  if (paymentRef === null || (fact.kind !== 'refunded' && fact.kind !== 'disputed')) return false
  const kept = await store.execute('keepPaymentEvent', { channel, eventId, type, paymentRef, fact, nowMs })
  // The payment may have come in between; then it did not see this event, and this sees the payment.
  const order = await findByPayment(store, channel, paymentRef)
  if (order) {
    await store.execute('adoptPaymentEvents', { orderId: order.id, accountId: order.account_id, nowMs })
    onPurchase(order.account_id)
  }
  return kept
}
