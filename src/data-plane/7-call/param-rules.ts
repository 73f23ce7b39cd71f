import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { isRawNumber, parseFaithfulJson } from '#base/exact-json.ts'
import type { ParamCondition, ParamRule } from '#catalog/types.ts'
import type { Target } from '#data-plane/5-plan/plan.ts'
import { escapePointer, type Loss, Losses } from '#ir/extensions.ts'

export interface Ruled {
  readonly body: Buffer
  readonly losses: readonly Loss[]
}

const NO_RULES: readonly ParamRule[] = []
const NO_LOSSES: readonly Loss[] = []

/** The operator's rules for this target: those of its backend, then those of its model. Nearly always none. */
export function paramRulesOf({ route: { backend, model } }: Pick<Target, 'route'>): readonly ParamRule[] {
  if (!backend.paramRules) return model.paramRules ?? NO_RULES
  return model.paramRules ? [...backend.paramRules, ...model.paramRules] : backend.paramRules
}

/**
 * The upstream's body after the rules, in their order (R81). Only a body that a rule is about is written anew; its numbers keep
 * their digits. `paths`: where neutral settings stood in the client's body, when it was another one; `accountId`: who asks.
 */
export function applyParamRules(
  rules: readonly ParamRule[],
  body: Buffer,
  paths: Readonly<Record<string, string>>,
  accountId: string,
): Ruled {
  if (rules.length === 0) return { body, losses: NO_LOSSES }
  const value = parseFaithfulJson(body.toString('utf8'))
  const losses = new Losses()
  let isChanged = false
  for (const rule of rules) if (applyRule(rule, value, paths, losses, accountId)) isChanged = true
  return { body: isChanged ? Buffer.from(JSON.stringify(value)) : body, losses: losses.list }
}

type Fields = Record<string, unknown>

/** Whether the body was changed. */
function applyRule(
  { path, when, action }: ParamRule,
  body: unknown,
  paths: Readonly<Record<string, string>>,
  losses: Losses,
  accountId: string,
): boolean {
  const name = path.at(-1)!
  const holder = path.slice(0, -1).reduce<unknown>((at, step) => fieldsOf(at)?.[step], body)
  const fields = fieldsOf(holder)
  if (!fields || !Object.hasOwn(fields, name) || (when && !holds(when, fields[name]))) return false
  const told = paths[NEUTRAL.get(name) ?? ''] ?? `/${path.map(escapePointer).join('/')}`
  switch (action.type) {
    case 'error':
      losses.severe(told, 'a rule of the gateway refuses it for this model')
      return false
    case 'drop':
      losses.dropped(told, 'a rule of the gateway for this model')
      delete fields[name]
      return true
    case 'adapt': {
      losses.rewritten(told, 'a rule of the gateway for this model')
      const value = 'value' in action ? action.value : fields[name]
      if (action.name !== undefined) delete fields[name]
      const next = action.name ?? name
      // Said under the other name already: then that is what counts, whoever said it.
      if (next === name || !Object.hasOwn(fields, next)) fields[next] = value
      return true
    }
    case 'salt': {
      const text = fields[name]
      if (typeof text !== 'string') return false
      losses.rewritten(told, 'a rule of the gateway keeps it apart from that of other accounts')
      fields[name] = salted(text, accountId)
      return true
    }
    default: {
      const missed: never = action
      throw new Error(`unknown action ${String(missed)}`)
    }
  }
}

/** Always the same of one account; 43 characters, which is within the limits of all members that it is for. */
const salted = (text: string, accountId: string): string =>
  createHash('sha256')
    .update(JSON.stringify([accountId, text]))
    .digest('base64url')

/** `JSON.parse` makes plain objects; arrays and numbers that are kept as text hold no parameters. */
const fieldsOf = (value: unknown): Fields | undefined =>
  value !== null && typeof value === 'object' && !Array.isArray(value) && !isRawNumber(value)
    ? (value as Fields)
    : undefined

function holds({ equals, not, above, below }: ParamCondition, value: unknown): boolean {
  const number = isRawNumber(value) ? Number(value.rawJSON) : value
  if (equals !== undefined && !isDeepStrictEqual(number, equals)) return false
  if (not !== undefined && isDeepStrictEqual(number, not)) return false
  if (above !== undefined && !(typeof number === 'number' && number > above)) return false
  return below === undefined || (typeof number === 'number' && number < below)
}

/** Neutral names of what clients call differently, for the path in a warning. */
const NEUTRAL: ReadonlyMap<string, string> = new Map([
  ['temperature', 'temperature'],
  ['top_p', 'topP'],
  ['topP', 'topP'],
  ['top_k', 'topK'],
  ['topK', 'topK'],
  ['presence_penalty', 'presencePenalty'],
  ['presencePenalty', 'presencePenalty'],
  ['frequency_penalty', 'frequencyPenalty'],
  ['frequencyPenalty', 'frequencyPenalty'],
  ['seed', 'seed'],
  ['logit_bias', 'logitBias'],
  ['max_tokens', 'outputTokensMax'],
  ['max_completion_tokens', 'outputTokensMax'],
  ['max_output_tokens', 'outputTokensMax'],
  ['maxOutputTokens', 'outputTokensMax'],
  ['maxTokens', 'outputTokensMax'],
  ['stop', 'stopSequences'],
  ['stop_sequences', 'stopSequences'],
  ['stopSequences', 'stopSequences'],
  ['service_tier', 'serviceTier'],
  ['prompt_cache_key', 'promptCacheKey'],
])
