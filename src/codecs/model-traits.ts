import type { Protocol } from '#base/protocols.ts'
import { refusesSampling } from './anthropic-messages/versions.ts'
import { MISTRAL_CALL_IDS } from './legal-call-id.ts'
import { mediaUrlsOf } from './media-urls.ts'
import type { TargetTraits } from './translation.ts'

/** What is known of a target before its traits are looked up. */
export interface TargetFacts {
  readonly protocol: Protocol
  readonly backendType: string
  /** The upstream's own name of the model. */
  readonly upstreamModel: string
  readonly vendor: string
  readonly capabilities: ReadonlySet<string>
  readonly outputTokensMax: number | null
  /** The version that Anthropic's API is asked in (R88). */
  readonly anthropicVersion: string
}

type Traits = Omit<TargetTraits, 'model' | 'outputTokensMax' | 'mediaUrls'>

interface Rule {
  /** Matched against the upstream's name of the model without its vendor prefix. */
  readonly model: RegExp
  readonly protocols?: readonly Protocol[]
  readonly traits: Partial<Traits>
}

const CLAUDE_BUDGET = { min: 1024, max: 63_999 }

/** By protocol: what holds for most models there. */
const DEFAULTS: Readonly<Record<Protocol, Traits>> = {
  'openai-chat': traits({ reasoning: 'effort' }),
  'openai-responses': traits({ reasoning: 'effort', hasDeveloperRole: true }),
  'openai-embeddings': traits({}),
  'anthropic-messages': traits({ reasoning: 'budget', takesEffort: true, reasoningBudget: CLAUDE_BUDGET }),
  gemini: traits({ reasoning: 'budget', reasoningBudget: { min: 0, max: 24_576 } }),
  'bedrock-converse': traits({
    reasoning: 'budget',
    takesEffort: true,
    reasoningBudget: CLAUDE_BUDGET,
    hasJsonSchema: false,
  }),
  'cohere-chat': traits({}),
}

function traits(some: Partial<Traits>): Traits {
  return {
    reasoning: 'none',
    takesEffort: false,
    reasoningBudget: { min: 0, max: Number.MAX_SAFE_INTEGER },
    refusesSampling: false,
    usesCompletionTokens: false,
    hasJsonSchema: true,
    hasDeveloperRole: false,
    takesReasoningContent: false,
    takesVideo: true,
    ...some,
  }
}

/**
 * Compatibility rules per model family (R34, R81, R88): every rule that matches adds its traits, later ones win. Sources: the
 * providers' API references and the refusals in the recorded traffic.
 */
const RULES: readonly Rule[] = [
  // OpenAI's reasoning models refuse sampling values and the old name of the limit.
  {
    model: /^(?:o\d|gpt-5|codex)/,
    protocols: ['openai-chat', 'openai-responses'],
    traits: { refusesSampling: true, usesCompletionTokens: true, hasDeveloperRole: true },
  },
  { model: /^gpt-5[^/]*-chat/, traits: { refusesSampling: false, reasoning: 'none' } },
  { model: /^(?:gpt-4|gpt-3)/, traits: { hasDeveloperRole: true, reasoning: 'none' } },
  // Claude before 3.7 does not think; before 4.5 it has no native JSON schema; from Opus 4.7 it decides itself how much to think.
  { model: /claude-(?:2|instant|3(?:-5)?-(?:haiku|opus|sonnet)|3-5)/, traits: { reasoning: 'none' } },
  { model: /claude-(?:2|instant|3|opus-4-(?:2|0)|sonnet-4-(?:2|0)|opus-4-1)/, traits: { hasJsonSchema: false } },
  {
    model: /claude-(?:2|instant|3|(?:opus|sonnet|haiku)-4-(?:2|0|1)|(?:sonnet|haiku)-4-5)/,
    traits: { takesEffort: false },
  },
  {
    model: /claude-(?:opus|sonnet|haiku)-4-(?:[5-9])|claude-(?:[a-z]+)-[5-9]/,
    protocols: ['bedrock-converse'],
    traits: { hasJsonSchema: true },
  },
  // Of the other families on Bedrock some reason when told an effort, the rest refuses to be asked.
  {
    model:
      /^(?:[a-z]{2,6}\.)?(?:meta|mistral|cohere|ai21|amazon\.titan|amazon\.nova-(?:micro|lite|pro|premier)|nvidia|google|moonshot|zai|writer|minimax)\b/,
    protocols: ['bedrock-converse'],
    traits: { reasoning: 'none', takesEffort: false },
  },
  {
    model: /^(?:[a-z]{2,6}\.)?(?:amazon\.nova-2|openai\.|qwen\.|deepseek\.)/,
    protocols: ['bedrock-converse'],
    traits: { reasoning: 'effort', takesEffort: false },
  },
  {
    model: /claude-(?:fable|mythos)|claude-(?:opus|sonnet|haiku)-(?:4-[7-9]|[5-9])/,
    protocols: ['anthropic-messages', 'bedrock-converse'],
    traits: { reasoning: 'adaptive', refusesSampling: true },
  },
  { model: /^command-a-(?:reasoning|plus)/, protocols: ['cohere-chat'], traits: { reasoning: 'budget' } },
  { model: /^gemini-(?:1|2\.0)/, traits: { reasoning: 'none' } },
  // The smallest budgets and what can be turned off: ai.google.dev/gemini-api/docs/thinking.
  { model: /^gemini-2\.5-pro/, traits: { reasoningBudget: { min: 128, max: 32_768 }, alwaysReasons: true } },
  { model: /^gemini-2\.5-flash-lite/, traits: { reasoningBudget: { min: 512, max: 24_576 } } },
  { model: /^gemini-(?:[3-9])/, traits: { reasoning: 'level' } },
  {
    model: /^(?:(?:open-)?mi[sx]tral|ministral|magistral|codestral|devstral|pixtral|voxtral)/,
    protocols: ['openai-chat'],
    traits: { callIds: MISTRAL_CALL_IDS },
  },
  // These want their own reasoning back between tool calls.
  { model: /^(?:deepseek-(?:reasoner|v4|v3\.2)|kimi-k2|glm-4\.[6-9]|glm-5)/, traits: { takesReasoningContent: true } },
]

/** OpenAI's own hosts refuse parts of other hosts' making. */
const OPENAI_BACKENDS: ReadonlySet<string> = new Set(['openai', 'azure'])

/** The rules of one target. */
export function traitsOf(facts: TargetFacts): TargetTraits {
  const name = facts.upstreamModel.slice(facts.upstreamModel.lastIndexOf('/') + 1).toLowerCase()
  let found: Traits = DEFAULTS[facts.protocol]
  for (const rule of RULES) {
    if (!rule.model.test(name) || (rule.protocols && !rule.protocols.includes(facts.protocol))) continue
    found = { ...found, ...rule.traits }
  }
  if (facts.backendType === 'openrouter' && facts.protocol === 'openai-chat')
    found = { ...found, reasoning: 'openrouter' }
  if (facts.protocol === 'anthropic-messages' && refusesSampling(facts.anthropicVersion))
    found = { ...found, refusesSampling: true }
  if (OPENAI_BACKENDS.has(facts.backendType)) found = { ...found, takesVideo: false }
  const mediaUrls = mediaUrlsOf(facts.protocol, facts.backendType, name)
  return { ...found, model: facts.upstreamModel, outputTokensMax: facts.outputTokensMax, mediaUrls }
}
