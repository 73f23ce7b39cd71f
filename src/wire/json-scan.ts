import { indexAt } from './bytes-at.ts'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  DEPTH_MAX,
  ESCAPES,
  JsonDepthError,
  JsonError,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipPlainWords,
  skipSpace,
  skipString,
  skipValue,
  watch,
} from './json-skip.ts'
import { hasLength, lengthBits, NOTHING_WATCHED, WatchedStrings } from './watched-strings.ts'

/**
 * Reads JSON bytes without building values: validates the whole text (RFC 8259) and notes where the values of chosen
 * top-level members stand. Passthrough edits those spans in place, because JSON.parse -> stringify would reorder
 * integer-like keys and round big numbers (design.md section 4).
 */

export { JsonDepthError, JsonError, skipPlainWords }

/** Where a member's value stands: `[start, end)`; start is -1 when the member is absent. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface ScanOptions {
  /** Members of which it is only told that one is there. */
  readonly noticed?: readonly string[]
  /** Members count in whatever case they are written. */
  readonly foldsCase?: boolean
  /** Strings that are counted in the whole text, as keys or as values. */
  readonly watched?: readonly string[]
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
  /** Whether a letter was written by its number (`\u0041`), anywhere in the text. */
  escaped = false
  /** The members whose spans are kept, then the noticed ones. */
  private readonly keys: readonly Buffer[]
  /** Most members of a text are ruled out by their length. */
  private readonly lengths: number
  /** The names in small letters where `Name` is to count as `name`; else null. */
  private readonly folded: readonly string[] | null
  private depthMax = DEPTH_MAX
  private bytes: Uint8Array = new Uint8Array()
  private limit = 0
  private readonly watched: WatchedStrings

  constructor(keys: readonly string[], { noticed = [], foldsCase = false, watched = [] }: ScanOptions = {}) {
    const names = [...keys, ...noticed]
    this.folded = foldsCase ? names.map((name) => name.toLowerCase()) : null
    this.keys = names.map((name) => Buffer.from(name))
    this.lengths = lengthBits(this.keys)
    this.watched = watched.length === 0 ? NOTHING_WATCHED : new WatchedStrings(watched)
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
    ESCAPES.found = false
    ESCAPES.lastAt = -1
    watch(this.watched)
    const at = skipSpace(bytes, from, to)
    const behind = bytes[at] === OPEN_OBJECT && at < to ? this.readMembers(at) : skipValue(bytes, at, to, this.depthMax)
    const rest = skipSpace(bytes, behind, to)
    this.bytes = EMPTY
    // A text that is no JSON does not come here: what is counted of others then is cleared by the next scan.
    watch(NOTHING_WATCHED)
    this.escaped = ESCAPES.found
    if (rest !== to) throw new JsonError('unexpected text behind the value', rest)
    return this.open >= 0
  }

  /** As after a scan that found nothing. */
  clear(): void {
    for (let index = 0; index < this.start.length; index++) {
      this.start[index] = -1
      this.end[index] = -1
      this.count[index] = 0
    }
    this.open = -1
    this.empty = true
    this.noticed = false
    const { counts } = this.watched
    for (let index = 0; index < counts.length; index++) counts[index] = 0
  }

  /** How often each of the watched strings occurred, in their order. */
  get watchedCounts(): Uint32Array {
    return this.watched.counts
  }

  /** Where the last of each begins, behind its quote; says nothing where the count is 0. */
  get watchedLastAt(): Uint32Array {
    return this.watched.lastAt
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
    // An escaped key may still spell one of ours, and a parser behind us would read it so.
    if (ESCAPES.lastAt >= from) return this.indexOfEscapedKey(from, to)
    if (this.folded !== null) return this.folded.indexOf(textOf(bytes, from, to).toLowerCase())
    return hasLength(this.lengths, to - from) ? indexAt(keys, bytes, from, to) : -1
  }

  private indexOfEscapedKey(from: number, to: number): number {
    const name = Buffer.from(readString(this.bytes, from - 1, to + 1))
    if (this.folded !== null) return this.folded.indexOf(name.toString().toLowerCase())
    return this.keys.findIndex((key) => key.equals(name))
  }
}

const EMPTY = new Uint8Array()

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
  if (bytes instanceof Buffer) return bytes.toString('utf8', start, end)
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
