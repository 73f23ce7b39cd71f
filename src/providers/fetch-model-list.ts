import { request } from 'undici'
import type { Backend } from '#catalog/types.ts'
import { pushIdentity } from './identity.ts'

/** One answer of a model list; OpenRouter's is about 1 MB. */
export const MODEL_LIST_BYTES_MAX = 16 * 1024 * 1024
/** Pages of a list that is cut in pieces. */
export const MODEL_LIST_PAGES_MAX = 20
/** One page, from connecting to its last byte. */
const PAGE_MS = 30_000
const PAGE_SIZE = 1000

export interface ModelList {
  readonly shape: 'openai' | 'anthropic' | 'gemini'
  /** As the upstream wrote them. */
  readonly entries: readonly unknown[]
}

export interface FetchOptions {
  readonly pageMs?: number
  /** Ends the reading early. */
  readonly signal?: AbortSignal
}

/** Reads a backend's own list of models. Throws an Error whose message says what went wrong, without any secret. */
export async function fetchModelList(backend: Backend, options: FetchOptions = {}): Promise<ModelList> {
  const { shape, url, next } = addressOf(backend)
  const entries: unknown[] = []
  let at: string | null = url
  for (let page = 0; at !== null && page < MODEL_LIST_PAGES_MAX; page++) {
    const answer = await readPage(backend, at, shape, options)
    const list = shape === 'gemini' ? answer['models'] : answer['data']
    if (!Array.isArray(list)) throw new Error(`${backend.id}: the answer of its model list is no list`)
    entries.push(...list)
    at = next(answer)
  }
  return { shape, entries }
}

interface Address {
  readonly shape: ModelList['shape']
  readonly url: string
  /** Where the next page is; null at the end. */
  readonly next: (answer: Readonly<Record<string, unknown>>) => string | null
}

function addressOf(backend: Backend): Address {
  const at = (protocol: Backend['protocols'][number]): string =>
    (backend.protocolUrls?.[protocol] ?? backend.apiUrl).replace(/\/+$/, '')
  const openai = backend.protocols.find((protocol) => protocol.startsWith('openai-'))
  if (backend.apiUrl === '' || backend.aws !== null || backend.type === 'azure' || backend.type === 'bedrock') {
    throw new Error(`${backend.id}: the model list of type ${backend.type} cannot be read; name its models in the file`)
  }
  if (openai !== undefined) return { shape: 'openai', url: `${at(openai)}/models`, next: () => null }
  if (backend.protocols.includes('anthropic-messages')) {
    const url = `${at('anthropic-messages')}/v1/models?limit=${PAGE_SIZE}`
    return {
      shape: 'anthropic',
      url,
      next: ({ has_more: more, last_id: last }) =>
        more === true && typeof last === 'string' ? `${url}&after_id=${encodeURIComponent(last)}` : null,
    }
  }
  const url = `${at('gemini')}/v1beta/models?pageSize=${PAGE_SIZE}`
  return {
    shape: 'gemini',
    url,
    next: ({ nextPageToken: token }) =>
      typeof token === 'string' && token !== '' ? `${url}&pageToken=${encodeURIComponent(token)}` : null,
  }
}

async function readPage(
  backend: Backend,
  url: string,
  shape: ModelList['shape'],
  { pageMs = PAGE_MS, signal }: FetchOptions,
): Promise<Readonly<Record<string, unknown>>> {
  const flat = ['accept', 'application/json', 'accept-encoding', 'identity']
  pushIdentity(flat, backend, {})
  const [credential] = backend.credentials
  if (credential !== undefined && backend.auth === 'bearer') flat.push('authorization', `Bearer ${credential}`)
  else if (credential !== undefined && backend.auth !== 'none') flat.push(backend.auth, credential)
  if (shape === 'anthropic') flat.push('anthropic-version', '2023-06-01')
  for (const [name, value] of Object.entries(backend.headers)) flat.push(name, value)
  let bytes: Buffer
  try {
    const limit = AbortSignal.timeout(pageMs)
    bytes = await readBytes(url, flat, signal ? AbortSignal.any([limit, signal]) : limit)
  } catch (thrown) {
    throw new Error(`${backend.id}: its model list cannot be read: ${reasonOf(thrown, pageMs)}`, { cause: thrown })
  }
  try {
    const answer = JSON.parse(bytes.toString()) as unknown
    if (typeof answer === 'object' && answer !== null) return answer as Readonly<Record<string, unknown>>
  } catch {
    // Told below, like an answer that is no object.
  }
  throw new Error(`${backend.id}: the answer of its model list is not JSON`)
}

async function readBytes(url: string, headers: string[], signal: AbortSignal): Promise<Buffer> {
  const { statusCode, body } = await request(url, { method: 'GET', headers, signal })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`status ${statusCode}`)
  }
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MODEL_LIST_BYTES_MAX) throw new Error(`it is larger than ${MODEL_LIST_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function reasonOf(thrown: unknown, pageMs: number): string {
  const { name, message, code } = thrown as Error & { code?: string }
  if (name === 'TimeoutError') return `no answer within ${pageMs} ms`
  return message === '' ? (code ?? name) : message
}
