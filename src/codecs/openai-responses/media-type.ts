import type { MediaBlock, MediaSource } from '#ir/blocks.ts'

/** `data:` URLs and what base64 text tells of its own kind. */

const DATA_URL = /^data:([^;,]*)[^,]*;base64,/

/** The source behind a URL: base64 text where it is a `data:` URL that holds some. */
export function sourceOfUrl(url: string): MediaSource {
  const head = DATA_URL.exec(url.slice(0, DATA_URL_HEAD_CHARACTERS_MAX))
  if (!head) return { type: 'url', mimeType: null, url }
  return { type: 'base64', mimeType: head[1] === '' ? null : head[1]!, data: url.slice(head[0].length) }
}

/** Media types are short; the rest of the URL is data and not searched. */
const DATA_URL_HEAD_CHARACTERS_MAX = 256

const MAGIC: readonly (readonly [string, string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
]

/** The type of an image whose type nobody told, from its first bytes. */
export function imageTypeOf(data: string): string {
  return MAGIC.find(([start]) => data.startsWith(start))?.[1] ?? 'image/png'
}

/** What a file is, from its media type. */
export function mediaKindOf(mimeType: string | null): MediaBlock['kind'] {
  const family = mimeType?.slice(0, mimeType.indexOf('/'))
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document'
}

const AUDIO_FORMATS: Readonly<Record<string, string>> = {
  'audio/mpeg': 'mp3',
  'audio/x-wav': 'wav',
  'audio/wave': 'wav',
}

/** The API's word for a type of audio: `audio/mpeg` is `mp3`. */
export function audioFormatOf(mimeType: string | null): string {
  if (mimeType === null) return 'mp3'
  return AUDIO_FORMATS[mimeType] ?? mimeType.slice(mimeType.indexOf('/') + 1)
}

export function audioTypeOf(format: string): string {
  return format === 'mp3' ? 'audio/mpeg' : `audio/${format}`
}
