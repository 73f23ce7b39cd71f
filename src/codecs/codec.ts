import type { Protocol } from '#base/protocols.ts'
import type { Usage } from '#ir/usage.ts'
import type { Span } from '#wire/json-scan.ts'

/**
 * One codec per protocol holds all that is known about it. The passthrough half below reads bytes without building the
 * message: it finds what routing, metering and rewriting need and leaves everything else untouched.
 */
export interface Passthrough {
  readonly protocol: Protocol
  /** Reads a request body. Throws GatewayError (400) for what the gateway must understand and cannot. */
  readRequest(body: Buffer, jsonDepthMax: number): RequestFacts
  /** The body for the upstream: the client's own bytes but for the changes asked for. */
  writeRequest(body: Buffer, facts: RequestFacts, changes: RequestChanges): Buffer
  /** Reads a whole (non-streamed) answer. */
  readAnswer(body: Buffer): AnswerFacts
  /** A reader for one streamed answer. */
  openStream(facts: RequestFacts): StreamReader
  /** What ends a stream whose upstream left its terminator out; empty where the end of the body says it. */
  readonly terminator: string
  /** The in-stream form of a failure after the first byte: complete events, ending the stream (R69). */
  failureEvents(failure: Failure): string
}

/** What the gateway must know of a request. */
export interface RequestFacts {
  /** The requested model; null when the body names none. */
  readonly model: string | null
  /** Whether the body asks for a stream (Gemini asks by its path). */
  readonly stream: boolean
  /** The client's output limit; null when it set none. */
  readonly outputTokensMax: number | null
  /** How many answers are asked for. */
  readonly candidates: number
  /** Whether the client of a chat stream is to see the usage frame; null: it said nothing. */
  readonly showsUsage: boolean | null
  /** Bounds the prompt where its bytes do not: remote media, files, server-side state. */
  readonly unseen: UnseenInput
  /** Whether the body has a member about routing at its top level (ROUTING_MEMBERS). */
  readonly namesRouting: boolean
  /** Where the protocol's own codec found what it may rewrite. */
  readonly spans: Readonly<Record<string, Span>>
}

export interface UnseenInput {
  /** Media given by reference, each worth at most a bounded number of tokens. */
  readonly mediaCount: number
  /** Files or server-side state of unknown size: only the model's context window bounds them. */
  readonly unbounded: boolean
}

export interface RequestChanges {
  /** The upstream's own name of the model. */
  readonly model: string
  /** A lower output limit than the client's, when the balance does not pay for more (R94). */
  readonly outputTokensMax?: number
  /** Ask a chat stream for its usage (R9). */
  readonly includeUsage?: boolean
}

/** What the gateway reads of a whole answer, and where it may rewrite it. */
export interface AnswerFacts {
  readonly usage: Usage | null
  readonly finishReason: string | null
  readonly responseId: string | null
  readonly toolCallsCount: number
  /** Value of the member that names the model; rewritten to the public id. */
  readonly modelSpan: Span | null
  /** Offset behind the `{` of the usage object, where `cost` is inserted; null when there is no such object. */
  readonly usageOpen: number | null
  /** Whether a string `cost` stands anywhere in it; absent: not known. */
  readonly namesCost?: boolean
  /** Bytes of generated text, for an estimate; need not be counted where usage was reported. */
  readonly contentBytes: number
  /** Whether there is output that is neither text nor a client's call, media for one; looked for where nothing else was found. */
  readonly hasOtherOutput?: boolean
  /** A 200 that is no answer. */
  readonly failure: Failure | null
}

/** What is known of an answer that says nothing of itself. */
export const NO_FACTS: AnswerFacts = {
  usage: null,
  finishReason: null,
  responseId: null,
  toolCallsCount: 0,
  modelSpan: null,
  usageOpen: null,
  contentBytes: 0,
  failure: null,
}

/** A failure as an upstream or the gateway tells it, before it is written in the client's form. */
export interface Failure {
  readonly status: number
  readonly message: string
  /** Our stable code. */
  readonly code: string
  /** The provider's own type and code, kept for client errors (R11). */
  readonly upstreamType?: string
  readonly upstreamCode?: string
}

/**
 * - `lifecycle`: carries no content yet; held back until content follows (R69)
 * - `content`: the first one commits the answer
 * - `usage`: a chat frame that only reports usage
 * - `terminal`: the protocol's last event; released only after the settlement is durable
 * - `failure`: the upstream reports an error inside the stream
 * - `noise`: comments and keep-alives
 */
export type EventRole = 'lifecycle' | 'content' | 'usage' | 'terminal' | 'failure' | 'noise'

/** Where one event may be rewritten. */
export interface EventOffsets {
  /** Span of the model's name, or modelStart -1. */
  readonly modelStart: number
  readonly modelEnd: number
  /** Offset behind the `{` of a usage object that may carry `cost`, or -1. */
  readonly usageOpen: number
  /** Bytes of generated text up to the event and with it. */
  readonly contentBytes: number
}

/** Reads a stream event by event. The offsets are those of the event read last. */
export interface StreamReader extends EventOffsets {
  /** What the client gets for the event read last; absent when it is the event itself. */
  readonly output?: Buffer
  read(event: Buffer): EventRole
  /**
   * Whether these bytes are one event, like the last one that said nothing but a text except for the text. If so they
   * count as read, with the role `content`; if not, nothing happened. They need not be framed before.
   */
  repeats(bytes: Buffer): boolean
  /** The latest usage: upstreams that report several times mean the last one. */
  readonly usage: Usage | null
  readonly finishReason: string | null
  readonly responseId: string | null
  readonly toolCallsCount: number
  /** `contentBytes` when the usage was reported last: what came since is not in it. -1 where it was not, or says nothing of what was generated. */
  readonly reportedBytes: number
  /** Some of the text, and how many of `contentBytes` it is: what the rest is counted by where nobody reports. */
  readonly sample: { readonly length: number; text(): string }
  readonly failure: Failure | null
  /** Whether the answer is whole: an end of the stream before that is a failure, never a success. */
  readonly complete: boolean
}
