import { GatewayError } from '#base/errors.ts'
import type { MediaUrls } from '#codecs/translation.ts'
import type { Exchange } from '#data-plane/1-receive/exchange.ts'
import type { Gateway } from '#data-plane/gateway.ts'
import type { Block, MediaBlock } from '#ir/blocks.ts'
import type { ChatRequest } from '#ir/chat-request.ts'
import type { Losses } from '#ir/extensions.ts'
import type { ByteBudget, OutboundResult } from '#outbound/outbound.ts'
import { ACCEPTED, loadedKind, loadedType } from './media-type.ts'

/** Files that are loaded for one request, and how many of them at a time. */
export const LOADED_FILES_MAX = 32
export const LOADED_AT_A_TIME_MAX = 4

/** Media that stands at an address. */
interface RemoteMedia extends MediaBlock {
  readonly source: Extract<MediaBlock['source'], { readonly type: 'url' }>
}

type Loaded = Extract<OutboundResult, { readonly kind: 'fetched' }>

/**
 * The request with the media in it that its target cannot load by itself (R84). All together has at most as many bytes as
 * a client may send in one body. Throws GatewayError (400) `media_url_forbidden` for an address that is not public, also
 * where the target would load it, and `media_fetch_failed`; `param` names the part.
 */
export async function loadRemoteMedia(
  gateway: Gateway,
  exchange: Exchange,
  request: ChatRequest,
  urls: MediaUrls,
  losses: Losses,
): Promise<ChatRequest> {
  const wanted = refuseForbiddenMedia(gateway, request).filter(
    ({ kind, source }) => urls[kind]?.test(source.url) === false,
  )
  if (wanted.length === 0) return request
  const files = await loadFiles(gateway, exchange, wanted)
  const replaced = new Map<Block, Block>()
  for (const block of wanted) {
    const { contentType, body } = files.get(block.source.url)!
    const mimeType = loadedType(block.kind, contentType, block.source.mimeType, body)
    if (mimeType === null) throw refusal('media_fetch_failed', block, `it is not of a type that ${block.kind} may have`)
    losses.rewritten(block.path, 'the gateway loaded it from its address')
    const source = { type: 'base64', mimeType, data: body.toString('base64') } as const
    replaced.set(block, { ...block, kind: loadedKind(block.kind, mimeType), source })
  }
  const turns = request.turns.map((turn) => ({ ...turn, blocks: replaceIn(turn.blocks, replaced) }))
  return { ...request, turns }
}

/** Throws `media_url_forbidden` for an address that nobody may be sent to; else gives all media that stands at an address of the web. */
export function refuseForbiddenMedia({ outbound }: Gateway, request: ChatRequest): readonly RemoteMedia[] {
  const found = request.turns.flatMap(({ blocks }) => remoteMediaIn(blocks))
  for (const block of found) {
    const reason = outbound.refusalOf(block.source.url)
    if (reason !== null) throw refusal('media_url_forbidden', block, reason)
  }
  return found
}

/** Schemes that mean something to some upstream alone, and data that is no base64. All others are taken for the web's. */
const FOREIGN = /^(?:data|gs|s3|ms):/i
const SCHEME = /^\s*(?:[a-z][a-z0-9+.-]*:|\/\/)/i

function remoteMediaIn(blocks: readonly Block[]): readonly RemoteMedia[] {
  return blocks.flatMap((block) => {
    if (block.type === 'tool-result') return remoteMediaIn(block.content)
    return block.type === 'media' && isRemote(block) ? [block] : []
  })
}

function isRemote(block: MediaBlock): block is RemoteMedia {
  const { source } = block
  return source.type === 'url' && SCHEME.test(source.url) && !FOREIGN.test(source.url)
}

function replaceIn(blocks: readonly Block[], replaced: ReadonlyMap<Block, Block>): readonly Block[] {
  return blocks.map((block) =>
    block.type === 'tool-result'
      ? { ...block, content: replaceIn(block.content, replaced) }
      : (replaced.get(block) ?? block),
  )
}

/** Each address once. The first failure ends the others, and so does the client that leaves. */
async function loadFiles(
  gateway: Gateway,
  exchange: Exchange,
  wanted: readonly RemoteMedia[],
): Promise<ReadonlyMap<string, Loaded>> {
  const queue = [...new Map(wanted.map((block) => [block.source.url, block])).values()]
  if (queue.length > LOADED_FILES_MAX) {
    const reason = `the gateway loads at most ${LOADED_FILES_MAX} files for one request`
    throw refusal('media_fetch_failed', queue[LOADED_FILES_MAX]!, reason)
  }
  const ending = new AbortController()
  exchange.departure.onGone(() => ending.abort())
  const budget: ByteBudget = { bytesLeft: gateway.settings.limits.bodyBytesMax }
  const files = new Map<string, Loaded>()
  const work = async (): Promise<void> => {
    for (let block = queue.shift(); block; block = queue.shift()) {
      const request = { accept: ACCEPTED[block.kind], signal: ending.signal, budget }
      const result = await gateway.outbound.get(block.source.url, request)
      if (result.kind !== 'fetched') throw failureOf(result, block)
      files.set(block.source.url, result)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(LOADED_AT_A_TIME_MAX, queue.length) }, work))
  } finally {
    queue.length = 0
    ending.abort()
    exchange.departure.onGone(null)
  }
  return files
}

function failureOf(result: Exclude<OutboundResult, Loaded>, block: RemoteMedia): GatewayError {
  switch (result.kind) {
    case 'forbidden':
      return refusal('media_url_forbidden', block, result.reason)
    case 'failed':
      return refusal('media_fetch_failed', block, result.reason)
    case 'busy':
      return new GatewayError('outbound_overloaded', 'The gateway is loading too many files; try again soon.', {
        retryAfterSeconds: 1,
      })
    case 'aborted':
      return new GatewayError('client_closed_request', 'The client left.')
    default: {
      const missed: never = result
      throw new Error(`unknown result ${String(missed)}`)
    }
  }
}

/** The address itself is not repeated: it may hold a signature. */
function refusal(code: 'media_url_forbidden' | 'media_fetch_failed', block: MediaBlock, reason: string): GatewayError {
  const param = block.path.slice(1).replaceAll('/', '.')
  return new GatewayError(code, `${param} cannot be loaded from its address: ${reason}.`, { param })
}
