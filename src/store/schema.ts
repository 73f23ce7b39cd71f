import type { Generated } from 'kysely'
import type * as billing from './billing-schema.ts'
import type { RollupCursorTable, SpeedRollupTable, UsageRollupTable } from '#analytics/rollup-tables.ts'

/**
 * The tables as Kysely sees them. Columns that end in `_nano` are money and arrive as bigint on both engines, all other
 * integers as number; `_ms` is milliseconds since the epoch; flags are 0 or 1.
 */
export interface Database {
  readonly accounts: AccountTable
  readonly api_keys: ApiKeyTable
  readonly key_usage: KeyUsageTable
  readonly holds: HoldTable
  readonly ledger_entries: LedgerEntryTable
  readonly ledger_postings: LedgerPostingView
  readonly requests: RequestTable
  readonly settings: SettingTable
  readonly key_codes: KeyCodeTable
  readonly responses: ResponseTable
  readonly tool_seals: ToolSealTable
  readonly limit_counts: LimitCountTable
  readonly idempotency_keys: IdempotencyKeyTable
  readonly vouchers: billing.VoucherTable
  readonly payment_orders: billing.PaymentOrderTable
  readonly payment_events: billing.PaymentEventTable
  readonly auto_topups: billing.AutoTopupTable
  readonly budgets: billing.BudgetTable
  readonly file_budgets: billing.FileBudgetTable
  readonly agent_sessions: billing.AgentSessionTable
  readonly alert_settings: billing.AlertSettingTable
  readonly alerts: billing.AlertTable
  readonly alert_deliveries: billing.AlertDeliveryTable
  readonly statements: billing.StatementTable
  readonly schema_migrations: MigrationTable
  readonly usage_rollups: UsageRollupTable
  readonly speed_rollups: SpeedRollupTable
  readonly rollup_cursor: RollupCursorTable
  readonly audit_entries: AuditEntryTable
  readonly prices: PriceTable
  readonly expiring_credits: ExpiringCreditTable
  readonly request_contents: RequestContentTable
}

export interface AccountTable {
  id: string
  email: string
  mode: 'prepaid' | 'postpaid'
  status: 'active' | 'suspended'
  /** As it began, or as somebody assigned it; see `tierOf`. */
  tier: string
  tier_assigned: number
  /** Sum of what it bought, less refunds and disputes; grants do not count. */
  purchased_nano: bigint
  /** Sum of the account's ledger entries. */
  balance_nano: bigint
  /** Sum of the account's open holds. */
  held_nano: bigint
  /** Sum of its topups and grants. */
  credited_nano: bigint
  /** Sum of its usage, as a positive number. */
  used_nano: bigint
  credit_limit_nano: bigint | null
  /** What it pays of every charge, in parts per million. */
  charge_ppm: number
  created_ms: number
  /** What is kept of its requests (R101) as JSON; null: nothing was said, nothing is kept. */
  content_log: string | null
}

/** A credit that ends (R90). */
export interface ExpiringCreditTable {
  id: string
  account_id: string
  amount_nano: bigint
  /** What requests have used of it, as far as that is worked out. */
  spent_nano: bigint
  /** The account's `used_nano` up to which it is; the same for all open ones of an account. */
  mark_nano: bigint
  expires_ms: number
  closed_ms: number | null
}

/** Counts of limits over time that several nodes share; empty with SQLite. */
export interface LimitCountTable {
  /** Of the scope: `key key_1`. */
  id: string
  version: number
  state: string
  expires_ms: number
}

export interface ApiKeyTable {
  id: string
  hash: string
  label: string
  account_id: string
  name: string
  kind: 'inference' | 'management'
  system: string | null
  /** JSON list of the groups the key is in, its primary one first. */
  group_ids: string
  disabled: number
  limit_nano: bigint | null
  limit_reset: 'daily' | 'weekly' | 'monthly' | null
  expires_ms: number | null
  created_ms: number
  updated_ms: number
  /** A removed key keeps its row, so that its id stays meaningful in logs; it never authenticates again. */
  removed_ms: number | null
  /** Time-based limits (R78) as JSON; null: none. */
  rate_limits: string | null
  /** What it demands of models and backends (R18, R65) as JSON; null: nothing. */
  policy: string | null
  /** What is recorded of its requests (R101, R103) as JSON; null: nothing unusual. */
  record: string | null
  environment: 'production' | 'test'
  /** The secret before the last rotation, which works until then (R15). */
  previous_hash: string | null
  previous_until_ms: number | null
}

/** The hot counters of a key, apart from its settings. A period's sum counts only while its start is the current one. */
export interface KeyUsageTable {
  key_id: string
  held_nano: bigint
  total_nano: bigint
  day_start_ms: number
  day_nano: bigint
  week_start_ms: number
  week_nano: bigint
  month_start_ms: number
  month_nano: bigint
}

export interface HoldTable {
  request_id: string
  account_id: string
  key_id: string | null
  amount_nano: bigint
  created_ms: number
  expires_ms: number
  /** The budgets it is held on as well, ids with commas between them; null: none. */
  budget_ids: string | null
}

/** Append-only: triggers refuse UPDATE and DELETE. */
export interface LedgerEntryTable {
  seq: Generated<number>
  account_id: string
  type: 'topup' | 'grant' | 'usage' | 'adjustment' | 'refund' | 'expiry'
  amount_nano: bigint
  balance_after_nano: bigint
  request_id: string | null
  note: string | null
  actor: string
  created_ms: number
  /** What a credit was paid by; unique. */
  payment_ref: string | null
}

/** The two halves of each entry, which sum to zero (B1). */
export interface LedgerPostingView {
  readonly seq: number
  readonly type: LedgerEntryTable['type']
  readonly account_id: string
  /** `customer:acc_1`, or one of ours: `revenue:usage`, `cash:stripe`, `promotions`, `adjustments` and so on. */
  readonly account: string
  readonly amount_nano: bigint
  readonly created_ms: number
}

/** What is filtered, sorted or summed has a column; the rest of the row (R101) is JSON in `detail`. */
export interface RequestTable {
  request_id: string
  response_id: string | null
  /** `2026-11-20` in UTC: the partition of retention and rollups. */
  day_key: string
  ts_start_ms: number
  ts_end_ms: number
  account_id: string | null
  key_id: string | null
  system: string | null
  protocol: string
  model_id: string | null
  backend_id: string | null
  status: string
  status_code: number
  error_code: string | null
  latency_ms: number
  ttft_ms: number | null
  tokens_input: number | null
  tokens_cache_read: number | null
  tokens_cache_write: number | null
  tokens_cache_write_1h: number | null
  tokens_output: number | null
  tokens_reasoning: number | null
  list_cost_nano: bigint | null
  metered_cost_nano: bigint | null
  charged_cost_nano: bigint | null
  absorbed_cost_nano: bigint | null
  detail: string
}

/** What was asked and answered, of keys that want it kept (R101). Encrypted, and gone when it expires. */
export interface RequestContentTable {
  request_id: string
  account_id: string
  key_id: string | null
  mode: 'metadata' | 'full'
  created_ms: number
  expires_ms: number
  /** Of the whole texts, as the client sent and received them. */
  request_bytes: number
  response_bytes: number
  /** 1: the text is longer than what is kept of it. */
  request_cut: number
  response_cut: number
  /** Keyed digests of what is kept. */
  request_digest: string
  response_digest: string
  /** Both texts, encrypted, in base64; null: only their facts are kept. */
  sealed: string | null
}

/** A code of the PKCE flow, by its digest. */
export interface KeyCodeTable {
  digest: string
  account_id: string
  /** JSON of what the key will be. */
  wish: string
  challenge: string | null
  challenge_method: 'S256' | 'plain' | null
  expires_ms: number
}

/** Every price that requests were ever counted by; a version is a digest of its numbers. */
export interface PriceTable {
  version: string
  /** The price as JSON, amounts in pico-USD as `"3000000n"`. */
  numbers: string
  first_seen_ms: number
}

/** Append-only: triggers refuse UPDATE and DELETE. Who changed what of an account or a key, and when (R17). */
export interface AuditEntryTable {
  seq: Generated<number>
  at_ms: number
  /** `master`, or the id of the management key. */
  actor: string
  action: string
  /** The account that was changed, or whose key was. */
  account_id: string | null
  target_id: string
  /** JSON of what was changed, before and after; null: there was or is nothing. */
  before: string | null
  after: string | null
  request_id: string | null
}

export interface SettingTable {
  name: string
  value: string
  updated_ms: number
}

/** A response that can be read and continued (R3). The texts stand last, so that a walk over many rows does not read them. */
export interface ResponseTable {
  account_id: string
  id: string
  created_ms: number
  expires_ms: number
  /** The response that it continues; of the same account. */
  previous_id: string | null
  model: string
  backend_id: string | null
  /** Of both texts in UTF-8. */
  bytes: number
  /** The items of its turn, a JSON array with one item per line. */
  input: string
  /** The response object as JSON. */
  response: string
}

/** What a tool call's upstream signed or encrypted (B3). */
export interface ToolSealTable {
  account_id: string
  /** A keyed digest of backend and call id. */
  id: string
  expires_ms: number
  /** Length of `sealed`. */
  bytes: number
  /** Encrypted, in base64. */
  sealed: string
}

/** Which request an account's idempotency key stands for (M5); digests only, and no answer. */
export interface IdempotencyKeyTable {
  account_id: string
  key_digest: string
  body_digest: string
  request_id: string
  expires_ms: number
  /** Since when its request is under way; 0: it has failed. */
  claimed_ms: number
}

export interface MigrationTable {
  id: number
  name: string
  applied_ms: number
}
