import type { Protocol } from '#base/protocols.ts'
import type { Citation, Seal } from './blocks.ts'
import type { Usage } from './usage.ts'

/**
 * An answer is always these events; a whole answer is the same events at once (design.md section 4). Grammar: one
 * `response-start`, then blocks, each with one start, its deltas and one end, then one `finish` per candidate. `index` counts the
 * blocks of the whole answer from 0, dense and rising in the order of their starts. Blocks of one candidate do not overlap: the
 * next starts after the end of the one before. `usage` may come at any time and the last one counts.
 */
export type ChatEvent =
  | ResponseStart
  | BlockStart
  | BlockDelta
  | BlockSeal
  | BlockCitation
  | BlockLogprobs
  | BlockEnd
  | UsageEvent
  | Finish
  | OpaqueEvent

export interface ResponseStart {
  readonly type: 'response-start'
  /** The upstream's own id; null when it told none. */
  readonly id: string | null
  /** The upstream's own name of the model. */
  readonly model: string | null
  /** Unix time in seconds; null when it told none. */
  readonly createdAt: number | null
}

export interface BlockStart {
  readonly type: 'block-start'
  readonly index: number
  readonly candidate: number
  readonly block: BlockHead
}

export type BlockHead =
  | { readonly type: 'text' }
  | { readonly type: 'refusal' }
  /** `id` as in ReasoningBlock. An encrypted one may have no deltas, only its seal. `isSummary`: it tells of the reasoning, it is not the reasoning. */
  | { readonly type: 'reasoning'; readonly id: string | null; readonly isSummary: boolean }
  | {
      readonly type: 'tool-call'
      readonly id: string | null
      readonly name: string
      readonly kind: 'function' | 'custom'
      readonly itemId?: string
      readonly namespace?: string
      /** Gemini signs the call; known at once, because its calls come whole. */
      readonly seal?: Seal
    }
  /** Complete at once: its end follows without deltas. `data` is base64. */
  | {
      readonly type: 'media'
      readonly mimeType: string
      readonly data: string
      readonly kind: 'image' | 'audio' | 'video'
    }
  /** Complete at once: what the issuer's protocol calls it, as it stood. */
  | { readonly type: 'opaque'; readonly issuer: Protocol; readonly value: unknown }

export interface BlockDelta {
  readonly type: 'block-delta'
  readonly index: number
  /** More of the text, the reasoning, or the argument text of a tool call. Never empty. */
  readonly text: string
  /** A new part of a summary starts with this delta (Responses keeps them apart). */
  readonly startsPart?: boolean
}

/** The signature or encrypted form of an open reasoning or text block; at most one per block, and the last thing before its end. */
export interface BlockSeal {
  readonly type: 'block-seal'
  readonly index: number
  readonly seal: Seal
}

export interface BlockCitation {
  readonly type: 'block-citation'
  readonly index: number
  readonly citation: Citation
}

/** Token probabilities of the last delta, in OpenAI's form (`{content: [...]}`'s elements). */
export interface BlockLogprobs {
  readonly type: 'block-logprobs'
  readonly index: number
  readonly tokens: readonly unknown[]
}

export interface BlockEnd {
  readonly type: 'block-end'
  readonly index: number
}

export interface UsageEvent {
  readonly type: 'usage'
  readonly usage: Usage
  /** The total the upstream told, when it told one. */
  readonly total: number | null
}

export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'pause' | 'error'

export interface Finish {
  readonly type: 'finish'
  readonly candidate: number
  readonly reason: FinishReason
  /** The upstream's own word. */
  readonly raw: string | null
  readonly stopSequence: string | null
}

/** Something outside the blocks that only the issuer's protocol knows (safety ratings, fingerprints). */
export interface OpaqueEvent {
  readonly type: 'opaque'
  readonly issuer: Protocol
  readonly value: unknown
  /** Names of members whose meaning other events tell too: sources and probabilities. */
  readonly retold?: readonly string[]
}
