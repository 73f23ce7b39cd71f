import type { ChatEvent } from '#ir/chat-event.ts'
import { countOf } from '#ir/counts.ts'
import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodeContext, DecodedWhole, StreamDecoder } from '#codecs/translation.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import { isDone } from './answer.ts'
import { CandidateReader } from './candidate-reader.ts'
import { readChoice } from './choice-reader.ts'
import { isRecord, type Members, numberOf, PROTOCOL, stringOrNull } from './members.ts'
import { CHAT_USAGE, readOpenAiUsage } from './usage.ts'

/** What every chunk and every answer may hold; the rest is the host's own. */
const KNOWN = new Set(['id', 'object', 'created', 'model', 'choices', 'usage', 'error', 'obfuscation', 'p', 'x_groq'])

/** One answer while it is read, chunk by chunk or at once. */
class AnswerReader {
  events: ChatEvent[] = []
  blocksCount = 0
  failure: Failure | null = null
  private readonly candidates: number
  private readonly readers: CandidateReader[] = []
  private isStarted = false
  private readonly told = new Set<string>()

  constructor({ candidates }: DecodeContext) {
    // Asking for none is the upstream's to refuse; an answer that comes all the same has to be finished (R80).
    this.candidates = Math.max(1, candidates)
  }

  /** Whether the end of every candidate was told. */
  get isFinished(): boolean {
    let finished = 0
    for (const reader of this.readers) if (reader?.isFinished) finished++
    return finished >= this.candidates
  }

  fail(message: string): void {
    this.failure ??= { status: 502, code: 'upstream_bad_response', message }
  }

  failWith(error: unknown): void {
    this.failure ??= failureOf(200, { error })
  }

  /** Reads a chunk, or a whole answer. */
  read(body: Members, isWhole: boolean): void {
    const { choices, error } = body
    if (error !== undefined && error !== null) {
      this.failWith(error)
      return
    }
    if (body['object'] === 'error') {
      this.failWith(body)
      return
    }
    const list: readonly unknown[] = Array.isArray(choices) ? choices : []
    const usage = this.readUsage(body)
    if (list.length === 0 && !usage) return
    const isFirst = !this.isStarted
    if (isFirst) this.start(body)
    for (let at = 0; at < list.length && !this.failure; at++) {
      const choice = list[at]
      if (isRecord(choice)) readChoice(this.readerOf(choice, at), this, choice, isWhole)
    }
    if (isFirst || usage) this.readRest(body)
    if (usage) this.events.push(usage)
  }

  /** Ends what is open. `isComplete`: the end of the whole answer was told, also where that of a candidate was not. */
  end(isComplete: boolean): void {
    if (isComplete && !this.isStarted) this.start({})
    if (isComplete && this.readers.length === 0) this.readers[0] = new CandidateReader(0, this)
    for (const reader of this.readers) reader?.end(isComplete)
  }

  /** Events since the last call. */
  take(): ChatEvent[] {
    const { events } = this
    this.events = []
    return events
  }

  private start({ id, model, created }: Members): void {
    this.isStarted = true
    const createdAt = numberOf(created)
    this.events.push({
      type: 'response-start',
      id: stringOrNull(id) || null,
      model: stringOrNull(model) || null,
      createdAt: createdAt === 0 ? null : createdAt,
    })
  }

  /** Where one answer was asked for, a second choice goes on with the first: Copilot puts text and calls into one each. */
  private readerOf(choice: Members, at: number): CandidateReader {
    const told = countOf(choice['index'])
    const number = this.candidates === 1 ? 0 : told !== null && told < this.candidates ? told : at
    return (this.readers[number] ??= new CandidateReader(number, this))
  }

  /** The last report counts; Groq's streams make theirs in a place of its own. */
  private readUsage(body: Members): ChatEvent | null {
    const value = body['usage'] ?? (isRecord(body['x_groq']) ? body['x_groq']['usage'] : null)
    if (!isRecord(value)) return null
    const usage = readOpenAiUsage(value, CHAT_USAGE)
    return usage && { type: 'usage', usage, total: countOf(value['total_tokens']) }
  }

  /** What only the host knows of the whole answer. */
  private readRest(body: Members): void {
    let rest: Record<string, unknown> | null = null
    for (const name of Object.keys(body)) {
      const value = body[name]
      if (value === null || KNOWN.has(name) || this.told.has(name)) continue
      this.told.add(name)
      rest ??= {}
      rest[name] = value
    }
    if (rest) this.events.push({ type: 'opaque', issuer: PROTOCOL, value: rest })
  }
}

const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const LESS_THAN = 0x3c

/** Reads a streamed answer. Source: OpenAI's API reference of `chat.completion.chunk`, and what hosts make of it. */
export class ChatDecoder implements StreamDecoder {
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  private readonly answer: AnswerReader
  private isDone = false

  constructor(context: DecodeContext) {
    this.answer = new AnswerReader(context)
  }

  get failure(): Failure | null {
    return this.answer.failure
  }

  get complete(): boolean {
    return this.isDone || this.answer.isFinished
  }

  get isLast(): boolean {
    return this.isDone
  }

  push(frame: Buffer): readonly ChatEvent[] {
    if (this.answer.failure) return []
    const { dataStart, dataEnd, dataText } = readEvent(frame, this.fields)
    if (dataStart >= 0 && isDone(frame, dataStart, dataEnd)) {
      this.isDone = true
      return []
    }
    if (dataStart >= 0) this.readData(frame.toString('utf8', dataStart, dataEnd))
    else if (dataText !== null) this.readData(dataText)
    else this.readBare(frame)
    return this.answer.take()
  }

  end(): readonly ChatEvent[] {
    this.answer.end(this.isDone)
    return this.answer.take()
  }

  private readData(text: string): void {
    let body: unknown
    try {
      body = JSON.parse(text)
    } catch {
      if (text.trim() !== '') this.answer.fail('The upstream sent an event that is not JSON.')
      return
    }
    if (isRecord(body)) this.answer.read(body, false)
    else if (body !== null) this.answer.fail('The upstream sent an event that is not an object.')
  }

  /** An event without data is a comment or a name; a page or an error that came in its place is no answer. */
  private readBare(frame: Buffer): void {
    let at = 0
    while (at < frame.length && frame[at]! <= 0x20) at++
    const first = frame[at]
    if (first === undefined || first === COLON) return
    if (first === OPEN_OBJECT || first === OPEN_ARRAY || first === LESS_THAN) {
      const body = parseOrNull(frame.toString('utf8'))
      if (body === null) this.answer.fail('The upstream sent something else in place of a stream.')
      else this.answer.failWith(isRecord(body) ? (body['error'] ?? body) : body)
    }
  }
}

function parseOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Reads a whole answer, `chat.completion`. */
export function decodeChatAnswer(body: unknown, context: DecodeContext): DecodedWhole {
  const answer = new AnswerReader(context)
  if (!isRecord(body)) answer.fail('The upstream sent an answer that is not an object.')
  else {
    answer.read(body, true)
    const hasChoice = Array.isArray(body['choices']) && body['choices'].some(isRecord)
    if (!hasChoice) answer.fail('The upstream sent an answer without choices.')
  }
  if (!answer.failure) answer.end(true)
  return answer.failure ? { events: [], failure: answer.failure } : { events: answer.take(), failure: null }
}
