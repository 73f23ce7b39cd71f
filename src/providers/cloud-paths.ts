import type { Protocol } from '#base/protocols.ts'
import { encodeAwsSegment } from './aws-signature.ts'
import type { Cloud } from './cloud.ts'

/** What decides the path of a call to a cloud. */
export interface CloudAsk {
  readonly protocol: Protocol
  readonly operation: 'generate' | 'embed' | 'count'
  /** The upstream's own name of the model. */
  readonly model: string
  readonly geminiAction: string | null
  readonly stream: boolean
}

/** Path and query behind the backend's address. */
export function cloudPath(cloud: Cloud, ask: CloudAsk): string {
  switch (cloud.kind) {
    case 'azure':
      return cloud.isModelInference ? inferencePath(cloud.apiVersion, ask) : azurePath(cloud.apiVersion, ask)
    case 'vertex':
      return vertexPath(cloud.project, cloud.location, ask)
    case 'bedrock':
      return `/model/${encodeAwsSegment(ask.model)}/${bedrockAction(ask)}`
    default: {
      const missed: never = cloud
      throw new Error(`unknown cloud ${String(missed)}`)
    }
  }
}

const OPENAI_PATHS: Readonly<Partial<Record<Protocol, string>>> = {
  'openai-chat': 'chat/completions',
  'openai-embeddings': 'embeddings',
}

/**
 * Dated versions name the deployment in the path; `/openai/v1` reads it from `model`. The Responses API stands beside the
 * deployments in every version (Azure answers 404 for `/deployments/{name}/responses`).
 */
function azurePath(apiVersion: string | null, ask: CloudAsk): string {
  const suffix = ask.operation === 'count' ? 'responses/input_tokens' : 'responses'
  const place = OPENAI_PATHS[ask.protocol] ?? suffix
  if (apiVersion === null) return `/openai/v1/${place}`
  const query = `?api-version=${encodeURIComponent(apiVersion)}`
  if (!isDatedAzure(apiVersion)) return `/openai/v1/${place}${query}`
  if (ask.protocol === 'openai-responses') return `/openai/${place}${query}`
  return `/openai/deployments/${encodeURIComponent(ask.model)}/${place}${query}`
}

/** Azure AI model inference, behind an address that ends in `/models`; it has this one version. */
function inferencePath(apiVersion: string | null, { protocol }: CloudAsk): string {
  return `/${OPENAI_PATHS[protocol] ?? 'chat/completions'}?api-version=${encodeURIComponent(apiVersion ?? '2024-05-01-preview')}`
}

/** Whether an `api_version` is one of the dated ones, which the deployments' own paths want. */
export const isDatedAzure = (apiVersion: string | null): boolean => apiVersion !== null && /^\d{4}-/.test(apiVersion)

/** Google's own models, Claude, and everything else that Vertex serves in OpenAI's chat form. */
function vertexPath(project: string | null, location: string, ask: CloudAsk): string {
  const place = project === null ? '/v1' : `/v1/projects/${encodeURIComponent(project)}/locations/${location}`
  if (ask.protocol === 'openai-chat') return `${place}/endpoints/openapi/chat/completions`
  if (ask.protocol === 'anthropic-messages') {
    const model = ask.operation === 'count' ? 'count-tokens' : encodeURIComponent(ask.model).replaceAll('%40', '@')
    return `${place}/publishers/anthropic/models/${model}:${ask.stream ? 'streamRawPredict' : 'rawPredict'}`
  }
  const action = ask.geminiAction ?? (ask.stream ? 'streamGenerateContent' : 'generateContent')
  const model = encodeURIComponent(ask.model)
  return `${place}/publishers/google/models/${model}:${action}${ask.stream ? '?alt=sse' : ''}`
}

function bedrockAction(ask: CloudAsk): string {
  if (ask.protocol === 'bedrock-converse' && ask.operation !== 'embed')
    return ask.stream ? 'converse-stream' : 'converse'
  return ask.stream ? 'invoke-with-response-stream' : 'invoke'
}

/** Whether a cloud's model is one of Anthropic's; an ARN that does not tell is believed to be of the vendor of its model. */
export function isClaude(upstreamModel: string, vendor: string): boolean {
  const name = upstreamModel.toLowerCase()
  if (OPAQUE_ARN.test(name)) return vendor === 'anthropic'
  return /(?:^|[./:])(?:anthropic\.|anthropic\/|claude)/.test(name)
}

/** ARNs with an id of the operator's own. */
const OPAQUE_ARN =
  /:(?:application-inference-profile|provisioned-model|imported-model|custom-model[a-z-]*|prompt-router)\//

/** Whether the upstream's name of a model was chosen by the operator (a deployment, a profile) and tells nothing of it. */
export const isOperatorsName = (cloud: Cloud, upstreamModel: string): boolean =>
  (cloud.kind === 'azure' && !cloud.isModelInference) || (cloud.kind === 'bedrock' && OPAQUE_ARN.test(upstreamModel))

/**
 * The protocols that fit a model of a cloud: Claude is spoken to in Anthropic's own (InvokeModel, rawPredict), which says
 * everything, the others in the cloud's.
 */
export function cloudProtocols(
  cloud: Cloud,
  protocols: readonly Protocol[],
  model: string,
  vendor: string,
): Protocol[] {
  if (cloud.kind === 'azure') return [...protocols]
  if (isClaude(model, vendor)) return protocols.filter((each) => each !== 'gemini' && each !== 'openai-chat')
  // `meta/llama-...`: a publisher that is not Google is reached in OpenAI's form only.
  const isPublished = cloud.kind === 'vertex' && model.includes('/')
  return protocols.filter((each) => each !== 'anthropic-messages' && (each !== 'gemini' || !isPublished))
}
