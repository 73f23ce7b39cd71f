import type { NanoUsd } from '#base/money.ts'
import type { PaymentOrderTable } from '#store/billing-schema.ts'

/** What a provider tells of a payment. Amounts are the provider's, never those that were asked for. */
export type PaymentFact =
  | {
      readonly kind: 'paid'
      readonly amountNano: NanoUsd
      readonly channelRef: string
      readonly paymentRef: string | null
      readonly customerRef: string | null
    }
  | { readonly kind: 'ended'; readonly status: 'failed' | 'expired' }
  /** The sum of all refunds of the payment so far. */
  | { readonly kind: 'refunded'; readonly totalNano: NanoUsd }
  | { readonly kind: 'disputed'; readonly amountNano: NanoUsd; readonly status: 'open' | 'won' | 'lost' }

/** One event of a provider, its signature checked. */
export interface PaymentNotice {
  readonly eventId: string
  readonly type: string
  /** Our order, where the provider repeats it. */
  readonly orderId: string | null
  readonly paymentRef: string | null
  /** Upper case. */
  readonly currency: string | null
  readonly fact: PaymentFact
}

/** A payment provider. Both calls throw GatewayError('payment_failed') when it refuses or cannot be reached. */
export interface PaymentProvider {
  /** What orders name it by. */
  readonly channel: string
  /** A page of the provider on which the order is paid. */
  openCheckout(order: CheckoutOrder): Promise<{ readonly ref: string; readonly url: string }>
  /** Takes money off the means of payment that was used before. Its event credits, not this answer. */
  charge(order: PaymentOrder, customerRef: string): Promise<{ readonly ref: string; readonly failed: boolean }>
  /** Null for an event that is none of ours. Throws GatewayError('invalid_signature') and ('invalid_request'). */
  read(text: string, signature: string | undefined, nowMs: number): Promise<PaymentNotice | null>
}

export interface PaymentOrder {
  readonly id: string
  readonly accountId: string
  readonly kind: PaymentOrderTable['kind']
  readonly askedNano: NanoUsd
  readonly currency: string
}

export interface CheckoutOrder extends PaymentOrder {
  readonly email: string
  /** Where the customer's browser goes afterwards. */
  readonly returnUrl: string
  /** Whether later charges without the customer are to be possible. */
  readonly keepsPaymentMethod: boolean
}
