import type { Protocol } from '#base/protocols.ts'
import type { EncodingName } from './encodings.ts'
import type { ToolForm } from './tool-text.ts'

/**
 * What a prompt costs beside its text, in tokens, and how many tokens of the family its texts have per token of the
 * encoding that is counted with. A prompt's count is the sum over all of them.
 */
export interface Weights {
  /** Every request. */
  readonly request: number
  readonly system: number
  readonly turn: number
  /** An earlier tool call with its result. */
  readonly call: number
  /** Any tools at all, and each of them. */
  readonly tools: number
  readonly tool: number
  /** Added with tools when one must be called, and when only one may be called at a time. */
  readonly forced: number
  readonly single: number
  readonly schema: number
  /** The JSON format without a schema. */
  readonly json: number
  /** Thinking with a budget. */
  readonly thinking: number
  readonly citations: number
  /**
   * Factors of texts: what is said, called and answered; declarations; schemas; reasoning still open and of before. Close to
   * each other on purpose: what a short recording tells of them would be wrong by far in a long session.
   */
  readonly text: number
  readonly toolText: number
  readonly schemaText: number
  readonly reasoning: number
  readonly pastReasoning: number
  /** Tokens per character of a seal still open and of before, each time beyond the first `sealFree` ones. */
  readonly seal: number
  readonly pastSeal: number
  readonly sealFree: number
}

/** How a family sees pictures; the formulas are in `media.ts`. */
export type ImageRule =
  /** OpenAI: `base` and `tile` for each of 512 pixels square, after fitting into 2048 and 768. */
  | { readonly type: 'tiles'; readonly base: number; readonly tile: number }
  /** Patches of `side` pixels square times `factor`, at most `patchesMax`. */
  | { readonly type: 'patches'; readonly side: number; readonly factor: number; readonly patchesMax: number }
  /** Anthropic: pixels / 750 after fitting the longer side into `edgeMax`, at most `tokensMax`. */
  | { readonly type: 'area'; readonly edgeMax: number; readonly tokensMax: number }
  /** Gemini to 2.5: 258 for a small one, else for each tile of 768 pixels square. */
  | { readonly type: 'gemini' }
  /** Always the same. */
  | { readonly type: 'fixed'; readonly tokens: number }

export interface Family {
  readonly name: string
  /** Matched against the model's name without author and platform, in small letters. */
  readonly model: RegExp
  readonly encoding: EncodingName
  readonly toolForm: ToolForm
  /** 95 % of prompts of the recorded traffic with more than 50 tokens are counted within this. */
  readonly errorBoundPercent: number
  readonly weights: Weights
  /** What is different when the upstream is asked in this protocol. */
  readonly protocols?: Readonly<Partial<Record<Protocol, Partial<Weights>>>>
  /** Whether `tool_choice: none` keeps the declarations from the model. */
  readonly hidesToolsOnNone?: boolean
  readonly image: ImageRule
  /** Members that see pictures otherwise; the first that matches. */
  readonly images?: readonly { readonly model: RegExp; readonly rule: ImageRule }[]
  /** Tokens of one page of a PDF, of a second of sound and of a second of film. */
  readonly page: number
  readonly audioSecond: number
  readonly videoSecond: number
}
