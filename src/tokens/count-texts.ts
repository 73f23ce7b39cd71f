import type { BytePairs } from './byte-pairs.ts'
import { Pace } from './pace.ts'
import type { PromptTexts, TextKind } from './prompt.ts'

/** More text than this is counted from a sample. */
export const COUNTED_BYTES_MAX = 400_000

/** Longest stretch between two looks at the clock. */
const SLICE_CHARACTERS = 1_024
/** A cut before a space is one that the encoding makes too, so slices end there when they can. */
const SPACE = 0x20

export interface TextCounts {
  readonly tokens: Readonly<Record<TextKind, number>>
  /** Whether some of it was only estimated. */
  readonly isSampled: boolean
}

/**
 * Tokens of the texts in the given encoding, by kind. Never holds up the event loop, and does a bounded amount of work: of
 * more than 400,000 bytes evenly spread slices are counted, and the others by their bytes.
 */
export async function countTexts(texts: PromptTexts, encoding: BytePairs): Promise<TextCounts> {
  const kinds = Object.entries(texts) as [TextKind, readonly string[]][]
  const pace = new Pace()
  let bytes = 0
  for (const [, list] of kinds)
    for (const text of list) {
      bytes += Buffer.byteLength(text)
      if (pace.isDue()) await pace.rest()
    }
  const stride = Math.max(1, bytes / COUNTED_BYTES_MAX)
  const tokens: Partial<Record<TextKind, number>> = {}
  for (const [kind, list] of kinds) tokens[kind] = await countKind(list, encoding, stride, pace)
  return { tokens: tokens as Record<TextKind, number>, isSampled: stride > 1 }
}

/** Counts one slice in `stride`, the first one always. */
async function countKind(texts: readonly string[], encoding: BytePairs, stride: number, pace: Pace): Promise<number> {
  let tokens = 0
  let countedBytes = 0
  let bytes = 0
  let slices = 0
  let due = 0
  for (const text of texts)
    for (let start = 0; start < text.length;) {
      const end = sliceEnd(text, start)
      const slice = text.slice(start, end)
      start = end
      const length = Buffer.byteLength(slice)
      bytes += length
      if (slices++ >= due) {
        due += stride
        countedBytes += length
        tokens += encoding.count(slice)
      }
      if (pace.isDue()) await pace.rest()
    }
  return bytes === countedBytes ? tokens : (tokens * bytes) / countedBytes
}

/** Where the slice that begins at `start` ends: before a space in its second half, else where it is long enough. */
function sliceEnd(text: string, start: number): number {
  const end = start + SLICE_CHARACTERS
  if (end >= text.length) return text.length
  for (let at = end; at > start + SLICE_CHARACTERS / 2; at--)
    if (text.charCodeAt(at) === SPACE && text.charCodeAt(at - 1) > SPACE) return at
  return isLowSurrogate(text.charCodeAt(end)) ? end - 1 : end
}

const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff
