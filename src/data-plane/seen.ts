import type { Caller } from '#accounts/types.ts'
import type { GatewayError } from '#base/errors.ts'
import type { Failure } from '#codecs/codec.ts'
import type { LimitAnswer } from '#limits/rate-limits.ts'
import type { Exchange } from './1-receive/exchange.ts'
import type { AgentSession } from './3-parse/agent-session.ts'
import type { Parsed } from './3-parse/parse.ts'
import type { Selection } from './4-resolve/selection.ts'
import type { Plan } from './5-plan/plan.ts'
import type { Hold } from './6-reserve/reserve.ts'
import type { Answer } from './7-call/answer.ts'
import type { Tally } from './8-meter/tally.ts'
import type { ContentCopy } from './content-copy.ts'
import type { Leading } from './replays.ts'
import type { Report } from './report.ts'

/**
 * What the steps have brought about so far, kept for the one step that must run whatever happened: settle. No other
 * step reads it; they pass their values on.
 */
export interface Seen {
  readonly exchange: Exchange
  /** What the limits said, of the address and of the rest; null where none hold. */
  address?: LimitAnswer | null
  admission?: LimitAnswer | null
  caller?: Caller | undefined
  parsed?: Parsed | undefined
  session?: AgentSession | null
  selection?: Selection | undefined
  plan?: Plan | undefined
  hold?: Hold | undefined
  /** Set where others may wait for this request's answer (M5). */
  leading?: Leading | null
  /** Set where what is asked and answered is kept (R101). */
  content?: ContentCopy | null
  report?: Report | undefined
  answer?: Answer | undefined
  tally?: Tally | undefined
  error?: GatewayError | undefined
  /** Why a stream broke off after its first content. */
  breach?: Failure | undefined
  /** Whether the settlement has begun. */
  isSettling?: boolean
}

/** Nothing seen yet. All members at once: an object that grows with each step is moved several times. */
export const begun = (exchange: Exchange): Seen => ({
  exchange,
  address: null,
  admission: null,
  caller: undefined,
  parsed: undefined,
  session: null,
  selection: undefined,
  plan: undefined,
  hold: undefined,
  leading: null,
  content: null,
  report: undefined,
  answer: undefined,
  tally: undefined,
  error: undefined,
  breach: undefined,
  isSettling: false,
})
