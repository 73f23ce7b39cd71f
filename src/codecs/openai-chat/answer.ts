import type { Usage } from '#ir/usage.ts'
import { isArray, isNull, isObject, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import type { AnswerFacts, EventRole, Failure, RequestFacts, StreamReader } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, stringBytes, valueOf } from '#codecs/event-text.ts'
import { failureOf } from '#codecs/failure.ts'
import { CHAT_USAGE, readOpenAiUsage } from './usage.ts'

const KEYS = ['id', 'model', 'choices', 'usage', 'error'] as const
const ANSWER_SCAN = new ObjectScan(KEYS)
const [ID, MODEL, CHOICES, USAGE, ERROR] = [0, 1, 2, 3, 4] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan(KEYS)
const CONTENT_KEYS = ['content', 'arguments', 'refusal'].map(quoted)
/** Spellings of one text: hosts that send several send it several times. Mistral's content is a list of parts with `text`. */
const REASONING_KEYS = ['reasoning_content', 'reasoning', 'text'].map((key) => [quoted(key)])
/** A delta holding any of these, even an empty one with a call in it, is the model's answer begun. */
const OUTPUT_KEYS = ['tool_calls', 'function_call', 'reasoning_details', 'audio', 'images'].map(quoted)
const FINISH_REASON = quoted('finish_reason')
const CALL_KEYS = ['function', 'function_call', 'custom'].map(quoted)
const NAME = quoted('name')

export function readChatAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const error = object && scan.has(ERROR) && !isNull(body, scan.start[ERROR]!)
  const choices = object && scan.has(CHOICES) && isArray(body, scan.start[CHOICES]!)
  const usageObject = object && scan.has(USAGE) && isObject(body, scan.start[USAGE]!)
  const usage = usageObject ? readOpenAiUsage(readValue(body, scan.start[USAGE]!, scan.end[USAGE]!), CHAT_USAGE) : null
  return {
    usage,
    finishReason: stringAt(body, valueOf(body, FINISH_REASON)),
    responseId: object && scan.has(ID) ? stringAt(body, scan.start[ID]!) : null,
    toolCallsCount: callsIn(body),
    modelSpan:
      object && scan.has(MODEL) && isString(body, scan.start[MODEL]!)
        ? { start: scan.start[MODEL]!, end: scan.end[MODEL]! }
        : null,
    usageOpen: usageObject ? scan.start[USAGE]! + 1 : null,
    contentBytes: usage ? 0 : bytesOf(body),
    failure: error || !choices ? noAnswer(body, error ? scan : null) : null,
  }
}

function noAnswer(body: Buffer, scan: ObjectScan | null): Failure {
  if (scan) return failureOf(200, { error: readValue(body, scan.start[ERROR]!, scan.end[ERROR]!) })
  return { status: 502, code: 'upstream_bad_response', message: 'The upstream sent an answer without choices.' }
}

export class ChatStreamReader implements StreamReader {
  modelStart = -1
  modelEnd = -1
  usageOpen = -1
  usage: Usage | null = null
  finishReason: string | null = null
  responseId: string | null = null
  toolCallsCount = 0
  contentBytes = 0
  failure: Failure | null = null
  private readonly scan = STREAM_SCAN
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  private readonly candidates: number
  private finished = 0
  private done = false

  constructor(facts: RequestFacts) {
    // Asking for none is the upstream's to refuse; an answer that comes all the same has to be finished (R80).
    this.candidates = Math.max(1, facts.candidates)
  }

  get complete(): boolean {
    return this.done || this.finished >= this.candidates
  }

  read(event: Buffer): EventRole {
    this.modelStart = -1
    this.usageOpen = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    if (dataStart < 0) return 'noise'
    if (isDone(event, dataStart, dataEnd)) {
      this.done = true
      return 'terminal'
    }
    if (!this.scanData(event, dataStart, dataEnd)) return 'lifecycle'
    const { scan } = this
    if (scan.has(ERROR) && !isNull(event, scan.start[ERROR]!)) {
      this.failure = failureOf(200, { error: readValue(event, scan.start[ERROR]!, scan.end[ERROR]!) })
      return 'failure'
    }
    if (scan.has(MODEL) && isString(event, scan.start[MODEL]!)) {
      this.modelStart = scan.start[MODEL]!
      this.modelEnd = scan.end[MODEL]!
    }
    if (this.responseId === null && scan.has(ID)) this.responseId = stringAt(event, scan.start[ID]!)
    const reportsUsage = this.readUsage(event)
    const hasChoices = scan.has(CHOICES) && scan.end[CHOICES]! - scan.start[CHOICES]! > 2
    if (!hasChoices) return reportsUsage ? 'usage' : 'lifecycle'
    return this.readChoices(event)
  }

  private scanData(event: Buffer, from: number, to: number): boolean {
    try {
      return this.scan.scan(event, from, to)
    } catch {
      // An event that is no JSON is the upstream's own; it passes unchanged and counts for nothing.
      return false
    }
  }

  private readUsage(event: Buffer): boolean {
    const at = this.scan.start[USAGE]!
    if (at < 0 || !isObject(event, at)) return false
    const usage = readOpenAiUsage(readValue(event, at, this.scan.end[USAGE]!), CHAT_USAGE)
    if (!usage) return false
    this.usage = usage
    this.usageOpen = at + 1
    return true
  }

  private readChoices(event: Buffer): EventRole {
    for (let at = valueOf(event, FINISH_REASON); at >= 0; at = valueOf(event, FINISH_REASON, at)) {
      const reason = stringAt(event, at)
      if (reason === null) continue
      this.finishReason = reason
      this.finished++
    }
    const bytes = bytesOf(event)
    this.contentBytes += bytes
    if (bytes === 0 && this.finishReason === null && !OUTPUT_KEYS.some((key) => hasOutput(event, key)))
      return 'lifecycle'
    if (event.includes('_call')) this.toolCallsCount += namesIn(event)
    return 'content'
  }
}

/** Bytes of generated text, for an estimate of its tokens. */
function bytesOf(bytes: Buffer): number {
  return contentBytesOf(bytes, CONTENT_KEYS) + Math.max(...REASONING_KEYS.map((key) => contentBytesOf(bytes, key)))
}

/** Whether the key's value is neither null nor an empty array. */
function hasOutput(event: Buffer, key: Buffer): boolean {
  const at = valueOf(event, key)
  return at >= 0 && !isNull(event, at) && !(isArray(event, at) && event[at + 1] === 0x5d)
}

/** Calls of a whole answer: each is an object under the key of its kind. */
function callsIn(body: Buffer): number {
  if (!body.includes('_call')) return 0
  let count = 0
  for (const key of CALL_KEYS) {
    for (let at = valueOf(body, key); at >= 0; at = valueOf(body, key, at)) if (isObject(body, at)) count++
  }
  return count
}

/** Calls begun in a chunk: only a call's first delta names it, though some hosts repeat the name empty. */
function namesIn(event: Buffer): number {
  let count = 0
  for (let at = valueOf(event, NAME); at >= 0; at = valueOf(event, NAME, at)) if (stringBytes(event, at) > 0) count++
  return count
}

const DONE = Buffer.from('[DONE]')

const DONE_BYTES_MAX = 16

/** `[DONE]`, which some hosts pad with spaces. */
export function isDone(event: Buffer, from: number, to: number): boolean {
  if (to - from > DONE_BYTES_MAX) return false
  let at = from
  while (event[at] === 0x20) at++
  return event.subarray(at, at + DONE.length).equals(DONE)
}
