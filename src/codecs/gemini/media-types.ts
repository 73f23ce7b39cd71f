import type { MediaBlock } from '#ir/blocks.ts'

type MediaKind = MediaBlock['kind']

/** What a MIME type is of; whatever is no picture and makes no sound is a document. */
export function kindOf(mimeType: string | null): MediaKind {
  const family = mimeType?.slice(0, mimeType.indexOf('/'))
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document'
}

const BY_EXTENSION: ReadonlyMap<string, string> = new Map(
  Object.entries({
    png: 'image/png',
    jpg: 'image/jpeg',
    jpeg: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    heic: 'image/heic',
    heif: 'image/heif',
    bmp: 'image/bmp',
    pdf: 'application/pdf',
    txt: 'text/plain',
    md: 'text/markdown',
    csv: 'text/csv',
    html: 'text/html',
    json: 'application/json',
    mp3: 'audio/mpeg',
    wav: 'audio/wav',
    ogg: 'audio/ogg',
    flac: 'audio/flac',
    aac: 'audio/aac',
    aiff: 'audio/aiff',
    mp4: 'video/mp4',
    mov: 'video/quicktime',
    webm: 'video/webm',
    mpeg: 'video/mpeg',
    mpg: 'video/mpeg',
    avi: 'video/x-msvideo',
  }),
)

/** The most usual type of each kind, where nothing else tells: Gemini refuses data without a type. */
const BY_KIND: Readonly<Record<MediaKind, string>> = {
  image: 'image/jpeg',
  document: 'application/pdf',
  audio: 'audio/mpeg',
  video: 'video/mp4',
}

/** Videos that Google loads itself. */
export const VIDEO_HOSTS = /^https?:\/\/(?:(?:www\.|m\.)?youtube\.com|youtu\.be)\//i

/** The type of what stands at an address, by its extension; null when that does not tell. */
export function typeOfUrl(url: string): string | null {
  if (VIDEO_HOSTS.test(url)) return 'video/mp4'
  const path = /^[^?#]*/.exec(url)![0]
  return BY_EXTENSION.get(path.slice(path.lastIndexOf('.') + 1).toLowerCase()) ?? null
}

/** How base64 text of well-known formats starts. */
const BY_START: readonly (readonly [string, string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
  ['JVBERi', 'application/pdf'],
]

/** The type of data of which only the kind is known. */
export function typeOfData(kind: MediaKind, data: string): string {
  const known = BY_START.find(([start, type]) => data.startsWith(start) && kindOf(type) === kind)
  return known?.[1] ?? BY_KIND[kind]
}

export function typeOfKind(kind: MediaKind): string {
  return BY_KIND[kind]
}

/** Files that Google holds for the owner of a key: their addresses mean nothing to others. */
export const HELD_FILE = /^gs:\/\/|^https:\/\/generativelanguage\.googleapis\.com\//

export const isHeldFile = (uri: string): boolean => HELD_FILE.test(uri)

/** Base64 in its one standard alphabet: Google's JSON also takes the one of URLs, others do not. */
export function standardBase64(data: string): string {
  return data.includes('-') || data.includes('_') ? data.replaceAll('-', '+').replaceAll('_', '/') : data
}
