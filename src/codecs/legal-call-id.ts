import { createHash } from 'node:crypto'

/** What the id of a call may be. */
export interface CallIdRule {
  readonly charactersMin: number
  readonly charactersMax: number
  /** What it may not hold; null: it may hold anything. */
  readonly illegal: RegExp | null
}

const WORDS = /[^a-zA-Z0-9_-]/g

/** By protocol, on both sides; sources are the APIs' own complaints, quoted. */
export const CALL_IDS = {
  /** `string too long. Expected a string with maximum length 40`. */
  'openai-chat': { charactersMin: 0, charactersMax: 40, illegal: null },
  'openai-responses': { charactersMin: 0, charactersMax: 64, illegal: null },
  /** `String should match pattern '^[a-zA-Z0-9_-]+$'`. */
  'anthropic-messages': { charactersMin: 1, charactersMax: Infinity, illegal: WORDS },
  'bedrock-converse': { charactersMin: 1, charactersMax: 64, illegal: WORDS },
} as const satisfies Record<string, CallIdRule>

/** Mistral: `Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.` */
export const MISTRAL_CALL_IDS: CallIdRule = { charactersMin: 9, charactersMax: 9, illegal: /[^a-zA-Z0-9]/g }

const HASH_CHARACTERS = 8

/**
 * The id itself where it is legal; else one that is: readable where there is room for it, and the same whenever the same id
 * comes, so that a call and its result need no memory to meet.
 */
export function legalCallId(id: string, { charactersMin, charactersMax, illegal }: CallIdRule): string {
  const isLegal =
    id.length >= charactersMin && id.length <= charactersMax && (illegal === null || id.search(illegal) < 0)
  if (isLegal) return id
  const hash = createHash('sha256').update(id).digest('hex')
  const room = charactersMax - HASH_CHARACTERS - 1
  if (room <= 0) return hash.slice(0, charactersMax)
  const readable = illegal === null ? id : id.replace(illegal, '_')
  return `${readable.slice(0, room)}_${hash.slice(0, HASH_CHARACTERS)}`
}
