import { fieldsOf } from '#ir/counts.ts'
import type { EventRole } from '#codecs/codec.ts'
import { contentBytesOf, quoted, stringAt, stringBytes, valueOf } from '#codecs/event-text.ts'
import { EventReader } from '#codecs/event-reader.ts'
import { failureOf } from '#codecs/failure.ts'
import { isObject, isString, ObjectScan, readValue } from '#wire/json-scan.ts'
import { readEvent } from '#wire/sse.ts'
import { readMessagesUsage } from './usage.ts'

const KEYS = ['type', 'message', 'usage', 'delta', 'content_block', 'error'] as const
const [TYPE, MESSAGE, USAGE, DELTA, CONTENT_BLOCK] = [0, 1, 2, 3, 4] as const
/** Shared by all streams: what a scan found is read before the next one. */
const STREAM_SCAN = new ObjectScan(KEYS)
const DELTA_KEYS = ['text', 'thinking', 'partial_json'].map(quoted)
const HEAD = new ObjectScan(['id', 'model', 'usage'])
const STOP = new ObjectScan(['stop_reason'])
const BLOCK = new ObjectScan(['type'])

/** Reads the events of a Messages stream. */
export class MessagesStreamReader extends EventReader {
  private readonly scan = STREAM_SCAN

  override readAnew(event: Buffer): EventRole {
    this.modelStart = -1
    const { dataStart, dataEnd } = readEvent(event, this.fields)
    if (dataStart < 0) return 'noise'
    if (!this.scanData(this.scan, event, dataStart, dataEnd)) return 'lifecycle'
    const type = stringAt(event, this.scan.start[TYPE]!) ?? this.fields.name
    switch (type) {
      case 'content_block_delta':
        return this.readText(event)
      case 'message_start':
        this.readStart(event)
        return 'lifecycle'
      case 'content_block_start':
        return this.readBlock(event)
      case 'message_delta':
        this.readDelta(event)
        return 'content'
      case 'message_stop':
        this.isComplete = true
        return 'terminal'
      case 'error':
        this.failure = failureOf(200, readValue(event, dataStart, dataEnd))
        return 'failure'
      case 'ping':
        return 'noise'
      default:
        return 'lifecycle'
    }
  }

  private readText(event: Buffer): EventRole {
    const bytes = contentBytesOf(event, DELTA_KEYS)
    this.contentBytes += bytes
    let isText = false
    for (const key of DELTA_KEYS) {
      const text = valueOf(event, key)
      if (text >= 0) isText = true
      if (bytes > 0 && bytes === stringBytes(event, text)) this.keep(event, text)
    }
    // A text of nothing is no content; a signature is.
    return isText && bytes === 0 ? 'lifecycle' : 'content'
  }

  private readStart(event: Buffer): void {
    const { scan } = this
    if (!scan.has(MESSAGE) || !isObject(event, scan.start[MESSAGE]!)) return
    HEAD.scan(event, scan.start[MESSAGE]!, scan.end[MESSAGE]!)
    this.responseId = stringAt(event, HEAD.start[0]!)
    if (HEAD.has(1) && isString(event, HEAD.start[1]!)) {
      this.modelStart = HEAD.start[1]!
      this.modelEnd = HEAD.end[1]!
    }
    if (HEAD.has(2))
      this.usage = readMessagesUsage(fieldsOf(readValue(event, HEAD.start[2]!, HEAD.end[2]!)), this.usage)
  }

  private readDelta(event: Buffer): void {
    const { scan } = this
    if (scan.has(USAGE)) {
      this.usage = readMessagesUsage(fieldsOf(readValue(event, scan.start[USAGE]!, scan.end[USAGE]!)), this.usage)
      this.reportedBytes = this.contentBytes
    }
    if (!scan.has(DELTA) || !isObject(event, scan.start[DELTA]!)) return
    STOP.scan(event, scan.start[DELTA]!, scan.end[DELTA]!)
    this.finishReason = stringAt(event, STOP.start[0]!) ?? this.finishReason
  }

  private readBlock(event: Buffer): EventRole {
    const { scan } = this
    if (!scan.has(CONTENT_BLOCK) || !isObject(event, scan.start[CONTENT_BLOCK]!)) return 'lifecycle'
    BLOCK.scan(event, scan.start[CONTENT_BLOCK]!, scan.end[CONTENT_BLOCK]!)
    const kind = stringAt(event, BLOCK.start[0]!) ?? ''
    if (kind === 'tool_use') this.toolCallsCount++
    return kind === 'text' || kind === 'thinking' ? 'lifecycle' : 'content'
  }
}
