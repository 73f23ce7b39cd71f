/**
 * Finds small facts in the bytes of one event with native searches. The patterns start with an unescaped quote, so that
 * they cannot match inside a JSON string: there every quote is escaped.
 */

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const SPACE = 0x20

/** Offset of the value behind `"key":`, or -1. The first occurrence at or behind `from` that is a key counts. */
export function valueOf(event: Buffer, quotedKey: Buffer, from = 0): number {
  for (let at = event.indexOf(quotedKey, from); at >= 0; at = event.indexOf(quotedKey, at + quotedKey.length)) {
    const value = valueBehind(event, at + quotedKey.length)
    if (value >= 0) return value
  }
  return -1
}

/** Offset of the value behind a key whose last quote stands before `keyEnd`; -1 where that string is no key. */
export function valueBehind(event: Buffer, keyEnd: number): number {
  let at = keyEnd
  while (event[at] === SPACE) at++
  if (event[at] !== COLON) return -1
  at++
  while (event[at] === SPACE) at++
  return at
}

/** Bytes between the quotes of the string that starts at `at`; 0 when there is no string. */
export function stringBytes(event: Buffer, at: number): number {
  if (at < 0 || event[at] !== QUOTE) return 0
  let end = at + 1
  while (end < event.length && event[end] !== QUOTE) end += event[end] === BACKSLASH ? 2 : 1
  return Math.min(end, event.length) - at - 1
}

/** The string that starts at `at`, or null. What only looks like one, in a comment of the stream, is none. */
export function stringAt(event: Buffer, at: number): string | null {
  if (at < 0 || event[at] !== QUOTE) return null
  const end = at + 1 + stringBytes(event, at)
  const text = event.toString('utf8', at + 1, end)
  if (end < event.length && isPlain(text)) return text
  try {
    return JSON.parse(event.toString('utf8', at, end + 1)) as string
  } catch {
    return null
  }
}

/** Whether a string's text is what its bytes say: no escape, and no control character, which JSON does not allow. */
function isPlain(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH || code < SPACE) return false
  }
  return true
}

/** Bytes of all string values of these keys in the event. */
export function contentBytesOf(event: Buffer, quotedKeys: readonly Buffer[]): number {
  let bytes = 0
  for (const key of quotedKeys) {
    for (let at = valueOf(event, key); at >= 0; at = valueOf(event, key, at)) bytes += stringBytes(event, at)
  }
  return bytes
}

export const quoted = (key: string): Buffer => Buffer.from(`"${key}"`)
