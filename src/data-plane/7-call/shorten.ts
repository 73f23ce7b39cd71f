import { parseFaithfulJson } from '#base/exact-json.ts'
import { GatewayError } from '#base/errors.ts'
import { PASSTHROUGH } from '#codecs/index.ts'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import { BYTES_PER_TOKEN } from '#data-plane/prompt-estimate.ts'
import type { Loss } from '#ir/extensions.ts'
import { type Fields, fieldsIn } from './fields.ts'

/** Messages that a shortened prompt keeps at most: half of them from its start, half from its end. */
export const SHORTENED_MESSAGES_MAX = 1000

export interface Shortened {
  readonly parsed: Parsed
  readonly loss: Loss
}

/**
 * A chat whose middle is left out, so that it has about `tokens` at most (`middle-out`): the operator's words at its start, the first and
 * the last messages stay, and a call stays with its result. What is still too long is cut in the middle of its longest text. Throws 400
 * `context_length_exceeded` where that is not enough.
 */
export function shorten(parsed: Parsed, tokens: number, jsonDepthMax: number): Shortened {
  const fields = fieldsIn(parseFaithfulJson(parsed.body.toString('utf8'))) ?? {}
  const messages = Array.isArray(fields['messages']) ? (fields['messages'] as readonly unknown[]) : []
  const start = messages.findIndex((message) => !['system', 'developer'].includes(roleOf(message)))
  const opening = messages.slice(0, Math.max(0, start))
  const turns = turnsOf(messages.slice(Math.max(0, start)))
  const bytesMax = tokens * BYTES_PER_TOKEN - (bytesOf({ ...fields, messages: opening }) + 1)
  const { kept, bytes, count } = withoutMiddle(turns, bytesMax)
  const left = messages.length - opening.length - count
  const isCut = bytes > bytesMax && cutLongest(kept.flat(), bytes - bytesMax)
  if (bytes > bytesMax && !isCut) {
    const message = `The prompt cannot be shortened to ${tokens} tokens.`
    throw new GatewayError('context_length_exceeded', message, { param: 'messages' })
  }
  fields['messages'] = [...opening, ...kept.flat()]
  const body = Buffer.from(JSON.stringify(fields))
  const facts = PASSTHROUGH[parsed.surface].readRequest(body, jsonDepthMax)
  const reason = `shortened in the middle to fit: ${left} messages left out${isCut ? ', one text cut' : ''}`
  return {
    parsed: { ...parsed, body, facts },
    loss: { path: '/messages', action: 'narrowed', reason, isSevere: false },
  }
}

/** The turns that are left, with their bytes and messages, when one after the other goes from the middle until they fit. */
function withoutMiddle(
  turns: readonly Fields[][],
  bytesMax: number,
): { kept: Fields[][]; bytes: number; count: number } {
  const sizes = turns.map((turn) => bytesOf(turn))
  let bytes = sizes.reduce((sum, size) => sum + size, 0)
  let count = turns.reduce((sum, turn) => sum + turn.length, 0)
  let headEnd = Math.ceil(turns.length / 2)
  let tailStart = headEnd
  for (let left = turns.length; left > 2 && (bytes > bytesMax || count > SHORTENED_MESSAGES_MAX); left--) {
    const gone = left % 2 === 0 ? tailStart++ : --headEnd
    bytes -= sizes[gone]!
    count -= turns[gone]!.length
  }
  return { kept: [...turns.slice(0, headEnd), ...turns.slice(tailStart)], bytes, count }
}

const roleOf = (message: unknown): string => String(fieldsIn(message)?.['role'])
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

/** Messages that stand or fall together: calls and their results. */
function turnsOf(messages: readonly unknown[]): Fields[][] {
  const turns: Fields[][] = []
  for (const message of messages) {
    const fields = fieldsIn(message) ?? {}
    if (['tool', 'function'].includes(roleOf(fields)) && turns.length > 0) turns.at(-1)!.push(fields)
    else turns.push([fields])
  }
  return turns
}

/** Cuts so many bytes, and a little for the mark, out of the middle of the longest text; false where no text has them. */
function cutLongest(messages: readonly Fields[], bytes: number): boolean {
  const textOf = ({ content }: Fields): string => (typeof content === 'string' ? content : '')
  const longest = messages.reduce<Fields | null>(
    (best, each) => (best && textOf(best).length >= textOf(each).length ? best : each),
    null,
  )
  if (!longest) return false
  const text = Buffer.from(textOf(longest))
  const kept = text.length - bytes - MARK.length
  if (kept < 2) return false
  const half = Math.floor(kept / 2)
  // A character that the cut goes through goes with what is cut out.
  let headEnd = half
  while (headEnd > 0 && isInside(text[headEnd]!)) headEnd--
  let tailStart = text.length - half
  while (tailStart < text.length && isInside(text[tailStart]!)) tailStart++
  longest['content'] = text.toString('utf8', 0, headEnd) + MARK + text.toString('utf8', tailStart)
  return true
}

/** Stands for what was cut out; without characters that JSON escapes. */
const MARK = ' [...] '

/** Whether a byte of UTF-8 continues a character. */
const isInside = (byte: number): boolean => (byte & 0xc0) === 0x80
