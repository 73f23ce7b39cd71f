import type { MediaBlock, MediaSource } from '#ir/blocks.ts'
import { isObject, malformed, type Members, ownExt, PROTOCOL, restOf, stringOrNull } from './members.ts'

const IMAGE = new Set(['type', 'source', 'cache_control'])
const DOCUMENT = new Set(['type', 'source', 'title', 'cache_control'])
const SOURCE_MEMBERS = new Set(['type', 'media_type', 'data', 'url', 'file_id'])

/** An image or document. Null when its source is of a kind that nobody here knows: then it is the API's own matter. */
export function decodeMedia(
  members: Members,
  kind: 'image' | 'document',
  path: string,
  param: string,
): MediaBlock | null {
  const given = members['source']
  if (!isObject(given)) throw malformed(`${param}.source`, 'must be an object')
  const source = decodeSource(given, kind)
  if (source === null) return null
  const title = stringOrNull(members['title'])
  const rest = restOf(members, kind === 'image' || title === null ? IMAGE : DOCUMENT)
  return {
    type: 'media',
    kind,
    source,
    path,
    ...(title === null || kind === 'image' ? {} : { title }),
    ...cacheControlOf(members),
    // A source that says more than the neutral one stays beside it as it stood, and is what the API gets.
    ...ownExt(isWhole(given) ? rest : { ...rest, source: given }),
  }
}

/** A found text is a document; what only the API knows of it stays beside. */
export function decodeSearchResult(members: Members, path: string): MediaBlock {
  const title = stringOrNull(members['title'])
  return {
    type: 'media',
    kind: 'document',
    source: { type: 'text', mimeType: 'text/plain', text: contentText(members['content']) },
    path,
    ...(title === null ? {} : { title }),
    ...cacheControlOf(members),
    ...ownExt(restOf(members, new Set(['title', 'cache_control']))),
  }
}

export function cacheControlOf(members: Members): { cacheControl?: unknown } {
  const value = members['cache_control']
  return value === undefined || value === null ? {} : { cacheControl: value }
}

function decodeSource(source: Members, kind: 'image' | 'document'): MediaSource | null {
  const mimeType = stringOrNull(source['media_type'])
  const { data, url, file_id: fileId } = source
  switch (source['type']) {
    case 'base64':
      return typeof data === 'string' ? { type: 'base64', mimeType, data } : null
    case 'url':
      return typeof url === 'string' ? { type: 'url', mimeType, url } : null
    case 'file':
      return typeof fileId === 'string' ? { type: 'file', issuer: PROTOCOL, id: fileId, mimeType } : null
    case 'text':
      return typeof data === 'string' ? { type: 'text', mimeType, text: data } : null
    case 'content':
      return kind === 'document' ? { type: 'text', mimeType: 'text/plain', text: contentText(source['content']) } : null
    default:
      return null
  }
}

function isWhole(source: Members): boolean {
  return Object.keys(source).every((name) => SOURCE_MEMBERS.has(name))
}

/** The text of a string or of text blocks. */
function contentText(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map((part) => (isObject(part) && typeof part['text'] === 'string' ? part['text'] : '')).join('\n')
}
