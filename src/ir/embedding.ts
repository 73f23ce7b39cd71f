import type { Extensions } from './extensions.ts'
import type { Usage } from './usage.ts'

/** A request for vectors, as its client said it. Null is absent; `0` and `''` are values (R80). */
export interface EmbeddingRequest {
  /** At least one; the answer has a vector for each, in this order. */
  readonly inputs: readonly EmbeddingInput[]
  /** Whether the client sent a list, be it of one: Gemini has a method for each, and OpenAI takes both. */
  readonly isBatch: boolean
  /** Base64 is that of little-endian float32. Null: the client did not say, which is `float` to OpenAI. */
  readonly encoding: 'float' | 'base64' | null
  /** Who the operator's user is (OpenAI `user`). */
  readonly endUser: string | null
  /** Where each neutral field stood in the client's body, for losses: `endUser` -> `/user`. */
  readonly paths: Readonly<Record<string, string>>
  /** Top-level members that only the client's protocol knows, as they stood. */
  readonly ext: Extensions
}

/** One thing to embed. Gemini says per input what OpenAI says once: then all inputs have the same. */
export interface EmbeddingInput {
  readonly content: EmbeddingContent
  /** Length of the vector; `unknown` because a wrong value is the upstream's to refuse. */
  readonly dimensions: unknown
  /** What the vector is for, in Gemini's words: `RETRIEVAL_QUERY`. */
  readonly taskType: unknown
  /** Title of the document that the text is of (Gemini). */
  readonly title: unknown
  readonly path: string
  /** As in EmbeddingRequest. */
  readonly paths: Readonly<Record<string, string>>
  readonly ext: Extensions
}

export type EmbeddingContent =
  /** Gemini takes a text in pieces and gives one vector for all. Its `role` means nothing to a vector: losing it is no loss. */
  | { readonly type: 'text'; readonly texts: readonly string[]; readonly role: string | null }
  /** Numbers of the upstream's own tokenizer, as the client wrote them. */
  | { readonly type: 'tokens'; readonly tokens: readonly unknown[] }
  /** Images and whatever else only one protocol can say, as it stood. */
  | { readonly type: 'opaque'; readonly issuer: 'openai-embeddings' | 'gemini'; readonly value: unknown }

export interface EmbeddingAnswer {
  /** In the order of the inputs. */
  readonly vectors: readonly Vector[]
  readonly usage: Usage | null
}

/** Numbers, or base64 as the upstream wrote it; the latter only where the request asked for it. */
export type Vector = readonly number[] | string
