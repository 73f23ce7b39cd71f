import { formatPricePerMillion } from '#base/money.ts'
import type { Catalog } from '#catalog/types.ts'
import {
  createdSeconds,
  findModel,
  listModels,
  movingFlag,
  supportsThinking,
  vendorSlug,
  type ListedModel,
  type ListingFilter,
} from './select.ts'

/** An item of OpenAI's list with our extension fields (R54); prices in USD per million tokens, null when unpriced. */
export interface OpenAiModel {
  readonly id: string
  readonly object: 'model'
  readonly created: number
  readonly owned_by: string
  readonly name: string
  readonly context_length: number | null
  readonly max_output_tokens: number | null
  readonly input_price: string | null
  readonly output_price: string | null
  readonly supports_stream: boolean
  readonly supports_tools: boolean
  readonly supports_vision: boolean
  readonly supports_json_schema: boolean
  readonly supports_thinking: boolean
  /** Present where the id does not always mean the same model (R44). */
  readonly alias?: true
}

export interface OpenAiModelList {
  readonly object: 'list'
  readonly data: readonly OpenAiModel[]
}

/** `GET /v1/models`. */
export function openaiModels(catalog: Catalog, filter: ListingFilter = {}): OpenAiModelList {
  return { object: 'list', data: listModels(catalog, filter).map(openaiItem) }
}

/** `GET /v1/models/{id}`; undefined when there is none for this viewer. */
export function openaiModel(catalog: Catalog, id: string, filter: ListingFilter = {}): OpenAiModel | undefined {
  const entry = findModel(catalog, id, filter)
  return entry && openaiItem(entry)
}

function openaiItem({ model, price }: ListedModel): OpenAiModel {
  return {
    id: model.id,
    object: 'model',
    created: createdSeconds(model),
    owned_by: vendorSlug(model),
    name: model.displayName,
    context_length: model.contextWindow,
    max_output_tokens: model.maxOutput,
    input_price: price && formatPricePerMillion(price.input),
    output_price: price && formatPricePerMillion(price.output),
    supports_stream: model.kind === 'chat',
    supports_tools: model.capabilities.has('tools'),
    supports_vision: model.capabilities.has('vision'),
    supports_json_schema: model.capabilities.has('json_schema'),
    supports_thinking: supportsThinking(model),
    ...movingFlag(model),
  }
}
