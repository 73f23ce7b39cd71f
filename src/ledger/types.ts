import type { NanoUsd } from '#base/money.ts'
import type { RequestRow } from '#observe/request-row.ts'
import type { SessionAsk, SessionRefusal } from './session-funds.ts'

/** `off`: nothing is held or booked (single-user mode); costs are still computed and logged (R90, R108). */
export type BillingMode = 'prepaid' | 'postpaid' | 'off'

export type EntryType = 'topup' | 'grant' | 'usage' | 'adjustment' | 'refund' | 'expiry'

/** The worst case of one request, to be set aside over every scope at once (R94, R97). */
export interface HoldAsk {
  readonly requestId: string
  readonly accountId: string
  readonly keyId: string | null
  /** What budgets may be about besides account and key (R97). */
  readonly system?: string | null
  readonly groupId?: string | null
  readonly modelId?: string | null
  /** The agent session that it belongs to (B14); absent: none. */
  readonly session?: SessionAsk | null
  /** The full upper bound. */
  readonly wantNano: NanoUsd
  /** The least that is worth holding: equal to `wantNano`, or less when the output limit may be lowered (R94). */
  readonly floorNano: NanoUsd
}

export type HoldRefusal =
  | 'insufficient_balance'
  | 'credit_limit_exceeded'
  | 'key_limit_exceeded'
  | 'budget_exceeded'
  | SessionRefusal
  | 'account_suspended'
  | 'key_disabled'

export type HoldResult =
  | { readonly granted: true; readonly amountNano: NanoUsd }
  | {
      readonly granted: false
      readonly refusal: HoldRefusal
      readonly availableNano: NanoUsd
      /** Which budget it was (`budget_exceeded`). */
      readonly budget?: { readonly scope: string; readonly target: string; readonly resetMs: number | null }
    }

export interface Settlement {
  readonly requestId: string
  /** The exact cost. What exceeds the hold is taken only as far as the balance reaches (R94). */
  readonly costNano: NanoUsd
  /** The request's log row, written in the same transaction; its charged and absorbed cost are filled in by the store. */
  readonly row: RequestRow
}

export interface SettleResult {
  /** False when this request was settled or voided before: nothing was booked again. */
  readonly booked: boolean
  readonly chargedNano: NanoUsd
  readonly absorbedNano: NanoUsd
}

/** The only code that writes money. Every promise resolves after the write is durable. */
export interface Ledger {
  /** Answers at once where the funds are in memory (record 9); then a thrown error is thrown at once as well. */
  reserve(ask: HoldAsk): HoldResult | Promise<HoldResult>
  /**
   * Adds to an open hold, or refuses and changes nothing (M2). Without a hold it refuses with `insufficient_balance`. Answers
   * at once where `reserve` does.
   */
  extend(ask: HoldAsk): HoldResult | Promise<HoldResult>
  settle(settlement: Settlement): Promise<SettleResult>
  /** Releases the hold, books nothing, writes the log row. Does nothing to the money when there is no hold. */
  void(requestId: string, row: RequestRow): Promise<void>
}
