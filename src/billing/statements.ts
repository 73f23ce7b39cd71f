/** The statements of top-ups: compiled once, bound by name. */
import { sql } from 'kysely'
import { statement } from '#store/statement.ts'

type VoucherColumn = 'id' | 'hash' | 'amount' | 'note' | 'actor' | 'now' | 'expires'

export const insertVoucher = statement<VoucherColumn>()((db, param) =>
  db.insertInto('vouchers').values({
    id: param('id'),
    code_hash: param('hash'),
    amount_nano: param('amount'),
    note: param('note'),
    actor: param('actor'),
    created_ms: param('now'),
    expires_ms: param('expires'),
    revoked_ms: null,
    redeemed_by: null,
    redeemed_ms: null,
  }),
)

export const revokeVoucher = statement<'id' | 'now'>()((db, param) =>
  db
    .updateTable('vouchers')
    .set({ revoked_ms: param('now') })
    .where('id', '=', param('id'))
    .where('redeemed_ms', 'is', null)
    .where('revoked_ms', 'is', null),
)

/** Matches once: of two at the same time the second waits for the first and then finds it redeemed. */
export const takeVoucher = statement<'hash' | 'account' | 'now'>()((db, param) =>
  db
    .updateTable('vouchers')
    .set({ redeemed_by: param('account'), redeemed_ms: param('now') })
    .where('code_hash', '=', param('hash'))
    .where('redeemed_ms', 'is', null)
    .where('revoked_ms', 'is', null)
    .where((where) => where.or([where('expires_ms', 'is', null), where('expires_ms', '>', param('now'))]))
    .returning(['id', 'amount_nano']),
)

export const findPaymentRef = statement<'ref'>()((db, param) =>
  db.selectFrom('ledger_entries').select('seq').where('payment_ref', '=', param('ref')),
)

type OrderColumn = 'id' | 'account' | 'channel' | 'kind' | 'asked' | 'currency' | 'now'

export const insertOrder = statement<OrderColumn>()((db, param) =>
  db
    .insertInto('payment_orders')
    .values({
      id: param('id'),
      account_id: param('account'),
      channel: param('channel'),
      kind: param('kind'),
      status: 'pending',
      asked_nano: param('asked'),
      currency: param('currency'),
      channel_ref: null,
      payment_ref: null,
      paid_nano: 0n,
      refunded_nano: 0n,
      disputed_nano: 0n,
      dispute_status: null,
      refund_booked_nano: 0n,
      dispute_booked_nano: 0n,
      created_ms: param('now'),
      updated_ms: param('now'),
      paid_ms: null,
    })
    .onConflict((conflict) => conflict.doNothing()),
)

export const findOrder = statement<'id'>()((db, param) =>
  db.selectFrom('payment_orders').selectAll().where('id', '=', param('id')),
)

export const noteOrder = statement<'id' | 'ref' | 'now'>()((db, param) =>
  db
    .updateTable('payment_orders')
    .set({ channel_ref: param('ref'), updated_ms: param('now') })
    .where('id', '=', param('id'))
    .where('channel_ref', 'is', null),
)

type OrderState =
  | 'id'
  | 'status'
  | 'ref'
  | 'payment'
  | 'paid'
  | 'refunded'
  | 'disputed'
  | 'dispute'
  | 'refundBooked'
  | 'disputeBooked'
  | 'paidAt'
  | 'now'

export const writeOrder = statement<OrderState>()((db, param) =>
  db
    .updateTable('payment_orders')
    .set({
      status: param('status'),
      channel_ref: param('ref'),
      payment_ref: param('payment'),
      paid_nano: param('paid'),
      refunded_nano: param('refunded'),
      disputed_nano: param('disputed'),
      dispute_status: param('dispute'),
      refund_booked_nano: param('refundBooked'),
      dispute_booked_nano: param('disputeBooked'),
      paid_ms: param('paidAt'),
      updated_ms: param('now'),
    })
    .where('id', '=', param('id')),
)

type EventColumn = 'channel' | 'event' | 'type' | 'payment' | 'order' | 'fact' | 'now'

export const insertEvent = statement<EventColumn>()((db, param) =>
  db
    .insertInto('payment_events')
    .values({
      channel: param('channel'),
      event_id: param('event'),
      type: param('type'),
      payment_ref: param('payment'),
      order_id: param('order'),
      fact: param('fact'),
      received_ms: param('now'),
    })
    .onConflict((conflict) => conflict.doNothing()),
)

export const takeWaiting = statement<'channel' | 'payment' | 'order'>()((db, param) =>
  db
    .updateTable('payment_events')
    .set({ order_id: param('order') })
    .where('channel', '=', param('channel'))
    .where('payment_ref', '=', param('payment'))
    .where('order_id', 'is', null)
    .where('fact', 'is not', null)
    .returning(['event_id', 'fact']),
)

/** The means of payment that was used last; what the account wished stays as it is. A payment that went well forgives failures. */
export const keepCustomer = statement<'account' | 'channel' | 'customer' | 'now'>()((db, param) =>
  db
    .insertInto('auto_topups')
    .values({
      account_id: param('account'),
      channel: param('channel'),
      customer_ref: param('customer'),
      enabled: 0,
      threshold_nano: 0n,
      amount_nano: 0n,
      month_max_nano: 0n,
      failures: 0,
      updated_ms: param('now'),
    })
    .onConflict((conflict) =>
      conflict.column('account_id').doUpdateSet({
        customer_ref: param('customer'),
        channel: param('channel'),
        failures: 0,
        updated_ms: param('now'),
      }),
    ),
)

type WishColumn = 'account' | 'channel' | 'enabled' | 'threshold' | 'amount' | 'monthMax' | 'now'

export const putAutoTopup = statement<WishColumn>()((db, param) => {
  const wish = {
    enabled: param('enabled'),
    threshold_nano: param('threshold'),
    amount_nano: param('amount'),
    month_max_nano: param('monthMax'),
    failures: 0,
    updated_ms: param('now'),
  }
  return db
    .insertInto('auto_topups')
    .values({ account_id: param('account'), channel: param('channel'), customer_ref: null, ...wish })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet(wish))
})

export const failOrder = statement<'id' | 'now'>()((db, param) =>
  db
    .updateTable('payment_orders')
    .set({ status: 'failed', updated_ms: param('now') })
    .where('id', '=', param('id'))
    .where('status', '=', 'pending'),
)

export const countFailure = statement<'account' | 'max' | 'now'>()((db, param) =>
  db
    .updateTable('auto_topups')
    .set({
      failures: sql<number>`failures + 1`,
      enabled: sql<number>`case when failures + 1 >= ${param('max')} then 0 else enabled end`,
      updated_ms: param('now'),
    })
    .where('account_id', '=', param('account')),
)
