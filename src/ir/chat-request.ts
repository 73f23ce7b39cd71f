import type { Block, TextBlock } from './blocks.ts'
import type { Extensions } from './extensions.ts'

/**
 * A request for an answer, as its client said it. Decoders never regroup, hoist or merge: that is the target encoder's
 * work. Null is absent; `0`, `false`, `''` and `[]` are values (R80).
 */
export interface ChatRequest {
  /** The instructions that stand outside the turns: Messages `system`, Responses `instructions`, Gemini `systemInstruction`. */
  readonly instructions: readonly TextBlock[]
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  readonly toolChoice: ToolChoice | null
  readonly parallelToolCalls: boolean | null
  readonly sampling: Sampling
  readonly outputTokensMax: number | null
  readonly stopSequences: readonly string[] | null
  /** How many answers. */
  readonly candidates: number | null
  readonly logprobs: { readonly enabled: boolean; readonly top: number | null } | null
  readonly format: OutputFormat | null
  readonly reasoning: ReasoningControl | null
  readonly verbosity: string | null
  readonly serviceTier: string | null
  /** Who the operator's user is: chat and Responses `user` / `safety_identifier`, Messages `metadata.user_id`. */
  readonly endUser: string | null
  /** Tags of the client, string to string (chat, Responses). */
  readonly metadata: Readonly<Record<string, unknown>> | null
  readonly promptCacheKey: string | null
  /** Messages' and OpenRouter's top-level `cache_control`. */
  readonly cacheControl?: unknown
  readonly stream: boolean
  /** Where each neutral field stood in the client's body, for losses: `temperature` -> `/generationConfig/temperature`. */
  readonly paths: Readonly<Record<string, string>>
  /** Top-level members that only the client's protocol knows, as they stood. */
  readonly ext: Extensions
}

export interface Turn {
  /** `tool` holds tool results alone (chat); elsewhere they stand in a user's turn. */
  readonly role: 'system' | 'developer' | 'user' | 'assistant' | 'tool'
  readonly blocks: readonly Block[]
  readonly path: string
  /** A participant's name (chat). */
  readonly name?: string
  /** Responses: the id, status and phase of the item, and what else only the protocol knows. */
  readonly ext?: Extensions
}

export type Tool = FunctionTool | CustomTool | ServerTool

interface ToolBase {
  readonly path: string
  readonly ext?: Extensions
  readonly cacheControl?: unknown
}

export interface FunctionTool extends ToolBase {
  readonly type: 'function'
  readonly name: string
  readonly description: string | null
  /** JSON Schema of the arguments; null when none was given. */
  readonly schema: unknown
  readonly strict: boolean | null
  readonly namespace?: string
}

/** Takes free text, perhaps bound by a grammar (OpenAI). */
export interface CustomTool extends ToolBase {
  readonly type: 'custom'
  readonly name: string
  readonly description: string | null
  readonly format: unknown
  readonly namespace?: string
}

/** A tool that the provider runs itself, in the words of its protocol. `kind` is its neutral name where one exists. */
export interface ServerTool extends ToolBase {
  readonly type: 'server'
  readonly name: string
  readonly kind: 'web-search' | 'web-fetch' | 'code-execution' | 'file-search' | 'image-generation' | 'mcp' | 'other'
  readonly issuer: 'openai-chat' | 'openai-responses' | 'anthropic-messages' | 'gemini' | 'bedrock-converse'
  readonly value: unknown
}

export type ToolChoice =
  | { readonly type: 'auto' | 'none' | 'required' }
  | { readonly type: 'tool'; readonly name: string; readonly isCustom?: boolean }
  /** Only these tools, freely or necessarily. */
  | { readonly type: 'allowed'; readonly names: readonly string[]; readonly isRequired: boolean }
  | { readonly type: 'opaque'; readonly value: unknown }

/** Numbers as the client wrote them; `unknown` because a wrong value is the upstream's to refuse. */
export interface Sampling {
  readonly temperature?: unknown
  readonly topP?: unknown
  readonly topK?: unknown
  readonly presencePenalty?: unknown
  readonly frequencyPenalty?: unknown
  readonly seed?: unknown
  readonly logitBias?: unknown
  readonly minP?: unknown
  readonly repetitionPenalty?: unknown
}

export type OutputFormat =
  | { readonly type: 'text' }
  | { readonly type: 'json' }
  | {
      readonly type: 'schema'
      readonly name: string | null
      readonly description: string | null
      readonly schema: unknown
      readonly strict: boolean | null
    }

/** What the client said of reasoning. All null but one, usually. */
export interface ReasoningControl {
  /** `false` is off, said so. */
  readonly enabled: boolean | null
  /** `none minimal low medium high xhigh max`, or what the client wrote. */
  readonly effort: string | null
  readonly budgetTokens: number | null
  /** The model decides how much (Messages `adaptive`, Gemini budget -1). */
  readonly isAdaptive: boolean
  /** Whether reasoning is to be shown: Gemini `includeThoughts`, OpenRouter `exclude` turned round, Messages `display`. */
  readonly isShown: boolean | null
  /** Responses `reasoning.summary`. */
  readonly summary: string | null
}
