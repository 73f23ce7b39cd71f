import type { EventRole, Failure } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, stringBytes } from '#codecs/event-text.ts'
import { EventReader } from '#codecs/event-reader.ts'
import { failureOf } from '#codecs/failure.ts'
import { isDone } from '#codecs/openai-chat/answer.ts'
import { isObject, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { readEvent } from '#wire/sse.ts'
import { CLIENT_CALLS, readResponsesAnswer } from './answer.ts'

const KEYS = ['type', 'response', 'item', 'delta', 'sequence_number', 'obfuscation'] as const
const [TYPE, RESPONSE, ITEM, DELTA, SEQUENCE_NUMBER, OBFUSCATION] = [0, 1, 2, 3, 4, 5] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan(KEYS)
const DONE_KEYS = ['text', 'arguments', 'refusal', 'input', 'code', 'output', 'result'].map(quoted)
const DELTA_KEYS = [quoted('delta')]
const HEAD = new ObjectScan(['id', 'model'])
const ITEM_KIND = new ObjectScan(['type'])
const LIFECYCLE = new Set([
  'response.created',
  'response.in_progress',
  'response.queued',
  'response.content_part.added',
  'response.reasoning_summary_part.added',
  'keepalive',
])
const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed'])

/** A failed response is never a success, also when it does not say why. */
const UNEXPLAINED: Failure = { status: 502, code: 'upstream_error', message: 'The upstream failed.' }

/** Reads the typed events of the Responses API. The type in the data decides: some hosts send no `event:` line. */
export class ResponsesStreamReader extends EventReader {
  private readonly scan = STREAM_SCAN

  override readAnew(event: Buffer): EventRole {
    this.modelStart = -1
    this.usageOpen = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    // Some hosts end with chat's `[DONE]`, which says nothing here.
    if (dataStart < 0 || isDone(event, dataStart, dataEnd)) return 'noise'
    if (!this.scanData(this.scan, event, dataStart, dataEnd)) return 'lifecycle'
    const { scan } = this
    const type = stringAt(event, scan.start[TYPE]!) ?? this.fields.name
    if (type.endsWith('.delta')) return this.readDelta(event)
    if (type === 'error') {
      this.failure = failureOf(200, readValue(event, dataStart, dataEnd))
      return 'failure'
    }
    const terminal = TERMINAL.has(type)
    if (scan.has(RESPONSE) && isObject(event, scan.start[RESPONSE]!)) this.readResponse(event, terminal, type)
    if (terminal) return 'terminal'
    if (type === 'response.output_item.added') return this.readItem(event)
    // What ends without a word is no content either.
    const isBare = LIFECYCLE.has(type) || (type.endsWith('.done') && contentBytesOf(event, DONE_KEYS) === 0)
    return isBare ? 'lifecycle' : 'content'
  }

  private readDelta(event: Buffer): EventRole {
    const { start } = this.scan
    const bytes = contentBytesOf(event, DELTA_KEYS)
    this.contentBytes += bytes
    if (bytes === stringBytes(event, start[DELTA]!))
      this.keep(event, start[DELTA]!, start[SEQUENCE_NUMBER]!, start[OBFUSCATION]!)
    return bytes === 0 ? 'lifecycle' : 'content'
  }

  private readResponse(event: Buffer, terminal: boolean, type: string): void {
    const start = this.scan.start[RESPONSE]!
    const end = this.scan.end[RESPONSE]!
    HEAD.scan(event, start, end)
    this.responseId ??= stringAt(event, HEAD.start[0]!)
    if (HEAD.has(1) && isString(event, HEAD.start[1]!)) {
      this.modelStart = HEAD.start[1]!
      this.modelEnd = HEAD.end[1]!
    }
    if (!terminal) return
    const answer = readResponsesAnswer(event, start, end)
    this.isComplete = true
    this.usage = answer.usage ?? this.usage
    this.reportedBytes = this.contentBytes
    this.usageOpen = answer.usage ? (answer.usageOpen ?? -1) : -1
    this.finishReason = answer.finishReason
    // Some hosts send nothing but this event.
    if (this.contentBytes === 0) this.contentBytes = answer.contentBytes
    if (this.toolCallsCount === 0) this.toolCallsCount = answer.toolCallsCount
    if (type === 'response.failed') this.failure = answer.failure ?? UNEXPLAINED
  }

  private readItem(event: Buffer): EventRole {
    const { scan } = this
    if (!scan.has(ITEM) || !isObject(event, scan.start[ITEM]!)) return 'lifecycle'
    ITEM_KIND.scan(event, scan.start[ITEM]!, scan.end[ITEM]!)
    const kind = stringAt(event, ITEM_KIND.start[0]!) ?? ''
    if (!kind.endsWith('_call')) return 'lifecycle'
    if (CLIENT_CALLS.has(kind)) this.toolCallsCount++
    return 'content'
  }
}
