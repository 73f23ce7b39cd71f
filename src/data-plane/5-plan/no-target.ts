import { type Availability, GatewayError } from '#base/errors.ts'
import type { Protocol, Surface } from '#base/protocols.ts'
import type { Model, Route } from '#catalog/types.ts'
import type { Selection } from '#data-plane/4-resolve/selection.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import { lackOf, type Need } from '#data-plane/needs.ts'
import { promptEstimate } from '#data-plane/prompt-estimate.ts'
import type { Excluded } from './plan.ts'
import { windowOf } from './window.ts'

const PATH_OF: Readonly<Partial<Record<Protocol, string>>> = {
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
  'openai-embeddings': '/v1/embeddings',
  'anthropic-messages': '/v1/messages',
  gemini: '/v1beta/models/{model}:generateContent',
}

/** How it is told that a model lacks what the request needs (R74). */
const LACKS: Readonly<Record<Need, { readonly what: string; readonly param: string }>> = {
  vision: { what: 'has no vision: it takes no images', param: 'messages' },
  audio: { what: 'takes no audio', param: 'messages' },
  files: { what: 'takes no files', param: 'messages' },
  tools: { what: 'has no tools: it calls no functions', param: 'tools' },
}

/** Why there is no target, told by what stood in the way of the most. */
export function noTarget(
  parsed: Parsed,
  { model, routes, requested }: Selection,
  excluded: readonly Excluded[],
): GatewayError {
  // Those of the model that was asked for: its fallbacks are second choices.
  const own = excluded.filter(({ route }) => route.model.id === model.id)
  const reasons = new Set(own.flatMap((each) => each.reasons))
  const lack = reasons.has('capability') ? lackOf(model, parsed) : null
  if (lack !== null) {
    const { what, param } = LACKS[lack]
    return new GatewayError('unsupported_capability', `"${model.id}" ${what}.`, { param })
  }
  if (reasons.has('context')) {
    const window = Math.max(...routes.map(windowOf))
    const message = `The request has about ${promptEstimate(parsed)} tokens and "${model.id}" takes ${window}.`
    return new GatewayError('context_length_exceeded', message, { param: 'messages' })
  }
  const isUnwanted = reasons.has('policy') || reasons.has('price') || reasons.has('whitelist')
  if (isUnwanted) {
    const message = `No backend of "${model.id}" meets what the request, its key or its group asks of one.`
    const availability = availabilityOf(own)
    const requestedModels = [requested.slice(0, 100)]
    return new GatewayError('no_backend_meets_policy', message, { param: 'provider', requestedModels, availability })
  }
  if (reasons.has('capability')) {
    const plugins = parsed.wishes?.plugins?.map((id) => `"${id}"`).join(', ')
    const message = `No backend of "${model.id}" runs the plugin ${plugins}.`
    return new GatewayError('unsupported_tool', message, { param: 'plugins' })
  }
  return untranslatable(parsed.surface, model, routes)
}

/** What is most about privacy is told first: it is what nobody should work around. */
function availabilityOf(excluded: readonly Excluded[]): Availability {
  const excludedBy = [...new Set(excluded.flatMap(({ by }) => by ?? []))]
  const constrained = (field: string, detail: string): Availability => ({
    code: 'constraint_filtered',
    excludedBy,
    constraint: { field, detail },
  })
  if (excludedBy.some((by) => by.startsWith('data_policy'))) return { code: 'privacy_restricted', excludedBy }
  if (excludedBy.includes('data_region')) return { code: 'region_restricted', excludedBy }
  if (excludedBy.includes('max_price')) return constrained('max_price', 'No route is as cheap, or has a known price.')
  if (excludedBy.includes('quantization'))
    return constrained('quantizations', 'No route has one of these quantizations.')
  if (excludedBy.includes('require_parameters'))
    return constrained('require_parameters', 'No route supports all that the request says.')
  if (excludedBy.includes('distillable_text'))
    return constrained('enforce_distillable_text', 'The model is not known to allow it.')
  return { code: 'no_endpoints', excludedBy }
}

function untranslatable(surface: Surface, model: Model, routes: readonly Route[]): GatewayError {
  const paths = [...new Set(routes.flatMap((route) => route.protocols))].map((protocol) => PATH_OF[protocol])
  const known = paths.filter((path) => path !== undefined)
  const hint = known.length > 0 ? ` Call it at ${known.join(' or ')}.` : ''
  const message = `"${model.id}" has no backend that a request of this protocol (${surface}) can be translated for.${hint}`
  return new GatewayError('translation_not_available', message, { param: 'model' })
}
