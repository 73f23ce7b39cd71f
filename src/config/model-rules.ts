import { z } from 'zod'
import type { ModelRule } from './routing-types.ts'

/** `model_rules`, as written: a class of requests, and the model that is enough for it (R75). */

const filled = z.string().min(1, 'must not be empty')
const names = z.array(filled).min(1, 'must not be empty')

const condition = z.strictObject({
  models: names.optional(),
  keys: names.optional(),
  systems: names.optional(),
  task: filled.optional(),
  prompt_tokens_below: z.number().int('expected integer').min(1, 'must be positive').optional(),
  tools: z.boolean().optional(),
})

export const modelRules = z.array(
  z.strictObject({
    name: filled.optional(),
    when: condition.refine((when) => Object.keys(when).length > 0, 'must name a condition'),
    model: filled,
  }),
)

/** A rule without a name is called by its place. */
export const readModelRules = (rules: z.output<typeof modelRules>): readonly ModelRule[] =>
  rules.map(({ name, when, model }, index) => ({
    name: name ?? `model_rules[${index}]`,
    models: when.models ?? null,
    keys: when.keys ?? null,
    systems: when.systems ?? null,
    task: when.task ?? null,
    promptTokensBelow: when.prompt_tokens_below ?? null,
    tools: when.tools ?? null,
    model,
  }))
