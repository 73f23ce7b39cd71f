import type { Backend } from '#catalog/types.ts'

export type ListShape = 'openai' | 'anthropic' | 'gemini' | 'cohere' | 'azure' | 'bedrock'

type Page = Readonly<Record<string, unknown>>

/** One list of models, and how its pages follow one another. */
export interface ListAddress {
  readonly shape: ListShape
  readonly url: string
  /** The member that holds the entries. */
  readonly member: string
  /** Where the next page is; null at the end. */
  readonly next: (answer: Page) => string | null
}

const PAGE_SIZE = 1000
const LAST = (): null => null

/** Azure tells its deployments on the resource itself in this version, and in no later one. */
const AZURE_VERSION = '2023-03-15-preview'

/** Where a backend lists its models; Bedrock has two lists. Throws an Error where there is none. */
export function listAddresses(backend: Backend): readonly ListAddress[] {
  const { apiUrl, cloud, protocols } = backend
  const at = (protocol: Backend['protocols'][number]): string =>
    (backend.protocolUrls?.[protocol] ?? apiUrl).replace(/\/+$/, '')
  if (apiUrl === '' || cloud?.kind === 'vertex' || (cloud?.kind === 'azure' && cloud.isModelInference)) {
    throw new Error(`${backend.id}: the model list of type ${backend.type} cannot be read; name its models in the file`)
  }
  if (cloud?.kind === 'azure')
    return [list('azure', `${apiUrl}/openai/deployments?api-version=${AZURE_VERSION}`, 'data')]
  if (cloud?.kind === 'bedrock') return bedrockLists(apiUrl)
  const openai = protocols.find((protocol) => protocol.startsWith('openai-'))
  if (openai !== undefined) return [list('openai', `${at(openai)}/models`, 'data')]
  if (protocols.includes('cohere-chat'))
    return [paged('cohere', `${at('cohere-chat')}/v1/models?page_size=${PAGE_SIZE}`, 'next_page_token', 'page_token')]
  if (protocols.includes('anthropic-messages')) return [anthropicList(at('anthropic-messages'))]
  return [paged('gemini', `${at('gemini')}/v1beta/models?pageSize=${PAGE_SIZE}`, 'nextPageToken', 'pageToken')]
}

const list = (shape: ListShape, url: string, member: string): ListAddress => ({ shape, url, member, next: LAST })

/** Pages that are found by the token that the page before told. */
function paged(shape: ListShape, url: string, told: string, asked: string, member = 'models'): ListAddress {
  const next = ({ [told]: token }: Page): string | null =>
    typeof token === 'string' && token !== '' ? `${url}&${asked}=${encodeURIComponent(token)}` : null
  return { shape, url, member, next }
}

function anthropicList(root: string): ListAddress {
  const url = `${root}/v1/models?limit=${PAGE_SIZE}`
  const next = ({ has_more: more, last_id: last }: Page): string | null =>
    more === true && typeof last === 'string' ? `${url}&after_id=${encodeURIComponent(last)}` : null
  return { shape: 'anthropic', url, member: 'data', next }
}

/** Its models and the profiles that stand for them in several regions, at another host than its calls. */
function bedrockLists(apiUrl: string): ListAddress[] {
  const root = apiUrl.replace('//bedrock-runtime.', '//bedrock.')
  const profiles = `${root}/inference-profiles?maxResults=${PAGE_SIZE}`
  return [
    list('bedrock', `${root}/foundation-models`, 'modelSummaries'),
    paged('bedrock', profiles, 'nextToken', 'nextToken', 'inferenceProfileSummaries'),
  ]
}
