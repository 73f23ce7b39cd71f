import { ANSWER_TOKENS_MIN } from '#codecs/raised-limit.ts'
import { effortOfBudget, shareOfEffort } from '#codecs/effort.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import type { ChatRequest, ReasoningControl } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import { FOREIGN_REASONING } from './encode-blocks.ts'
import type { Family } from './family.ts'
import type { Fields } from './fields.ts'

/** How the model is asked to reason. */
export interface ReasoningPlan {
  /** Whether Claude thinks: then it refuses sampling values and forced tools. */
  readonly isThinking: boolean
  /** Members of `additionalModelRequestFields`. */
  readonly fields: Fields
  /** The client's limit, or the one that the budget needs. */
  readonly outputTokensMax: number | null
}

/** Who wants reasoning and says nothing more gets this much (R34). */
const EFFORT_DEFAULT = 'high'

/** `isForeign`: the model cannot go on thinking in the tool turn that is open (B3). */
export function planReasoning(
  request: ChatRequest,
  target: TargetTraits,
  family: Family,
  isForeign: boolean,
  losses: Losses,
): ReasoningPlan {
  const { reasoning: control, outputTokensMax } = request
  const none: ReasoningPlan = { isThinking: false, fields: {}, outputTokensMax }
  if (!control) return none
  const path = request.paths['reasoning'] ?? '/reasoning'
  const isOff = control.enabled === false || control.effort === 'none' || control.budgetTokens === 0
  if (isOff) return { ...none, fields: offFields(target, family, path, losses) }
  if (control.summary !== null && control.summary !== 'auto')
    losses.dropped(`${path}/summary`, 'Bedrock has no kinds of summaries')
  if (!isWanted(control)) return none
  switch (target.reasoning) {
    case 'none':
      losses.dropped(path, 'the model does not reason')
      return none
    case 'budget':
      if (isForeign) {
        losses.dropped(path, FOREIGN_REASONING)
        return target.takesEffort
          ? { ...none, fields: { output_config: { effort: effortWithout(request, control) } } }
          : none
      }
      return planBudget(request, control, target, path, losses)
    case 'adaptive':
      return { isThinking: true, fields: adaptiveFields(control, target, path, losses), outputTokensMax }
    case 'effort':
    case 'level':
    case 'openrouter':
      return { ...none, fields: effortFields(control, target, family, path, losses) }
    default: {
      const missed: never = target.reasoning
      throw new Error(`unknown way to reason: ${String(missed)}`)
    }
  }
}

/** What can still be told of the wish to reason where reasoning itself has to stay off. */
function effortWithout({ outputTokensMax }: ChatRequest, { effort, budgetTokens }: ReasoningControl): string {
  if (effort !== null) return effort === 'minimal' ? 'low' : effort
  if (budgetTokens === null || outputTokensMax === null) return EFFORT_DEFAULT
  return effortOfBudget(budgetTokens, outputTokensMax)
}

/** Whether anything that was said asks for reasoning, and not only for how it is shown. */
function isWanted({ enabled, effort, budgetTokens, isAdaptive, isShown }: ReasoningControl): boolean {
  return enabled === true || effort !== null || budgetTokens !== null || isAdaptive || isShown === true
}

/** They answer `thinking: {type: "disabled"}` with a 400 (AWS, "Adaptive thinking"). */
const ALWAYS_THINKS = /claude-(?:fable|mythos)/

/** Claude with a budget does not think unless it is asked to; the others are told. */
function offFields(target: TargetTraits, family: Family, path: string, losses: Losses): Fields {
  if (target.reasoning === 'none' || target.reasoning === 'budget') return {}
  if (target.reasoning === 'adaptive' && !ALWAYS_THINKS.test(target.model)) return { thinking: { type: 'disabled' } }
  if (family === 'nova') return { reasoningConfig: { type: 'disabled' } }
  losses.dropped(path, 'the model cannot be told not to reason')
  return {}
}

function planBudget(
  request: ChatRequest,
  control: ReasoningControl,
  target: TargetTraits,
  path: string,
  losses: Losses,
): ReasoningPlan {
  const { min, max } = target.reasoningBudget
  const given = request.outputTokensMax
  const allowed = given ?? target.outputTokensMax ?? max + 1
  const limit = allowed > min ? allowed : min + ANSWER_TOKENS_MIN
  if (given !== null && limit > given)
    losses.rewritten(request.paths['outputTokensMax'] ?? '/max_tokens', 'the limit has to leave room for the reasoning')
  const wanted = control.budgetTokens ?? Math.floor(limit * shareOf(control, path, losses))
  const budget = Math.max(min, Math.min(wanted, max, limit - 1))
  if (control.budgetTokens !== null && budget !== wanted)
    losses.narrowed(path, `the budget has to be from ${min} to ${Math.min(max, limit - 1)} tokens`)
  return {
    isThinking: true,
    fields: { thinking: { type: 'enabled', budget_tokens: budget, ...displayOf(control, false) } },
    // A budget has to be lower than the limit, also than the one that the model assumes.
    outputTokensMax: given === null && target.outputTokensMax === null ? null : limit,
  }
}

function shareOf({ effort, isAdaptive }: ReasoningControl, path: string, losses: Losses): number {
  if (effort !== null || isAdaptive) losses.rewritten(path, 'the model takes a budget of tokens')
  return shareOfEffort(effort ?? EFFORT_DEFAULT) ?? shareOfEffort(EFFORT_DEFAULT)!
}

function adaptiveFields(control: ReasoningControl, target: TargetTraits, path: string, losses: Losses): Fields {
  const effort = control.effort ?? effortFor(control, target, path, losses)
  // Without it the newest models keep their reasoning to themselves (R34).
  const thinking = { type: 'adaptive', ...displayOf(control, true) }
  if (effort === null) return { thinking }
  if (effort === 'minimal') losses.narrowed(path, 'the least effort is low')
  return { thinking, output_config: { effort: effort === 'minimal' ? 'low' : effort } }
}

function displayOf({ isShown }: ReasoningControl, isTold: boolean): Fields {
  if (isShown === false) return { display: 'omitted' }
  return isTold ? { display: 'summarized' } : {}
}

/** The least effort whose share reaches the budget; null when no budget was said. */
function effortFor(
  { budgetTokens }: ReasoningControl,
  target: TargetTraits,
  path: string,
  losses: Losses,
): string | null {
  if (budgetTokens === null) return null
  losses.rewritten(path, 'the model takes an effort')
  return effortOfBudget(budgetTokens, target.outputTokensMax ?? target.reasoningBudget.max)
}

/** The makers' own spellings; each knows three efforts. */
function effortFields(
  control: ReasoningControl,
  target: TargetTraits,
  family: Family,
  path: string,
  losses: Losses,
): Fields {
  const wanted = control.effort ?? effortFor(control, target, path, losses) ?? EFFORT_DEFAULT
  const effort = EFFORTS.get(wanted) ?? wanted
  if (effort !== wanted) losses.narrowed(path, 'the model knows the efforts low medium and high')
  if (family === 'nova') return { reasoningConfig: { type: 'enabled', maxReasoningEffort: effort } }
  return family === 'qwen' ? { reasoning_config: effort } : { reasoning_effort: effort }
}

const EFFORTS: ReadonlyMap<string, string> = new Map([
  ['minimal', 'low'],
  ['xhigh', 'high'],
  ['max', 'high'],
])
