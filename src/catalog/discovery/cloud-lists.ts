import { z } from 'zod'
import { type DiscoveredModel, present } from './discovered-model.ts'

/** Lists of models in the words of single vendors. What is null is of a kind that the gateway does not serve. */

type Read = DiscoveredModel | null | undefined

const text = z.string().min(1).max(300)
const name = text.regex(/^\S+$/)
const names = z.array(text)

const cohereModel = z.object({
  name,
  endpoints: names.catch([]),
  context_length: z.number().int().min(1).optional().catch(undefined),
  features: names.nullish().catch(undefined),
  is_deprecated: z.boolean().nullish().catch(undefined),
})

/** An entry of `GET /v1/models` of Cohere. */
export function readCohere(entry: unknown): Read {
  const read = cohereModel.safeParse(entry)
  if (!read.success) return undefined
  const { name: id, endpoints, context_length: context_window, features, is_deprecated: isOld } = read.data
  const isChat = endpoints.includes('chat')
  if (isOld === true || (!isChat && !endpoints.includes('embed'))) return null
  const capabilities = ['streaming']
  if (features?.includes('tools')) capabilities.push('tools')
  if (features?.includes('vision')) capabilities.push('vision')
  if (features?.includes('reasoning')) capabilities.push('reasoning')
  return present({
    id,
    upstream_model: id,
    context_window,
    capabilities: isChat ? (features ? capabilities : undefined) : ['embeddings'],
  })
}

const azureDeployment = z.object({ id: name, model: name, status: text.optional().catch(undefined) })

/** A deployment of an Azure resource: the model is its public name, the deployment what is called. */
export function readAzure(entry: unknown): Read {
  const read = azureDeployment.safeParse(entry)
  if (!read.success) return undefined
  const { id: deployment, model: id, status } = read.data
  if (status !== undefined && status !== 'succeeded') return null
  return present({ id, upstream_model: deployment, capabilities: /embed/i.test(id) ? ['embeddings'] : undefined })
}

const foundationModel = z.object({
  modelId: name,
  modelName: text.optional().catch(undefined),
  inputModalities: names.catch([]),
  outputModalities: names.catch([]),
  inferenceTypesSupported: names.catch([]),
  modelLifecycle: z.object({ status: text.optional() }).optional().catch(undefined),
})
const inferenceProfile = z.object({
  inferenceProfileId: name,
  inferenceProfileName: text.optional().catch(undefined),
  status: text.optional().catch(undefined),
  models: z.array(z.object({ modelArn: text })).catch([]),
})

/** Bedrock's profiles tell no modalities: each becomes an entry like that of the model it stands for. */
export function joinProfiles(entries: readonly unknown[]): unknown[] {
  const models = new Map<string, object>()
  for (const entry of entries) {
    const read = foundationModel.safeParse(entry)
    if (read.success) models.set(read.data.modelId, read.data)
  }
  return entries.map((entry) => {
    const read = inferenceProfile.safeParse(entry)
    if (!read.success) return entry
    const { inferenceProfileId: modelId, inferenceProfileName: modelName, status, models: members } = read.data
    const model = models.get(members[0]?.modelArn.split('/').at(-1) ?? '')
    const inferenceTypesSupported = status === undefined || status === 'ACTIVE' ? ['ON_DEMAND'] : []
    return { ...model, modelId, ...(modelName && { modelName }), inferenceTypesSupported }
  })
}

/** A model that can be called by its id, or a profile of one. */
export function readBedrock(entry: unknown): Read {
  const read = foundationModel.safeParse(entry)
  if (!read.success) return undefined
  const { modelId, modelName, inputModalities, outputModalities, inferenceTypesSupported } = read.data
  const embeds = outputModalities.includes('EMBEDDING')
  const isServed = embeds || outputModalities.length === 0 || outputModalities.includes('TEXT')
  // A model with a longer name is one of a size that is only sold as provisioned throughput (`:48k`).
  const isCalled = inferenceTypesSupported.includes('ON_DEMAND') && !/:\d+:/.test(modelId)
  if (!isServed || !isCalled) return null
  const modalities = inputModalities.map((modality) => modality.toLowerCase())
  return present({
    // A colon stands between a backend and its model elsewhere.
    id: modelId.replace(/:\d+$/, ''),
    upstream_model: modelId,
    name: modelName,
    capabilities: embeds ? ['embeddings'] : undefined,
    input_modalities: embeds || modalities.length === 0 ? undefined : modalities,
  })
}
