import type { MediaBlock, MediaSource } from '#ir/blocks.ts'
import type { Losses } from '#ir/extensions.ts'
import type { Fields } from './fields.ts'

const IMAGE_FORMATS: ReadonlyMap<string, string> = new Map([
  ['image/png', 'png'],
  ['image/jpeg', 'jpeg'],
  ['image/jpg', 'jpeg'],
  ['image/gif', 'gif'],
  ['image/webp', 'webp'],
])

const DOCUMENT_FORMATS: ReadonlyMap<string, string> = new Map([
  ['application/pdf', 'pdf'],
  ['text/csv', 'csv'],
  ['application/msword', 'doc'],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx'],
  ['application/vnd.ms-excel', 'xls'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
  ['text/html', 'html'],
  ['text/plain', 'txt'],
  ['text/markdown', 'md'],
])

const VIDEO_FORMATS: ReadonlyMap<string, string> = new Map([
  ['video/x-matroska', 'mkv'],
  ['video/quicktime', 'mov'],
  ['video/mp4', 'mp4'],
  ['video/webm', 'webm'],
  ['video/x-flv', 'flv'],
  ['video/mpeg', 'mpeg'],
  ['video/mpg', 'mpg'],
  ['video/x-ms-wmv', 'wmv'],
  ['video/3gpp', 'three_gp'],
])

/** How files begin, in base64, where nobody said what they are. */
const BEGINNINGS: readonly (readonly [string, string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
  ['JVBERi0', 'application/pdf'],
]

/** What text can be read as text, although Converse has no name for its form. */
const PLAIN_TEXT = /^text\/|^application\/(?:json|xml|yaml|x-yaml|javascript|typescript)$|\+(?:json|xml)$/

const NAME_CHARACTERS_MAX = 200

/** Names of the documents of one request: Converse allows few characters, and no name twice. */
export class DocumentNames {
  private readonly used = new Set<string>()

  /** The name for a file that the client calls so. */
  nameOf(given: string | undefined): string {
    const bare = (given ?? '')
      .replace(/\.[a-zA-Z0-9]{1,5}$/, '')
      .replaceAll(/[^a-zA-Z0-9\s()[\]-]/g, '-')
      .replaceAll(/\s+/g, ' ')
      .trim()
      .slice(0, NAME_CHARACTERS_MAX)
    const name = /[a-zA-Z0-9]/.test(bare) ? bare : 'document'
    let unique = name
    for (let count = 2; this.used.has(unique.toLowerCase()); count++) unique = `${name} (${count})`
    this.used.add(unique.toLowerCase())
    return unique
  }
}

/** The content block of a medium; null, with a loss, for one that has no place in Converse. */
export function encodeMedia(block: MediaBlock, names: DocumentNames, losses: Losses): Fields | null {
  const { kind, path } = block
  if (block.detail !== undefined && block.detail !== 'auto')
    losses.dropped(`${path}/detail`, 'Bedrock has no detail of an image')
  if (kind === 'audio') return lost(losses, path, 'Bedrock takes no audio')
  const source = encodeSource(block, losses)
  if (!source) return null
  const format = formatOf(block, losses)
  if (format === null) return lost(losses, path, `Bedrock takes no ${kind} of this type`)
  if (kind !== 'document') return { [kind]: { format, source } }
  // Messages tells these two of a document, and they mean the same here.
  const { citations, context } = block.ext?.['anthropic-messages'] ?? {}
  return {
    document: {
      name: names.nameOf(block.filename ?? block.title),
      format,
      source,
      ...(typeof context === 'string' ? { context } : {}),
      ...(citations === undefined ? {} : { citations }),
    },
  }
}

/** Members of a foreign document that `encodeMedia` takes over. */
export const DOCUMENT_MEMBERS: readonly string[] = ['citations', 'context']

function encodeSource({ source, kind, path }: MediaBlock, losses: Losses): Fields | null {
  switch (source.type) {
    case 'base64':
      return { bytes: source.data }
    case 'text':
      // Not every model takes a text source; all of them take its bytes.
      return { bytes: Buffer.from(source.text).toString('base64') }
    case 'url':
      if (source.url.startsWith('s3://')) return { s3Location: { uri: source.url } }
      return lost(losses, path, `Bedrock takes no remote ${kind}`)
    case 'file':
      return lost(losses, path, `a file of ${source.issuer} means nothing to Bedrock`)
    default: {
      const missed: never = source
      throw new Error(`unknown source ${String(missed)}`)
    }
  }
}

function formatOf({ kind, source, path, filename }: MediaBlock, losses: Losses): string | null {
  const mimeType = mimeTypeOf(source)
  if (kind === 'image') return IMAGE_FORMATS.get(mimeType) ?? null
  if (kind === 'video') return VIDEO_FORMATS.get(mimeType) ?? null
  const known = DOCUMENT_FORMATS.get(mimeType) ?? (mimeType === '' ? formatOfName(filename) : undefined)
  if (known !== undefined) return known
  if (!PLAIN_TEXT.test(mimeType)) return null
  losses.rewritten(path, 'Bedrock reads this type as plain text')
  return 'txt'
}

/** In lower case and without parameters; empty when it is unknown. */
function mimeTypeOf(source: MediaSource): string {
  if (source.mimeType !== null) return source.mimeType.split(';')[0]!.trim().toLowerCase()
  if (source.type === 'text') return 'text/plain'
  const data = source.type === 'base64' ? source.data : ''
  return BEGINNINGS.find(([beginning]) => data.startsWith(beginning))?.[1] ?? ''
}

function formatOfName(filename: string | undefined): string | undefined {
  const extension = /\.([a-z]{2,4})$/.exec((filename ?? '').toLowerCase())?.[1]
  return [...DOCUMENT_FORMATS.values()].find((format) => format === extension)
}

function lost(losses: Losses, path: string, reason: string): null {
  losses.severe(path, reason)
  return null
}

/** Pieces that were put into base64 one by one, as one. */
export function joinBase64(pieces: readonly string[]): string {
  return pieces.length === 1
    ? pieces[0]!
    : Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64'))).toString('base64')
}
