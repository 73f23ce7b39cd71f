import type { Block, MediaBlock, TextBlock } from '#ir/blocks.ts'
import type { Losses } from '#ir/extensions.ts'
import type { TargetTraits } from '#codecs/translation.ts'
import { declareForeign, isObject, type Members, ownMembers, PROTOCOL, withOwn } from './members.ts'
import { audioFormat, dataUrlOf, typeOfData } from './media.ts'

/** What all of one request's encoding shares. */
export interface Encoding {
  readonly target: TargetTraits
  readonly losses: Losses
  /** Custom tools are declared and called as functions: only OpenAI's own models know the others. */
  readonly emulatesCustomTools: boolean
}

export type Part = Record<string, unknown>

/** A content block as a part of a message; null when there is no place for it, which is declared. */
export function partOf(block: Block, encoding: Encoding): Part | null {
  const { losses } = encoding
  declareForeign(block.path, block.ext, losses)
  switch (block.type) {
    case 'text':
      return finished(textPart(block, losses), block, encoding)
    case 'refusal':
      return finished({ type: 'refusal', refusal: block.text }, block, encoding)
    case 'media': {
      const part = mediaPart(block, encoding)
      return part && finished(part, block, encoding)
    }
    case 'opaque':
      if (block.issuer === PROTOCOL && isObject(block.value)) return { ...block.value }
      losses.dropped(block.path, 'only its issuer understands it')
      return null
    case 'reasoning':
    case 'tool-call':
    case 'tool-result':
      losses.dropped(block.path, 'it has no place in such a message')
      return null
    default: {
      const missed: never = block
      throw new Error(`unknown block ${String(missed)}`)
    }
  }
}

/** One plain text is a string, which every host takes. */
export function contentOf(parts: readonly Part[]): string | readonly Part[] {
  if (parts.length === 0) return ''
  const only = parts.length === 1 ? parts[0]! : {}
  const { type, text, ...more } = only
  return type === 'text' && typeof text === 'string' && Object.keys(more).length === 0 ? text : parts
}

function finished(part: Part, block: Block, encoding: Encoding): Part {
  return withOwn({ ...part, ...cacheControlFor(block, encoding) }, ownMembers(block))
}

/** OpenRouter alone takes cache breakpoints; others refuse the member, and cache by themselves. */
export function cacheControlFor(
  node: { readonly path: string; readonly cacheControl?: unknown },
  { target, losses }: Encoding,
): { cache_control?: unknown } {
  if (node.cacheControl === undefined) return {}
  if (target.reasoning === 'openrouter') return { cache_control: node.cacheControl }
  losses.dropped(`${node.path}/cache_control`, 'the upstream caches by itself')
  return {}
}

function textPart(block: TextBlock, losses: Losses): Part {
  if (block.citations && block.citations.length > 0)
    losses.dropped(`${block.path}/citations`, 'a message that is sent has no citations')
  if (block.seal && block.seal.issuer !== PROTOCOL) losses.dropped(block.path, 'foreign_reasoning')
  return { type: 'text', text: block.text }
}

function mediaPart(block: MediaBlock, encoding: Encoding): Part | null {
  const { losses } = encoding
  const { source, path, title } = block
  if (title !== undefined) losses.dropped(`${path}/title`, 'a file has no title here')
  if (source.type === 'text') return { type: 'text', text: source.text }
  if (source.type === 'file') return filePart(block, source, losses)
  switch (block.kind) {
    case 'image':
      return { type: 'image_url', image_url: addressOf(block, source) }
    case 'video':
      if (!encoding.target.takesVideo) {
        losses.severe(path, 'the upstream takes no video')
        return null
      }
      return { type: 'video_url', video_url: addressOf(block, source) }
    case 'audio':
      if (source.type === 'base64') return audioPart(source)
      losses.severe(path, 'audio is taken as data only')
      return null
    case 'document':
      return documentPart(block, source, encoding)
    default: {
      const missed: never = block.kind
      throw new Error(`unknown kind of media ${String(missed)}`)
    }
  }
}

type Data = Extract<MediaBlock['source'], { type: 'base64' }>
type Address = Extract<MediaBlock['source'], { type: 'url' }>

function addressOf(block: MediaBlock, source: Data | Address): Members {
  const url =
    source.type === 'url' ? source.url : dataUrlOf(source.mimeType ?? typeOfData(block.kind, source.data), source.data)
  return { url, ...(block.detail === undefined ? {} : { detail: block.detail }) }
}

/** Without a format the data stands by itself, as Mistral takes it. */
function audioPart({ mimeType, data }: Data): Part {
  return { type: 'input_audio', input_audio: mimeType === null ? data : { data, format: audioFormat(mimeType) } }
}

/** OpenAI refuses the data of a file that has no name. */
const FILENAME = 'document.pdf'

function documentPart(block: MediaBlock, source: Data | Address, { target, losses }: Encoding): Part | null {
  if (source.type === 'url' && target.reasoning !== 'openrouter') {
    losses.severe(block.path, 'documents are taken as data only')
    return null
  }
  // Data of which nobody said the type goes as it stood.
  const data =
    source.type === 'url'
      ? source.url
      : source.mimeType === null
        ? source.data
        : dataUrlOf(source.mimeType, source.data)
  return { type: 'file', file: { filename: block.filename ?? block.title ?? FILENAME, file_data: data } }
}

function filePart(
  block: MediaBlock,
  { issuer, id }: Extract<MediaBlock['source'], { type: 'file' }>,
  losses: Losses,
): Part | null {
  if (issuer !== PROTOCOL) {
    losses.severe(block.path, 'only its issuer holds the file')
    return null
  }
  return {
    type: 'file',
    file: { file_id: id, ...(block.filename === undefined ? {} : { filename: block.filename }) },
  }
}
