/** The tables of top-ups, budgets, alerts and statements as Kysely sees them (see schema.ts). */

export interface VoucherTable {
  id: string
  /** SHA-256 of pepper and code in hex; the code itself is shown once. */
  code_hash: string
  amount_nano: bigint
  note: string | null
  actor: string
  created_ms: number
  expires_ms: number | null
  revoked_ms: number | null
  redeemed_by: string | null
  redeemed_ms: number | null
}

/** What an account set out to pay. Amounts that count come from the provider's events only. */
export interface PaymentOrderTable {
  id: string
  account_id: string
  /** The provider, such as `stripe`. */
  channel: string
  kind: 'checkout' | 'auto'
  status: 'pending' | 'paid' | 'failed' | 'expired'
  /** What was asked for. */
  asked_nano: bigint
  currency: string
  /** The provider's id of the checkout or charge; null until it answered. */
  channel_ref: string | null
  /** The provider's id of the payment, which refunds and disputes name. */
  payment_ref: string | null
  paid_nano: bigint
  /** All refunds so far, as the provider sums them. */
  refunded_nano: bigint
  disputed_nano: bigint
  dispute_status: 'open' | 'won' | 'lost' | null
  /** What of the two was booked. */
  refund_booked_nano: bigint
  dispute_booked_nano: bigint
  created_ms: number
  updated_ms: number
  paid_ms: number | null
}

/** The events of providers, each once. One that names a payment of no order yet waits for it. */
export interface PaymentEventTable {
  channel: string
  event_id: string
  type: string
  payment_ref: string | null
  order_id: string | null
  /** What it says, as JSON, while it waits. */
  fact: string | null
  received_ms: number
}

/** How an account's balance is filled up by itself; and who it is to the provider. */
export interface AutoTopupTable {
  account_id: string
  channel: string
  customer_ref: string | null
  enabled: number
  threshold_nano: bigint
  amount_nano: bigint
  month_max_nano: bigint
  /** Charges in a row that failed. */
  failures: number
  updated_ms: number
}
