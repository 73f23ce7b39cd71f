import type { Protocol } from '#base/protocols.ts'
import type { Block, ReasoningBlock, Seal } from '#ir/blocks.ts'
import { type CarriedSeal, openEnvelope, sealEnvelope } from '#codecs/seal-envelope.ts'
import { isObject, isRecord, type Members, PROTOCOL } from './members.ts'

/**
 * `reasoning_details`, OpenRouter's list of what a model thought and of the seals that must come back with it. Source: OpenRouter's
 * guide on reasoning tokens. The list of an upstream that speaks it is one seal and passes as it stood. Seals of other
 * protocols stand in it as entries whose signature or data is our envelope: `format` tells only the family of the model,
 * and so would not keep an item of Anthropic's API apart from one that OpenRouter issued for the same model.
 */

/** What the format of an entry is called by the protocol that sealed it; clients drop entries of formats they do not know. */
const FORMATS: Readonly<Record<Protocol, string>> = {
  'anthropic-messages': 'anthropic-claude-v1',
  'bedrock-converse': 'anthropic-claude-v1',
  gemini: 'google-gemini-v1',
  'openai-responses': 'openai-responses-v1',
  'openai-chat': 'unknown',
  'openai-embeddings': 'unknown',
  'cohere-chat': 'unknown',
}

/** The entry that carries one seal. `index` is the place among the parts of the message. */
export function sealEntry(carried: CarriedSeal, index: number, shown: { id?: string; text?: string } = {}): Members {
  const envelope = sealEnvelope([carried])
  const end = { format: FORMATS[carried.seal.issuer], index }
  return carried.seal.kind === 'signature' && carried.place === 'reasoning'
    ? { type: 'reasoning.text', text: shown.text ?? '', signature: envelope, ...end }
    : { type: 'reasoning.encrypted', data: envelope, id: shown.id ?? carried.id ?? null, ...end }
}

/** One part of a summary that stands before the entry of its seal. */
export function summaryEntry(summary: string, issuer: Protocol, index: number): Members {
  return { type: 'reasoning.summary', summary, format: FORMATS[issuer], index }
}

/** The seal of an upstream that gave these entries, and perhaps other members of the message that must come back. */
export function ownSeal(details: readonly unknown[], members: Members): Seal {
  const isPlain = Object.keys(members).length === 0
  const value = isPlain ? details : { ...(details.length > 0 ? { reasoning_details: details } : {}), ...members }
  return { issuer: PROTOCOL, kind: 'encrypted', value: JSON.stringify(value) }
}

/** What `ownSeal` put together, as members of the message. */
export function openOwnSeal(seal: Seal): { readonly details: readonly unknown[]; readonly members: Members } {
  const value = sealedValue(seal)
  if (Array.isArray(value)) return { details: value, members: {} }
  const { reasoning_details: details, ...members } = isObject(value) ? value : {}
  return { details: Array.isArray(details) ? details : [], members }
}

/** The JSON inside; null when a client put something else in its place. */
export function sealedValue({ value }: Seal): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return null
  }
}

/** Adds the entries of one chunk: what goes on with the last entry is put together with it. */
export function addDetails(list: Record<string, unknown>[], entries: readonly unknown[]): void {
  for (const entry of entries) {
    if (!isRecord(entry)) continue
    const last = list[list.length - 1]
    if (last && entry['type'] === last['type'] && entry['index'] === last['index'] && goesOn(last, entry))
      extend(last, entry)
    else list.push({ ...entry })
  }
}

/** An encrypted entry is whole; of the others only what was not told yet may still come. */
function goesOn(last: Members, entry: Members): boolean {
  if (entry['type'] !== 'reasoning.text' && entry['type'] !== 'reasoning.summary') return false
  return (last['id'] ?? null) === null || (entry['id'] ?? null) === null || last['id'] === entry['id']
}

function extend(last: Record<string, unknown>, entry: Members): void {
  for (const name in entry) {
    const value = entry[name]
    if (value === null) continue
    const before = last[name]
    if (!GROWING.has(name)) last[name] = value
    else last[name] = typeof before === 'string' && typeof value === 'string' ? before + value : value
  }
}

/** What a chunk goes on with; the rest is said once, or again. */
const GROWING: ReadonlySet<string> = new Set(['text', 'summary', 'signature'])

/** The text that the entries show. */
export function detailsText(entries: readonly unknown[]): string {
  let text = ''
  for (const entry of entries) {
    if (!isRecord(entry)) continue
    const shown = entry['text'] ?? entry['summary']
    if (typeof shown === 'string') text += shown
  }
  return text
}

/** What a client's list says, its seals sorted by what they belong to. */
export interface ReadDetails {
  readonly reasoning: readonly PlacedReasoning[]
  /** `id` is that of the tool call. */
  readonly calls: readonly { readonly id: string | null; readonly seal: Seal }[]
  readonly texts: readonly Seal[]
}

export interface PlacedReasoning {
  readonly block: ReasoningBlock
  /** Its place among the parts of the answer, as `sealEntry` told it; 0 when it told none. */
  readonly index: number
}

/** Reads a client's list; `plainText` is what the message shows beside it and `path` where that stands. */
export function readDetails(entries: readonly unknown[], plainText: string, path: string): ReadDetails {
  const carried = entries.map(carriedBy)
  const ours = new Set(carried.flatMap((seals, at) => (seals ? [indexOf(entries[at])] : [])))
  const reasoning: PlacedReasoning[] = []
  const calls: { id: string | null; seal: Seal }[] = []
  const texts: Seal[] = []
  const own = entries.filter((entry, at) => !carried[at] && !(isSummary(entry) && ours.has(indexOf(entry))))
  if (own.length > 0) {
    const text = detailsText(own) || plainText
    reasoning.push({ block: { type: 'reasoning', path, text, seal: ownSeal(own, {}), id: null }, index: 0 })
  }
  for (const [at, entry] of entries.entries()) {
    for (const one of carried[at] ?? []) {
      if (one.place === 'tool-call') calls.push({ id: stringAt(entry, 'id'), seal: one.seal })
      else if (one.place === 'text') texts.push(one.seal)
      else reasoning.push({ block: reasoningOf(one, entry, entries, plainText, path), index: indexOf(entry) ?? 0 })
    }
  }
  return { reasoning, calls, texts }
}

function reasoningOf(
  { seal, text, id }: CarriedSeal,
  entry: unknown,
  entries: readonly unknown[],
  plainText: string,
  path: string,
): ReasoningBlock {
  const index = indexOf(entry)
  const summary = entries.filter((other) => isSummary(other) && indexOf(other) === index).map(summaryOf)
  const shown = text ?? (summary.length > 0 ? summary.join('') : stringAt(entry, 'text')) ?? ''
  // A client that keeps the signature and not the text beside it still shows the text.
  const isLost = shown === '' && seal.kind === 'signature'
  return {
    type: 'reasoning',
    path,
    text: isLost ? plainText : shown,
    ...(summary.length > 0 ? { summary } : {}),
    seal,
    id: id ?? null,
  }
}

function carriedBy(entry: unknown): readonly CarriedSeal[] | null {
  const envelope = stringAt(entry, 'signature') ?? stringAt(entry, 'data')
  return envelope === null ? null : openEnvelope(envelope)
}

const isSummary = (entry: unknown): boolean => isObject(entry) && entry['type'] === 'reasoning.summary'

const summaryOf = (entry: unknown): string => stringAt(entry, 'summary') ?? ''

function indexOf(entry: unknown): number | null {
  const index = isObject(entry) ? entry['index'] : null
  return typeof index === 'number' ? index : null
}

function stringAt(entry: unknown, name: string): string | null {
  const value = isObject(entry) ? entry[name] : null
  return typeof value === 'string' && value !== '' ? value : null
}

/**
 * Puts reasoning back where it stood. The message keeps its parts apart (reasoning, content, calls), but the places of the
 * reasoning among them tell the order: models that think between their parts refuse it in another one.
 */
export function interleave(reasoning: readonly PlacedReasoning[], rest: readonly Block[]): Block[] {
  const blocks: Block[] = []
  let next = 0
  for (const { block, index } of reasoning.toSorted((left, right) => left.index - right.index)) {
    while (blocks.length < index && next < rest.length) blocks.push(rest[next++]!)
    blocks.push(block)
  }
  return [...blocks, ...rest.slice(next)]
}
