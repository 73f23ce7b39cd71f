import { ERRORS } from '#base/errors.ts'
import type { Surface } from '#base/protocols.ts'
import type { Failure } from '#codecs/codec.ts'
import type { Bound } from '#data-plane/5-plan/bound.ts'
import { boundOf } from '#ledger/cost.ts'
import type { Charge } from './charge.ts'
import type { HoldAsk, HoldRefusal, HoldResult, Ledger } from '#ledger/types.ts'

/** A stream that outgrows its hold gets so many tokens more at a time, if there is money for them. */
export const QUANTUM_TOKENS = 256
/** A token is taken for this many bytes of text where the hold is to grow in time. */
const BYTES_PER_TOKEN = 4
/** Hardly any text has more bytes per token: taken where the tokens cannot be counted. */
export const CUT_BYTES_PER_TOKEN = 6
/** So much more than the hold pays for may have been counted before the stream is ended: a count is from a sample. */
export const CUT_SLACK_PERCENT = 10
/** Tokens after which it is counted again where it has not come to the end of its hold. */
const RECOUNT_TOKENS_MIN = 64

/** Whose hold it is. */
export type Holder = Pick<HoldAsk, 'requestId' | 'accountId' | 'keyId'>

/**
 * Watches a stream whose client named no limit: it may become longer than what was set aside for it (M2). The hold grows by
 * quanta while there is money; when there is none the stream is ended.
 */
export class HoldGuard {
  /** Bytes of text up to which nothing has to be done. The reply compares; it is all that a stream pays. */
  markBytes: number
  private readonly ledger: Ledger
  private readonly holder: Holder
  private readonly charge: Charge
  private readonly bound: Bound
  private readonly surface: Surface
  /** Tokens of output that the hold pays for, all candidates together. */
  private tokens: number

  constructor(ledger: Ledger, holder: Holder, bound: Bound, outputTokensMax: number, surface: Surface, charge: Charge) {
    this.surface = surface
    this.charge = charge
    this.ledger = ledger
    this.holder = holder
    this.bound = bound
    this.tokens = outputTokensMax * bound.candidates
    this.markBytes = this.tokens * BYTES_PER_TOKEN
  }

  /**
   * To be asked when the mark is passed; `count` tells the tokens of what was delivered, or null. Why the stream ends, in the
   * words of its protocol; null: it may go on to the next mark.
   */
  passed(bytes: number, count: () => Promise<number | null>): null | Promise<Failure | null> {
    const missing = Math.ceil(bytes / BYTES_PER_TOKEN) - this.tokens
    const tokens = Math.max(QUANTUM_TOKENS, missing + QUANTUM_TOKENS)
    const wantNano = this.priceOf(tokens)
    const result = this.ledger.extend({ ...this.holder, wantNano, floorNano: wantNano })
    if (result instanceof Promise) return result.then((told) => this.decide(told, tokens, bytes, count))
    return this.decide(result, tokens, bytes, count)
  }

  private decide(
    result: HoldResult,
    tokens: number,
    bytes: number,
    count: () => Promise<number | null>,
  ): null | Promise<Failure | null> {
    if (!result.granted) return this.measure(result, bytes, count)
    this.tokens += tokens
    if (this.charge.heldNano !== null) this.charge.heldNano += result.amountNano
    this.markBytes = this.tokens * BYTES_PER_TOKEN
    return null
  }

  /** There is no more money: it ends where it has said what was paid for. Scripts differ by far in their bytes per token. */
  private async measure(
    refused: HoldResult & { granted: false },
    bytes: number,
    count: () => Promise<number | null>,
  ): Promise<Failure | null> {
    const said = (await count()) ?? Math.ceil(bytes / CUT_BYTES_PER_TOKEN)
    if (said * 100 > this.tokens * (100 + CUT_SLACK_PERCENT)) return fundsFailure(refused, this.surface)
    this.markBytes = bytes + Math.ceil((Math.max(RECOUNT_TOKENS_MIN, this.tokens - said) * bytes) / Math.max(1, said))
    return null
  }

  /** What so many more tokens cost, without the prompt again. */
  private priceOf(tokens: number): bigint {
    const one = { inputTokensMax: 0, n: 1, price: this.bound.price! }
    return (
      boundOf({ ...one, outputTokensMax: this.tokens + tokens }) - boundOf({ ...one, outputTokensMax: this.tokens })
    )
  }
}

function fundsFailure({ refusal, budget }: HoldResult & { granted: false }, surface: Surface): Failure {
  const { status, openai, anthropic, gemini } = ERRORS[refusal]
  const upstreamType = surface === 'anthropic-messages' ? anthropic : surface === 'gemini' ? gemini : openai
  const which = budget?.scope === 'account' ? 'the account' : `${budget?.scope} ${budget?.target}`
  const message = budget ? `The budget of ${which} is used up; the answer ends here.` : MESSAGES[refusal]
  return { status, code: refusal, message, upstreamType }
}

const MESSAGES: Record<HoldRefusal, string> = {
  insufficient_balance: 'The balance is used up; the answer ends here.',
  credit_limit_exceeded: "The account's credit limit is reached; the answer ends here.",
  key_limit_exceeded: "The key's limit is reached; the answer ends here.",
  account_suspended: 'The account was suspended; the answer ends here.',
  budget_exceeded: 'A budget is used up; the answer ends here.',
  session_budget_exceeded: "The session's budget is used up; the answer ends here.",
  session_stopped: 'The session was stopped; the answer ends here.',
  key_disabled: 'The key was disabled; the answer ends here.',
}
