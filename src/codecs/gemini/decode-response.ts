import { parseFaithfulJson } from '#base/exact-json.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { countOf, fieldsOf } from '#ir/counts.ts'
import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodedWhole, StreamDecoder } from '#codecs/translation.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import { readGeminiUsage } from './answer.ts'
import { CandidateDecoder, type EventSink } from './decode-candidate.ts'
import { isObject } from './members.ts'

type Fields = Readonly<Record<string, unknown>>

/** Members of an answer that the neutral form has a place for. */
/** What the neutral usage holds. */
const COUNTS = new Set([
  'promptTokenCount',
  'candidatesTokenCount',
  'thoughtsTokenCount',
  'cachedContentTokenCount',
  'totalTokenCount',
  'toolUsePromptTokenCount',
])
const KNOWN = new Set(['candidates', 'usageMetadata', 'modelVersion', 'responseId', 'createTime'])

/**
 * Reads the events of streamGenerateContent, each of which is a whole GenerateContentResponse with the next parts. There
 * is no last event: the answer is complete when each candidate that began has told why it finished, or when the prompt
 * was blocked.
 */
export class GeminiDecoder implements StreamDecoder, EventSink {
  failure: Failure | null = null
  readonly isLast = false
  private events: ChatEvent[] = []
  private blocksCount = 0
  private isStarted = false
  private blockedReason: string | null = null
  private readonly candidates: CandidateDecoder[] = []
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }

  get complete(): boolean {
    if (this.blockedReason !== null) return true
    const begun = Object.values(this.candidates)
    return begun.length > 0 && begun.every(({ isFinished }) => isFinished)
  }

  push(frame: Buffer): readonly ChatEvent[] {
    this.events = []
    if (this.failure !== null) return this.events
    const { dataStart, dataEnd, dataText } = readEvent(frame, this.fields)
    if (dataStart >= 0) this.readText(frame.toString('utf8', dataStart, dataEnd))
    else if (dataText !== null) this.readText(dataText)
    else if (isBody(frame)) this.readText(frame.toString('utf8'))
    return this.events
  }

  private readText(text: string): void {
    // Google sends no `[DONE]`, but hosts that imitate it do.
    if (text === '' || text === '[DONE]') return
    try {
      // Arguments are the one place where a number must not be rounded.
      this.read(text.includes('"functionCall"') ? parseFaithfulJson(text) : JSON.parse(text))
    } catch {
      this.fail('The upstream sent an event that cannot be read.')
    }
  }

  end(): readonly ChatEvent[] {
    this.events = []
    if (this.blockedReason !== null) this.candidate(0)
    this.endCandidates(false)
    return this.events
  }

  /** Reads a whole answer: one response, or the list of them that a stream is without `alt=sse`. */
  readWhole(body: unknown): readonly ChatEvent[] {
    this.events = []
    try {
      this.read(body)
    } catch {
      this.fail('The upstream sent an answer that cannot be read.')
    }
    if (this.failure === null && !listOf(body).some(isAnswerLike))
      this.fail('The upstream sent an answer without candidates.')
    if (this.failure !== null) return this.events
    // A whole answer is complete, whether or not it says so.
    this.candidate(0)
    this.endCandidates(true)
    return this.events
  }

  private endCandidates(isWhole: boolean): void {
    for (const candidate of Object.values(this.candidates)) candidate.end(isWhole, this.blockedReason)
  }

  private candidate(number: number): CandidateDecoder {
    return (this.candidates[number] ??= new CandidateDecoder(number, this))
  }

  emit(event: ChatEvent): void {
    this.events.push(event)
  }

  nextIndex(): number {
    return this.blocksCount++
  }

  fail(message: string): void {
    this.failure ??= { status: 502, code: 'upstream_bad_response', message }
  }

  /** A response, or a list of them: what a stream is without `alt=sse`. */
  private read(value: unknown): void {
    for (const response of listOf(value)) {
      if (this.failure !== null) return
      if (isObject(response)) this.readResponse(response)
      else this.fail('The upstream sent an event that is no object.')
    }
  }

  private readResponse(value: Fields): void {
    if (value['error'] !== undefined && value['error'] !== null) {
      this.failure = failureOf(200, value)
      return
    }
    if (!this.isStarted) this.start(value)
    this.readFeedback(value)
    const { candidates } = value
    if (Array.isArray(candidates)) this.readCandidates(candidates)
    const usage = value['usageMetadata'] === undefined ? null : readGeminiUsage(value['usageMetadata'])
    if (usage !== null) {
      const total = countOf(fieldsOf(value['usageMetadata'])['totalTokenCount'])
      this.emit({ type: 'usage', usage, total })
      this.emitOwnUsage(fieldsOf(value['usageMetadata']))
    }
  }

  /** Counts that only Gemini breaks down so, and whatever else stands beside them. */
  private emitOwnUsage(told: Fields): void {
    const own = Object.entries(told).filter(([name]) => !COUNTS.has(name))
    if (own.length > 0)
      this.emit({ type: 'opaque', issuer: 'gemini', value: { usageMetadata: Object.fromEntries(own) } })
  }

  private start(value: Fields): void {
    this.isStarted = true
    this.emit({
      type: 'response-start',
      id: textIn(value, 'responseId'),
      model: textIn(value, 'modelVersion'),
      createdAt: secondsOf(value['createTime']),
    })
  }

  private readCandidates(candidates: readonly unknown[]): void {
    for (let position = 0; position < candidates.length; position++) {
      const fields = fieldsOf(candidates[position])
      this.candidate(countOf(fields['index']) ?? position).read(fields)
    }
  }

  /** Why the prompt was refused, and whatever else only Gemini knows. */
  private readFeedback(value: Fields): void {
    for (const name in value) {
      if (KNOWN.has(name)) continue
      const member = value[name]
      this.emit({ type: 'opaque', issuer: 'gemini', value: { [name]: member } })
      if (name !== 'promptFeedback') continue
      const reason = textIn(fieldsOf(member), 'blockReason')
      if (reason !== null && !UNSPECIFIED.test(reason)) this.blockedReason = `blocked:${reason}`
    }
  }
}

/** Whether this is no event at all: a page of HTML, or JSON without the framing of a stream. */
function isBody(frame: Buffer): boolean {
  let at = 0
  while (at < frame.length && frame[at]! <= SPACE) at++
  return BODY_STARTS.has(frame[at] ?? 0)
}

const SPACE = 0x20
const BODY_STARTS = new Set(Buffer.from('<{['))

const UNSPECIFIED = /^BLOCK(?:ED)?_REASON_UNSPECIFIED$/

export function decodeGeminiWhole(body: unknown): DecodedWhole {
  const decoder = new GeminiDecoder()
  const events = decoder.readWhole(body)
  return { events, failure: decoder.failure }
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value])

function isAnswerLike(response: unknown): boolean {
  const fields = fieldsOf(response)
  return ['candidates', 'promptFeedback', 'usageMetadata'].some((name) => isPresent(fields[name]))
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null

function textIn(fields: Fields, name: string): string | null {
  const value = fields[name]
  return typeof value === 'string' && value !== '' ? value : null
}

/** RFC 3339 text as Unix time in seconds. */
function secondsOf(time: unknown): number | null {
  const milliseconds = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(milliseconds) ? null : Math.floor(milliseconds / 1000)
}
