import { z } from 'zod'
import { decimalText, formatPriceEach, formatPricePerMillion, parsePriceEach } from '#base/money.ts'
import { NOT_SERVED } from '#catalog/curated.ts'
import type { ListShape } from '#providers/model-list-address.ts'
import { joinProfiles, readAzure, readBedrock, readCohere } from './cloud-lists.ts'
import type { DiscoveredModel } from './discovered-model.ts'
import { present } from './discovered-model.ts'

/** More models than any upstream lists; what is beyond is left out, and said so. */
export const DISCOVERED_MODELS_MAX = 5000

const text = z.string().min(1).max(300)
const count = z.number().int().min(1)
const names = z.array(text)

/** Members that OpenAI's list has, with those that OpenRouter and its kin add. */
const openaiModel = z.object({
  id: text.regex(/^\S+$/),
  name: text.optional().catch(undefined),
  context_length: count.optional().catch(undefined),
  max_model_len: count.optional().catch(undefined),
  supported_parameters: names.optional().catch(undefined),
  architecture: z
    .object({ input_modalities: names.optional(), output_modalities: names.optional() })
    .optional()
    .catch(undefined),
  top_provider: z
    .object({ max_completion_tokens: count.nullish().catch(undefined) })
    .optional()
    .catch(undefined),
  pricing: z.record(z.string(), z.unknown()).optional().catch(undefined),
})
const anthropicModel = z.object({
  id: text.regex(/^\S+$/),
  display_name: text.optional().catch(undefined),
  max_input_tokens: count.optional().catch(undefined),
  max_tokens: count.optional().catch(undefined),
})
const geminiModel = z.object({
  name: text.regex(/^models\/\S+$/),
  displayName: text.optional().catch(undefined),
  inputTokenLimit: count.optional().catch(undefined),
  outputTokenLimit: count.optional().catch(undefined),
  supportedGenerationMethods: names.optional().catch(undefined),
})

/** The models of a list, in its order, each id once; `remarks` tells what was left out and why. Never throws on an entry. */
export function readModelList(
  entries: readonly unknown[],
  shape: ListShape,
): { models: DiscoveredModel[]; remarks: string[] } {
  const remarks: string[] = []
  const models = new Map<string, DiscoveredModel>()
  let unreadable = 0
  for (const entry of shape === 'bedrock' ? joinProfiles(entries) : entries) {
    const model = READERS[shape](entry, remarks)
    if (model === undefined) unreadable++
    else if (model !== null && models.size < DISCOVERED_MODELS_MAX) add(models, model)
  }
  if (unreadable > 0) remarks.push(`${unreadable} entries of the list cannot be read`)
  if (entries.length > DISCOVERED_MODELS_MAX) remarks.push(`only the first ${DISCOVERED_MODELS_MAX} models are read`)
  return { models: [...models.values()], remarks }
}

/** A second deployment of one model goes by its own name. */
function add(models: Map<string, DiscoveredModel>, model: DiscoveredModel): void {
  const id = models.has(model.id) ? model.upstream_model : model.id
  if (!models.has(id)) models.set(id, { ...model, id })
}

/** Undefined: no entry that can be read. Null: a model of a kind that the gateway does not serve. */
type Reader = (entry: unknown, remarks: string[]) => DiscoveredModel | null | undefined

const READERS: Readonly<Record<ListShape, Reader>> = {
  openai(entry, remarks) {
    const read = openaiModel.safeParse(entry)
    if (!read.success) return undefined
    const { id, name, architecture, top_provider: best, pricing } = read.data
    // OpenRouter lists only what it serves; others list all they have.
    if (architecture === undefined && NOT_SERVED.test(id)) return null
    if (
      architecture?.output_modalities &&
      !architecture.output_modalities.some((one) => /^(text|embeddings)$/.test(one))
    ) {
      return null
    }
    return present({
      id,
      upstream_model: id,
      name,
      context_window: read.data.context_length ?? read.data.max_model_len,
      max_output: best?.max_completion_tokens ?? undefined,
      capabilities: capabilitiesOf(id, read.data.supported_parameters, architecture),
      input_modalities: architecture?.input_modalities,
      output_modalities: architecture?.output_modalities,
      price: pricing && readPricing(id, pricing, remarks),
    })
  },
  anthropic(entry) {
    const read = anthropicModel.safeParse(entry)
    if (!read.success) return undefined
    const { id, display_name: name, max_input_tokens: context_window, max_tokens: max_output } = read.data
    return present({ id, upstream_model: id, name, context_window, max_output })
  },
  gemini(entry) {
    const read = geminiModel.safeParse(entry)
    if (!read.success) return undefined
    const id = read.data.name.slice('models/'.length)
    const methods = read.data.supportedGenerationMethods
    const embeds = methods?.includes('embedContent') ?? false
    if (NOT_SERVED.test(id) || (methods && !embeds && !methods.includes('generateContent'))) return null
    return present({
      id,
      upstream_model: id,
      name: read.data.displayName,
      context_window: read.data.inputTokenLimit,
      max_output: embeds ? undefined : read.data.outputTokenLimit,
      capabilities: embeds ? ['embeddings'] : undefined,
    })
  },
  cohere: readCohere,
  azure: readAzure,
  bedrock: readBedrock,
}

const BY_PARAMETER: readonly (readonly [string, readonly string[]])[] = [
  ['tools', ['tools']],
  ['response_format', ['json_mode']],
  ['structured_outputs', ['json_schema']],
  ['reasoning', ['reasoning', 'thinking']],
  ['logprobs', ['logprobs']],
]
const BY_MODALITY: readonly (readonly [string, string])[] = [
  ['image', 'vision'],
  ['audio', 'audio'],
  ['video', 'video'],
  ['file', 'pdf'],
]

/** Undefined where the list tells nothing, so that what is known of the name elsewhere holds. */
function capabilitiesOf(
  id: string,
  parameters: readonly string[] | undefined,
  architecture: { input_modalities?: string[] | undefined; output_modalities?: string[] | undefined } | undefined,
): string[] | undefined {
  if (architecture?.output_modalities?.includes('embeddings')) return ['embeddings']
  if (parameters === undefined) return /embed/i.test(id) ? ['embeddings'] : undefined
  const found = new Set(['streaming'])
  for (const [name, capabilities] of BY_PARAMETER) {
    if (parameters.includes(name)) for (const capability of capabilities) found.add(capability)
  }
  for (const [modality, capability] of BY_MODALITY)
    if (architecture?.input_modalities?.includes(modality)) found.add(capability)
  return [...found]
}

const PRICING: readonly (readonly [string, string])[] = [
  ['prompt', 'input'],
  ['completion', 'output'],
  ['input_cache_read', 'cache_read'],
  ['input_cache_write', 'cache_write'],
  ['internal_reasoning', 'reasoning'],
  ['image', 'image'],
  ['request', 'request'],
]

/**
 * OpenRouter's decimal texts in USD per token, exactly; no price at all where one of them cannot be counted exactly, is
 * negative (it depends on the request) or is missing for what every request has.
 */
function readPricing(
  id: string,
  pricing: Readonly<Record<string, unknown>>,
  remarks: string[],
): Record<string, string> | undefined {
  const price: Record<string, string> = {}
  for (const [theirs, ours] of PRICING) {
    const value = pricing[theirs]
    const required = ours === 'input' || ours === 'output'
    if (value === undefined || value === null) {
      if (required) return undefined
      continue
    }
    const decimal = typeof value === 'string' || typeof value === 'number' ? decimalText(value) : undefined
    const pico =
      decimal === undefined ? undefined : parsePriceEach(decimal.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''))
    if (pico === undefined || pico < 0n) {
      remarks.push(`${id}: no price: ${theirs} is ${JSON.stringify(value)}`)
      return undefined
    }
    // Their 0 means "no price of its own" there, and a price of nothing here.
    if (pico === 0n && !required) continue
    price[ours] = ours === 'image' || ours === 'request' ? formatPriceEach(pico) : formatPricePerMillion(pico)
  }
  return price
}
