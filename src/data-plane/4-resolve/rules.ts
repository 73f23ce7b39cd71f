import type { Caller } from '#accounts/types.ts'
import type { ModelRule } from '#config/routing-types.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'
import { declaresTools } from '#data-plane/needs.ts'
import type { Heading } from './resolve.ts'

/** The header by which a client says what kind of work it asks for (R75). */
export const TASK_HEADER = 'x-gateway-task'

/**
 * The first of the operator's rules that the request falls under; null: none. Embeddings of two models have nothing in common, so that
 * none is about them.
 */
export function ruleFor(
  { settings }: Pick<Gateway, 'settings'>,
  { key }: Caller,
  parsed: Parsed,
  { request }: Heading,
): ModelRule | null {
  const { modelRules } = settings
  if (modelRules.length === 0 || parsed.operation === 'embed') return null
  const task = request.headers[TASK_HEADER]
  const isMet = (rule: ModelRule): boolean =>
    (rule.models === null || rule.models.some((name) => isCalled(parsed.model, name))) &&
    (rule.keys === null || (key !== null && rule.keys.includes(key.name))) &&
    (rule.systems === null || (key?.system != null && rule.systems.includes(key.system))) &&
    (rule.task === null || rule.task === task) &&
    (rule.promptTokensBelow === null || promptEstimate(parsed) < rule.promptTokensBelow) &&
    (rule.tools === null || rule.tools === declaresTools(parsed))
  return modelRules.find(isMet) ?? null
}

/** The string as the client wrote it, without its parameters; a star at the end of the rule's name stands for any rest. */
function isCalled(model: string, name: string): boolean {
  const query = model.indexOf('?')
  const bare = query < 0 ? model : model.slice(0, query)
  return name.endsWith('*') ? bare.startsWith(name.slice(0, -1)) : bare === name
}
