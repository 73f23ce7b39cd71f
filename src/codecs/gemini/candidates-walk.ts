import { countOf } from '#ir/counts.ts'
import { isAt } from '#wire/bytes-at.ts'
import { isArray, isNull, readString, readValue, valueEnd } from '#wire/json-scan.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20
const ZERO = 0x30
const NINE = 0x39
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

export interface CandidateFinish {
  readonly index: number
  /** Null while the candidate goes on. */
  readonly reason: string | null
}

/** What the candidates of one answer or event say of themselves. */
export interface CandidatesSeen {
  readonly finishes: readonly CandidateFinish[]
  readonly callsCount: number
  /** Bytes of generated text. */
  readonly contentBytes: number
  /** Where the first text of it stands; -1 where there is none. */
  readonly textAt: number
}

const OTHER = 0
const CONTENT = 1
const CALL = 2
const REASON = 3
const INDEX = 4

/** By their first byte, which all of these names have to themselves. */
const NAMES: readonly ({ readonly bytes: Buffer; readonly kind: number } | undefined)[] = (() => {
  const names: { bytes: Buffer; kind: number }[] = []
  const add = (kind: number, ...list: readonly string[]): void => {
    for (const name of list) names[name.charCodeAt(0)] = { bytes: Buffer.from(name), kind }
  }
  add(CONTENT, 'text', 'args', 'data', 'code', 'output')
  add(INDEX, 'index')
  return names
})()
/** These two begin alike. */
const FINISH_REASON = Buffer.from('finishReason')
const FUNCTION_CALL = Buffer.from('functionCall')

/** What a proto holds before it was set. */
const UNSPECIFIED = new Set(['FINISH_REASON_UNSPECIFIED', '0'])

/**
 * Reads the `candidates` that stand at `[from, to)` of a text that is valid JSON, in one pass: every event of a stream has
 * some. Old Vertex sends the finish as a number. Only the candidates' own members tell finish and index: a function's
 * arguments are an object, and may have any.
 */
export function walkCandidates(bytes: Buffer, from: number, to: number): CandidatesSeen {
  const finishes: CandidateFinish[] = []
  const isList = isArray(bytes, from)
  let callsCount = 0
  let contentBytes = 0
  let textAt = -1
  let depth = 0
  let index = 0
  let reason: string | null = null
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (depth === 2 && byte === CLOSE_OBJECT && isList) {
        finishes.push({ index, reason })
        index = 0
        reason = null
      }
      depth--
    } else if (byte === QUOTE) {
      const end = stringEnd(bytes, at)
      const value = behindColon(bytes, end)
      const kind = value < 0 ? OTHER : kindOf(bytes, at, end)
      if (kind === CONTENT && bytes[value] === QUOTE) {
        contentBytes += stringEnd(bytes, value) - value - 2
        if (textAt < 0) textAt = value
      } else if (kind === CALL) callsCount++
      else if (kind === REASON && depth === 2) reason = reasonAt(bytes, value)
      else if (kind === INDEX && depth === 2) index = indexAt(bytes, value)
      at = (value < 0 ? end : value) - 1
    }
  }
  return { finishes, callsCount, contentBytes, textAt }
}

/** Behind the closing quote. */
function stringEnd(bytes: Buffer, open: number): number {
  let at = open + 1
  for (;;) {
    const byte = bytes[at]!
    if (byte === QUOTE) return at + 1
    at += byte === BACKSLASH ? 2 : 1
  }
}

/** Where the value of the name that ends at `from` begins; -1 when no name ends there. */
function behindColon(bytes: Buffer, from: number): number {
  let at = from
  while (bytes[at]! <= SPACE) at++
  if (bytes[at] !== COLON) return -1
  at++
  while (bytes[at]! <= SPACE) at++
  return at
}

function kindOf(bytes: Buffer, start: number, end: number): number {
  const name = NAMES[bytes[start + 1]!]
  if (name) {
    if (isAt(name.bytes, bytes, start + 1, end - 1)) return name.kind
  } else {
    if (isAt(FUNCTION_CALL, bytes, start + 1, end - 1)) return CALL
    if (isAt(FINISH_REASON, bytes, start + 1, end - 1)) return REASON
  }
  return bytes.subarray(start, end).includes(BACKSLASH) ? kindOfEscaped(bytes, start, end) : OTHER
}

/** A parser behind us would read an escaped name as ours. */
function kindOfEscaped(bytes: Buffer, start: number, end: number): number {
  const text = JSON.stringify(readString(bytes, start, end))
  return text.includes('\\') ? OTHER : kindOf(Buffer.from(text), 0, Buffer.byteLength(text))
}

function reasonAt(bytes: Buffer, at: number): string | null {
  if (isNull(bytes, at)) return null
  const told = readValue(bytes, at, valueEnd(bytes, at))
  const reason = typeof told === 'string' || typeof told === 'number' ? String(told) : null
  return reason === null || UNSPECIFIED.has(reason) ? null : reason
}

function indexAt(bytes: Buffer, at: number): number {
  const digit = bytes[at]!
  const next = bytes[at + 1]!
  // One digit, as nearly always.
  if (digit >= ZERO && digit <= NINE && (next === 0x2c || next === CLOSE_OBJECT)) return digit - ZERO
  return countOf(readValue(bytes, at, valueEnd(bytes, at))) ?? 0
}
