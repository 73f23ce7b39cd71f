import type { MediaBlock } from '#ir/blocks.ts'
import type { Family, ImageRule } from './family.ts'
import { type ImageSize, readImageSize } from '#wire/image-size.ts'
import { Pace } from './pace.ts'

/** What one picture, document or recording costs, and how far that may be off. */
export interface MediaEstimate {
  readonly tokens: number
  readonly errorBoundPercent: number
}

/** So much base64 text holds the header of any picture that is no photograph with a large preview. */
const HEADER_CHARACTERS_MAX = 128 * 1024

/** The documented formulas, from pixels that are known. */
const MEASURED_BOUND_PERCENT = 25
/** Nothing is downloaded and no file is decoded, so a size that is not in the first bytes is a guess. */
const GUESSED_BOUND_PERCENT = 100
const GUESSED_SIZE: ImageSize = { width: 640, height: 480 }
/** Of a page that holds text and few pictures. */
const BYTES_PER_PAGE = 50_000
const BYTES_PER_TOKEN = 4
/** Of a document in a ZIP archive, most of which is not text. */
const PACKED_BYTES_PER_TOKEN = 80
/** Sound is mostly MP3 at 128 kbit/s; WAV is what speech is sampled with: 16 bits, 24 kHz. */
const AUDIO_BYTES_PER_SECOND = 16_000
const WAVE_BYTES_PER_SECOND = 48_000
const VIDEO_BYTES_PER_SECOND = 250_000
/** What is behind a link: a few pages, or half a minute. */
const GUESSED_PAGES = 4
const GUESSED_SECONDS = 30

/** Characters of base64 per slice of the search for pages; a multiple of four. */
const SLICE_CHARACTERS = 256 * 1024
/** Longer documents are measured by their bytes. */
const SEARCHED_CHARACTERS_MAX = 16 * 1024 * 1024
/** A page's dictionary, not the tree of pages (ISO 32000-1, 7.7.3.3). Only documents without compressed objects show it. */
const PAGE = /\/Type\s*\/Page(?![s\w])/g
/** Longest text of the pattern, so that a cut does not hide one. */
const PAGE_LENGTH = 16

/** `model`: the bare name of the model, for members of a family that see pictures in their own way. */
export async function estimateMedia(block: MediaBlock, family: Family, model: string): Promise<MediaEstimate> {
  const bytes = block.source.type === 'base64' ? Math.floor((block.source.data.length * 3) / 4) : null
  switch (block.kind) {
    case 'image':
      return estimateImage(block, family.images?.find((each) => each.model.test(model))?.rule ?? family.image)
    case 'document':
      return guess(await countDocument(block, family))
    case 'audio': {
      const isWave = /wav|pcm/.test(block.source.type === 'text' ? '' : (block.source.mimeType ?? ''))
      const perSecond = isWave ? WAVE_BYTES_PER_SECOND : AUDIO_BYTES_PER_SECOND
      return guess(family.audioSecond * (bytes === null ? GUESSED_SECONDS : bytes / perSecond))
    }
    case 'video':
      return guess(family.videoSecond * (bytes === null ? GUESSED_SECONDS : bytes / VIDEO_BYTES_PER_SECOND))
    default: {
      const missed: never = block.kind
      throw new Error(`unknown medium ${String(missed)}`)
    }
  }
}

const guess = (tokens: number): MediaEstimate => ({ tokens, errorBoundPercent: GUESSED_BOUND_PERCENT })

function estimateImage({ source, detail }: MediaBlock, rule: ImageRule): MediaEstimate {
  if (detail === 'low' && rule.type === 'tiles') return { tokens: rule.base, errorBoundPercent: MEASURED_BOUND_PERCENT }
  const header = source.type === 'base64' ? Buffer.from(source.data.slice(0, HEADER_CHARACTERS_MAX), 'base64') : null
  const size = header === null ? null : readImageSize(header)
  if (size === null) return guess(countPixels(GUESSED_SIZE, rule))
  return { tokens: countPixels(size, rule), errorBoundPercent: MEASURED_BOUND_PERCENT }
}

/** Tokens of a picture of known size. */
export function countPixels(size: ImageSize, rule: ImageRule): number {
  const width = Math.max(1, size.width)
  const height = Math.max(1, size.height)
  switch (rule.type) {
    case 'tiles': {
      const fit = Math.min(1, 2048 / Math.max(width, height))
      const scale = fit * Math.min(1, 768 / (Math.min(width, height) * fit))
      return rule.base + rule.tile * Math.ceil((width * scale) / 512) * Math.ceil((height * scale) / 512)
    }
    case 'patches': {
      const patches = Math.ceil(width / rule.side) * Math.ceil(height / rule.side)
      return rule.factor * Math.min(rule.patchesMax, patches)
    }
    case 'area': {
      const scale = Math.min(1, rule.edgeMax / Math.max(width, height))
      return Math.min(rule.tokensMax, (width * height * scale * scale) / 750)
    }
    case 'fixed':
      return rule.tokens
    case 'gemini':
      if (width <= 384 && height <= 384) return 258
      return 258 * Math.ceil(width / 768) * Math.ceil(height / 768)
    default: {
      const missed: never = rule
      throw new Error(`unknown rule ${String(missed)}`)
    }
  }
}

/** A plain text is counted by its bytes, an office document by what its packed text comes to, a PDF by its pages. */
async function countDocument(block: MediaBlock, family: Family): Promise<number> {
  const { source } = block
  const type = source.type === 'text' ? null : source.mimeType
  if (source.type !== 'base64' || type === null || type === 'application/pdf')
    return family.page * (await countPages(block))
  return (source.data.length * 0.75) / (type.startsWith('text/') ? BYTES_PER_TOKEN : PACKED_BYTES_PER_TOKEN)
}

/** Pages of a PDF: those it shows, or as many as its bytes make likely. */
async function countPages({ source }: MediaBlock): Promise<number> {
  if (source.type !== 'base64') return GUESSED_PAGES
  const likely = Math.max(1, Math.round((source.data.length * 0.75) / BYTES_PER_PAGE))
  if (source.data.length > SEARCHED_CHARACTERS_MAX) return likely
  const pace = new Pace()
  let pages = 0
  let rest = ''
  for (let at = 0; at < source.data.length; at += SLICE_CHARACTERS) {
    const text = rest + Buffer.from(source.data.slice(at, at + SLICE_CHARACTERS), 'base64').toString('latin1')
    rest = text
    for (const match of text.matchAll(PAGE)) {
      pages++
      rest = text.slice(match.index + match[0].length)
    }
    rest = rest.slice(-PAGE_LENGTH)
    await pace.rest()
  }
  return pages === 0 ? likely : pages
}
