import { createHash } from 'node:crypto'
import type { Seal } from '#ir/blocks.ts'

/** A seal that stood beside a tool call, as its issuer wrote it. */
export interface KeptSeal {
  readonly place: 'reasoning' | 'text'
  /** Characters of text that the model had said before it, since the call before. */
  readonly at: number
  readonly seal: Seal
  /** Of the reasoning. */
  readonly text: string
  /** Its parts, where the issuer keeps them apart. */
  readonly summary?: readonly string[]
  /** The issuer's id of the reasoning. */
  readonly id: string | null
}

/** All that a call needs to go back to its issuer. */
export interface SealEntry {
  /** What was called, as `digestOfCall` tells it: some hosts give the same id to many calls. */
  readonly call: string
  /** Since the call before. */
  readonly before: readonly KeptSeal[]
  /** Of the call itself (Gemini). */
  readonly callSeal: Seal | null
  /** Behind the last call of an answer. */
  readonly after: readonly KeptSeal[]
  /** Mark of the credential that the answer was asked with: encrypted reasoning can be read with the same one alone. */
  readonly credential: string | null
}

/** Longer arguments are known by their function's name alone: they would keep the event loop. */
export const ARGUMENTS_CHARACTERS_MAX = 16 * 1024
const DIGEST_DIGITS = 16

/** Name and arguments of a call; the same for arguments that mean the same, as clients may have read and written them. */
export function digestOfCall(name: string, args: string): string {
  const meaning = args.length > ARGUMENTS_CHARACTERS_MAX ? '' : meaningOf(args)
  return createHash('sha256').update(`${name}\n${meaning}`).digest('hex').slice(0, DIGEST_DIGITS)
}

function meaningOf(args: string): string {
  const said = args.trim()
  if (said === '' || said === 'null') return '{}'
  try {
    return JSON.stringify(JSON.parse(said), sortMembers)
  } catch {
    // The plain input of a custom tool, or nested too deep.
    return args
  }
}

const sortMembers = (_key: string, value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)))
    : value

/** Characters that an entry keeps, roughly. */
export function charactersOf({ before, callSeal, after }: SealEntry): number {
  const kept = [...before, ...after].map(({ text, seal }) => 2 * text.length + seal.value.length)
  return kept.reduce((sum, length) => sum + length, callSeal?.value.length ?? 0)
}

const VERSION = 1

export const writeEntry = (entry: SealEntry): string => JSON.stringify({ version: VERSION, ...entry })

/** Null for what another version wrote: nodes of two versions may share a database. */
export function readEntry(text: string): SealEntry | null {
  const { version, ...entry } = JSON.parse(text) as SealEntry & { readonly version: number }
  return version === VERSION ? entry : null
}
