import type { ReasoningControl } from '#ir/chat-request.ts'

/** Effort and budget are two words for one wish; this is the only place where one becomes the other (R85). */

export const NOTHING_SAID: ReasoningControl = {
  enabled: null,
  effort: null,
  budgetTokens: null,
  isAdaptive: false,
  isShown: null,
  summary: null,
}

/** Share of the output limit that an effort stands for; the outer ones are OpenRouter's. */
const SHARES: ReadonlyMap<string, number> = new Map([
  ['minimal', 0.1],
  ['low', 0.2],
  ['medium', 0.5],
  ['high', 0.8],
  ['xhigh', 0.95],
  ['max', 0.95],
])

/** Undefined for a word that nobody knows. */
export const shareOfEffort = (effort: string): number | undefined => SHARES.get(effort)

type BasicEffort = 'low' | 'medium' | 'high'

/** Budgets up to these, as shares of the limit and, where nobody knows the limit, in tokens. */
const STEPS: readonly (readonly [effort: BasicEffort, share: number, tokens: number])[] = [
  ['low', 0.2, 4096],
  ['medium', 0.5, 16_384],
]

/** The least effort, of those that every model with efforts knows, that reaches the budget. */
export function effortOfBudget(budgetTokens: number, outputTokensMax: number | null): BasicEffort {
  const step = STEPS.find(([, share, tokens]) => budgetTokens <= (outputTokensMax ? outputTokensMax * share : tokens))
  return step?.[0] ?? 'high'
}
