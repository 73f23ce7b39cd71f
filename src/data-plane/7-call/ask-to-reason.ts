import type { Protocol } from '#base/protocols.ts'
import { shareOfEffort } from '#codecs/effort.ts'
import { ANSWER_TOKENS_MIN, BUDGET_TOKENS_MIN } from '#codecs/raised-limit.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { childOf, type Fields } from './fields.ts'

/** How the reasoning of a model string is asked for (R34). */
export interface ReasoningWish {
  /** Of the string's parameters: stronger than the body. Null: the suffix alone, which is weaker. */
  readonly effort: string | null
  /** What the suffix means where nothing else is said. */
  readonly defaultEffort: string
  /** Tokens that the suffix asks for of models that take a number; null: a share of the output limit, or as many as they like. */
  readonly defaultBudget: number | null
}

/** Sampling values that Claude refuses while it reasons. */
const WITHOUT_SAMPLING = ['temperature', 'top_p', 'top_k'] as const

/**
 * Writes the wish into the upstream's body, in the style of its model. What the client said of reasoning in the body stands, unless the
 * string names an effort. Gives the members that had to go.
 */
export function askToReason(
  body: Fields,
  protocol: Protocol,
  style: TargetTraits['reasoning'],
  wish: ReasoningWish,
  outputTokensDefault: number | null,
): readonly string[] {
  switch (protocol) {
    case 'openai-chat':
      askChat(body, style, wish)
      return []
    case 'openai-responses': {
      const reasoning = childOf(body, 'reasoning')
      if (wish.effort !== null || reasoning['effort'] === undefined) reasoning['effort'] = effortOf(wish)
      return []
    }
    case 'anthropic-messages':
      return askClaude(body, body, 'max_tokens', style, wish, outputTokensDefault)
    case 'bedrock-converse': {
      const more = childOf(body, 'additionalModelRequestFields')
      return askClaude(more, childOf(body, 'inferenceConfig'), 'maxTokens', style, wish, outputTokensDefault)
    }
    case 'gemini':
      askGemini(childOf(body, 'generationConfig'), style, wish, outputTokensDefault)
      return []
    case 'cohere-chat':
      askCohere(body, style, wish, outputTokensDefault)
      return []
    case 'openai-embeddings':
      return []
    default: {
      const missed: never = protocol
      throw new Error(`unknown protocol ${String(missed)}`)
    }
  }
}

const effortOf = ({ effort, defaultEffort }: ReasoningWish): string => effort ?? defaultEffort

function askChat(body: Fields, style: TargetTraits['reasoning'], wish: ReasoningWish): void {
  const isSaid = body['reasoning'] !== undefined || body['reasoning_effort'] !== undefined
  if (wish.effort === null && isSaid) return
  if (style !== 'openrouter') body['reasoning_effort'] = effortOf(wish)
  else if (wish.effort === null)
    body['reasoning'] = wish.defaultBudget === null ? { enabled: true } : { max_tokens: wish.defaultBudget }
  else {
    delete body['reasoning_effort']
    body['reasoning'] = { ...(body['reasoning'] as object | undefined), effort: wish.effort }
  }
}

/** `holder` has the thinking, `limits` the output limit: on Bedrock they are apart. */
function askClaude(
  holder: Fields,
  limits: Fields,
  limitName: string,
  style: TargetTraits['reasoning'],
  wish: ReasoningWish,
  outputTokensDefault: number | null,
): readonly string[] {
  const said = holder['thinking'] as Fields | undefined
  if (wish.effort === null && said !== undefined) return []
  if (wish.effort === 'none') {
    holder['thinking'] = { type: 'disabled' }
    return []
  }
  if (style === 'adaptive') {
    holder['thinking'] = { type: 'adaptive', display: 'summarized' }
    const config = childOf(holder, 'output_config')
    if (wish.effort !== null || config['effort'] === undefined) config['effort'] = effortOf(wish)
  } else {
    const given = limits[limitName]
    const limit = typeof given === 'number' ? given : (outputTokensDefault ?? BUDGET_TOKENS_MIN + ANSWER_TOKENS_MIN)
    const raised = Math.max(limit, BUDGET_TOKENS_MIN + ANSWER_TOKENS_MIN)
    limits[limitName] = raised
    const share = shareOfEffort(effortOf(wish)) ?? 0.8
    const isNamed = wish.effort === null && wish.defaultBudget !== null
    const budget = isNamed ? Math.min(wish.defaultBudget, raised - ANSWER_TOKENS_MIN) : Math.floor(share * raised)
    holder['thinking'] = { type: 'enabled', budget_tokens: Math.max(BUDGET_TOKENS_MIN, budget) }
  }
  return WITHOUT_SAMPLING.filter((name) => {
    const at = limits[name] === undefined ? holder : limits
    if (at[name] === undefined || (name === 'temperature' && at[name] === 1)) return false
    delete at[name]
    return true
  })
}

function askGemini(
  config: Fields,
  style: TargetTraits['reasoning'],
  wish: ReasoningWish,
  outputTokensDefault: number | null,
): void {
  const said = config['thinkingConfig'] as Fields | undefined
  const isSaid = said?.['thinkingBudget'] !== undefined || said?.['thinkingLevel'] !== undefined
  if (wish.effort === null && isSaid) return
  const shown = { ...said, includeThoughts: said?.['includeThoughts'] ?? true }
  if (style === 'level') {
    const { thinkingBudget: _, ...rest } = shown as Fields
    config['thinkingConfig'] = { ...rest, thinkingLevel: levelOf(effortOf(wish)) }
    return
  }
  config['thinkingConfig'] = { ...shown, thinkingBudget: budgetOf(wish, config, outputTokensDefault) }
}

const levelOf = (effort: string): string => (effort === 'xhigh' || effort === 'max' ? 'high' : effort)

/** The model decides (-1) where the operator does not, unless the string names an effort: then a share of the output limit. */
function budgetOf(
  { effort, defaultBudget }: ReasoningWish,
  config: Fields,
  outputTokensDefault: number | null,
): number {
  if (effort === null) return defaultBudget ?? -1
  if (effort === 'none') return 0
  const given = config['maxOutputTokens']
  const limit = typeof given === 'number' ? given : outputTokensDefault
  return limit === null ? -1 : Math.max(BUDGET_TOKENS_MIN, Math.floor((shareOfEffort(effort) ?? 0.8) * limit))
}

/** The model decides how much, unless the string names an effort: then a share of the output limit. */
function askCohere(
  body: Fields,
  style: TargetTraits['reasoning'],
  wish: ReasoningWish,
  outputTokensDefault: number | null,
): void {
  if (style === 'none' || (wish.effort === null && body['thinking'] !== undefined)) return
  const limit = typeof body['max_tokens'] === 'number' ? body['max_tokens'] : outputTokensDefault
  const share = wish.effort === null ? undefined : shareOfEffort(wish.effort)
  const budget = share === undefined || limit === null ? {} : { token_budget: Math.max(1, Math.floor(share * limit)) }
  body['thinking'] = wish.effort === 'none' ? { type: 'disabled' } : { type: 'enabled', ...budget }
}
