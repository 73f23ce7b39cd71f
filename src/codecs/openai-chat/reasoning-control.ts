import { effortOfBudget, NOTHING_SAID } from '#codecs/effort.ts'
import type { ReasoningControl } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { isObject, malformed, type Members, numberOf, optionalText, restWithin } from './members.ts'

/** What a chat request says of reasoning: OpenAI's `reasoning_effort`, OpenRouter's `reasoning{}`. */

const MEMBERS = new Set(['effort', 'max_tokens', 'exclude', 'enabled', 'summary'])

export interface ReadReasoning {
  readonly control: ReasoningControl | null
  readonly path: string
  /** Members of `reasoning` that nobody knows. */
  readonly rest: Members
}

export function readReasoning(body: Members): ReadReasoning {
  const effort = optionalText(body, 'reasoning_effort', '')
  const object = body['reasoning'] ?? null
  if (object === null) {
    const control = effort === null ? null : { ...NOTHING_SAID, effort }
    return { control, path: '/reasoning_effort', rest: {} }
  }
  if (!isObject(object)) throw malformed('/reasoning', 'must be an object')
  const isExcluded = optionalFlag(object, 'exclude')
  const control: ReasoningControl = {
    enabled: optionalFlag(object, 'enabled'),
    effort: optionalText(object, 'effort', '/reasoning') ?? effort,
    budgetTokens: readBudget(object['max_tokens']),
    isAdaptive: false,
    isShown: isExcluded === null ? null : !isExcluded,
    summary: optionalText(object, 'summary', '/reasoning'),
  }
  return { control, path: '/reasoning', rest: restWithin('reasoning', object, MEMBERS) }
}

function optionalFlag(members: Members, name: string): boolean | null {
  const value = members[name] ?? null
  if (value !== null && typeof value !== 'boolean') throw malformed(`/reasoning/${name}`, 'must be true or false')
  return value
}

function readBudget(value: unknown): number | null {
  if (value === null || value === undefined) return null
  const budget = numberOf(value)
  if (budget === null) throw malformed('/reasoning/max_tokens', 'must be a number')
  return budget
}

/** Asks the target for reasoning in its own way: the members of the body that say so. */
export function askReasoning(
  control: ReasoningControl | null,
  path: string,
  outputTokensMax: number | null,
  target: TargetTraits,
  losses: Losses,
): Members {
  if (!control) return {}
  switch (target.reasoning) {
    case 'none':
      if (isAskedFor(control)) losses.dropped(path, 'the model does not reason')
      return {}
    case 'openrouter':
      return { reasoning: asObject(control) }
    case 'effort':
    case 'budget':
    case 'adaptive':
    case 'level': {
      if (control.summary !== null) losses.dropped(`${path}/summary`, 'the upstream shows reasoning in its own way')
      const effort = effortOf(control, path, outputTokensMax ?? target.outputTokensMax, losses)
      return effort === null ? {} : { reasoning_effort: effort }
    }
    default: {
      const missed: never = target.reasoning
      throw new Error(`unknown way to reason ${String(missed)}`)
    }
  }
}

function isAskedFor({ enabled, effort, budgetTokens, isAdaptive }: ReasoningControl): boolean {
  if (enabled === false || effort === 'none') return false
  return enabled === true || effort !== null || isAdaptive || (budgetTokens !== null && budgetTokens > 0)
}

function asObject(control: ReasoningControl): Members {
  const { enabled, effort, budgetTokens, isAdaptive, isShown, summary } = control
  const isBare = enabled === null && effort === null && budgetTokens === null
  return {
    ...(effort === null ? {} : { effort }),
    ...(budgetTokens === null ? {} : { max_tokens: budgetTokens }),
    ...(isShown === null ? {} : { exclude: !isShown }),
    ...(isAdaptive && isBare ? { enabled: true } : {}),
    ...(enabled === null ? {} : { enabled }),
    ...(summary === null ? {} : { summary }),
  }
}

/** The effort to ask for; null when the client asked for nothing. */
function effortOf(
  { enabled, effort, budgetTokens, isAdaptive }: ReasoningControl,
  path: string,
  outputTokensMax: number | null,
  losses: Losses,
): string | null {
  if (effort !== null) return effort
  if (enabled === false) return 'none'
  if (budgetTokens !== null && budgetTokens >= 0) {
    losses.rewritten(path, 'the budget became an effort')
    if (budgetTokens === 0) return 'none'
    return effortOfBudget(budgetTokens, outputTokensMax)
  }
  if (isAdaptive || budgetTokens !== null) {
    losses.rewritten(path, 'the model cannot decide on the effort itself')
    return 'medium'
  }
  return enabled === true ? 'medium' : null
}
