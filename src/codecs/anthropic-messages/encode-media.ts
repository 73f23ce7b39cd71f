import type { MediaBlock, MediaSource } from '#ir/blocks.ts'
import type { Encoding } from './encoding.ts'
import { type Members, PROTOCOL } from './members.ts'

/** What the first bytes of a file look like in base64. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
  ['JVBERi', 'application/pdf'],
]

/** Text files of other kinds are told as plain text, which is all that the API takes. */
const TEXTUAL = /^(?:text\/|application\/(?:json|xml|x?-?yaml|javascript|x-ndjson)\b)/

/** An image or document as a block; null for what the API has no place for, which is declared. */
export function encodeMedia(block: MediaBlock, encoding: Encoding): Members | null {
  switch (block.kind) {
    case 'image':
      return encodeImage(block, encoding)
    case 'document':
      return encodeDocument(block, encoding)
    case 'audio':
    case 'video':
      encoding.losses.severe(block.path, `the Messages API takes no ${block.kind}`)
      return null
    default: {
      const missed: never = block.kind
      throw new Error(`unknown kind ${String(missed)}`)
    }
  }
}

function encodeImage(block: MediaBlock, { losses }: Encoding): Members | null {
  const { source, detail, path } = block
  if (detail !== undefined && detail !== 'auto') losses.dropped(path, 'the Messages API knows no detail of an image')
  switch (source.type) {
    case 'base64':
      return { type: 'image', source: base64(imageType(source.mimeType ?? typeOf(source.data)), source.data) }
    case 'url':
      return { type: 'image', source: { type: 'url', url: source.url } }
    case 'file':
      return encodeFile('image', block, source, losses)
    case 'text':
      losses.severe(path, 'an image cannot be text')
      return null
    default: {
      const missed: never = source
      throw new Error(`unknown source ${String(missed)}`)
    }
  }
}

function encodeDocument(block: MediaBlock, { losses }: Encoding): Members | null {
  const { source, path } = block
  const name = block.title ?? block.filename
  const title = name === undefined ? {} : { title: name }
  switch (source.type) {
    case 'base64': {
      const mimeType = source.mimeType ?? typeOf(source.data) ?? PDF
      if (mimeType === PDF) return { type: 'document', source: base64(PDF, source.data), ...title }
      if (!TEXTUAL.test(mimeType)) {
        losses.severe(path, `the Messages API takes no documents of type ${mimeType}`)
        return null
      }
      if (mimeType !== PLAIN_TEXT) losses.rewritten(path, `${mimeType} is told as plain text`)
      const text = Buffer.from(source.data, 'base64').toString('utf8')
      return { type: 'document', source: plainText(text), ...title }
    }
    case 'url':
      return { type: 'document', source: { type: 'url', url: source.url }, ...title }
    case 'text':
      return { type: 'document', source: plainText(source.text), ...title }
    case 'file': {
      const document = encodeFile('document', block, source, losses)
      return document === null ? null : { ...document, ...title }
    }
    default: {
      const missed: never = source
      throw new Error(`unknown source ${String(missed)}`)
    }
  }
}

function encodeFile(
  type: 'image' | 'document',
  { path }: MediaBlock,
  source: Extract<MediaSource, { type: 'file' }>,
  losses: Encoding['losses'],
): Members | null {
  if (source.issuer === PROTOCOL) return { type, source: { type: 'file', file_id: source.id } }
  losses.severe(path, `the file is held by ${source.issuer}`)
  return null
}

const PDF = 'application/pdf'
const PLAIN_TEXT = 'text/plain'

function base64(mimeType: string | null, data: string): Members {
  return { type: 'base64', ...(mimeType === null ? {} : { media_type: mimeType }), data }
}

function plainText(text: string): Members {
  return { type: 'text', media_type: PLAIN_TEXT, data: text }
}

function typeOf(data: string): string | null {
  return BEGINNINGS.find(([beginning]) => data.startsWith(beginning))?.[1] ?? null
}

/** A common mistake that other APIs forgive. */
function imageType(mimeType: string | null): string | null {
  return mimeType === 'image/jpg' ? 'image/jpeg' : mimeType
}
