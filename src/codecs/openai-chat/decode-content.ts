import type { Block, MediaBlock, MediaSource } from '#ir/blocks.ts'
import {
  cacheControlOf,
  isObject,
  malformed,
  type Members,
  optionalText,
  ownExt,
  PROTOCOL,
  restOf,
  restWithin,
  stringOrNull,
} from './members.ts'
import { audioType, kindOfType, sourceOfUrl } from './media.ts'

/** The content of a message: a text, a list of parts, or nothing. */
export function readContent(value: unknown, path: string): readonly Block[] {
  if (value === null || value === undefined) return []
  if (typeof value === 'string') return [{ type: 'text', path, text: value }]
  if (!Array.isArray(value)) throw malformed(path, 'must be a string or a list of parts')
  return value.map((part: unknown, index) => readPart(part, `${path}/${index}`))
}

function readPart(value: unknown, path: string): Block {
  if (typeof value === 'string') return { type: 'text', path, text: value }
  if (!isObject(value)) throw malformed(path, 'must be an object')
  switch (value['type']) {
    case 'text':
      return {
        type: 'text',
        path,
        text: optionalText(value, 'text', path) ?? '',
        ...cacheControlOf(value),
        ...ownExt(restOf(value, TEXT_MEMBERS)),
      }
    case 'refusal':
      return {
        type: 'refusal',
        path,
        text: optionalText(value, 'refusal', path) ?? '',
        ...ownExt(restOf(value, REFUSAL_MEMBERS)),
      }
    case 'image_url':
      return readAddress(value, 'image_url', 'image', path)
    case 'video_url':
      return readAddress(value, 'video_url', 'video', path)
    case 'input_audio':
      return readAudio(value, path)
    case 'file':
      return readFile(value, path)
    case 'thinking':
      // Mistral's own form, which its hosts want back as it stood.
      return {
        type: 'reasoning',
        path,
        text: thinkingText(value),
        seal: null,
        id: null,
        ...ownExt(restOf(value, THINKING_MEMBERS)),
      }
    default:
      return { type: 'opaque', path, issuer: PROTOCOL, value }
  }
}

const TEXT_MEMBERS = new Set(['type', 'text', 'cache_control'])
const REFUSAL_MEMBERS = new Set(['type', 'refusal'])
const THINKING_MEMBERS = new Set(['type'])

/** The text of Mistral's `thinking` part: a string, or a list of text parts. */
export function thinkingText(part: Members): string {
  const { thinking } = part
  if (typeof thinking === 'string') return thinking
  if (!Array.isArray(thinking)) return ''
  return thinking.map((piece: unknown) => (isObject(piece) ? (stringOrNull(piece['text']) ?? '') : '')).join('')
}

const ADDRESS_MEMBERS = new Set(['url', 'detail'])

/** `{type, [name]: {url, detail?}}`; some hosts take the address itself in place of the object. */
function readAddress(part: Members, name: 'image_url' | 'video_url', kind: MediaBlock['kind'], path: string): Block {
  const given = part[name]
  const address = typeof given === 'string' ? { url: given } : given
  if (!isObject(address)) throw malformed(`${path}/${name}`, 'must be an object')
  const { url } = address
  if (typeof url !== 'string') throw malformed(`${path}/${name}/url`, 'must be a string')
  const detail = optionalText(address, 'detail', `${path}/${name}`)
  const rest = {
    ...restOf(part, new Set(['type', name, 'cache_control'])),
    ...restWithin(name, address, ADDRESS_MEMBERS),
  }
  return mediaOf(part, path, kind, sourceOfUrl(url), rest, detail === null ? {} : { detail })
}

const AUDIO_PART_MEMBERS = new Set(['type', 'input_audio', 'cache_control'])
const AUDIO_MEMBERS = new Set(['data', 'format'])

/** `{data, format}`; Mistral takes the data itself. */
function readAudio(part: Members, path: string): Block {
  const given = part['input_audio']
  const audio = typeof given === 'string' ? { data: given } : given
  if (!isObject(audio)) throw malformed(`${path}/input_audio`, 'must be an object')
  const { data } = audio
  if (typeof data !== 'string') throw malformed(`${path}/input_audio/data`, 'must be a string')
  const format = optionalText(audio, 'format', `${path}/input_audio`)
  const source = readBase64(data, format === null ? null : audioType(format))
  const rest = { ...restOf(part, AUDIO_PART_MEMBERS), ...restWithin('input_audio', audio, AUDIO_MEMBERS) }
  return mediaOf(part, path, 'audio', source, rest)
}

const FILE_PART_MEMBERS = new Set(['type', 'file', 'cache_control'])
const FILE_MEMBERS = new Set(['file_data', 'file_id', 'filename'])

function readFile(part: Members, path: string): Block {
  const { file } = part
  if (!isObject(file)) throw malformed(`${path}/file`, 'must be an object')
  const data = optionalText(file, 'file_data', `${path}/file`)
  const id = optionalText(file, 'file_id', `${path}/file`)
  const filename = optionalText(file, 'filename', `${path}/file`)
  if (data === null && id === null) throw malformed(`${path}/file`, 'must have file_data or file_id')
  const source: MediaSource =
    data === null ? { type: 'file', issuer: PROTOCOL, id: id!, mimeType: null } : readBase64(data, null)
  const rest = { ...restOf(part, FILE_PART_MEMBERS), ...restWithin('file', file, FILE_MEMBERS) }
  return mediaOf(part, path, kindOfType(source.mimeType), source, rest, filename === null ? {} : { filename })
}

/** Base64 by itself, in a data URL, or in its place an address, which OpenRouter takes. */
function readBase64(data: string, mimeType: string | null): MediaSource {
  if (data.startsWith('data:') || data.startsWith('http:') || data.startsWith('https:')) {
    const source = sourceOfUrl(data)
    return source.mimeType === null && source.type !== 'file' ? { ...source, mimeType } : source
  }
  return { type: 'base64', mimeType, data }
}

function mediaOf(
  part: Members,
  path: string,
  kind: MediaBlock['kind'],
  source: MediaSource,
  rest: Members,
  more: { readonly detail?: string; readonly filename?: string } = {},
): MediaBlock {
  return { type: 'media', path, kind, source, ...more, ...cacheControlOf(part), ...ownExt(rest) }
}
