import type { Failure } from '#codecs/codec.ts'
import type { EmbeddingAnswer, EmbeddingRequest } from '#ir/embedding.ts'
import type { Losses } from '#ir/extensions.ts'
import type { Usage } from '#ir/usage.ts'
import { decodeOpenAiAnswer, encodeOpenAiAnswer } from './translate-answer.ts'
import { decodeOpenAiRequest, encodeOpenAiRequest } from './translate-request.ts'

/** The half that speaks to upstreams. */
export interface EmbeddingUpstream {
  /** The body for the upstream. Throws GatewayError (400) for what cannot be asked at all; other differences are losses. */
  encodeRequest(request: EmbeddingRequest, target: EmbeddingTarget, losses: Losses): EncodedEmbeddings
  /** Reads an upstream's answer (status 200) to this request. */
  decodeAnswer(body: unknown, request: EmbeddingRequest): DecodedEmbeddings
}

/** Embeddings of one protocol to and from the neutral form, both as a client's and as an upstream's. Pure and synchronous. */
export interface EmbeddingCodec extends EmbeddingUpstream {
  readonly protocol: 'openai-embeddings' | 'gemini'
  /**
   * Reads a client's body that is already valid JSON. `action` is Gemini's method, which stands in the path. Throws
   * GatewayError (400) with `param` for what has the wrong shape.
   */
  decodeRequest(body: unknown, action: string | null): EmbeddingRequest
  /** The client's answer, for JSON.stringify. */
  encodeAnswer(answer: EmbeddingAnswer, context: EmbeddingAnswerContext): unknown
}

export interface EmbeddingTarget {
  /** The upstream's own name of the model. */
  readonly model: string
}

export interface EncodedEmbeddings {
  /** For JSON.stringify. */
  readonly body: unknown
  /** The method for the path of a Gemini upstream. */
  readonly action: 'embedContent' | 'batchEmbedContents' | null
  /** Where the upstream takes fewer inputs per call than were asked: the bodies of all calls; `body` is the first. */
  readonly bodies?: readonly unknown[]
}

/** `failure` is a 200 that is no answer to the request. */
export type DecodedEmbeddings =
  | { readonly answer: EmbeddingAnswer; readonly failure: null }
  | { readonly answer: null; readonly failure: Failure }

/** What an answer needs that the upstream does not tell. */
export interface EmbeddingAnswerContext {
  /** The public model id. */
  readonly model: string
  readonly request: EmbeddingRequest
  /** What the answer costs, in USD as decimal text; null when it has no price. */
  costOf(usage: Usage): string | null
}

/** `POST /v1/embeddings` (R4). Source: OpenAI API reference. */
export const openAiEmbeddings: EmbeddingCodec = {
  protocol: 'openai-embeddings',
  decodeRequest: decodeOpenAiRequest,
  encodeRequest: encodeOpenAiRequest,
  decodeAnswer: decodeOpenAiAnswer,
  encodeAnswer: encodeOpenAiAnswer,
}
