/** The writes of top-ups, as they run inside the store's transactions. */
import { GatewayError } from '#base/errors.ts'
import { postEntry } from '#ledger/commands.ts'
import type { AutoTopupTable, PaymentOrderTable, VoucherTable } from '#store/billing-schema.ts'
import type { Command } from '#store/command.ts'
import { run } from '#store/statement.ts'
import type { Work } from '#store/statement.ts'
import { applyFact } from './payment-state.ts'
import * as sql from './statements.ts'
import type { PaymentFact } from './types.ts'

export type NewVoucher = Omit<VoucherTable, 'revoked_ms' | 'redeemed_by' | 'redeemed_ms'>

export const createVouchers: Command<readonly NewVoucher[], void> = {
  *work(vouchers) {
    for (const voucher of vouchers) {
      const { id, code_hash: hash, amount_nano: amount, note, actor, created_ms: now, expires_ms: expires } = voucher
      yield* run(sql.insertVoucher, { id, hash, amount, note, actor, now, expires })
    }
  },
  accounts: () => [],
  repeatable: false,
}

/** False when there is no such voucher, or it was redeemed or revoked before. */
export const revokeVoucher: Command<{ id: string; nowMs: number }, boolean> = {
  *work({ id, nowMs: now }) {
    const { changes } = yield* run(sql.revokeVoucher, { id, now })
    return changes > 0
  },
  accounts: () => [],
  repeatable: true,
}

/** Credits the account once, whoever else redeems the same code at the same time. Undefined when it is worth nothing. */
export const redeemVoucher: Command<
  { codeHash: string; accountId: string; actor: string; nowMs: number },
  { id: string; amountNano: bigint; balanceNano: bigint } | undefined
> = {
  *work({ codeHash: hash, accountId: account, actor, nowMs }) {
    const { rows } = yield* run(sql.takeVoucher, { hash, account, now: nowMs })
    const voucher = rows[0]
    if (!voucher) return undefined
    const { id, amount_nano: amountNano } = voucher
    const entry = { accountId: account, type: 'topup', amountNano, note: `voucher ${id}`, actor, nowMs } as const
    const { balanceNano } = yield* postEntry({ ...entry, paymentRef: `voucher:${id}` })
    return { id, amountNano, balanceNano }
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: false,
}

/** Posts a grant that an account gets once in its life, such as the bonus of its sign-up. False when it has it. */
export const grantOnce: Command<
  { accountId: string; amountNano: bigint; reason: string; actor: string; nowMs: number },
  boolean
> = {
  *work({ accountId, amountNano, reason, actor, nowMs }) {
    const paymentRef = `${reason}:${accountId}`
    const { rows } = yield* run(sql.findPaymentRef, { ref: paymentRef })
    if (rows[0]) return false
    yield* postEntry({ accountId, type: 'grant', amountNano, note: reason, actor, nowMs, paymentRef })
    return true
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

export type NewOrder = Pick<
  PaymentOrderTable,
  'id' | 'account_id' | 'channel' | 'kind' | 'asked_nano' | 'currency' | 'created_ms'
>

/** False when the account has a charge of its own under way (`auto` only). */
export const createOrder: Command<NewOrder, boolean> = {
  *work(order) {
    const { id, account_id: account, channel, kind, asked_nano: asked, currency, created_ms: now } = order
    const { changes } = yield* run(sql.insertOrder, { id, account, channel, kind, asked, currency, now })
    return changes > 0
  },
  accounts: (order) => [order.account_id],
  repeatable: false,
}

/** Notes the provider's id of an order that is still open. */
export const noteOrder: Command<{ id: string; channelRef: string; nowMs: number }, void> = {
  *work({ id, channelRef: ref, nowMs: now }) {
    yield* run(sql.noteOrder, { id, ref, now })
  },
  accounts: () => [],
  repeatable: true,
}

export interface PaymentEventArgs {
  readonly channel: string
  readonly eventId: string
  readonly type: string
  readonly orderId: string
  readonly accountId: string
  readonly fact: PaymentFact
  readonly nowMs: number
}

/**
 * Takes one event of a provider into an order and posts what follows from it, exactly once. False when the event was taken
 * before. Throws GatewayError('not_found') and, for the id of somebody else's checkout, ('invalid_request').
 */
export const applyPayment: Command<PaymentEventArgs, boolean> = {
  *work(args) {
    const { channel, eventId: event, type, orderId: order, nowMs: now } = args
    const { changes } = yield* run(sql.insertEvent, { channel, event, type, payment: null, order, fact: null, now })
    if (changes === 0) return false
    yield* take(args)
    return true
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

/** Keeps an event whose payment no order has named yet. False when it was taken before. */
export const keepPaymentEvent: Command<
  Pick<PaymentEventArgs, 'channel' | 'eventId' | 'type' | 'fact' | 'nowMs'> & { paymentRef: string },
  boolean
> = {
  *work({ channel, eventId: event, type, paymentRef: payment, fact, nowMs: now }) {
    const text = JSON.stringify(fact, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
    const { changes } = yield* run(sql.insertEvent, { channel, event, type, payment, order: null, fact: text, now })
    return changes > 0
  },
  accounts: () => [],
  repeatable: true,
}

/** Takes the events that waited for an order's payment. */
export const adoptPaymentEvents: Command<{ orderId: string; accountId: string; nowMs: number }, void> = {
  *work({ orderId: id, nowMs }) {
    const { rows } = yield* run(sql.findOrder, { id })
    if (rows[0]) yield* adopt(rows[0], nowMs)
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}

function* take({ channel, eventId, orderId: id, accountId, fact, nowMs }: PaymentEventArgs): Work<void> {
  const { rows } = yield* run(sql.findOrder, { id })
  const order = rows[0]
  if (!order || order.channel !== channel || order.account_id !== accountId) {
    throw new GatewayError('not_found', 'There is no such order.')
  }
  if (fact.kind === 'paid' && order.channel_ref !== null && order.channel_ref !== fact.channelRef) {
    throw new GatewayError('invalid_request', 'The order belongs to another checkout.')
  }
  const after = yield* post(order, eventId, fact, nowMs)
  if (fact.kind !== 'paid') return
  yield* adopt(after, nowMs)
  const { customerRef: customer } = fact
  if (customer !== null) yield* run(sql.keepCustomer, { account: accountId, channel, customer, now: nowMs })
}

function* adopt(order: PaymentOrderTable, nowMs: number): Work<void> {
  if (order.payment_ref === null) return
  const { channel, payment_ref: payment } = order
  const { rows } = yield* run(sql.takeWaiting, { channel, payment, order: order.id })
  let current = order
  for (const { event_id: eventId, fact } of rows) current = yield* post(current, eventId, factOf(fact!), nowMs)
}

function* post(before: PaymentOrderTable, eventId: string, fact: PaymentFact, nowMs: number): Work<PaymentOrderTable> {
  const { order, postings } = applyFact(before, fact, nowMs)
  const { id, status, channel_ref: ref, payment_ref: payment, paid_nano: paid, refunded_nano: refunded } = order
  const { disputed_nano: disputed, dispute_status: dispute, paid_ms: paidAt, updated_ms: now } = order
  const { refund_booked_nano: refundBooked, dispute_booked_nano: disputeBooked } = order
  const sums = { paid, refunded, disputed, dispute, refundBooked, disputeBooked }
  yield* run(sql.writeOrder, { id, status, ref, payment, ...sums, paidAt, now })
  for (const posting of postings) {
    // The topup of an order is one entry in the ledger whatever happens: the database refuses a second one.
    const paymentRef = posting.type === 'topup' ? `order:${id}` : `${order.channel}:${eventId}:${posting.type}`
    const actor = order.channel
    yield* postEntry({ accountId: order.account_id, ...posting, actor, nowMs, paymentRef })
  }
  return order
}

function factOf(text: string): PaymentFact {
  return JSON.parse(text, (_, value) =>
    typeof value === 'string' && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as PaymentFact
}

/** Settings of an account; the customer that its provider knows stays. */
export const putAutoTopup: Command<Omit<AutoTopupTable, 'customer_ref' | 'failures'>, void> = {
  *work(wish) {
    const { account_id: account, channel, enabled, threshold_nano: threshold, amount_nano: amount } = wish
    const { month_max_nano: monthMax, updated_ms: now } = wish
    yield* run(sql.putAutoTopup, { account, channel, enabled, threshold, amount, monthMax, now })
  },
  accounts: ({ account_id: account }) => [account],
  repeatable: true,
}

/** Ends a charge that the provider refused, and switches the account's own charges off after `failuresMax` of them. */
export const failCharge: Command<{ orderId: string; accountId: string; failuresMax: number; nowMs: number }, void> = {
  *work({ orderId: id, accountId: account, failuresMax: max, nowMs: now }) {
    const { changes } = yield* run(sql.failOrder, { id, now })
    if (changes > 0) yield* run(sql.countFailure, { account, max, now })
  },
  accounts: ({ accountId }) => [accountId],
  repeatable: true,
}
