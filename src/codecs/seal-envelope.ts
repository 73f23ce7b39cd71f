import type { Seal } from '#ir/blocks.ts'
import type { Protocol } from '#base/protocols.ts'

/**
 * Seals of one protocol carried by a client of another (B3). The client's protocol has a place for an opaque text of its own
 * (a signature, redacted thinking, encrypted content), and that text is this envelope: base64, as Gemini's clients demand,
 * of a mark and JSON. The seal inside is the issuer's own, byte for byte. A text without the mark is the native one.
 */
export interface CarriedSeal {
  readonly seal: Seal
  /** What it signs or stands for: the reasoning itself, the tool call that follows it, or the text before it. */
  readonly place: 'reasoning' | 'tool-call' | 'text'
  /** The reasoning's text, for clients that give back nothing but the envelope. */
  readonly text?: string
  /** The issuer's id of a reasoning item. */
  readonly id?: string
}

const MARK = 'tv1'
/** Three bytes are four characters of base64, whatever follows. */
const MARK_BASE64 = Buffer.from(MARK).toString('base64')

/** One text that carries these seals, in their order. */
export function sealEnvelope(seals: readonly CarriedSeal[]): string {
  const entries = seals.map(({ seal, place, text, id }) => [
    seal.issuer,
    seal.kind === 'signature' ? 's' : 'e',
    seal.value,
    place,
    text ?? null,
    id ?? null,
  ])
  return Buffer.from(MARK + JSON.stringify(entries)).toString('base64')
}

/** The seals in an envelope; null for a text that is none, which then is the native protocol's own. */
export function openEnvelope(text: string): readonly CarriedSeal[] | null {
  if (!text.startsWith(MARK_BASE64)) return null
  let entries: unknown
  try {
    entries = JSON.parse(Buffer.from(text, 'base64').toString('utf8').slice(MARK.length))
  } catch {
    return null
  }
  if (!Array.isArray(entries)) return null
  const seals = entries.map(readEntry)
  return seals.every((seal) => seal !== null) ? seals : null
}

const ISSUERS: ReadonlySet<unknown> = new Set<Protocol>([
  'openai-chat',
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
])
const PLACES: ReadonlySet<unknown> = new Set<CarriedSeal['place']>(['reasoning', 'tool-call', 'text'])

function readEntry(entry: unknown): CarriedSeal | null {
  if (!Array.isArray(entry)) return null
  const [issuer, kind, value, place, text, id] = entry as unknown[]
  if (!ISSUERS.has(issuer) || !PLACES.has(place) || typeof value !== 'string') return null
  return {
    seal: { issuer: issuer as Protocol, kind: kind === 's' ? 'signature' : 'encrypted', value },
    place: place as CarriedSeal['place'],
    ...(typeof text === 'string' ? { text } : {}),
    ...(typeof id === 'string' ? { id } : {}),
  }
}
