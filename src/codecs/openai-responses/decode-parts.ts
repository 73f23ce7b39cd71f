import type { Block, MediaBlock } from '#ir/blocks.ts'
import { citationOf } from './annotations.ts'
import { audioTypeOf, mediaKindOf, sourceOfUrl } from './media-type.ts'
import { extensionOf, isRecord, type Members, PROTOCOL, recordOf, restOf, textOf } from './members.ts'

/** Content parts of a client's message or tool output as blocks. A part of a type that nobody knows is opaque. */
export function decodeParts(parts: readonly unknown[], path: string): Block[] {
  return parts.map((part, index) => decodePart(part, `${path}/${index}`))
}

/** Content that is a text or a list of parts; null and absent are none. */
export function decodeContent(content: unknown, path: string): Block[] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return [{ type: 'text', text: content, path }]
  if (Array.isArray(content)) return decodeParts(content as unknown[], path)
  return [decodePart(content, path)]
}

function decodePart(value: unknown, path: string): Block {
  if (typeof value === 'string') return { type: 'text', text: value, path }
  const part = recordOf(value, path)
  switch (part['type']) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return decodeText(part, path)
    case 'refusal':
      return {
        type: 'refusal',
        text: textOf(part['refusal'], `${path}/refusal`),
        path,
        ...extensionOf(restOf(part, REFUSAL)),
      }
    case 'input_image':
      return decodeImage(part, path) ?? opaque(part, path)
    case 'input_file':
      return decodeFile(part, path) ?? opaque(part, path)
    case 'input_audio':
      return decodeAudio(part, path) ?? opaque(part, path)
    default:
      return opaque(part, path)
  }
}

const opaque = (value: Members, path: string): Block => ({ type: 'opaque', issuer: PROTOCOL, value, path })

const TEXT = new Set(['type', 'text', 'annotations'])
/** Probabilities of what was said before mean nothing to the next answer. */
const TEXT_ASIDE = new Set(['logprobs'])
const REFUSAL = new Set(['type', 'refusal'])
const IMAGE = new Set(['type', 'image_url', 'file_id', 'detail'])
const FILE = new Set(['type', 'file_data', 'file_url', 'file_id', 'filename', 'detail'])
const AUDIO = new Set(['type', 'input_audio'])

function decodeText(part: Members, path: string): Block {
  const annotations = part['annotations']
  return {
    type: 'text',
    text: textOf(part['text'], `${path}/text`),
    path,
    ...(Array.isArray(annotations) ? { citations: annotations.map(citationOf) } : {}),
    ...extensionOf(restOf(part, TEXT, TEXT_ASIDE)),
  }
}

/** Null when the part holds no image that can be named. */
function decodeImage(part: Members, path: string): MediaBlock | null {
  const { image_url: url, file_id: id, detail } = part
  const named = isRecord(url) ? url['url'] : url
  const more = {
    ...(typeof detail === 'string' ? { detail } : {}),
    path,
    ...extensionOf(restOf(part, IMAGE)),
  }
  if (typeof named === 'string') return { type: 'media', kind: 'image', source: sourceOfUrl(named), ...more }
  if (typeof id !== 'string') return null
  return { type: 'media', kind: 'image', source: { type: 'file', issuer: PROTOCOL, id, mimeType: null }, ...more }
}

function decodeFile(part: Members, path: string): MediaBlock | null {
  const { file_data: data, file_url: url, file_id: id, filename, detail } = part
  const more = {
    ...(typeof filename === 'string' ? { filename } : {}),
    ...(typeof detail === 'string' ? { detail } : {}),
    path,
    ...extensionOf(restOf(part, FILE)),
  }
  if (typeof data === 'string') {
    const source = sourceOfUrl(data)
    // The API also takes the bare base64 text, whose type nobody tells.
    const held = source.type === 'base64' ? source : ({ type: 'base64', mimeType: null, data } as const)
    return { type: 'media', kind: mediaKindOf(held.mimeType), source: held, ...more }
  }
  if (typeof url === 'string')
    return { type: 'media', kind: 'document', source: { type: 'url', mimeType: null, url }, ...more }
  if (typeof id !== 'string') return null
  return { type: 'media', kind: 'document', source: { type: 'file', issuer: PROTOCOL, id, mimeType: null }, ...more }
}

function decodeAudio(part: Members, path: string): MediaBlock | null {
  const audio = part['input_audio']
  if (!isRecord(audio) || typeof audio['data'] !== 'string') return null
  const format = audio['format']
  return {
    type: 'media',
    kind: 'audio',
    source: {
      type: 'base64',
      mimeType: typeof format === 'string' ? audioTypeOf(format) : null,
      data: audio['data'],
    },
    path,
    ...extensionOf(restOf(part, AUDIO)),
  }
}
