import type { Protocol } from '#base/protocols.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import { countTexts, type TextCounts } from './count-texts.ts'
import { loadEncoding } from './encodings.ts'
import { FAMILIES } from './families/index.ts'
import type { Family, Weights } from './family.ts'
import { estimateMedia } from './media.ts'
import { inTurn } from './pace.ts'
import { type Prompt, readPrompt } from './prompt.ts'

/** The model that would read the request. */
export interface CountedModel {
  /** Its name, with or without author and platform: `claude-sonnet-4-6`, `openai/gpt-5`, `us.anthropic.claude-…`. */
  readonly id: string
  /** Slug of its vendor; decides where the name says nothing. */
  readonly vendor: string
  /** What it would be asked in, where known: some upstreams add instructions of their own in one protocol and not in another. */
  readonly protocol?: Protocol
}

export interface TokenCount {
  /** At least 1. */
  readonly tokens: number
  /** How far the upstream's own count may be from `tokens`, in percent: holds for 19 prompts of 20. */
  readonly errorBoundPercent: number
}

/** A short prompt may be off by this many tokens whatever the percentage. */
export const ALLOWANCE_TOKENS = 12
/** Up to here a prompt is short. */
export const SHORT_TOKENS_MAX = 50
const SAMPLED_BOUND_PERCENT = 5
/** With tools that the provider runs, or with items that only it understands. */
const UNKNOWN_BOUND_PERCENT = 100
/** A model that is known by its vendor alone. */
const VENDOR_BOUND_PERCENT = 50

/** Newest family of each vendor. */
const VENDORS: Readonly<Record<string, string>> = {
  openai: 'openai-reasoning',
  anthropic: 'claude-5',
  google: 'gemini-3',
  deepseek: 'deepseek',
  xai: 'grok',
  mistral: 'mistral',
  meta: 'llama',
  qwen: 'qwen',
  moonshot: 'kimi',
  zai: 'glm',
  cohere: 'command',
}

/** Prefixes of fine-tuned models and of Bedrock's names. */
const PLATFORM =
  /^(?:ft:|(?:(?:us|eu|apac|global|us-gov)\.)?(?:anthropic|openai|amazon|meta|mistral|cohere|qwen|deepseek)\.)/

/**
 * Counts the tokens of a request's prompt without asking the upstream (B4). The first count of a process loads an encoding,
 * which takes a fraction of a second; the event loop is never held up.
 */
export function countTokens(request: ChatRequest, model: CountedModel): Promise<TokenCount> {
  return inTurn(() => count(request, model))
}

async function count(request: ChatRequest, model: CountedModel): Promise<TokenCount> {
  const name = bareName(model.id)
  const { family, isGuess } = familyOf(name, model.vendor)
  const prompt = readPrompt(shownTo(family, request), family.toolForm)
  const counts = await countTexts(prompt.texts, await loadEncoding(family.encoding))
  const weights = { ...family.weights, ...(model.protocol && family.protocols?.[model.protocol]) }
  let tokens = weigh(prompt, counts, weights) + weighControls(request, prompt, weights)
  let familyBound = isGuess ? Math.max(VENDOR_BOUND_PERCENT, family.errorBoundPercent) : family.errorBoundPercent
  if (prompt.unknowns > 0) familyBound = UNKNOWN_BOUND_PERCENT
  if (counts.isSampled) familyBound += SAMPLED_BOUND_PERCENT
  let errorTokens = (tokens * familyBound) / 100
  for (const block of prompt.media) {
    const estimate = await estimateMedia(block, family, name)
    tokens += estimate.tokens
    errorTokens += (estimate.tokens * estimate.errorBoundPercent) / 100
  }
  return { tokens: Math.max(1, Math.round(tokens)), errorBoundPercent: boundOf(tokens, errorTokens) }
}

/** The family of a bare name; where it says nothing, that of the vendor is a guess. */
export function familyOf(name: string, vendor: string): { readonly family: Family; readonly isGuess: boolean } {
  const found = FAMILIES.find((family) => family.model.test(name))!
  const byVendor = found.name === 'other' ? FAMILIES.find((family) => family.name === VENDORS[vendor]) : undefined
  return { family: byVendor ?? found, isGuess: byVendor !== undefined }
}

/** The model's name without author, platform and capitals. */
export function bareName(id: string): string {
  return id
    .slice(id.lastIndexOf('/') + 1)
    .toLowerCase()
    .replace(PLATFORM, '')
}

/** The request as the model sees it. */
function shownTo(family: Family, request: ChatRequest): ChatRequest {
  return family.hidesToolsOnNone && request.toolChoice?.type === 'none' ? { ...request, tools: [] } : request
}

function weigh(prompt: Prompt, { tokens }: TextCounts, weights: Weights): number {
  return (
    weights.request +
    weights.system * prompt.systems +
    weights.turn * prompt.turns +
    weights.call * prompt.calls +
    weights.tool * prompt.tools +
    weights.seal * sumBeyond(weights.sealFree, prompt.seals) +
    weights.pastSeal * sumBeyond(weights.sealFree, prompt.pastSeals) +
    weights.text * (tokens.instructions + tokens.text + tokens.calls + tokens.results) +
    weights.toolText * tokens.tools +
    weights.schemaText * tokens.schema +
    weights.reasoning * tokens.reasoning +
    weights.pastReasoning * tokens.pastReasoning
  )
}

/** What each length is beyond `free`, together. */
function sumBeyond(free: number, lengths: readonly number[]): number {
  let sum = 0
  for (const length of lengths) sum += Math.max(0, length - free)
  return sum
}

/** What switches of the request make the provider say to the model. */
function weighControls(request: ChatRequest, prompt: Prompt, weights: Weights): number {
  const { toolChoice, reasoning, format } = request
  let tokens = 0
  if (prompt.tools > 0) {
    tokens += weights.tools
    if (toolChoice?.type === 'required' || toolChoice?.type === 'tool') tokens += weights.forced
    if (request.parallelToolCalls === false) tokens += weights.single
  }
  if (format?.type === 'schema') tokens += weights.schema
  if (format?.type === 'json') tokens += weights.json
  if (prompt.hasCitations) tokens += weights.citations
  if (reasoning && isThinking(reasoning)) tokens += weights.thinking
  return tokens
}

/** Whether a budget for thinking is given, in whatever words; adaptive thinking costs nothing. */
function isThinking({ enabled, effort, budgetTokens, isAdaptive }: NonNullable<ChatRequest['reasoning']>): boolean {
  if (enabled === false || isAdaptive || effort === 'none' || budgetTokens === 0) return false
  return enabled === true || budgetTokens !== null || effort !== null
}

/** Percent of the count; a short prompt gets its allowance on top. */
function boundOf(tokens: number, errorTokens: number): number {
  const allowed = tokens <= SHORT_TOKENS_MAX ? Math.max(errorTokens, ALLOWANCE_TOKENS) : errorTokens
  return Math.ceil((100 * allowed) / Math.max(1, tokens))
}
