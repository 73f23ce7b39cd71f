import type { MediaBlock, MediaSource } from '#ir/blocks.ts'

/** Media as chat completions write them: data URLs, and base64 with a short name of the format. */

export type MediaKind = MediaBlock['kind']

/** The address as a source: the data itself where it is a data URL in base64. */
export function sourceOfUrl(url: string): MediaSource {
  const comma = url.startsWith('data:') ? url.indexOf(',') : -1
  const header = comma < 0 ? '' : url.slice('data:'.length, comma)
  if (!header.endsWith(';base64')) return { type: 'url', mimeType: null, url }
  const mimeType = header.slice(0, header.indexOf(';'))
  return { type: 'base64', mimeType: mimeType === '' ? null : mimeType, data: url.slice(comma + 1) }
}

export function dataUrlOf(mimeType: string, data: string): string {
  return `data:${mimeType};base64,${data}`
}

/** What a MIME type is of; whatever is no picture and makes no sound is a document. */
export function kindOfType(mimeType: string | null): MediaKind {
  const family = mimeType?.slice(0, mimeType.indexOf('/'))
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document'
}

/** How base64 text of well-known formats starts. */
const BY_START: readonly (readonly [string, MediaKind, string])[] = [
  ['iVBORw0KGgo', 'image', 'image/png'],
  ['/9j/', 'image', 'image/jpeg'],
  ['R0lGOD', 'image', 'image/gif'],
  ['UklGR', 'image', 'image/webp'],
  ['UklGR', 'audio', 'audio/wav'],
  ['SUQz', 'audio', 'audio/mpeg'],
  ['//', 'audio', 'audio/mpeg'],
  ['T2dnUw', 'audio', 'audio/ogg'],
  ['ZkxhQw', 'audio', 'audio/flac'],
]

/** The most usual type of each kind, where nothing else tells. Streamed audio has no header: it is PCM. */
const BY_KIND: Readonly<Record<MediaKind, string>> = {
  image: 'image/jpeg',
  document: 'application/pdf',
  audio: 'audio/pcm',
  video: 'video/mp4',
}

/** The type of data of which only the kind is known. */
export function typeOfData(kind: MediaKind, data: string): string {
  return BY_START.find(([start, of]) => of === kind && data.startsWith(start))?.[2] ?? BY_KIND[kind]
}

const AUDIO_TYPES: ReadonlyMap<string, string> = new Map([
  ['mp3', 'audio/mpeg'],
  ['pcm16', 'audio/pcm'],
])

const AUDIO_FORMATS: ReadonlyMap<string, string> = new Map([
  ['audio/mpeg', 'mp3'],
  ['audio/mp3', 'mp3'],
  ['audio/x-wav', 'wav'],
  ['audio/wave', 'wav'],
  ['audio/vnd.wave', 'wav'],
  ['audio/pcm', 'pcm16'],
])

/** The MIME type of an audio `format`: `wav`, `mp3`, `flac`, ... */
export function audioType(format: string): string {
  return AUDIO_TYPES.get(format) ?? `audio/${format}`
}

export function audioFormat(mimeType: string): string {
  return AUDIO_FORMATS.get(mimeType) ?? mimeType.slice(mimeType.indexOf('/') + 1)
}
