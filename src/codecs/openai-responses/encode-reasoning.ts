import { effortOfBudget, NOTHING_SAID } from '#codecs/effort.ts'
import type { ChatRequest, ReasoningControl } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { type Members, ownMembers, revealed } from './members.ts'

/** The `reasoning` for the upstream; undefined when nothing is to be said. `isOwn`: the client spoke this protocol. */
export function encodeReasoning(
  request: ChatRequest,
  target: TargetTraits,
  isOwn: boolean,
  losses: Losses,
): Members | undefined {
  const { reasoning: control } = request
  const members = isOwn ? ownReasoning(request) : control && foreignReasoning(control, request, target, losses)
  return members === null || Object.keys(members).length === 0 ? undefined : members
}

/** Whether the client asks the model to reason. */
export function isReasoningOn(control: ReasoningControl | null): boolean {
  return control !== null && !isOff(control)
}

function isOff({ enabled, effort, budgetTokens }: ReasoningControl): boolean {
  return enabled === false || effort === 'none' || budgetTokens === 0
}

function ownReasoning(request: ChatRequest): Members {
  const { effort, summary, enabled, budgetTokens, isShown } = request.reasoning ?? NOTHING_SAID
  return {
    ...(effort === null ? {} : { effort }),
    ...(summary === null ? {} : { summary }),
    ...(enabled === null || effort === 'none' ? {} : { enabled }),
    ...(budgetTokens === null ? {} : { max_tokens: budgetTokens }),
    // A summary asks to be shown by itself.
    ...(isShown === null || (isShown && summary !== null) ? {} : { exclude: !isShown }),
    ...revealed(ownMembers(request)['reasoning']),
  }
}

function foreignReasoning(
  control: ReasoningControl,
  request: ChatRequest,
  target: TargetTraits,
  losses: Losses,
): Members | null {
  const path = request.paths['reasoning'] ?? '/reasoning'
  if (target.reasoning === 'none') {
    if (!isOff(control)) losses.dropped(path, 'the model does not reason')
    return null
  }
  if (isOff(control)) {
    if (control.effort === 'none') return { effort: 'none' }
    // Half of the models refuse `none`; the word is sent only when the client itself used it.
    losses.dropped(path, 'the model cannot be told not to reason')
    return null
  }
  const summary = control.summary ?? (isToBeShown(control) ? 'auto' : null)
  const shown = summary === null ? {} : { summary }
  // Who only says whether it wants to see reasoning leaves its amount to the model.
  if (!asksForAmount(control)) return shown
  const effort = control.effort ?? effortOf(control, request, target)
  if (control.effort === null) losses.rewritten(path, `the model takes an effort: ${effort} stands for it`)
  return { effort, ...shown }
}

function asksForAmount({ effort, budgetTokens, isAdaptive, enabled }: ReasoningControl): boolean {
  return effort !== null || budgetTokens !== null || isAdaptive || enabled === true
}

/** Where reasoning is a switch or a budget it is shown unless the client says otherwise; an effort alone asks for no text. */
function isToBeShown({ isShown, enabled, budgetTokens, isAdaptive }: ReasoningControl): boolean {
  return isShown ?? (enabled === true || budgetTokens !== null || isAdaptive)
}

function effortOf({ budgetTokens }: ReasoningControl, request: ChatRequest, target: TargetTraits): string {
  if (budgetTokens === null) return 'medium'
  return effortOfBudget(budgetTokens, request.outputTokensMax ?? target.outputTokensMax)
}
