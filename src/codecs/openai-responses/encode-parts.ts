import type { Block, MediaBlock, TextBlock } from '#ir/blocks.ts'
import type { Losses } from '#ir/extensions.ts'
import { annotationOf } from './annotations.ts'
import { audioFormatOf, imageTypeOf } from './media-type.ts'
import { ownMembers, PROTOCOL } from './members.ts'

/** How parts are to be written: who speaks, and where losses go. */
export interface PartsContext {
  /** What the model said is `output_text`, all else `input_text`. */
  readonly voice: 'input' | 'output'
  /** Whether the client spoke this protocol: then it knows which files it named. */
  readonly isOwn: boolean
  readonly losses: Losses
}

/** A block as a content part; null for one that has no place in content, which is declared. */
export function encodePart(block: Block, context: PartsContext): unknown {
  const { losses } = context
  declareForeign(block, losses)
  switch (block.type) {
    case 'text':
      return encodeText(block, context)
    case 'refusal':
      return context.voice === 'output'
        ? { type: 'refusal', refusal: block.text, ...ownMembers(block) }
        : { type: 'input_text', text: block.text }
    case 'media':
      return encodeMedia(block, context)
    case 'opaque':
      if (block.issuer === PROTOCOL) return block.value
      losses.dropped(block.path, `only ${block.issuer} understands it`)
      return null
    case 'reasoning':
    case 'tool-call':
    case 'tool-result':
      // These are items and never stand within content.
      losses.dropped(block.path, 'it has no place in the content of a message')
      return null
    default: {
      const missed: never = block
      throw new Error(`unknown block ${String(missed)}`)
    }
  }
}

/** Declares what a node holds that only other protocols know. */
export function declareForeign(
  node: { readonly path: string; readonly ext?: Block['ext']; readonly cacheControl?: unknown },
  losses: Losses,
): void {
  if (node.cacheControl !== undefined && node.cacheControl !== null)
    losses.dropped(`${node.path}/cache_control`, 'the Responses API caches without breakpoints')
  if (node.ext === undefined) return
  for (const [protocol, members] of Object.entries(node.ext))
    if (protocol !== PROTOCOL) losses.unknown(node.path, members, 'the Responses API knows no such member')
}

function encodeText(block: TextBlock, { voice, losses }: PartsContext): unknown {
  const { text, citations, path, seal } = block
  if (seal) losses.dropped(path, 'foreign_reasoning')
  if (voice === 'input') return { type: 'input_text', text, ...ownMembers(block) }
  const annotations = citations?.map((citation) => {
    const isOwn = citation.native?.issuer === PROTOCOL
    if (!isOwn) losses.dropped(`${path}/citations`, 'the Responses API takes no citations of others')
    return isOwn ? annotationOf(citation, text.length) : null
  })
  return {
    type: 'output_text',
    text,
    ...(annotations ? { annotations: annotations.filter((annotation) => annotation !== null) } : {}),
    ...ownMembers(block),
  }
}

function encodeMedia(block: MediaBlock, context: PartsContext): unknown {
  const { kind, source, path } = block
  const { losses, voice, isOwn } = context
  if (block.seal) losses.dropped(path, 'foreign_reasoning')
  if (voice === 'output') {
    losses.dropped(path, 'the Responses API takes media from the user only')
    return null
  }
  if (source.type === 'file' && source.issuer !== PROTOCOL) {
    losses.severe(path, 'only its issuer holds the file')
    return null
  }
  // A client of this protocol may name any file as a file.
  if (kind === 'document' || (isOwn && block.filename !== undefined)) return encodeFile(block, context)
  if (kind === 'image') return encodeImage(block)
  if (kind === 'audio' && source.type === 'base64') {
    const format = audioFormatOf(source.mimeType)
    return { type: 'input_audio', input_audio: { data: source.data, format }, ...ownMembers(block) }
  }
  losses.severe(path, `the Responses API takes no ${kind}`)
  return null
}

function encodeImage(block: MediaBlock): unknown {
  const { source, detail } = block
  return {
    type: 'input_image',
    ...(source.type === 'file' ? { file_id: source.id } : { image_url: imageUrl(source) }),
    ...(detail === undefined ? {} : { detail }),
    ...ownMembers(block),
  }
}

function imageUrl(source: Exclude<MediaBlock['source'], { readonly type: 'file' }>): string {
  if (source.type === 'url') return source.url
  const data = source.type === 'base64' ? source.data : Buffer.from(source.text).toString('base64')
  return dataUrl(source.mimeType ?? imageTypeOf(data), data)
}

const dataUrl = (mimeType: string, data: string): string => `data:${mimeType};base64,${data}`

const FILENAMES: Readonly<Record<string, string>> = {
  'application/pdf': 'document.pdf',
  'text/plain': 'document.txt',
  'text/markdown': 'document.md',
  'text/csv': 'document.csv',
  'text/html': 'document.html',
}

function encodeFile(block: MediaBlock, { isOwn }: PartsContext): unknown {
  const { source, filename, title, detail } = block
  return {
    type: 'input_file',
    ...fileSource(source, isOwn),
    ...(isOwn ? (filename === undefined ? {} : { filename }) : fileName(source, filename ?? title)),
    ...(detail === undefined ? {} : { detail }),
    ...ownMembers(block),
  }
}

function fileSource(source: MediaBlock['source'], isOwn: boolean): Readonly<Record<string, string>> {
  switch (source.type) {
    case 'url':
      return { file_url: source.url }
    case 'file':
      return { file_id: source.id }
    case 'text':
      return { file_data: dataUrl(source.mimeType ?? 'text/plain', Buffer.from(source.text).toString('base64')) }
    case 'base64':
      // A client of this protocol may send the bare base64 text, whose type nobody told.
      if (source.mimeType === null && isOwn) return { file_data: source.data }
      return { file_data: dataUrl(source.mimeType ?? 'application/pdf', source.data) }
    default: {
      const missed: never = source
      throw new Error(`unknown source ${String(missed)}`)
    }
  }
}

/** The API refuses data without a name. */
function fileName(source: MediaBlock['source'], told: string | undefined): { filename?: string } {
  if (told !== undefined) return { filename: told }
  if (source.type !== 'base64' && source.type !== 'text') return {}
  const mimeType = source.mimeType ?? (source.type === 'text' ? 'text/plain' : 'application/pdf')
  return { filename: FILENAMES[mimeType] ?? 'document' }
}
