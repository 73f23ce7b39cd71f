import { hasLength, NOTHING_WATCHED, type WatchedStrings } from './watched-strings.ts'

/** Steps over JSON values without building them, and validates them on the way (RFC 8259). */

/** No text is followed deeper than this, whatever the caller allows. */
export const DEPTH_MAX = 4096

export const QUOTE = 0x22
const BACKSLASH = 0x5c
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const COMMA = 0x2c
export const COLON = 0x3a

export class JsonError extends Error {
  readonly offset: number
  constructor(what: string, offset: number) {
    super(what)
    this.offset = offset
  }
}

/** Thrown for nesting beyond the caller's bound, which is a different complaint from a syntax error. */
export class JsonDepthError extends JsonError {}

/**
 * What was stepped over: whether a letter written by its number, and where the last escape of any kind stands. Skipping is synchronous,
 * so that one serves all.
 */
export const ESCAPES = { found: false, lastAt: -1 }

/** Of whoever scans now. */
let watched = NOTHING_WATCHED

/** From now on these are counted, and no others. */
export function watch(strings: WatchedStrings): void {
  watched = strings
}

/** Compact JSON has no space anywhere, so that case is short enough to be inlined. */
export function skipSpace(bytes: Uint8Array, from: number, to: number): number {
  return from < to && bytes[from]! > 0x20 ? from : skipSpaces(bytes, from, to)
}

function skipSpaces(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to) {
    const byte = bytes[at]!
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
    at++
  }
  return at
}

/** Returns the offset behind the value at `from`. `depthLeft` counts the containers that may still be opened. */
export function skipValue(bytes: Uint8Array, from: number, to: number, depthLeft: number): number {
  if (from >= to) throw new JsonError('unexpected end', from)
  const first = bytes[from]!
  if (first === QUOTE) return skipString(bytes, from, to)
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return skipContainer(bytes, from, to, depthLeft)
  if (first === 0x2d || (first >= 0x30 && first <= 0x39)) return skipNumber(bytes, from, to)
  if (first === 0x74) return skipWord(bytes, from, to, 'true')
  if (first === 0x66) return skipWord(bytes, from, to, 'false')
  if (first === 0x6e) return skipWord(bytes, from, to, 'null')
  throw new JsonError('unexpected character', from)
}

/** One byte per open container; scanning is synchronous and never re-entered, so that one stack serves all. */
const STACK = new Uint8Array(DEPTH_MAX)

/** Iterative, with one byte of stack per level, so that hostile nesting costs nothing but its own bound. */
function skipContainer(bytes: Uint8Array, from: number, to: number, depthMax: number): number {
  const stack = STACK
  let depth = 0
  let at = from
  for (;;) {
    const opened = bytes[at] === OPEN_OBJECT
    if (opened || bytes[at] === OPEN_ARRAY) {
      if (depth >= depthMax) throw new JsonDepthError('nested too deeply', at)
      stack[depth++] = opened ? 1 : 0
      at = skipSpace(bytes, at + 1, to)
      if (at < to && bytes[at] === (opened ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        at++
        depth--
      } else {
        if (opened) at = skipKey(bytes, at, to)
        continue
      }
    } else {
      at = skipValue(bytes, at, to, 0)
    }
    for (;;) {
      if (depth === 0) return at
      at = skipSpace(bytes, at, to)
      const inObject = stack[depth - 1] === 1
      const next = at < to ? bytes[at] : -1
      if (next === COMMA) {
        at = skipSpace(bytes, at + 1, to)
        if (inObject) at = skipKey(bytes, at, to)
        break
      }
      if (next !== (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) throw new JsonError('expected a comma or an end', at)
      at++
      depth--
    }
  }
}

function skipKey(bytes: Uint8Array, from: number, to: number): number {
  if (from >= to || bytes[from] !== QUOTE) throw new JsonError('expected a key', from)
  const colon = skipSpace(bytes, skipString(bytes, from, to), to)
  if (colon >= to || bytes[colon] !== COLON) throw new JsonError('expected a colon', colon)
  return skipSpace(bytes, colon + 1, to)
}

/** Strings shorter than this are looked at byte by byte: a word-wise start would cost more than it saves. */
const WORDS_FROM = 64

export function skipString(bytes: Uint8Array, from: number, to: number): number {
  let at = from + 1
  for (;;) {
    const end = Math.min(at + WORDS_FROM, to)
    while (at < end && PLAIN[bytes[at]!] === 1) at++
    if (at < end) {
      const byte = bytes[at]
      if (byte === QUOTE) {
        if (hasLength(watched.lengths, at - from - 1)) watched.count(bytes, from + 1, at)
        return at + 1
      }
      if (byte !== BACKSLASH) throw new JsonError('control character in a string', at)
      at = skipEscape(bytes, at, to)
    } else if (at >= to) throw new JsonError('unterminated string', from)
    else at = skipPlainWords(bytes, at, to)
  }
}

/** By byte: 1 where it says nothing but itself. One look instead of three. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte !== QUOTE && byte !== BACKSLASH && byte >= 0x20 ? 1 : 0,
)

/**
 * Skips bytes that are no quote, no backslash and no control character, four at a time (the classic zero-byte test on
 * 32-bit words): prompts are long strings, and looking at each of their bytes is most of what a scan costs.
 */
export function skipPlainWords(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (((bytes.byteOffset + at) & 3) !== 0) {
    if (at >= to || PLAIN[bytes[at]!] === 0) return at
    at++
  }
  const words = wordsOf(bytes)
  let index = (bytes.byteOffset + at) >> 2
  const end = (bytes.byteOffset + to) >> 2
  for (; index < end; index++) {
    const word = words[index]!
    const quotes = word ^ 0x22222222
    const backslashes = word ^ 0x5c5c5c5c
    const found =
      ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes) | ((word - 0x20202020) & ~word)
    if ((found & 0x80808080) !== 0) break
  }
  at = (index << 2) - bytes.byteOffset
  while (at < to && PLAIN[bytes[at]!] === 1) at++
  return at
}

let wordsBuffer: ArrayBufferLike | null = null
let words: Int32Array = new Int32Array(0)

/** The whole underlying buffer as words; kept for the buffer looked at last. */
function wordsOf(bytes: Uint8Array): Int32Array {
  if (bytes.buffer !== wordsBuffer) {
    wordsBuffer = bytes.buffer
    words = new Int32Array(bytes.buffer, 0, bytes.buffer.byteLength >> 2)
  }
  return words
}

function skipEscape(bytes: Uint8Array, at: number, to: number): number {
  ESCAPES.lastAt = at
  const kind = at + 1 < to ? bytes[at + 1]! : 0
  if (kind === 0x75) {
    ESCAPES.found = true
    if (at + 6 > to) throw new JsonError('bad escape', at)
    for (let digit = at + 2; digit < at + 6; digit++) {
      const byte = bytes[digit]! | 0x20
      if (!((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66))) throw new JsonError('bad escape', at)
    }
    return at + 6
  }
  // " \ / b f n r t
  if (kind === QUOTE || kind === BACKSLASH || kind === 0x2f || kind === 0x62 || kind === 0x66) return at + 2
  if (kind === 0x6e || kind === 0x72 || kind === 0x74) return at + 2
  throw new JsonError('bad escape', at)
}

function skipNumber(bytes: Uint8Array, from: number, to: number): number {
  let at = bytes[from] === 0x2d ? from + 1 : from
  if (at < to && bytes[at] === 0x30) at++
  else at = skipDigits(bytes, at, to)
  if (at < to && bytes[at] === 0x2e) at = skipDigits(bytes, at + 1, to)
  if (at < to && (bytes[at]! | 0x20) === 0x65) {
    at++
    if (at < to && (bytes[at] === 0x2b || bytes[at] === 0x2d)) at++
    at = skipDigits(bytes, at, to)
  }
  return at
}

function skipDigits(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (at < to && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
  if (at === from) throw new JsonError('expected a digit', at)
  return at
}

function skipWord(bytes: Uint8Array, from: number, to: number, word: string): number {
  for (let at = 0; at < word.length; at++) {
    if (from + at >= to || bytes[from + at] !== word.charCodeAt(at)) throw new JsonError('unexpected word', from)
  }
  return from + word.length
}
