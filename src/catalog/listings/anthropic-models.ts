import { GatewayError } from '#base/errors.ts'
import type { Catalog } from '#catalog/types.ts'
import { findModel, listModels, type ListedModel, type ListingFilter } from './select.ts'

/** Anthropic's own bound of `limit`. */
export const ANTHROPIC_LIMIT_MAX = 1000

export interface AnthropicModel {
  readonly type: 'model'
  readonly id: string
  readonly display_name: string
  readonly created_at: string
  readonly max_input_tokens: number | null
  readonly max_tokens: number | null
  readonly capabilities: null
  readonly lifecycle: 'active'
  readonly deprecated_at: null
  readonly retires_at: null
  readonly line: null
}

export interface AnthropicModelList {
  readonly data: readonly AnthropicModel[]
  readonly has_more: boolean
  readonly first_id: string | null
  readonly last_id: string | null
}

/** Anthropic's cursors: the page ends before `beforeId` or begins behind `afterId`; no `limit` is the whole list. */
export interface AnthropicPage {
  readonly limit?: number
  readonly afterId?: string
  readonly beforeId?: string
}

/** The query of `GET /v1/models` with `anthropic-version`. Throws GatewayError invalid_parameter. */
export function parseAnthropicPage(query: Readonly<Record<string, unknown>>): AnthropicPage {
  const text = (name: string): string | undefined => (typeof query[name] === 'string' ? query[name] : undefined)
  const [limit, afterId, beforeId] = [text('limit'), text('after_id'), text('before_id')]
  if (limit !== undefined && !(/^\d{1,4}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= ANTHROPIC_LIMIT_MAX)) {
    throw new GatewayError('invalid_parameter', `limit must be from 1 to ${ANTHROPIC_LIMIT_MAX}.`, { param: 'limit' })
  }
  return {
    ...(limit !== undefined && { limit: Number(limit) }),
    ...(afterId && { afterId }),
    ...(beforeId && { beforeId }),
  }
}

/** The same ids as `openaiModels`, in Anthropic's list shape (C36). */
export function anthropicModels(
  catalog: Catalog,
  filter: ListingFilter = {},
  page: AnthropicPage = {},
): AnthropicModelList {
  const all = listModels(catalog, filter).map(anthropicItem)
  const after = page.afterId === undefined ? -1 : all.findIndex((model) => model.id === page.afterId)
  const before = page.beforeId === undefined ? -1 : all.findIndex((model) => model.id === page.beforeId)
  const limit = page.limit ?? all.length
  const end = before < 0 ? all.length : before
  const rest = all.slice(after + 1, end)
  // Backwards the page is the one that ends at the cursor.
  const data = page.beforeId === undefined ? rest.slice(0, limit) : rest.slice(-limit)
  return {
    data,
    has_more: data.length < rest.length,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  }
}

/** `GET /v1/models/{id}` in Anthropic's shape. */
export function anthropicModel(catalog: Catalog, id: string, filter: ListingFilter = {}): AnthropicModel | undefined {
  const entry = findModel(catalog, id, filter)
  return entry && anthropicItem(entry)
}

function anthropicItem({ model }: ListedModel): AnthropicModel {
  const released = Date.parse(model.releasedAt ?? '')
  return {
    type: 'model',
    id: model.id,
    display_name: model.displayName,
    // The protocol's own way to say that the date is not known is the epoch.
    created_at: new Date(Number.isNaN(released) ? 0 : released).toISOString().replace('.000Z', 'Z'),
    max_input_tokens: model.contextWindow,
    max_tokens: model.maxOutput,
    capabilities: null,
    lifecycle: 'active',
    deprecated_at: null,
    retires_at: null,
    line: null,
  }
}
