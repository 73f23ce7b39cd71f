import type { Protocol } from '#base/protocols.ts'
import type { MediaBlock } from '#ir/blocks.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import type { AnswerLosses } from './answer-losses.ts'
import type { AnswerCallIds } from './answer-call-ids.ts'
import type { Failure } from './codec.ts'
import type { CallIdRule } from './legal-call-id.ts'

/**
 * The translating half of a codec: its protocol's messages to and from the neutral form. Pure and synchronous, without
 * clock, network or randomness. What a client's protocol needs is in ClientCodec, what an upstream's needs in UpstreamCodec.
 */
export interface ClientCodec {
  readonly protocol: Protocol
  /** Reads a client's request that is already valid JSON. Throws GatewayError (400) with `param` for what has the wrong shape. */
  decodeRequest(body: unknown, context: ClientContext): ChatRequest
  /** What an answer calls itself in this protocol; `id` as in AnswerContext. */
  answerId(id: string): string
  /** The ids that the calls of an answer get in this protocol; `answerId` as in AnswerContext. */
  openCallIds(answerId: string): AnswerCallIds
  /** Writes an answer as a stream in this protocol. */
  openEncoder(context: AnswerContext): StreamEncoder
  /** Writes a whole answer: the body's value, for JSON.stringify. */
  encodeWhole(events: readonly ChatEvent[], context: AnswerContext): unknown
}

export interface UpstreamCodec {
  readonly protocol: Protocol
  /** The body for the upstream; every difference in meaning is declared. Throws GatewayError (400) for what cannot be asked at all. */
  encodeRequest(request: ChatRequest, target: TargetTraits, losses: Losses): EncodedRequest
  /** Reads a streamed answer frame by frame. */
  openDecoder(context: DecodeContext): StreamDecoder
  /** Reads a whole answer (status 200). */
  decodeWhole(body: unknown, context: DecodeContext): DecodedWhole
}

/** What the client said outside its body. */
export interface ClientContext {
  /** Gemini says it in its path. */
  readonly stream: boolean
  /** The version of its API that the client speaks, where its header names one (Messages). */
  readonly version?: string | undefined
}

export interface EncodedRequest {
  /** For JSON.stringify. */
  readonly body: unknown
  /** Custom tools that were declared as functions with one string parameter `input`: their calls are turned back. */
  readonly emulatedCustomTools: ReadonlySet<string>
  /** A function that was forced to be called in place of a JSON format: its arguments are the answer's text. */
  readonly formatTool: string | null
}

/** How the target's model wants to be asked; data per model (R34, R81, R88). */
export interface TargetTraits {
  /** The upstream's own name of the model. */
  readonly model: string
  /** Most tokens the model can answer with; null when nobody knows. */
  readonly outputTokensMax: number | null
  /** How reasoning is asked for. */
  readonly reasoning: 'none' | 'effort' | 'budget' | 'adaptive' | 'level' | 'openrouter'
  /** Whether the model takes an effort apart from its reasoning (Claude since Opus 4.5): it is still told where reasoning has to stay off. */
  readonly takesEffort: boolean
  /** Range of the reasoning budget where it is one. */
  readonly reasoningBudget: { readonly min: number; readonly max: number }
  /** Reasoning cannot be turned off: the least stands for none. */
  readonly alwaysReasons?: boolean
  /** Sampling values are refused (o-series, GPT-5, Claude from 4.7) or free. */
  readonly refusesSampling: boolean
  /** The output limit is called `max_completion_tokens` (OpenAI's own models since o1) and not `max_tokens`. */
  readonly usesCompletionTokens: boolean
  /** Whether a JSON schema can be asked for natively; otherwise a forced tool stands for it. */
  readonly hasJsonSchema: boolean
  /** Chat hosts that are not OpenAI take `system` and not `developer`. */
  readonly hasDeveloperRole: boolean
  /** Whether a chat host wants earlier reasoning back as `reasoning_content`. OpenAI refuses the member. */
  readonly takesReasoningContent: boolean
  /** What the ids of calls may be where a family of models wants less than its protocol; absent: what the protocol says. */
  readonly callIds?: CallIdRule
  /** Whether a chat host takes `video_url`, which OpenAI refuses. */
  readonly takesVideo: boolean
  readonly mediaUrls: MediaUrls
}

/**
 * Per kind of media, the addresses that the target loads itself. What stands at others is loaded for it (R84). Null: the
 * target has no place for this kind, so that loading it would be in vain.
 */
export type MediaUrls = Readonly<Record<MediaBlock['kind'], RegExp | null>>

/** What a decoder needs to know of the request. */
export interface DecodeContext {
  readonly candidates: number
}

export interface DecodedWhole {
  readonly events: readonly ChatEvent[]
  /** A 200 that is no answer; then `events` may be empty. */
  readonly failure: Failure | null
}

export interface StreamDecoder {
  /** Reads one frame: an SSE event with its blank line, or an AWS event-stream message. Never throws: what cannot be read is a failure. */
  push(frame: Buffer): readonly ChatEvent[]
  /** The upstream's stream ended: what was still open. Blocks that are open are ended, a finish that was told is written. */
  end(): readonly ChatEvent[]
  /** Set when the upstream reported an error inside the stream. */
  readonly failure: Failure | null
  /** Whether the protocol's own end was seen: an end of the bytes before that is a broken answer. */
  readonly complete: boolean
  /** Whether nothing more can come: the rest of the connection need not be waited for. */
  readonly isLast: boolean
}

/** What an encoder needs to know of the answer that its events do not tell. */
export interface AnswerContext {
  /** Our id of the answer, without the protocol's prefix: `[A-Za-z0-9]{26}`. */
  readonly id: string
  /** The public model id. */
  readonly model: string
  /** Unix time in seconds when the answer began. */
  readonly createdAt: number
  /** Which protocol the upstream speaks: its opaque values pass to a client of the same. */
  readonly upstream: Protocol
  /** The client's request as decoded, for protocols that repeat it (Responses). */
  readonly request: ChatRequest
  /** The client's request as it stood. */
  readonly requestBody: Readonly<Record<string, unknown>>
  /** Whether a chat stream tells its usage. */
  readonly showsUsage: boolean
  /** Under `/api/v1`: OpenRouter's members as well. */
  readonly isOpenRouter: boolean
  /** Takes what the client's protocol has no place for. */
  readonly losses: AnswerLosses
  /** What the answer costs, in USD as decimal text; asked once, after the last usage. Null when it has no price. */
  costOf(usage: Usage): string | null
}

export interface StreamEncoder {
  /** The text for the client of one event; empty when the event says nothing to it or must wait for its end. */
  push(event: ChatEvent): string
  /** What ends a complete answer: the finish, the usage with its cost, the terminator. Called once, after the last event. */
  end(): string
  /** What ends an answer that broke: the protocol's own error form. Called instead of `end`. */
  fail(failure: Failure): string
}
