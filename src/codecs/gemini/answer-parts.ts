import type { Citation, Seal } from '#ir/blocks.ts'
import type { BlockHead, Finish } from '#ir/chat-event.ts'
import { fieldsOf, sumOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { argumentObject, invalidArguments } from '#codecs/argument-object.ts'
import { CUSTOM_TOOL_PARAMETER } from '#codecs/emulation.ts'
import { type CarriedSeal, sealEnvelope } from '#codecs/seal-envelope.ts'
import type { AnswerContext } from '#codecs/translation.ts'
import { finishWordFor } from './finish-reasons.ts'
import { logprobsResultOf } from './logprobs.ts'

/** What streams and whole answers to a Gemini client have in common. */

/**
 * Keeps seals of other issuers until there is a place for them. Gemini CLI gives back nothing but the signatures of
 * calls, so each call carries all reasoning since the one before (B3).
 */
export class SealCarrier {
  private waiting: CarriedSeal[] = []

  addReasoning(seal: Seal, text: string, id: string | null): void {
    this.waiting.push({ seal, place: 'reasoning', ...(text === '' ? {} : { text }), ...(id === null ? {} : { id }) })
  }

  /** The signature of a call: its own of Gemini's, or the envelope of what waits and of the call's own seal. */
  signCall(seal: Seal | undefined): string | null {
    if (seal?.issuer === 'gemini') return seal.value
    if (seal) this.waiting.push({ seal, place: 'tool-call' })
    return this.takeRest()
  }

  /** The envelope of what still waits; null when nothing does. */
  takeRest(): string | null {
    if (this.waiting.length === 0) return null
    const envelope = sealEnvelope(this.waiting)
    this.waiting = []
    return envelope
  }
}

/** The signature of a text: Gemini's own, or an envelope. */
export function textSignature(seal: Seal): string {
  return seal.issuer === 'gemini' ? seal.value : sealEnvelope([{ seal, place: 'text' }])
}

type CallHead = Extract<BlockHead, { type: 'tool-call' }>

/** A call is one part: Gemini's protocol has no pieces of arguments that every client reads. */
export function callPart(
  head: CallHead,
  text: string,
  id: string,
  signature: string | null,
  tellInvalid: () => void,
): Record<string, unknown> {
  const args = head.kind === 'custom' ? { [CUSTOM_TOOL_PARAMETER]: text } : argumentObject(text)
  if (invalidArguments(args) !== null) tellInvalid()
  const functionCall = { id, name: head.name, args }
  return { functionCall, ...(signature === null ? {} : { thoughtSignature: signature }) }
}

export function mediaPart({ mimeType, data }: Extract<BlockHead, { type: 'media' }>): Record<string, unknown> {
  return { inlineData: { mimeType, data } }
}

/** Whether the client asked to be spared the thoughts. */
export function hidesThoughts(context: AnswerContext): boolean {
  return context.request.reasoning?.isShown === false
}

/** What is told of a candidate at its end. */
export interface CandidateEnding {
  readonly finish: Finish | null
  readonly hasRefusal: boolean
  readonly sources: readonly CitationSource[]
  readonly tokens: readonly unknown[]
  /** Members that an upstream of Gemini's own told. */
  readonly members: Readonly<Record<string, unknown>>
}

/** The members of a candidate beside its content. */
export function endingOf(number: number, ending: CandidateEnding, context: AnswerContext): Record<string, unknown> {
  const { finish, hasRefusal, sources, tokens, members } = ending
  const reason = finish?.reason ?? 'stop'
  // A refusal has no field of its own here.
  const meant = hasRefusal && reason === 'stop' ? 'content-filter' : reason
  const ownWord = context.upstream === 'gemini' ? (finish?.raw ?? null) : null
  const word = finishWordFor(meant, ownWord)
  context.losses.finish(finish, word)
  return {
    finishReason: word,
    index: number,
    // An upstream of Gemini's own tells its sources and probabilities in its members.
    ...(sources.length > 0 && context.upstream !== 'gemini' ? { citationMetadata: { citationSources: sources } } : {}),
    ...(tokens.length > 0 && context.upstream !== 'gemini' ? { logprobsResult: logprobsResultOf(tokens) } : {}),
    ...members,
  }
}

export interface CitationSource {
  readonly uri: string
  readonly title?: string
  readonly startIndex?: number
  readonly endIndex?: number
}

/** A source as Gemini tells it: places are bytes of the candidate's text. Null for one without an address. */
export function citationSource(citation: Citation, textBefore: string, text: string): CitationSource | null {
  const { url, title, startIndex, endIndex } = citation
  if (url === undefined || url === '') return null
  const bytesAt = (index: number) => Buffer.byteLength(textBefore) + Buffer.byteLength(text.slice(0, index))
  return {
    uri: url,
    ...(title === undefined ? {} : { title }),
    ...(startIndex === undefined ? {} : { startIndex: bytesAt(startIndex) }),
    ...(endIndex === undefined ? {} : { endIndex: bytesAt(endIndex) }),
  }
}

/** The prompt includes what was cached; the candidates exclude the thoughts (R87). Null when nothing was reported. */
export function usageMetadataOf(usage: Usage | null): Record<string, unknown> | null {
  if (usage === null) return null
  const { input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning } = usage
  const prompt = sumOf(input, cacheRead, cacheWrite, cacheWrite1h)
  if (prompt === null && output === null) return null
  // Some hosts tell more reasoning than output. The output is what is paid for, so that its two parts make it up.
  const thoughts = reasoning === null || output === null ? reasoning : Math.min(reasoning, output)
  return {
    ...(prompt === null ? {} : { promptTokenCount: prompt }),
    ...(output === null ? {} : { candidatesTokenCount: output - (thoughts ?? 0) }),
    ...(thoughts === null ? {} : { thoughtsTokenCount: thoughts }),
    ...(cacheRead === null ? {} : { cachedContentTokenCount: cacheRead }),
    totalTokenCount: (prompt ?? 0) + (output ?? 0),
  }
}

interface OwnFragment {
  readonly candidates?: readonly ({ index: number } & Record<string, unknown>)[]
  readonly usageMetadata?: Readonly<Record<string, unknown>>
  readonly [name: string]: unknown
}

/** Each event tells the sources of its own text: they are joined, where other members replace what was told before. */
function joinedSources(known: Readonly<Record<string, unknown>>, members: Readonly<Record<string, unknown>>): object {
  const [before, now] = [known, members].map((each) => fieldsOf(each['citationMetadata']))
  const joined = Object.entries(now!).map(([name, list]) => {
    const earlier = before![name]
    return [
      name,
      Array.isArray(earlier) && Array.isArray(list) ? [...(earlier as unknown[]), ...(list as unknown[])] : list,
    ]
  })
  return joined.length === 0 ? {} : { citationMetadata: { ...before, ...Object.fromEntries(joined) } }
}

/** Fragments of answers of Gemini's own: what belongs to a candidate, by its number, and what to the answer. */
export class OwnMembers {
  readonly answer: Record<string, unknown> = {}
  /** Beside the counts. */
  readonly usage: Record<string, unknown> = {}
  private readonly candidates = new Map<number, Record<string, unknown>>()

  add(value: unknown): void {
    const { candidates, usageMetadata, ...answer } = value as OwnFragment
    Object.assign(this.answer, answer)
    Object.assign(this.usage, usageMetadata)
    for (const { index, ...members } of candidates ?? []) {
      const known = this.candidates.get(index) ?? {}
      this.candidates.set(index, Object.assign(known, members, joinedSources(known, members)))
    }
  }

  ofCandidate(number: number): Readonly<Record<string, unknown>> {
    return this.candidates.get(number) ?? {}
  }

  /** Whether the prompt was blocked, as these finishes tell: then there is no candidate at all. */
  tellsBlock(finishes: readonly (Finish | null)[]): boolean {
    return 'promptFeedback' in this.answer && finishes.every((finish) => finish?.raw?.startsWith('blocked:') === true)
  }
}
