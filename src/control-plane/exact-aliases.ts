import type { OpenAiModel } from '#catalog/listings/openai-models.ts'
import { GatewayError } from '#base/errors.ts'
import type { Call } from './call.ts'

/** A model under another id; it means what its alias means for this caller. */
export type ListedAlias = Partial<OpenAiModel> & {
  readonly id: string
  readonly alias: true
  readonly alias_of: string
}

/** `^name$` without anything that stands for other characters; dots are mostly meant as dots. */
const EXACT = /^\^((?:[\w:/@.-]|\\[.:/@-])+)\$$/

/**
 * Aliases that are ids of their own, where the operator lists them (`routing.list_exact_aliases`, R39). Patterns are no ids; what this
 * caller may not call is left out.
 */
export function exactAliases(call: Call, listed: readonly OpenAiModel[]): readonly ListedAlias[] {
  const { listExactAliases, modelAliases } = call.deps.routing()
  const { actor } = call
  const { explainer } = call.deps
  if (!listExactAliases || actor.kind !== 'key' || explainer === null) return []
  const ids = new Set(listed.map(({ id }) => id))
  const aliases: ListedAlias[] = []
  for (const { pattern } of modelAliases) {
    const id = EXACT.exec(pattern)?.[1]?.replaceAll('\\', '')
    if (id === undefined || ids.has(id)) continue
    ids.add(id)
    const model = meaningOf(() => explainer.resolve({ caller: actor.caller, seesBackends: false, headers: {} }, id))
    if (model === null) continue
    const known = listed.find((each) => each.id === model)
    aliases.push({ ...(known ?? { object: 'model', created: 0, owned_by: 'other' }), id, alias: true, alias_of: model })
  }
  return aliases
}

function meaningOf(resolve: () => Readonly<Record<string, unknown>>): string | null {
  try {
    return String(resolve()['model'])
  } catch (error) {
    if (error instanceof GatewayError) return null
    throw error
  }
}
