import type { Price } from '#catalog/types.ts'
import type { Answer, LostAttempt } from '#data-plane/7-call/answer.ts'
import type { Usage } from '#ir/usage.ts'
import type { Cost } from '#ledger/cost.ts'

/** What an answer used so far. It is live: a stream's counts grow until its end. */
export interface Tally {
  /** The price in force when the request was planned (R91: a later change never alters it); null when there is none. */
  readonly price: Price | null
  /** As the upstream reported it; null until then. */
  reported(): Usage | null
  /** What is booked: the report when the answer is whole, else at least what was delivered, flagged `estimated` (R77). */
  final(): Usage | null
  /** The price of a usage; null without a price. Asked for the same usage again it answers at once. */
  costOf(usage: Usage): Cost | null
  /** Counts what was delivered, for `final`, where the upstream did not report it (M3); null: there is nothing to count. Never fails. */
  count(): Promise<void> | null
  /** Tokens of the first `bytes` of what a stream has said; null where they cannot be counted. Never fails. */
  delivered(bytes: number): Promise<number | null>
  finishReason(): string | null
  responseId(): string | null
  toolCallsCount(): number
  /** Attempts that this answer was faster than (B10); absent nearly always. */
  readonly lost?: readonly LostTally[]
}

export interface LostTally {
  readonly attempt: LostAttempt
  readonly adapter: string
  /**
   * What it has cost, once it has ended; undefined: nothing was sent. `promptTokens` are what the provider counted of the same
   * prompt that was faster; null: it did not. Never rejects.
   */
  ended(promptTokens: number | null): Promise<LostCost | undefined>
}

export interface LostCost {
  /** What it had answered; null: nothing yet. */
  readonly answer: Answer | null
  readonly usage: Usage
  readonly cost: Cost | null
}
