import type { Protocol } from '#base/protocols.ts'
import type { Extensions } from './extensions.ts'

/** What turns are made of, in requests and in collected answers. */
export type Block =
  | TextBlock
  | RefusalBlock
  | MediaBlock
  | ReasoningBlock
  | ToolCallBlock
  | ToolResultBlock
  | OpaqueBlock

interface BlockBase {
  /** JSON pointer to it in the client's body; empty in an answer. */
  readonly path: string
  readonly ext?: Extensions
  /** A prompt-cache breakpoint behind this block, as the client wrote it: `{type, ttl?}`. */
  readonly cacheControl?: unknown
}

export interface TextBlock extends BlockBase {
  readonly type: 'text'
  readonly text: string
  readonly citations?: readonly Citation[]
  /** Gemini signs text parts too. */
  readonly seal?: Seal
}

/** The model declined, and said so in a field of its own. */
export interface RefusalBlock extends BlockBase {
  readonly type: 'refusal'
  readonly text: string
}

export interface MediaBlock extends BlockBase {
  readonly type: 'media'
  readonly kind: 'image' | 'document' | 'audio' | 'video'
  readonly source: MediaSource
  /** Name of the file, as the client gave it. */
  readonly filename?: string
  readonly title?: string
  /** Chat's and Responses' `detail` of an image. */
  readonly detail?: string
  readonly seal?: Seal
}

export type MediaSource =
  /** `data` is base64 text and stays the client's own, character for character. `mimeType` is null when nobody said it. */
  | { readonly type: 'base64'; readonly mimeType: string | null; readonly data: string }
  | { readonly type: 'url'; readonly mimeType: string | null; readonly url: string }
  /** A plain-text document. */
  | { readonly type: 'text'; readonly mimeType: string | null; readonly text: string }
  /** A file that the issuer holds: means something to it alone. */
  | { readonly type: 'file'; readonly issuer: Protocol; readonly id: string; readonly mimeType: string | null }

/**
 * Reasoning, visible or not. Its signature or encrypted form is a seal: replayed byte for byte to its issuer, at the same
 * place, and never to another (B3).
 */
export interface ReasoningBlock extends BlockBase {
  readonly type: 'reasoning'
  /** Empty for a redacted or encrypted one. */
  readonly text: string
  /** The parts of a summary that the protocol keeps apart (Responses); joined they are `text`. */
  readonly summary?: readonly string[]
  readonly seal: Seal | null
  /** The issuer's id of the item (Responses `rs_...`); null when it has none. */
  readonly id: string | null
}

export interface Seal {
  /** The protocol of the upstream that issued it. */
  readonly issuer: Protocol
  /** A signature of visible text, or the reasoning itself in encrypted form (Anthropic's redacted thinking, OpenAI's encrypted content). */
  readonly kind: 'signature' | 'encrypted'
  readonly value: string
}

export interface ToolCallBlock extends BlockBase {
  readonly type: 'tool-call'
  /** Null when the protocol or host gave none (Gemini, legacy functions). */
  readonly id: string | null
  readonly name: string
  /** JSON text exactly as the model or client wrote it, never reformatted; the plain input of a custom tool. Empty means no arguments. */
  readonly arguments: string
  readonly kind: 'function' | 'custom'
  /** The issuer's id of the item (Responses `fc_...`), if any. */
  readonly itemId?: string
  /** Codex declares tools within a namespace and expects it back. */
  readonly namespace?: string
  /** Gemini's signature of the call. */
  readonly seal?: Seal
}

export interface ToolResultBlock extends BlockBase {
  readonly type: 'tool-result'
  /** Null when only the name pairs it with its call (Gemini, legacy functions). */
  readonly callId: string | null
  readonly name: string | null
  /** Text, media and opaque blocks. */
  readonly content: readonly Block[]
  /** Set when the result is a JSON value rather than content (Gemini's `response`); then `content` holds its text form. */
  readonly value?: unknown
  readonly isError: boolean | null
  readonly kind: 'function' | 'custom'
}

/** Something only its issuer understands: replayed to the issuer as it was, declared lost to all others. */
export interface OpaqueBlock extends BlockBase {
  readonly type: 'opaque'
  readonly issuer: Protocol
  readonly value: unknown
}

/** A source for a piece of the text. Members that are absent were not told. */
export interface Citation {
  readonly url?: string
  readonly title?: string
  readonly citedText?: string
  /** Character offsets in the text of the block, end exclusive. */
  readonly startIndex?: number
  readonly endIndex?: number
  /** The issuer's own form, for a client of the same protocol. */
  readonly native?: { readonly issuer: Protocol; readonly value: unknown }
}
