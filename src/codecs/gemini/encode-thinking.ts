import { effortOfBudget, shareOfEffort } from '#codecs/effort.ts'
import type { ChatRequest, ReasoningControl } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from '#codecs/translation.ts'

type ThinkingConfig = Readonly<Record<string, unknown>>

/** No effort means less than this, unless the model's own range says so. */
const BUDGET_MIN = 1024

/** `thinkingConfig` as the target's model wants it: a budget up to Gemini 2.5, a level since Gemini 3. */
export function encodeThinking(request: ChatRequest, target: TargetTraits, losses: Losses): ThinkingConfig | null {
  const control = request.reasoning
  if (control === null) return null
  const path = request.paths['reasoning'] ?? ''
  const isOff = control.enabled === false || control.effort === 'none' || control.budgetTokens === 0
  if (target.reasoning === 'none') {
    if (!isOff) losses.dropped(path, 'the model does not reason')
    return null
  }
  const shown = control.isShown ?? (isOff ? null : true)
  const amount =
    target.reasoning === 'level'
      ? levelOf(control, isOff, request, target, path, losses)
      : budgetOf(control, isOff, request, target, path, losses)
  return { ...amount, ...(shown === null ? {} : { includeThoughts: shown }) }
}

function budgetOf(
  control: ReasoningControl,
  isOff: boolean,
  request: ChatRequest,
  target: TargetTraits,
  path: string,
  losses: Losses,
): ThinkingConfig {
  if (isOff && target.alwaysReasons) {
    losses.narrowed(path, 'the model always reasons: as little as it can')
    return { thinkingBudget: target.reasoningBudget.min }
  }
  if (isOff) return { thinkingBudget: 0 }
  if (control.isAdaptive) return { thinkingBudget: DYNAMIC }
  const { budgetTokens, effort } = control
  if (budgetTokens !== null) {
    const budget = inRange(budgetTokens, target)
    if (budget !== budgetTokens) losses.narrowed(path, `the model reasons with ${rangeOf(target)} tokens`)
    return { thinkingBudget: budget }
  }
  if (effort !== null) {
    losses.rewritten(path, 'an effort is asked for as a budget of tokens')
    const share = shareOfEffort(effort)
    if (share === undefined) return { thinkingBudget: DYNAMIC }
    return { thinkingBudget: inRange(Math.max(BUDGET_MIN, Math.floor(share * outputLimit(request, target))), target) }
  }
  // Gemini's own clients say so little with `includeThoughts` alone, and mean the model's default.
  return control.enabled === true && control.isShown !== true ? { thinkingBudget: DYNAMIC } : {}
}

/** The model decides how much. */
const DYNAMIC = -1

function outputLimit(request: ChatRequest, { outputTokensMax, reasoningBudget }: TargetTraits): number {
  return request.outputTokensMax ?? outputTokensMax ?? reasoningBudget.max
}

function inRange(budget: number, { reasoningBudget: { min, max } }: TargetTraits): number {
  return max > 0 ? Math.min(Math.max(budget, min), max) : budget
}

const rangeOf = ({ reasoningBudget: { min, max } }: TargetTraits): string => `${min} to ${max}`

const LEVELS: ReadonlyMap<string, string> = new Map([
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'high'],
  ['max', 'high'],
])

function levelOf(
  control: ReasoningControl,
  isOff: boolean,
  request: ChatRequest,
  target: TargetTraits,
  path: string,
  losses: Losses,
): ThinkingConfig {
  if (isOff) {
    losses.narrowed(path, 'the model always reasons: as little as it can')
    return { thinkingLevel: lowestLevel(target) }
  }
  const { effort, budgetTokens } = control
  if (effort !== null) {
    const level = effort === 'minimal' ? lowestLevel(target) : LEVELS.get(effort)
    if (level === undefined) losses.dropped(path, 'the model knows no such effort')
    else if (level !== effort) losses.narrowed(path, 'the model knows no such level: the nearest stands for it')
    return level === undefined ? {} : { thinkingLevel: level }
  }
  if (budgetTokens === null) return {}
  losses.rewritten(path, 'a budget of tokens is asked for as a level')
  return { thinkingLevel: effortOfBudget(budgetTokens, outputLimit(request, target)) }
}

/** Only the small models know `minimal`; the others refuse it. Source: ai.google.dev/gemini-api/docs/thinking. */
const lowestLevel = ({ model }: TargetTraits): string => (model.includes('flash') ? 'minimal' : 'low')
