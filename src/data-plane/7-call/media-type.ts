import type { MediaBlock } from '#ir/blocks.ts'
import { fileTypeOf } from '#wire/file-type.ts'

type MediaKind = MediaBlock['kind']

/** What a part may be. A file may be anything that has a type. */
const TYPES: Readonly<Record<MediaKind, RegExp>> = {
  image: /^image\/[\w.+-]+$/,
  audio: /^(?:audio\/[\w.+-]+|application\/ogg)$/,
  video: /^(?:video\/[\w.+-]+|application\/ogg)$/,
  document: /^(?:application|text|image|audio|video)\/[\w.+-]+$/,
}

/** What hosts say that do not know. */
const UNTOLD = /^(?:$|(?:application|binary)\/(?:octet-stream|x-download|force-download|download|unknown)$)/

/** What a host that was asked for such a part is told to send. */
export const ACCEPTED: Readonly<Record<MediaKind, string>> = {
  image: 'image/*',
  audio: 'audio/*',
  video: 'video/*',
  document: '*/*',
}

/**
 * The type of a file that was loaded for a part of this kind: what its host said, else what its first bytes tell, else what
 * the client said. Null when it is of another kind, or nobody knows.
 */
export function loadedType(
  kind: MediaKind,
  contentType: string | null,
  told: string | null,
  body: Buffer,
): string | null {
  const said = bareType(contentType)
  const found = fileTypeOf(body)
  const known = UNTOLD.test(said) ? (found ?? bareType(told)) : said
  if (UNTOLD.test(known) || !TYPES[kind].test(known)) return null
  if (!known.startsWith('image/') || found === null) return known
  // Upstreams refuse an image that is not of the type that it is said to be, and hosts often say the wrong one.
  return found.startsWith('image/') ? found : null
}

const bareType = (type: string | null): string => (type ?? '').split(';', 1)[0]!.trim().toLowerCase()

/** A file is what its type says; all else stays what its client called it. */
export function loadedKind(kind: MediaKind, mimeType: string): MediaKind {
  if (kind !== 'document') return kind
  const family = mimeType.slice(0, mimeType.indexOf('/'))
  return family === 'image' || family === 'audio' || family === 'video' ? family : 'document'
}
