import { createHash } from 'node:crypto'
import type { Parsed } from '#data-plane/3-parse/parse.ts'
import type { Heading } from '#data-plane/4-resolve/resolve.ts'
import { arrayElements, isString, ObjectScan, readValue } from '#wire/json-scan.ts'

const SESSION_CHARACTERS_MAX = 256
/** Messages that are looked at for the first one of the user's. */
export const OPENING_MESSAGES_MAX = 8

/** What stands before the first answer, as each protocol calls it. Shared: scanning is synchronous. */
const SYSTEM = ['system', 'instructions', 'systemInstruction', 'system_instruction'] as const
const TURNS = ['messages', 'input', 'contents'] as const
const SCAN = new ObjectScan([...SYSTEM, ...TURNS])

/**
 * A digest that all requests of one conversation share (B5): of its name in the body or in a header, else of its system message
 * and its first message of the user. `scope` keeps accounts and models apart.
 */
export function conversationOf(parsed: Parsed, exchange: Heading, scope: string): string {
  const hash = createHash('sha256').update(`${scope}\n`)
  const header = exchange.request.headers['x-session-id']
  const told = typeof header === 'string' && header !== '' ? header.slice(0, SESSION_CHARACTERS_MAX) : null
  const session = parsed.wishes?.session ?? told
  const cacheKey = parsed.wishes?.cacheKey
  if (session !== null) hash.update(`session ${session}`)
  else if (cacheKey) hash.update(`key ${cacheKey}`)
  else for (const text of openingOf(parsed.body)) hash.update(`${text}\n`)
  return hash.digest('base64url')
}

/** The texts that stay the same from turn to turn. */
function openingOf(body: Buffer): readonly string[] {
  if (!SCAN.scan(body)) return []
  const texts: string[] = []
  for (const index of SYSTEM.keys())
    if (SCAN.has(index)) texts.push(withoutMarks(readValue(body, SCAN.start[index]!, SCAN.end[index]!)))
  for (const index of TURNS.keys()) {
    const at = index + SYSTEM.length
    if (SCAN.has(at)) texts.push(...firstTurns(body, SCAN.start[at]!, SCAN.end[at]!))
  }
  return texts
}

function firstTurns(body: Buffer, start: number, end: number): readonly string[] {
  if (isString(body, start)) return [withoutMarks(readValue(body, start, end))]
  const spans = arrayElements(body, start, end).slice(0, 2 * OPENING_MESSAGES_MAX)
  const texts: string[] = []
  for (let at = 0; at < spans.length; at += 2) {
    const turn = readValue(body, spans[at]!, spans[at + 1]!) as { role?: unknown } | null
    texts.push(withoutMarks(turn))
    // Gemini's first turn may go without a role, and is the user's.
    if (turn?.role === undefined || turn.role === 'user') break
  }
  return texts
}

/** Marks of the cache wander through a conversation. */
const withoutMarks = (value: unknown): string =>
  JSON.stringify(value, (key, member: unknown) => (key === 'cache_control' ? undefined : member))
