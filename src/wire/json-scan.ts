/**
 * Reads JSON bytes without building values: validates the whole text (RFC 8259) and notes where the values of chosen
 * top-level members stand. Passthrough edits those spans in place, because JSON.parse -> stringify would reorder
 * integer-like keys and round big numbers (design.md section 4).
 */

/** No text is followed deeper than this, whatever the caller allows. */
const DEPTH_MAX = 4096

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const COMMA = 0x2c
const COLON = 0x3a

export class JsonError extends Error {
  readonly offset: number
  constructor(what: string, offset: number) {
    super(what)
    this.offset = offset
  }
}

/** Thrown for nesting beyond the caller's bound, which is a different complaint from a syntax error. */
export class JsonDepthError extends JsonError {}

/** Where a member's value stands: `[start, end)`; start is -1 when the member is absent. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface ScanOptions {
  readonly noticed?: readonly string[]
  readonly foldsCase?: boolean
}

/**
 * Scans objects for a fixed set of members. One instance is reused for many texts; `start`, `end` and `count` hold
 * the outcome of the last scan. Not re-entrant.
 */
export class ObjectScan {
  readonly start: Int32Array
  readonly end: Int32Array
  /** How often each member occurred: more than once is a duplicate key, and the last one counts. */
  readonly count: Uint8Array
  /** Offset of the object's `{`, so that members can be inserted behind it; -1 when the value is no object. */
  open = -1
  /** Whether the object has no member at all. */
  empty = true
  /** Whether a member of the noticed names occurred. */
  noticed = false
  /** Whether a letter was written as `\\uXXXX`, anywhere in the text. */
  escaped = false
  /** The members whose spans are kept, then the noticed ones. */
  private readonly keys: readonly Buffer[]
  /** One bit per length that a key has: most members of a text are ruled out by it. */
  private readonly lengths: number
  /** The names in small letters where `Name` is to count as `name`; else null. */
  private readonly folded: readonly string[] | null
  private depthMax = DEPTH_MAX
  private bytes: Uint8Array = new Uint8Array()
  private limit = 0

  /** Of the `noticed` members it is only told that one is there. `foldsCase`: members count in whatever case they are written. */
  constructor(keys: readonly string[], { noticed = [], foldsCase = false }: ScanOptions = {}) {
    const names = [...keys, ...noticed]
    this.folded = foldsCase ? names.map((name) => name.toLowerCase()) : null
    this.keys = names.map((name) => Buffer.from(name))
    this.lengths = this.keys.reduce((bits, key) => bits | (1 << Math.min(key.length, LENGTH_BIT_MAX)), 0)
    this.start = new Int32Array(keys.length)
    this.end = new Int32Array(keys.length)
    this.count = new Uint8Array(keys.length)
  }

  /**
   * Scans `bytes[from, to)`, which must hold exactly one JSON value. Returns whether that value is an object.
   * Throws JsonError (syntax) and JsonDepthError.
   */
  scan(bytes: Uint8Array, from = 0, to = bytes.length, depthMax = DEPTH_MAX): boolean {
    this.clear()
    this.depthMax = Math.min(depthMax, DEPTH_MAX)
    this.bytes = bytes
    this.limit = to
    letterEscaped = false
    const at = skipSpace(bytes, from, to)
    const behind = bytes[at] === OPEN_OBJECT && at < to ? this.readMembers(at) : skipValue(bytes, at, to, this.depthMax)
    const rest = skipSpace(bytes, behind, to)
    this.bytes = EMPTY
    this.escaped = letterEscaped
    if (rest !== to) throw new JsonError('unexpected text behind the value', rest)
    return this.open >= 0
  }

  /** As after a scan that found nothing. */
  clear(): void {
    this.start.fill(-1)
    this.end.fill(-1)
    this.count.fill(0)
    this.open = -1
    this.empty = true
    this.noticed = false
  }

  has(index: number): boolean {
    return this.start[index]! >= 0
  }

  private readMembers(at: number): number {
    const { bytes, limit } = this
    this.open = at
    let position = skipSpace(bytes, at + 1, limit)
    if (bytes[position] === CLOSE_OBJECT && position < limit) return position + 1
    this.empty = false
    for (;;) {
      if (position >= limit || bytes[position] !== QUOTE) throw new JsonError('expected a key', position)
      const keyEnd = skipString(bytes, position, limit)
      const index = this.indexOfKey(position + 1, keyEnd - 1)
      position = skipSpace(bytes, keyEnd, limit)
      if (position >= limit || bytes[position] !== COLON) throw new JsonError('expected a colon', position)
      position = skipSpace(bytes, position + 1, limit)
      const ending = skipValue(bytes, position, limit, this.depthMax - 1)
      if (index >= this.start.length) this.noticed = true
      else if (index >= 0) {
        this.start[index] = position
        this.end[index] = ending
        if (this.count[index]! < 255) this.count[index]!++
      }
      position = skipSpace(bytes, ending, limit)
      const next = position < limit ? bytes[position] : -1
      if (next === CLOSE_OBJECT) return position + 1
      if (next !== COMMA) throw new JsonError('expected a comma or the end of the object', position)
      position = skipSpace(bytes, position + 1, limit)
    }
  }

  private indexOfKey(from: number, to: number): number {
    const { bytes, keys } = this
    for (let at = from; at < to; at++) {
      // An escaped key may still spell one of ours, and a parser behind us would read it so.
      if (bytes[at] === BACKSLASH) return this.indexOfEscapedKey(from, to)
    }
    if (this.folded !== null) return this.folded.indexOf(textOf(bytes, from, to).toLowerCase())
    if (((this.lengths >>> Math.min(to - from, LENGTH_BIT_MAX)) & 1) === 0) return -1
    next: for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!
      if (key.length !== to - from) continue
      for (let at = 0; at < key.length; at++) if (key[at] !== bytes[from + at]) continue next
      return index
    }
    return -1
  }

  private indexOfEscapedKey(from: number, to: number): number {
    const name = Buffer.from(readString(this.bytes, from - 1, to + 1))
    if (this.folded !== null) return this.folded.indexOf(name.toString().toLowerCase())
    return this.keys.findIndex((key) => key.equals(name))
  }
}

const EMPTY = new Uint8Array()
/** All longer keys share a bit. */
const LENGTH_BIT_MAX = 31

/** Offsets of the elements of the array that starts at `from`: `[start, end)` pairs, flat. */
export function arrayElements(bytes: Uint8Array, from: number, to: number): number[] {
  const spans: number[] = []
  if (bytes[from] !== OPEN_ARRAY) return spans
  let at = skipSpace(bytes, from + 1, to)
  if (bytes[at] === CLOSE_ARRAY) return spans
  for (;;) {
    const end = skipValue(bytes, at, to, DEPTH_MAX)
    spans.push(at, end)
    at = skipSpace(bytes, end, to)
    if (bytes[at] !== COMMA) return spans
    at = skipSpace(bytes, at + 1, to)
  }
}

/** Offset behind the value that starts at `from`. Throws JsonError. */
export function valueEnd(bytes: Uint8Array, from: number): number {
  return skipValue(bytes, from, bytes.length, DEPTH_MAX)
}

/** The string value whose quotes stand at `start` and `end - 1`. */
export function readString(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start + 1, end - 1)
  return text.includes('\\') ? (JSON.parse(textOf(bytes, start, end)) as string) : text
}

/** The parsed value of a span; for small values only. */
export function readValue(bytes: Uint8Array, start: number, end: number): unknown {
  return JSON.parse(textOf(bytes, start, end))
}

export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')
}

export function isNull(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === 0x6e
}

export function isString(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === QUOTE
}

export function isObject(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === OPEN_OBJECT
}

export function isArray(bytes: Uint8Array, start: number): boolean {
  return bytes[start] === OPEN_ARRAY
}

/** Compact JSON has no space anywhere, so that case is short enough to be inlined. */
function skipSpace(bytes: Uint8Array, from: number, to: number): number {
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
function skipValue(bytes: Uint8Array, from: number, to: number, depthLeft: number): number {
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

function skipString(bytes: Uint8Array, from: number, to: number): number {
  let at = from + 1
  let wordsFrom = at + WORDS_FROM
  for (;;) {
    if (at >= to) throw new JsonError('unterminated string', from)
    if (at >= wordsFrom) {
      at = skipPlainWords(bytes, at, to)
      wordsFrom = at + WORDS_FROM
      continue
    }
    const byte = bytes[at]!
    if (byte === QUOTE) return at + 1
    if (byte === BACKSLASH) at = skipEscape(bytes, at, to)
    else if (byte < 0x20) throw new JsonError('control character in a string', at)
    else at++
  }
}

/**
 * Skips bytes that are no quote, no backslash and no control character, four at a time (the classic zero-byte test on
 * 32-bit words): prompts are long strings, and looking at each of their bytes is most of what a scan costs.
 */
export function skipPlainWords(bytes: Uint8Array, from: number, to: number): number {
  let at = from
  while (((bytes.byteOffset + at) & 3) !== 0) {
    if (at >= to || !isPlain(bytes[at]!)) return at
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
  while (at < to && isPlain(bytes[at]!)) at++
  return at
}

const isPlain = (byte: number): boolean => byte !== QUOTE && byte !== BACKSLASH && byte >= 0x20

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

/** Set by `skipEscape`; scanning is synchronous, so that one variable serves all. */
let letterEscaped = false

function skipEscape(bytes: Uint8Array, at: number, to: number): number {
  const kind = at + 1 < to ? bytes[at + 1]! : 0
  if (kind === 0x75) {
    letterEscaped = true
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
