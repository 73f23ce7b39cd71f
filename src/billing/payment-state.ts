import type { NanoUsd } from '#base/money.ts'
import type { PaymentOrderTable } from '#store/billing-schema.ts'
import type { PaymentFact } from './types.ts'

/** What the ledger has to post for a payment. */
export interface PaymentPosting {
  readonly type: 'topup' | 'refund' | 'adjustment'
  readonly amountNano: NanoUsd
  readonly note: string
}

/**
 * What becomes of an order by one fact, and what is to be posted. Facts may come in any order, again, or before the payment
 * itself is known: each only raises what is known, and what is posted is the difference to what was. So every order of
 * the same facts ends at the same sum. Pure.
 */
export function applyFact(
  order: PaymentOrderTable,
  fact: PaymentFact,
  nowMs: number,
): { readonly order: PaymentOrderTable; readonly postings: readonly PaymentPosting[] } {
  const learnt = { ...learn(order, fact), updated_ms: nowMs }
  const postings: PaymentPosting[] = []
  if (learnt.status !== 'paid') return { order: learnt, postings }
  if (order.status !== 'paid') {
    learnt.paid_ms = nowMs
    postings.push({ type: 'topup', amountNano: learnt.paid_nano, note: `payment ${learnt.id}` })
  }
  // Nobody gives back more than was paid, whatever an event says.
  const refundNano = smaller(learnt.refunded_nano, learnt.paid_nano)
  const refunded = refundNano - learnt.refund_booked_nano
  if (refunded > 0n) postings.push({ type: 'refund', amountNano: -refunded, note: `refund of ${learnt.id}` })
  const isTaken = learnt.dispute_status === 'open' || learnt.dispute_status === 'lost'
  const disputeNano = isTaken ? smaller(learnt.disputed_nano, learnt.paid_nano - refundNano) : 0n
  const disputed = disputeNano - learnt.dispute_booked_nano
  if (disputed !== 0n) {
    const note = disputed > 0n ? `dispute of ${learnt.id}` : `dispute of ${learnt.id} settled`
    // What is set free goes first: the same payment may be refunded with it.
    postings.splice(disputed < 0n ? postings.length - (refunded > 0n ? 1 : 0) : postings.length, 0, {
      type: 'adjustment',
      amountNano: -disputed,
      note,
    })
  }
  return { order: { ...learnt, refund_booked_nano: refundNano, dispute_booked_nano: disputeNano }, postings }
}

function learn(order: PaymentOrderTable, fact: PaymentFact): PaymentOrderTable {
  switch (fact.kind) {
    case 'paid':
      if (order.status === 'paid') return order
      return {
        ...order,
        status: 'paid',
        paid_nano: fact.amountNano,
        channel_ref: fact.channelRef,
        payment_ref: fact.paymentRef ?? order.payment_ref,
      }
    case 'ended':
      return order.status === 'pending' ? { ...order, status: fact.status } : order
    case 'refunded':
      return { ...order, refunded_nano: larger(order.refunded_nano, fact.totalNano) }
    case 'disputed':
      // A dispute that is over does not open again: its first event came late.
      if (fact.status === 'open' && order.dispute_status !== null) return order
      return {
        ...order,
        dispute_status: fact.status,
        disputed_nano: larger(order.disputed_nano, fact.amountNano),
      }
    default:
      return fact satisfies never
  }
}

const smaller = (left: bigint, right: bigint): bigint => (left < right ? left : right)
const larger = (left: bigint, right: bigint): bigint => (left > right ? left : right)
