import type { Usage } from '#ir/usage.ts'
import { isArray, isNull, isObject, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import type { AnswerFacts, EventRole, Failure, RequestFacts, StreamReader } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, valueOf } from '#codecs/event-text.ts'
import { failureOf } from '#codecs/failure.ts'
import { CHAT_USAGE, readOpenAiUsage } from './usage.ts'

const KEYS = ['id', 'model', 'choices', 'usage', 'error'] as const
const ANSWER_SCAN = new ObjectScan(KEYS)
const [ID, MODEL, CHOICES, USAGE, ERROR] = [0, 1, 2, 3, 4] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan(KEYS)
const CONTENT_KEYS = ['content', 'arguments', 'refusal'].map(quoted)
/** Two spellings of one text: hosts that send both send it twice. */
const REASONING_KEYS = ['reasoning_content', 'reasoning'].map((key) => [quoted(key)])
/** A delta holding any of these, even an empty one with a call in it, is the model's answer begun. */
const OUTPUT_KEYS = ['tool_calls', 'function_call', 'reasoning_details', 'audio', 'images'].map(quoted)
const FINISH_REASON = quoted('finish_reason')
const FUNCTION = quoted('function')

export function readChatAnswer(body: Buffer): AnswerFacts {
  const scan = ANSWER_SCAN
  const object = scan.scan(body)
  const error = object && scan.has(ERROR) && !isNull(body, scan.start[ERROR]!)
  const choices = object && scan.has(CHOICES) && isArray(body, scan.start[CHOICES]!)
  const usageObject = object && scan.has(USAGE) && isObject(body, scan.start[USAGE]!)
  return {
    usage: usageObject ? readOpenAiUsage(readValue(body, scan.start[USAGE]!, scan.end[USAGE]!), CHAT_USAGE) : null,
    finishReason: stringAt(body, valueOf(body, FINISH_REASON)),
    responseId: object && scan.has(ID) ? stringAt(body, scan.start[ID]!) : null,
    toolCallsCount: body.includes('"tool_calls"') ? countOf(body, FUNCTION) : 0,
    modelSpan:
      object && scan.has(MODEL) && isString(body, scan.start[MODEL]!)
        ? { start: scan.start[MODEL]!, end: scan.end[MODEL]! }
        : null,
    usageOpen: usageObject ? scan.start[USAGE]! + 1 : null,
    contentBytes: usageObject ? 0 : bytesOf(body),
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
    this.candidates = facts.candidates
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
    if (event.includes('"name"')) this.toolCallsCount += countOf(event, FUNCTION)
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

function countOf(bytes: Buffer, quotedKey: Buffer): number {
  let count = 0
  for (let at = valueOf(bytes, quotedKey); at >= 0; at = valueOf(bytes, quotedKey, at)) if (isObject(bytes, at)) count++
  return count
}

const DONE = Buffer.from('[DONE]')

/** `[DONE]`, which some hosts pad with spaces. */
export function isDone(event: Buffer, from: number, to: number): boolean {
  if (event[from] !== 0x5b || to - from > 12) return false
  return event.subarray(from, from + DONE.length).equals(DONE)
}
