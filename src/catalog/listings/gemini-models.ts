import { GatewayError } from '#base/errors.ts'
import type { Catalog } from '#catalog/types.ts'
import { findModel, listModels, supportsThinking, type ListedModel, type ListingFilter } from './select.ts'

/** Google's own bound of `pageSize`. */
export const GEMINI_PAGE_MAX = 1000

export interface GeminiModel {
  readonly name: string
  readonly baseModelId: string
  readonly displayName: string
  readonly description?: string
  readonly inputTokenLimit?: number
  readonly outputTokenLimit?: number
  readonly supportedGenerationMethods: readonly string[]
  readonly thinking?: boolean
}

export interface GeminiModelList {
  readonly models: readonly GeminiModel[]
  readonly nextPageToken?: string
}

export interface GeminiPage {
  readonly pageSize?: number
  /** Where the page begins. */
  readonly offset?: number
}

/** The query of `GET /v1beta/models`. Throws GatewayError invalid_parameter. */
export function parseGeminiPage(query: Readonly<Record<string, unknown>>): GeminiPage {
  const read = (name: string, max: number): number | undefined => {
    const text = query[name]
    if (text === undefined || text === '') return undefined
    if (typeof text === 'string' && /^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text)
    throw new GatewayError('invalid_parameter', `${name} is not valid.`, { param: name })
  }
  const pageSize = read('pageSize', GEMINI_PAGE_MAX)
  const offset = read('pageToken', Number.MAX_SAFE_INTEGER)
  return { ...(pageSize && { pageSize }), ...(offset !== undefined && { offset }) }
}

/** `GET /v1beta/models`: without `pageSize` the whole list. */
export function geminiModels(catalog: Catalog, filter: ListingFilter = {}, page: GeminiPage = {}): GeminiModelList {
  const all = listModels(catalog, filter)
  const start = page.offset ?? 0
  const end = page.pageSize === undefined ? all.length : start + page.pageSize
  const models = all.slice(start, end).map(geminiItem)
  return { models, ...(end < all.length && { nextPageToken: String(end) }) }
}

/** `GET /v1beta/models/{id}`; the id may carry the leading `models/`. */
export function geminiModel(catalog: Catalog, id: string, filter: ListingFilter = {}): GeminiModel | undefined {
  const entry = findModel(catalog, id.replace(/^models\//, ''), filter)
  return entry && geminiItem(entry)
}

function geminiItem({ model }: ListedModel): GeminiModel {
  const chat = model.kind === 'chat'
  return {
    name: `models/${model.id}`,
    baseModelId: model.id,
    displayName: model.displayName,
    ...(model.description && { description: model.description }),
    ...(model.contextWindow !== null && { inputTokenLimit: model.contextWindow }),
    ...(model.maxOutput !== null && { outputTokenLimit: model.maxOutput }),
    supportedGenerationMethods: chat
      ? ['generateContent', 'streamGenerateContent', 'countTokens']
      : ['embedContent', 'batchEmbedContents'],
    ...(chat && { thinking: supportsThinking(model) }),
  }
}
