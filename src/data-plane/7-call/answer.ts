import type { AnswerFacts, EventOffsets, EventRole, Failure, StreamReader } from '#codecs/codec.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import type { Report } from '#data-plane/report.ts'
import type { GlassGrant } from '#limits/break-glass.ts'
import type { Usage } from '#ir/usage.ts'
import type { Cost } from '#ledger/cost.ts'
import type { HealthWatch } from '#health/target-health.ts'
import type { AttemptRecord } from '#observe/request-row.ts'

/** What an upstream answered, once it is certain that this attempt is the one the client gets. */
export type Answer = WholeAnswer | StreamAnswer

interface AnswerBase {
  readonly target: Target
  readonly attempts: readonly AttemptRecord[]
  /** Hears how a stream ends; null where health is not concerned (counting). */
  readonly health: HealthWatch | null
  /** What the gateway changed or could not do (R81, B2). */
  readonly report: Report
  readonly upstreamRequestId: string | null
  /** How a translated answer learns what it costs; absent where nothing is translated. */
  readonly pricing?: Pricing | null
  /** Keeps the complete answer where the client may continue it (R3); null when there is nothing to keep. */
  readonly save: (() => Promise<void>) | null
  /** What is spent on an emergency (B11); absent nearly always. */
  readonly glass?: GlassGrant
  /** The leg that reasoned before, with its own answer to be paid (R40). */
  readonly reasoning?: ReasoningLeg
  /** Attempts that this one was faster than, whose cost is ours (B10); absent nearly always. */
  readonly lost?: readonly LostAttempt[]
}

/** An attempt that was given up for another one. */
export interface LostAttempt {
  readonly target: Target
  readonly record: AttemptRecord
  /** What it had answered when it ended; null: nothing yet. Undefined: nothing was sent. Never rejects. */
  readonly ended: Promise<Answer | null | undefined>
}

/** Filled in when the answer is metered, before its cost is told. */
export interface Pricing {
  tell: ((usage: Usage) => Cost | null) | null
}

/** What the first of two legs was asked and said. */
export interface ReasoningLeg {
  readonly text: string
  readonly parsed: Parsed
  readonly answer: StreamAnswer
}

export interface WholeAnswer extends AnswerBase {
  readonly kind: 'whole'
  /** Of its own, beside those of every answer. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly facts: AnswerFacts
  /** Writes the answer in the client's protocol; null when it is in it already. */
  readonly render: ((usage: Usage | null) => Buffer) | null
}

export interface StreamAnswer extends AnswerBase {
  readonly kind: 'stream'
  readonly reader: StreamReader
  /** Set when the events come out in the client's protocol though the upstream speaks another: how the answer ends in it. */
  readonly translated: StreamEnding | null
  readonly events: EventSource
  /** Monotonic time of the first content. */
  readonly firstContentAt: number
}

/** How a translated answer ends. */
export interface StreamEnding {
  /** Whatever the client has not seen of a complete answer. Called once, when nothing more comes from the upstream. */
  closing(): Buffer
  /** The end of an answer that broke. Called instead of `closing`. */
  failing(failure: Failure): Buffer
}

/**
 * The events of a committed answer. `attach` first replays what was held back, synchronously, then passes on what comes.
 */
export interface EventSource {
  attach(sink: EventSink): void
  /** Back-pressure: stops and restarts reading from the upstream. */
  pause(): void
  resume(): void
  /** Ends the upstream request at once; no further call to the sink. */
  abort(): void
}

export interface EventSink {
  /** `offsets` are valid during the call. */
  onEvent(event: Buffer, role: EventRole, offsets: EventOffsets): void
  /** All events of one upstream chunk were passed: the moment to write. */
  onPause(): void
  /** The upstream ended. `error` is null for a clean end, which is not yet a complete answer. */
  onEnd(error: Error | null): void
}
