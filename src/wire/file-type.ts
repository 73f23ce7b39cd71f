/** How files begin, as Latin-1; `[^]` is any byte. The more special ones stand first. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^\x89PNG\r\n[^]\n/, 'image/png'],
  [/^\xff\xd8\xff/, 'image/jpeg'],
  [/^GIF8[79]a/, 'image/gif'],
  [/^RIFF[^]{4}WEBP/, 'image/webp'],
  [/^BM[^]{4}\0\0\0\0/, 'image/bmp'],
  [/^(?:II\*\0|MM\0\*)/, 'image/tiff'],
  [/^[^]{4}ftypavi[fs]/, 'image/avif'],
  [/^[^]{4}ftyp(?:heic|heix|hevc|hevx)/, 'image/heic'],
  [/^[^]{4}ftyp(?:mif1|msf1)/, 'image/heif'],
  [/^%PDF-/, 'application/pdf'],
  [/^RIFF[^]{4}WAVE/, 'audio/wav'],
  [/^(?:ID3|\xff[\xfb\xf3\xf2])/, 'audio/mpeg'],
  [/^OggS/, 'audio/ogg'],
  [/^fLaC/, 'audio/flac'],
  [/^FORM[^]{4}AIF[FC]/, 'audio/aiff'],
  [/^[^]{4}ftypM4A /, 'audio/mp4'],
  [/^[^]{4}ftypqt {2}/, 'video/quicktime'],
  [/^[^]{4}ftyp/, 'video/mp4'],
  [/^[^]\x45\xdf\xa3/, 'video/webm'],
]

const BEGINNING_BYTES = 16

/** The media type that the first bytes of a file tell; null when they tell none that is known. */
export function fileTypeOf(bytes: Buffer): string | null {
  const beginning = bytes.toString('latin1', 0, BEGINNING_BYTES)
  return BEGINNINGS.find(([pattern]) => pattern.test(beginning))?.[1] ?? null
}
