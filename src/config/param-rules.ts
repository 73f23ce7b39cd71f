import { z } from 'zod'
import type { ParamAction, ParamRule } from '#catalog/types.ts'

/** The operator's rules for single parameters, as written: `{param, when, action, to}` (R81). */

/** Members deep that a parameter may stand. */
const DEPTH_MAX = 4
const PATH = /^\/?[^/\s]+(?:\/[^/\s]+)*$/

const name = z.string().regex(/^[^/\s]+$/, 'expected the name of a member')

export const paramRule = z.strictObject({
  param: z.string().regex(PATH, 'expected a name, or names with / between them'),
  when: z
    .strictObject({
      equals: z.unknown().optional(),
      not: z.unknown().optional(),
      above: z.number().optional(),
      below: z.number().optional(),
    })
    .optional(),
  action: z.enum(['adapt', 'drop', 'error', 'salt'], 'expected adapt, drop, error or salt'),
  to: z.strictObject({ name: name.optional(), value: z.unknown().optional() }).optional(),
})

export type ParamRuleFile = z.output<typeof paramRule>

/** What the gateway itself must know: a rule for it would have the wrong thing metered, or nothing answered. */
const OWN = new Set(['model', 'stream', 'stream_options', 'messages', 'input', 'contents'])

/** What the hold is computed from (R94): it may be refused or called otherwise, and not be made higher. */
const BOUNDS = new Set([
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'n',
  'generationConfig/maxOutputTokens',
  'generationConfig/candidateCount',
  'inferenceConfig/maxTokens',
])

/** Rules in our form; faults are pushed as `path: reason`. */
export function readParamRules(
  rules: readonly ParamRuleFile[] | undefined,
  path: string,
  faults: string[],
): readonly ParamRule[] {
  return (rules ?? []).map((rule, index) => {
    const steps = rule.param.replace(/^\//, '').split('/')
    const told = `${path}[${index}]`
    checkRule(rule, steps, told, faults)
    return { path: steps, ...(rule.when ? { when: rule.when } : {}), action: actionOf(rule) }
  })
}

function checkRule({ action, to }: ParamRuleFile, steps: readonly string[], path: string, faults: string[]): void {
  const isEmpty = to === undefined || (to.name === undefined && !('value' in to))
  if (action === 'adapt' && isEmpty) faults.push(`${path}.to: missing, and adapt needs a name or a value`)
  if (action !== 'adapt' && to !== undefined) faults.push(`${path}.to: only adapt has it`)
  if (steps.length > DEPTH_MAX) faults.push(`${path}.param: at most ${DEPTH_MAX} names deep`)
  if (OWN.has(steps[0]!)) faults.push(`${path}.param: "${steps[0]!}" is the gateway's own to write`)
  const renamed = to?.name === undefined ? null : [...steps.slice(0, -1), to.name]
  if (renamed && OWN.has(renamed[0]!)) faults.push(`${path}.to.name: "${renamed[0]!}" is the gateway's own to write`)
  const isBound = BOUNDS.has(steps.join('/'))
  if (isBound && action !== 'error' && (action !== 'adapt' || 'value' in (to ?? {})))
    faults.push(`${path}: what an answer may cost is computed from it; it can only be refused or get another name`)
  if (renamed && !isBound && BOUNDS.has(renamed.join('/')))
    faults.push(`${path}.to.name: what an answer may cost is computed from it`)
}

function actionOf({ action, to }: ParamRuleFile): ParamAction {
  if (action !== 'adapt') return { type: action }
  return {
    type: 'adapt',
    ...(to?.name === undefined ? {} : { name: to.name }),
    ...(to !== undefined && 'value' in to ? { value: to.value } : {}),
  }
}
