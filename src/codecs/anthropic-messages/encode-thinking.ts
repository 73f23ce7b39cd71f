import { ANSWER_TOKENS_MIN, BUDGET_TOKENS_MIN } from '#codecs/raised-limit.ts'
import { effortOfBudget, shareOfEffort } from '#codecs/effort.ts'
import type { ReasoningControl } from '#ir/chat-request.ts'
import type { Encoding } from './encoding.ts'
import { FOREIGN_REASONING } from './encode-blocks.ts'
import { type Members, ownMembers } from './members.ts'

/** How reasoning is asked for, and the output limit that leaves room for it. */
export interface Thinking {
  readonly thinking: Members | null
  readonly effort: string | null
  readonly outputTokensMax: number
  /** Whether the model is asked to reason: the API then refuses most sampling values, and forced calls. */
  readonly isOn: boolean
  /** With a budget: the API then checks how a tool loop began. */
  readonly isManual: boolean
}

/** The API demands a limit. This one stands in when neither the client nor the catalog knows any. */
const OUTPUT_TOKENS_DEFAULT = 4096

const SHARE_DEFAULT = 0.8

export interface ThinkingLimits {
  /** Whether the history allows reasoning with a budget. Asked only when it matters. */
  canThink(): boolean
  /** Whether a tool is forced in place of a JSON format. */
  readonly isFormatForced: boolean
}

export function encodeThinking(encoding: Encoding, limits: ThinkingLimits): Thinking {
  const { request, target, isOwn, losses } = encoding
  const outputTokensMax = request.outputTokensMax ?? target.outputTokensMax ?? OUTPUT_TOKENS_DEFAULT
  const nothing: Thinking = { thinking: null, effort: null, outputTokensMax, isOn: false, isManual: false }
  const control = request.reasoning
  const asked = isOwn ? asStated(control, encoding, nothing) : null
  const plan = asked ?? (control === null ? nothing : ask(control, encoding, nothing))
  if (!plan.isOn) return plan
  // Models that decide on their own whether to reason may have begun the loop without.
  const isAllowed = !plan.isManual || limits.canThink()
  if (isAllowed && !limits.isFormatForced) return plan
  const reason = isAllowed ? 'the forced tool that stands for the format excludes reasoning' : FOREIGN_REASONING
  losses.dropped(encoding.pathOf('reasoning'), reason)
  return { ...nothing, effort: plan.effort ?? effortWithout(control, encoding, outputTokensMax) }
}

/** What can still be told of the wish to reason where reasoning itself has to stay off. */
function effortWithout(control: ReasoningControl | null, { target }: Encoding, outputTokensMax: number): string | null {
  if (!target.takesEffort || control === null) return null
  const { effort, budgetTokens } = control
  return (effort === null ? effortFor(budgetTokens, outputTokensMax) : EFFORTS.get(effort)) ?? EFFORT_DEFAULT
}

/** The words of a client of the same protocol; null when it left the choice open. */
function asStated(control: ReasoningControl | null, { request }: Encoding, nothing: Thinking): Thinking | null {
  const whole = ownMembers(request)?.['thinking'] as Members | undefined
  const effort = control?.effort ?? null
  if (whole !== undefined) {
    const isManual = whole['type'] === 'enabled'
    return { ...nothing, thinking: whole, effort, isOn: whole['type'] !== 'disabled', isManual }
  }
  if (control === null) return nothing
  const { enabled, budgetTokens, isAdaptive, isShown } = control
  const display = isShown === null ? {} : { display: isShown ? 'summarized' : 'omitted' }
  if (isAdaptive) return { ...nothing, thinking: { type: 'adaptive', ...display }, effort, isOn: true }
  if (budgetTokens !== null) {
    const thinking = { type: 'enabled', budget_tokens: budgetTokens, ...display }
    return { ...nothing, thinking, effort, isOn: true, isManual: true }
  }
  if (enabled === false) return { ...nothing, thinking: { type: 'disabled' }, effort }
  return enabled === null ? { ...nothing, effort } : null
}

function ask(control: ReasoningControl, encoding: Encoding, nothing: Thinking): Thinking {
  const { target, losses } = encoding
  const { enabled, effort, budgetTokens, isAdaptive, isShown } = control
  const isOff = enabled === false || effort === 'none' || budgetTokens === 0
  const isOn = enabled === true || effort !== null || budgetTokens !== null || isAdaptive || isShown === true
  if (!isOff && !isOn) return nothing
  if (target.reasoning === 'none') {
    if (!isOff) losses.dropped(encoding.pathOf('reasoning'), 'the model does not reason')
    return nothing
  }
  if (isOff) return { ...nothing, thinking: { type: 'disabled' } }
  return target.reasoning === 'budget' ? askBudget(control, encoding, nothing) : askAdaptive(control, encoding, nothing)
}

function askBudget(control: ReasoningControl, encoding: Encoding, nothing: Thinking): Thinking {
  const { request, target, losses } = encoding
  const { effort, budgetTokens: given } = control
  const path = encoding.pathOf('reasoning')
  const { min, max } = target.reasoningBudget
  const least = Math.max(BUDGET_TOKENS_MIN, min)
  const { outputTokensMax: limit } = nothing
  const outputTokensMax = limit > least ? limit : least + ANSWER_TOKENS_MIN
  if (request.outputTokensMax !== null && outputTokensMax > request.outputTokensMax)
    losses.rewritten(encoding.pathOf('outputTokensMax'), 'raised so that an answer has room beside the least reasoning')
  if (given === null && (effort !== null || control.isAdaptive))
    losses.rewritten(path, 'told as a budget, a share of the output limit')
  const share = (effort === null ? undefined : shareOfEffort(effort)) ?? SHARE_DEFAULT
  const wanted = given ?? Math.floor(outputTokensMax * share)
  const bounded = Math.min(Math.max(wanted, least), Math.max(max, least))
  const budget = bounded < outputTokensMax ? bounded : Math.max(least, Math.floor(outputTokensMax * SHARE_DEFAULT))
  if (given !== null && budget !== given) losses.narrowed(path, `the budget of this model and limit is ${budget}`)
  return {
    ...nothing,
    thinking: { type: 'enabled', budget_tokens: budget },
    outputTokensMax,
    isOn: true,
    isManual: true,
  }
}

/** What the API knows, and what stands nearest to the words that it does not know. */
const EFFORTS: ReadonlyMap<string, string> = new Map([
  ['minimal', 'low'],
  ['low', 'low'],
  ['medium', 'medium'],
  ['high', 'high'],
  ['xhigh', 'xhigh'],
  ['max', 'max'],
])
const EFFORT_DEFAULT = 'high'

function askAdaptive(control: ReasoningControl, encoding: Encoding, nothing: Thinking): Thinking {
  const { effort: given, budgetTokens, isShown } = control
  const effort = given === null ? effortFor(budgetTokens, nothing.outputTokensMax) : EFFORTS.get(given)
  if (given === null ? budgetTokens !== null : effort !== given)
    encoding.losses.rewritten(encoding.pathOf('reasoning'), `told as effort ${effort ?? EFFORT_DEFAULT}`)
  // The newest models hide their reasoning unless they are asked to show it.
  const thinking = { type: 'adaptive', display: isShown === false ? 'omitted' : 'summarized' }
  return { ...nothing, thinking, effort: effort ?? (given === null ? null : EFFORT_DEFAULT), isOn: true }
}

const effortFor = (budgetTokens: number | null, outputTokensMax: number): string | undefined =>
  budgetTokens === null ? undefined : effortOfBudget(budgetTokens, outputTokensMax)
