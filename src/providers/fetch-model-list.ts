import { request } from 'undici'
import type { AwsAccess, Backend } from '#catalog/types.ts'
import { signRequest } from './aws-signature.ts'
import { renewableAccess } from './backend-access.ts'
import { pushIdentity } from './identity.ts'
import { listAddresses, type ListShape } from './model-list-address.ts'

/** One answer of a model list; OpenRouter's is about 1 MB. */
export const MODEL_LIST_BYTES_MAX = 16 * 1024 * 1024
/** Pages of a list that is cut in pieces. */
export const MODEL_LIST_PAGES_MAX = 20
/** One page, from connecting to its last byte. */
const PAGE_MS = 30_000

export interface ModelList {
  readonly shape: ListShape
  /** As the upstream wrote them. */
  readonly entries: readonly unknown[]
}

export interface FetchOptions {
  readonly pageMs?: number
  /** Ends the reading early. */
  readonly signal?: AbortSignal
  /** Hears the `Date` of every answer, also of one that refuses. */
  readonly onDate?: (date: string) => void
}

/** Reads a backend's own list of models. Throws an Error whose message says what went wrong, without any secret. */
export async function fetchModelList(backend: Backend, options: FetchOptions = {}): Promise<ModelList> {
  const addresses = listAddresses(backend)
  const entries: unknown[] = []
  for (const { shape, url, member, next } of addresses) {
    let at: string | null = url
    for (let page = 0; at !== null && page < MODEL_LIST_PAGES_MAX; page++) {
      const answer = await readPage(backend, at, shape, options)
      const list = answer[member]
      if (!Array.isArray(list)) throw new Error(`${backend.id}: the answer of its model list is no list`)
      entries.push(...list)
      at = next(answer)
    }
  }
  return { shape: addresses[0]!.shape, entries }
}

async function readPage(
  backend: Backend,
  url: string,
  shape: ListShape,
  { pageMs = PAGE_MS, signal, onDate }: FetchOptions,
): Promise<Readonly<Record<string, unknown>>> {
  let bytes: Buffer
  try {
    const limit = AbortSignal.timeout(pageMs)
    bytes = await readBytes(
      url,
      await headersFor(backend, url, shape),
      signal ? AbortSignal.any([limit, signal]) : limit,
      onDate,
    )
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

/** Headers of a request that only asks, with the credential that is written down, or one that was fetched for it. */
export async function headersFor(backend: Backend, url: string, shape: ListShape): Promise<string[]> {
  const flat = ['accept', 'application/json', 'accept-encoding', 'identity']
  pushIdentity(flat, backend, {})
  const renewable = renewableAccess(backend)
  const access = renewable && (renewable.current ?? (await renewable.renew()))
  const credential = access?.credential ?? backend.credentials[0]
  if (credential !== undefined && backend.auth === 'bearer') flat.push('authorization', `Bearer ${credential}`)
  else if (credential !== undefined && backend.auth !== 'none') flat.push(backend.auth, credential)
  if (shape === 'anthropic') flat.push('anthropic-version', '2023-06-01')
  for (const [name, value] of Object.entries(backend.headers)) flat.push(name, value)
  const aws = access?.aws ?? backend.aws
  if (aws) flat.push(...signedGet(aws, new URL(url)))
  return flat
}

function signedGet(aws: AwsAccess, { host, pathname: path, searchParams }: URL): string[] {
  const { region, accessKeyId, secretAccessKey, sessionToken } = aws
  const signed = signRequest({
    method: 'GET',
    host,
    path,
    query: Object.fromEntries(searchParams),
    headers: {},
    body: Buffer.alloc(0),
    region,
    service: 'bedrock',
    accessKeyId,
    secretAccessKey,
    sessionToken,
    at: new Date(),
  })
  return Object.entries(signed).flat()
}

/** The body of a GET that is answered with 200. Throws an Error with its status. */
export async function readBytes(
  url: string,
  headers: string[],
  signal: AbortSignal,
  onDate?: (date: string) => void,
): Promise<Buffer> {
  const { statusCode, headers: answered, body } = await request(url, { method: 'GET', headers, signal })
  if (typeof answered['date'] === 'string') onDate?.(answered['date'])
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
