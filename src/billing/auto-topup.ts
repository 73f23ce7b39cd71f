import { GatewayError } from '#base/errors.ts'
import type { NanoUsd } from '#base/money.ts'
import { periodStarts } from '#ledger/periods.ts'
import type { AutoTopupTable, PaymentOrderTable } from '#store/billing-schema.ts'
import type { Store } from '#store/store.ts'
import { checkOrderAmount, openOrder } from './payments.ts'
import type { PaymentOrder, PaymentProvider } from './types.ts'

/** After so many refused charges in a row the account's own charges are switched off. */
export const CHARGE_FAILURES_MAX = 3
/** Accounts that one round looks at. */
export const CHARGES_PER_ROUND_MAX = 50

export interface AutoTopupWish {
  readonly enabled: boolean
  readonly thresholdNano: NanoUsd
  readonly amountNano: NanoUsd
  readonly monthMaxNano: NanoUsd
}

export interface AutoTopups {
  read(accountId: string): Promise<AutoTopupTable | undefined>
  /** Throws GatewayError('invalid_parameter'). */
  change(accountId: string, wish: AutoTopupWish): Promise<void>
  /** Charges the accounts whose balance is low; gives how many were charged. Whatever fails is told to the log. */
  chargeDue(): Promise<number>
}

/** Fills balances up by themselves (R95): with the means of payment of the last checkout, one charge at a time, under a monthly cap. */
export function createAutoTopups(
  store: Store,
  provider: PaymentProvider,
  currency: string,
  now: () => number,
  onFailure: (cause: unknown, accountId: string) => void,
): AutoTopups {
  return {
    read: (accountId) => findWish(store, accountId),
    async change(accountId, { enabled, thresholdNano, amountNano, monthMaxNano }) {
      if (enabled) {
        checkOrderAmount(amountNano, currency, 'amount')
        if (thresholdNano < 0n) throw invalid('threshold', 'The threshold must not be negative.')
        if (monthMaxNano < amountNano) throw invalid('month_max', 'A month allows at least one charge.')
        if ((await findWish(store, accountId))?.customer_ref == null) {
          throw invalid('enabled', 'Pay once with "keep_payment_method" first: there is nothing to charge yet.')
        }
      }
      await store.execute('putAutoTopup', {
        account_id: accountId,
        channel: provider.channel,
        enabled: enabled ? 1 : 0,
        threshold_nano: thresholdNano,
        amount_nano: amountNano,
        month_max_nano: monthMaxNano,
        updated_ms: now(),
      })
    },
    async chargeDue() {
      let charged = 0
      for (const wish of await dueWishes(store, provider.channel)) {
        try {
          if (await charge(store, provider, currency, wish, now())) charged++
        } catch (cause) {
          onFailure(cause, wish.account_id)
        }
      }
      return charged
    },
  }
}

const findWish = (store: Store, accountId: string): Promise<AutoTopupTable | undefined> =>
  store.read.selectFrom('auto_topups').selectAll().where('account_id', '=', accountId).executeTakeFirst()

const dueWishes = (store: Store, channel: string): Promise<AutoTopupTable[]> =>
  store.read
    .selectFrom('auto_topups as t')
    .innerJoin('accounts as a', 'a.id', 't.account_id')
    .selectAll('t')
    .where('t.enabled', '=', 1)
    .where('t.channel', '=', channel)
    .where('t.customer_ref', 'is not', null)
    .where('a.status', '=', 'active')
    .whereRef('a.balance_nano', '<', 't.threshold_nano')
    .orderBy('t.updated_ms')
    .limit(CHARGES_PER_ROUND_MAX)
    .execute()

async function charge(
  store: Store,
  provider: PaymentProvider,
  currency: string,
  wish: AutoTopupTable,
  nowMs: number,
): Promise<boolean> {
  const accountId = wish.account_id
  const order = await nextOrder(store, provider.channel, currency, wish, nowMs)
  if (!order) return false
  const { ref, failed } = await provider.charge(order, wish.customer_ref!)
  await store.execute('noteOrder', { id: order.id, channelRef: ref, nowMs })
  if (!failed) return true
  await store.execute('failCharge', { orderId: order.id, accountId, failuresMax: CHARGE_FAILURES_MAX, nowMs })
  return false
}

/** A charge whose answer never came is asked for again under its own id, which the provider charges once. */
async function nextOrder(
  store: Store,
  channel: string,
  currency: string,
  wish: AutoTopupTable,
  nowMs: number,
): Promise<PaymentOrder | undefined> {
  const accountId = wish.account_id
  const { monthStartMs } = periodStarts(nowMs)
  const orders = await store.read
    .selectFrom('payment_orders')
    .selectAll()
    .where('account_id', '=', accountId)
    .where('kind', '=', 'auto')
    .where((where) => where.or([where('status', '=', 'pending'), where('created_ms', '>=', monthStartMs)]))
    .execute()
  const pending = orders.find(({ status }) => status === 'pending')
  if (pending) return pending.channel_ref === null ? orderOf(pending) : undefined
  const spentNano = orders.reduce((sum, order) => sum + (order.status === 'paid' ? order.paid_nano : 0n), 0n)
  if (spentNano + wish.amount_nano > wish.month_max_nano) return undefined
  return openOrder(store, channel, 'auto', accountId, wish.amount_nano, currency, nowMs)
}

const orderOf = (row: PaymentOrderTable): PaymentOrder => ({
  id: row.id,
  accountId: row.account_id,
  kind: row.kind,
  askedNano: row.asked_nano,
  currency: row.currency,
})

const invalid = (param: string, message: string): GatewayError =>
  new GatewayError('invalid_parameter', message, { param })
