import { GatewayError } from '#base/errors.ts'
import { anthropicModel, anthropicModels, parseAnthropicPage } from '#catalog/listings/anthropic-models.ts'
import { geminiModel, geminiModels, parseGeminiPage } from '#catalog/listings/gemini-models.ts'
import { openaiModel, type OpenAiModelList, openaiModels } from '#catalog/listings/openai-models.ts'
import {
  openrouterModel,
  openrouterModelCount,
  openrouterModels,
  parseOpenRouterQuery,
} from '#catalog/listings/openrouter-models.ts'
import {
  findModel,
  listModels as listedModels,
  type ListingFilter,
  parseKind,
  parseRouteGroups,
} from '#catalog/listings/select.ts'
import { dialectOf } from '#codecs/dialect.ts'
import { nearest } from '#config/suggest.ts'
import type { Answer, Call } from './call.ts'
import { exactAliases } from './exact-aliases.ts'
import { targetStatsOf } from './reader.ts'
import { openRouterEndpoints, openRouterProviders } from './openrouter-models.ts'

/** Longer ids are no misspelling; comparing them with every model would only cost time. */
export const SUGGESTION_ID_LENGTH_MAX = 120

const ENDPOINTS = '/endpoints'

/** The models this caller may call, in the list shape of his dialect (R54, C36). */
export function listModels(call: Call): Answer {
  const { current } = call.deps.catalog
  const filter = listingFilterOf(call)
  const dialect = dialectOf(call.path, call.headers)
  switch (dialect) {
    case 'openai':
      return { body: withAliases(call, openaiModels(current, filter)) }
    case 'anthropic':
      return { body: anthropicModels(current, filter, parseAnthropicPage(call.query)) }
    case 'gemini':
      return { body: geminiModels(current, filter, parseGeminiPage(call.query)) }
    case 'openrouter':
      return { body: openrouterModels(current, filter, parseOpenRouterQuery(call.query)) }
    default:
      return dialect satisfies never
  }
}

function withAliases(call: Call, list: OpenAiModelList): object {
  const aliases = exactAliases(call, list.data)
  return aliases.length === 0 ? list : { ...list, data: [...list.data, ...aliases] }
}

/** One model by its id, slashes included; under `/api/v1` also its endpoints. Throws model_not_found. */
export function readModel(call: Call): Answer | Promise<Answer> {
  const { current } = call.deps.catalog
  const filter = listingFilterOf(call)
  const id = call.params['*'] ?? ''
  const dialect = dialectOf(call.path, call.headers)
  switch (dialect) {
    case 'openai':
      return { body: openaiModel(current, id, filter) ?? refuse(call, id) }
    case 'anthropic':
      return { body: anthropicModel(current, id, filter) ?? refuse(call, id) }
    case 'gemini':
      return { body: geminiModel(current, id, filter) ?? refuse(call, id.replace(/^models\//, '')) }
    case 'openrouter':
      return readOpenRouter(call, id)
    default:
      return dialect satisfies never
  }
}

/** `GET /api/v1/models/count`. */
export function countModels(call: Call): Answer {
  return {
    body: openrouterModelCount(call.deps.catalog.current, listingFilterOf(call), parseOpenRouterQuery(call.query)),
  }
}

/** `GET /api/v1/models/user`: what the key may call. */
export function listOwnModels(call: Call): Answer {
  return { body: openrouterModels(call.deps.catalog.current, listingFilterOf(call), parseOpenRouterQuery(call.query)) }
}

/** `GET /api/v1/embeddings/models`. */
export function listEmbeddingModels(call: Call): Answer {
  const query = parseOpenRouterQuery({ ...call.query, output_modalities: 'all' })
  return { body: openrouterModels(call.deps.catalog.current, { ...listingFilterOf(call), kind: 'embedding' }, query) }
}

/** `GET /api/v1/providers`. */
export function listProviders(call: Call): Answer {
  return { body: openRouterProviders(listedModels(call.deps.catalog.current, listingFilterOf(call))) }
}

/** What a caller may see; without a key only what is public. */
export function listingFilterOf(call: Call): ListingFilter {
  const { actor } = call
  return {
    groups: groupsOf(call),
    publicOnly: call.actor.kind === 'nobody',
    // The public catalog has one id for each model (C3).
    vendorForms: call.actor.kind === 'key',
    kind: parseKind(call.query['kind']),
    ...permittedTo(call),
    ...(actor.kind === 'key' && actor.caller.key !== null ? { tier: actor.caller.account.tier } : {}),
  }
}

/** The allow-list of the key (R18). */
function permittedTo({ actor }: Call): Pick<ListingFilter, 'permits'> {
  const models = actor.kind === 'key' ? (actor.caller.key?.policy?.models ?? []) : []
  if (models.length === 0) return {}
  const allowed = new Set(models)
  return { permits: (id) => allowed.has(id) }
}

/** Those of the key, and of them those that the query names (R54, R63). */
function groupsOf({ actor, query }: Call): ReadonlySet<string> | null {
  const wanted = parseRouteGroups(query['route_groups'])
  if (actor.kind !== 'key' || actor.caller.key === null) return wanted
  const own = actor.caller.key.groups.map((group) => group.toLowerCase())
  return new Set(wanted === null ? own : own.filter((group) => wanted.has(group)))
}

/** `/api/v1/models/{id}` answers the model itself, as OpenAI does; `/api/v1/model/{author}/{slug}` inside `data`. */
async function readOpenRouter(call: Call, path: string): Promise<Answer> {
  const { current } = call.deps.catalog
  const filter = listingFilterOf(call)
  const isList = call.path.startsWith('/api/v1/models/')
  const isEndpoints = isList && path.endsWith(ENDPOINTS)
  const id = isEndpoints ? path.slice(0, -ENDPOINTS.length) : path
  const found = openrouterModel(current, id, filter) ?? refuse(call, id)
  if (isEndpoints) {
    const stats = await targetStatsOf(call)
    const view = { stats, showsSpeed: call.actor.kind !== 'nobody' }
    return { body: openRouterEndpoints(findModel(current, found.data.id, filter)!, current, filter, view) }
  }
  return { body: isList ? found.data : found }
}

/** Suggests only what this caller may see (R45). */
function refuse(call: Call, id: string): never {
  const shown = id.slice(0, SUGGESTION_ID_LENGTH_MAX)
  const ids = listedModels(call.deps.catalog.current, listingFilterOf(call)).map(({ model }) => model.id)
  const meant = id.length > SUGGESTION_ID_LENGTH_MAX ? undefined : nearest(id, ids)
  const message = `There is no model '${shown}'.${meant ? ` Did you mean '${meant}'?` : ''}`
  throw new GatewayError('model_not_found', message, {
    param: 'model',
    requestedModels: [shown],
    ...(meant ? { suggestions: [meant] } : {}),
  })
}
