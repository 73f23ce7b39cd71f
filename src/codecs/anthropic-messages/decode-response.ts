import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodedWhole, StreamDecoder } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { NO_USAGE, type Usage } from '#ir/usage.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import { AnswerBlocks } from './answer-blocks.ts'
import { messageDeltaMembers, messageMembers, pushMembers } from './answer-members.ts'
import { isObject, type Members, stringOrNull } from './members.ts'
import { readStopReason } from './stop-reasons.ts'
import { readMessagesUsage } from './usage.ts'

const NONE: readonly ChatEvent[] = []

/** What streams and whole answers have in common: usage that is merged, and an end that is told after all blocks. */
class AnswerReader {
  readonly blocks = new AnswerBlocks()
  private usage: Usage | null = null
  private stopReason: string | null = null
  private stopSequence: string | null = null

  startMessage(into: ChatEvent[], message: Members): void {
    into.push({
      type: 'response-start',
      id: stringOrNull(message['id']),
      model: stringOrNull(message['model']),
      createdAt: null,
    })
    pushMembers(into, 'message', messageMembers(message))
    this.readUsage(into, message['usage'])
    this.readStop(message)
    if (Array.isArray(message['content'])) this.readContent(into, message['content'])
  }

  readDelta(into: ChatEvent[], event: Members): void {
    pushMembers(into, 'message_delta', messageDeltaMembers(event))
    this.readStop(fieldsOf(event['delta']))
    this.readUsage(into, event['usage'])
  }

  /** `isWhole`: the answer came to its own end. One that was cut before it said why it stopped did not stop in order. */
  finish(into: ChatEvent[], isWhole: boolean): void {
    this.blocks.end(into)
    const { stopReason } = this
    into.push({
      type: 'finish',
      candidate: 0,
      reason: isWhole || stopReason !== null ? readStopReason(stopReason, this.blocks.hasToolCalls) : 'error',
      raw: stopReason,
      stopSequence: this.stopSequence,
    })
  }

  private readContent(into: ChatEvent[], content: readonly unknown[]): void {
    content.forEach((block, index) => {
      if (isObject(block)) this.blocks.start(into, index, block)
    })
    this.blocks.end(into)
  }

  private readStop(members: Members): void {
    this.stopReason = stringOrNull(members['stop_reason']) ?? this.stopReason
    this.stopSequence = stringOrNull(members['stop_sequence']) ?? this.stopSequence
  }

  private readUsage(into: ChatEvent[], value: unknown): void {
    if (!isObject(value)) return
    const before = this.usage
    this.usage = readMessagesUsage(value, before)
    // A report that cannot be believed takes back the one before it.
    if (this.usage !== null || before !== null) into.push({ type: 'usage', usage: this.usage ?? NO_USAGE, total: null })
  }
}

/** Reads a whole answer. */
export function decodeWhole(body: unknown): DecodedWhole {
  if (!isObject(body)) return { events: NONE, failure: badResponse('The upstream sent an answer that is no object.') }
  if (body['type'] === 'error' || isObject(body['error'])) return { events: NONE, failure: failureOf(200, body) }
  if (!Array.isArray(body['content']))
    return { events: NONE, failure: badResponse('The upstream sent an answer without content.') }
  const events: ChatEvent[] = []
  const reader = new AnswerReader()
  reader.startMessage(events, body)
  reader.finish(events, true)
  return { events, failure: null }
}

/** Reads a streamed answer. Source: API reference, "Streaming messages"; unknown events and deltas are to be expected. */
export class MessagesStreamDecoder implements StreamDecoder {
  failure: Failure | null = null
  complete = false
  private readonly reader = new AnswerReader()
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }
  private isStarted = false
  private isFinished = false

  get isLast(): boolean {
    return this.complete || this.failure !== null
  }

  push(frame: Buffer): readonly ChatEvent[] {
    if (this.failure !== null || this.complete) return NONE
    const fields = readEvent(frame, this.fields)
    const text = fields.dataStart < 0 ? fields.dataText : frame.toString('utf8', fields.dataStart, fields.dataEnd)
    if (text === null) return this.readStray(frame)
    if (text === '' || text === '[DONE]') return NONE
    let event: unknown
    try {
      event = JSON.parse(text)
    } catch {
      return this.fail(badResponse('The upstream sent an event that is not JSON.'))
    }
    if (!isObject(event)) return this.fail(badResponse('The upstream sent an event that is no object.'))
    const type = event['type'] ?? fields.name
    if (type === 'content_block_delta') return this.readBlockDelta(event)
    return this.readRare(type, parseFaithfulJson(text) as Members)
  }

  end(): readonly ChatEvent[] {
    if (!this.isStarted || this.isFinished) return NONE
    this.isFinished = true
    const events: ChatEvent[] = []
    this.reader.finish(events, this.complete)
    return events
  }

  private readBlockDelta(event: Members): readonly ChatEvent[] {
    const events: ChatEvent[] = []
    const { delta, index } = event
    if (!isObject(delta)) return NONE
    if (!this.isStarted) this.start(events, {})
    const { blocks } = this.reader
    const { type } = delta
    if (blocks.isOpen(index) && blocks.addDelta(events, type, delta)) return events
    // The block was never started, or has ended: text can stand in a new one, arguments of an unknown call cannot.
    const kind = type === 'text_delta' ? 'text' : type === 'thinking_delta' ? 'thinking' : null
    if (kind !== null) {
      blocks.start(events, index, { type: kind })
      blocks.addDelta(events, type, delta)
    } else if (type === 'input_json_delta' && delta['partial_json'] !== '') {
      this.failure = badResponse('The upstream sent arguments of a tool call that it did not start.')
    }
    return events
  }

  private readRare(type: unknown, event: Members): readonly ChatEvent[] {
    const events: ChatEvent[] = []
    if (type === 'ping') return NONE
    if (type === 'error' || (type === '' && 'error' in event)) return this.fail(failureOf(200, event))
    if (type === 'message_start') {
      if (!this.isStarted) this.start(events, fieldsOf(event['message']))
      return events
    }
    if (!this.isStarted) this.start(events, {})
    switch (type) {
      case 'content_block_start':
        this.reader.blocks.start(events, event['index'], fieldsOf(event['content_block']))
        break
      case 'content_block_stop':
        if (this.reader.blocks.isOpen(event['index'])) this.reader.blocks.end(events)
        break
      case 'message_delta':
        this.reader.readDelta(events, event)
        break
      case 'message_stop':
        this.complete = true
        events.push(...this.end())
        break
      default:
        pushMembers(events, 'event', event)
    }
    return events
  }

  private start(into: ChatEvent[], message: Members): void {
    this.isStarted = true
    this.reader.startMessage(into, message)
  }

  /** A frame without data: a comment, a keep-alive, or something that is no event stream at all. */
  private readStray(frame: Buffer): readonly ChatEvent[] {
    const text = frame.toString('utf8').trim()
    if (text.split(/\r\n|\r|\n/).every((line) => line === '' || FIELD.test(line))) return NONE
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return this.fail(badResponse('The upstream sent something other than an event stream.'))
    }
    return this.fail(failureOf(200, value))
  }

  private fail(failure: Failure): readonly ChatEvent[] {
    this.failure = failure
    return NONE
  }
}

/** A comment, or a field of the event stream other than data. */
const FIELD = /^(?::|(?:event|id|retry)(?::|$))/

function badResponse(message: string): Failure {
  return { status: 502, code: 'upstream_bad_response', message }
}
