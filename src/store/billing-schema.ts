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

/** A budget of an account (R97), with its counters. */
export interface BudgetTable {
  id: string
  account_id: string
  scope: 'account' | 'key' | 'system' | 'group' | 'model'
  target: string
  max_nano: bigint
  period: 'daily' | 'weekly' | 'monthly' | null
  hard: number
  /** Who may change it: what the operator set, the account cannot lift. */
  set_by: 'operator' | 'account'
  starts_ms: number
  created_ms: number
  /** Rises with every raise of the maximum: its alerts may fire again. */
  raises: number
  held_nano: bigint
  spent_nano: bigint
  period_start_ms: number
  /** The entry of the configuration file that it is of; null: it was set over the API. */
  file_entry: string | null
}

/** The budgets of the configuration file that accounts made later get as well. */
export interface FileBudgetTable {
  /** A digest of what the entry is about. */
  entry: string
  /** Id or e-mail address; null: every account. */
  account: string | null
  scope: BudgetTable['scope']
  target: string
  max_nano: bigint
  period: BudgetTable['period']
  hard: number
  starts_ms: number
}

/** A session of an agent (B14), with its counters. */
export interface AgentSessionTable {
  id: string
  account_id: string
  /** As the client names it. */
  name: string
  /** Of the request that opened it. */
  key_id: string | null
  max_nano: bigint | null
  requests_max: number | null
  ends_ms: number | null
  created_ms: number
  last_ms: number
  stopped_ms: number | null
  held_nano: bigint
  spent_nano: bigint
  requests: number
}

/** Where an account's alerts go (R98). */
export interface AlertSettingTable {
  account_id: string
  /** JSON list of shares of a budget in percent, or `null`. */
  thresholds: string
  balance_below_nano: bigint | null
  /** Share of the account's spend in percent, and how many times the mean; 0: off. Null, as in every other member: as the operator has it. */
  key_share_percent: number | null
  spike_times: number | null
  webhook_url: string | null
  email: string | null
  /** Which of its secrets signs the webhook. */
  secret_version: number
  updated_ms: number
}

export interface AlertTable {
  id: string
  /** What it is about, once: the same threshold of the same period has the same mark. */
  mark: string
  /** Null: for the operator. */
  account_id: string | null
  kind: string
  /** JSON, as it is sent. */
  payload: string
  created_ms: number
  /** When somebody acknowledged it. */
  read_ms: number | null
}

export interface AlertDeliveryTable {
  id: string
  alert_id: string
  sink: 'webhook' | 'email'
  address: string
  state: 'waiting' | 'sent' | 'failed'
  attempts: number
  /** Nobody tries it before; whoever does moves it on first. */
  next_ms: number
  error: string | null
  updated_ms: number
  /** The account whose secret signs it. */
  signer_id: string | null
}

/** A closed month of an account (R99). */
export interface StatementTable {
  number: string
  account_id: string
  /** `2026-11`. */
  month: string
  /** JSON; never changed again. */
  body: string
  closed_ms: number
}
