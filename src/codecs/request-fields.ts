import { GatewayError } from '#base/errors.ts'
import { ROUTING_MEMBERS } from '#base/routing-members.ts'
import type { RequestChanges, RequestFacts, UnseenInput } from './codec.ts'
import {
  isNull,
  isString,
  JsonDepthError,
  JsonError,
  ObjectScan,
  readString,
  type Span,
  textOf,
} from '#wire/json-scan.ts'
import { applyEdits, type Edit } from '#wire/splice.ts'

/** Reading and editing the members of a request body that the gateway itself must understand. */

/** More answers than this in one request is a mistake, and would make a hold absurd (fault M13). */
export const CANDIDATES_MAX = 128

/** Beyond this an output limit is no number of tokens any more. */
export const OUTPUT_TOKENS_MAX = 2 ** 31 - 1

/**
 * Scans the body's top level; complains in the client's own terms. `unique` members may not be repeated, because a parser
 * that takes the first and an upstream that takes the last would price one model and run another (attack S18).
 */
export function scanBody(
  scan: ObjectScan,
  body: Buffer,
  jsonDepthMax: number,
  unique: readonly (readonly [number, string])[],
): void {
  let object: boolean
  try {
    object = scan.scan(body, 0, body.length, jsonDepthMax)
  } catch (error) {
    if (error instanceof JsonDepthError) throw new GatewayError('invalid_json', 'The JSON body is nested too deeply.')
    if (!(error instanceof JsonError)) throw error
    throw new GatewayError('invalid_json', `The body is not valid JSON: ${error.message} at byte ${error.offset}.`)
  }
  if (!object) throw new GatewayError('invalid_json', 'The body must be a JSON object.')
  for (const [index, name] of unique) {
    if (scan.count[index]! > 1) {
      throw new GatewayError('invalid_request', `The member "${name}" occurs more than once.`, { param: name })
    }
  }
}

/** Names, of members or of types, behind which there is input that its bytes do not tell the size of. */
export interface UnseenNames {
  readonly media: readonly string[]
  readonly files: readonly string[]
}

/** A scan of requests: it tells of routing members besides the protocol's own, and counts the names of unseen input. */
export const requestScan = (keys: readonly string[], unseen: UnseenNames = { media: [], files: [] }): ObjectScan =>
  new ObjectScan(keys, { noticed: ROUTING_MEMBERS, watched: [...unseen.media, ...unseen.files] })

export function spanOf(scan: ObjectScan, index: number): Span | undefined {
  return scan.has(index) ? { start: scan.start[index]!, end: scan.end[index]! } : undefined
}

export function readModel(body: Buffer, span: Span | undefined): string | null {
  if (!span || isNull(body, span.start)) return null
  if (!isString(body, span.start)) throw invalid('model', 'must be a string')
  const model = readString(body, span.start, span.end)
  if (model === '') throw new GatewayError('missing_model', 'The request names no model.', { param: 'model' })
  return model
}

/** A boolean member; `null` and absence are the same to every provider. */
export function readFlag(body: Buffer, span: Span | undefined, name: string): boolean | null {
  if (!span || isNull(body, span.start)) return null
  // The scan has seen to it that these are whole words.
  if (body[span.start] === LETTER_T) return true
  if (body[span.start] === LETTER_F) return false
  throw invalid(name, 'must be true or false')
}

/** A count such as an output limit: a whole number from 0 (R80: 0 is a value) to `max`. */
export function readCount(body: Buffer, span: Span | undefined, name: string, max: number): number | null {
  if (!span || isNull(body, span.start)) return null
  const value = digitsAt(body, span) ?? numberAt(body, span)
  if (!Number.isSafeInteger(value) || value < 0 || value > max)
    throw invalid(name, `must be a whole number from 0 to ${max}`)
  return value
}

const LETTER_T = 0x74
const LETTER_F = 0x66
const DIGITS_MAX = 15
const NUMBER_CHARACTERS_MAX = 24

/** A plain whole number, which is what nearly every client writes; null for any other spelling. */
function digitsAt(body: Buffer, span: Span): number | null {
  if (span.end - span.start > DIGITS_MAX) return null
  let value = 0
  for (let at = span.start; at < span.end; at++) {
    const digit = body[at]! - 0x30
    if (digit < 0 || digit > 9) return null
    value = value * 10 + digit
  }
  return value
}

function numberAt(body: Buffer, span: Span): number {
  const text = span.end - span.start <= NUMBER_CHARACTERS_MAX ? textOf(body, span.start, span.end) : ''
  return /^-?\d/.test(text) ? Number(text) : Number.NaN
}

/** Puts a name in place of the one that stands at `span`; nothing to do when it is the same, bytes and all. */
export function renameEdits(body: Buffer, span: Span, name: string): Edit[] {
  if (isPlainly(body, span, name)) return []
  const edit = replaceWithString(span, name)
  return edit.bytes.compare(body, span.start, span.end) === 0 ? [] : [edit]
}

/** Whether the name stands there letter by letter, which needs no encoding where all of its letters are ASCII and none an escape. */
function isPlainly(body: Buffer, { start, end }: Span, name: string): boolean {
  if (end - start !== name.length + 2 || !isString(body, start)) return false
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at)
    if (code !== body[start + 1 + at] || code === BACKSLASH || code > ASCII_MAX) return false
  }
  return true
}

const BACKSLASH = 0x5c
const ASCII_MAX = 0x7f

export function replaceWithString(span: Span, value: string): Edit & { readonly bytes: Buffer } {
  return { start: span.start, end: span.end, bytes: Buffer.from(JSON.stringify(value)) }
}

/** Inserts `"name":value` as the first member of the object whose `{` stands at `open`. */
export function insertMember(open: number, empty: boolean, name: string, json: string): Edit {
  const text = `${JSON.stringify(name)}:${json}`
  return { start: open + 1, end: open + 1, bytes: Buffer.from(empty ? text : `${text},`) }
}

/** As `insertMember`, for several at once: each a name and the JSON of its value. */
export function insertMembers(open: number, empty: boolean, members: readonly (readonly [string, string])[]): Edit {
  const text = members.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(',')
  return { start: open + 1, end: open + 1, bytes: Buffer.from(empty ? text : `${text},`) }
}

/** References to media in one body that are counted; more are bounded by the context window anyway. */
const MEDIA_MAX = 256

/**
 * What the body only refers to, from the names that occur anywhere in it: an upper bound, because a name may also stand
 * where it means nothing. Letters written as escapes could hide a name, so that they count as the worst; no client's
 * encoder writes them. `scan` is the scan of this body, made for these names.
 */
export function unseenInput(
  scan: ObjectScan,
  body: Buffer,
  { media, files }: UnseenNames,
  isUnbounded = false,
): UnseenInput {
  const counts = scan.watchedCounts
  let mediaCount = 0
  for (let at = 0; at < media.length; at++) mediaCount += Math.min(counts[at]!, MEDIA_MAX)
  let fileCount = 0
  for (let at = 0; at < files.length; at++) fileCount += counts[media.length + at]!
  return { mediaCount, unbounded: isUnbounded || fileCount > 0 || hidesLetters(scan, body) }
}

const ESCAPED_LETTER = /\\u00(?:4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])/i

function hidesLetters(scan: ObjectScan, body: Buffer): boolean {
  return scan.escaped && ESCAPED_LETTER.test(body.toString('latin1'))
}

function invalid(name: string, what: string): GatewayError {
  return new GatewayError('invalid_parameter', `"${name}" ${what}.`, { param: name })
}

/** Members to add at the top level, by name and JSON text. */
export type Added = (readonly [string, string])[]

/**
 * Applies what every chat-like request has in common: the upstream's name of the model, and a lowered output limit. The limit
 * takes the first of `limitNames` that the client gave, else the last of them, which the most hosts know, is added. `more` may add edits of the protocol's own.
 */
export function rewriteRequest(
  body: Buffer,
  facts: RequestFacts,
  changes: RequestChanges,
  limitNames: readonly [string, ...string[]],
  more?: (edits: Edit[], added: Added) => void,
): Buffer {
  const { spans } = facts
  const edits: Edit[] = []
  const added: Added = []
  if (spans['model']) edits.push(...renameEdits(body, spans['model'], changes.model))
  else added.push(['model', JSON.stringify(changes.model)])
  if (changes.outputTokensMax !== undefined) {
    const limit = String(changes.outputTokensMax)
    const given = limitNames.map((name) => spans[name]).filter((span) => span !== undefined)
    // A member that is null is filled: a second one of its name would be overruled by it.
    const span = given.find(({ start }) => !isNull(body, start)) ?? given[0]
    if (span) edits.push({ ...span, bytes: Buffer.from(limit) })
    else added.push([limitNames.at(-1)!, limit])
  }
  more?.(edits, added)
  const root = spans['body']!
  if (added.length > 0) edits.push(insertMembers(root.start, root.end === 0, added))
  return applyEdits(body, edits)
}
