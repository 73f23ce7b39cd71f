import { parseFaithfulJson } from '#base/exact-json.ts'
import type { Failure } from '#codecs/codec.ts'
import type { StreamDecoder } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { AWS_HEADERS_START, awsHeadersEnd, awsPayloadText, readAwsHeaders } from '#wire/aws-event-stream.ts'
import { writeImage, writeServerCall, writeServerResult } from './answer-items.ts'
import { AnswerWriter } from './answer-writer.ts'
import { failureOfException, parseLeniently, unreadable } from './exceptions.ts'
import { type Fields, isObject } from './fields.ts'
import { joinBase64 } from './media.ts'

/** What a message is, by its headers. */
interface MessageKind {
  readonly type: 'event' | 'exception' | 'error'
  /** Name of the event or exception. */
  readonly name: string
  /** Of an `error`, which has no payload. */
  readonly message: string
}

/** Items are told whole: they are collected until they end. */
type OpenKind = 'none' | 'text' | 'reasoning' | 'redacted' | 'tool-call' | 'server-call' | 'server-result' | 'image'

/**
 * Reads ConverseStream. Only tools, their results and images have a start; text and reasoning begin with their first delta.
 * The padding `p`, which hides the lengths from an eavesdropper, means nothing.
 */
export class ConverseDecoder implements StreamDecoder {
  failure: Failure | null = null
  complete = false
  private readonly writer = new AnswerWriter()
  private hasMetadata = false
  private open: OpenKind = 'none'
  private openIndex: unknown = null
  /** The start of an item, and what it is made of. */
  private itemStart: Fields = {}
  private parts: unknown[] = []
  /** Of the open reasoning: the signature, or the pieces of the encrypted form. */
  private signature = ''
  private redacted: string[] = []
  /** Deltas have the same headers one after another: they are read once. */
  private lastHeaders = Buffer.alloc(0)
  private lastKind: MessageKind = { type: 'event', name: '', message: '' }

  get isLast(): boolean {
    return this.complete && this.hasMetadata
  }

  push(frame: Buffer): readonly ChatEvent[] {
    if (this.failure) return []
    let kind: MessageKind
    let text: string
    try {
      const headersEnd = awsHeadersEnd(frame)
      kind = this.kindAt(frame, headersEnd)
      text = awsPayloadText(frame, headersEnd)
    } catch {
      return this.fail(unreadable('a message that is damaged'))
    }
    if (kind.type !== 'event') {
      const payload = kind.message === '' ? parseLeniently(text) : { message: kind.message }
      return this.fail(failureOfException(kind.name, payload))
    }
    let payload: unknown
    try {
      payload = kind.name === 'contentBlockDelta' ? JSON.parse(text) : parseFaithfulJson(text)
    } catch {
      return this.fail(unreadable('an event that is no JSON'))
    }
    this.read(kind.name, fieldsOf(payload), text)
    return this.writer.take()
  }

  end(): readonly ChatEvent[] {
    this.closeBlock()
    this.writer.end()
    return this.writer.take()
  }

  private fail(failure: Failure): readonly ChatEvent[] {
    this.failure = failure
    return []
  }

  private kindAt(frame: Buffer, headersEnd: number): MessageKind {
    const { lastHeaders } = this
    const bytes = lastHeaders.length
    if (bytes > 0 && frame.compare(lastHeaders, 0, bytes, AWS_HEADERS_START, headersEnd) === 0) return this.lastKind
    this.lastKind = kindOf(readAwsHeaders(frame))
    this.lastHeaders = Buffer.from(frame.subarray(AWS_HEADERS_START, headersEnd))
    return this.lastKind
  }

  private read(name: string, payload: Fields, text: string): void {
    const { writer } = this
    switch (name) {
      case 'messageStart':
        writer.start()
        break
      case 'contentBlockStart':
        this.startBlock(payload['contentBlockIndex'], fieldsOf(payload['start']))
        break
      case 'contentBlockDelta':
        this.readDelta(payload['contentBlockIndex'], fieldsOf(payload['delta']), text)
        break
      case 'contentBlockStop':
        if (payload['contentBlockIndex'] === this.openIndex) this.closeBlock()
        break
      case 'messageStop': {
        this.closeBlock()
        this.complete = true
        writer.stop(payload['stopReason'], payload['additionalModelResponseFields'])
        writer.rest(payload, ['stopReason', 'p'])
        break
      }
      case 'metadata':
        this.hasMetadata = true
        writer.usage(payload['usage'])
        writer.rest(payload, ['usage', 'p'])
        break
      case 'initial-response':
        break
      default:
        writer.opaque({ [name]: payload })
    }
  }

  private startBlock(index: unknown, start: Fields): void {
    this.closeBlock()
    const { toolUse, toolResult, image } = start
    if (isObject(toolUse)) {
      if (toolUse['type'] === 'server_tool_use') this.startItem('server-call', index, toolUse)
      else this.startCall(index, toolUse)
    } else if (isObject(toolResult)) this.startItem('server-result', index, toolResult)
    else if (isObject(image)) this.startItem('image', index, image)
  }

  private startCall(index: unknown, call: Fields): void {
    this.open = 'tool-call'
    this.openIndex = index
    this.writer.openCall(call)
  }

  private startItem(kind: OpenKind, index: unknown, start: Fields): void {
    this.open = kind
    this.openIndex = index
    this.itemStart = start
  }

  private readDelta(index: unknown, delta: Fields, text: string): void {
    const said = delta['text']
    if (typeof said === 'string') {
      if (said === '') return
      this.ensure('text', index)
      this.writer.delta(said)
      return
    }
    const { toolUse, reasoningContent, citation, image, toolResult } = delta
    if (isObject(toolUse)) this.readInput(index, toolUse['input'])
    else if (isObject(reasoningContent)) this.readReasoning(index, reasoningContent)
    else if (isObject(citation)) {
      this.ensure('text', index)
      this.writer.cite(citation)
    } else if (isObject(image) && this.isOpen('image', index)) this.parts.push(image)
    else if (Array.isArray(toolResult) && this.isOpen('server-result', index)) this.parts.push(...resultParts(text))
    else if (Object.keys(delta).length > 0)
      this.writer.opaque({ contentBlockDelta: { contentBlockIndex: index, delta } })
  }

  private readInput(index: unknown, input: unknown): void {
    if (typeof input !== 'string' || input === '') return
    if (this.isOpen('tool-call', index)) this.writer.delta(input)
    else if (this.isOpen('server-call', index)) this.parts.push(input)
    else this.failure = unreadable('the input of a tool call that is not open')
  }

  /** A block is either text with a signature or encrypted; a piece of the other sort begins a block of its own. */
  private readReasoning(index: unknown, { text, signature, redactedContent }: Fields): void {
    if (typeof redactedContent === 'string') {
      this.ensure('redacted', index)
      this.redacted.push(redactedContent)
    }
    if (typeof text === 'string' && text !== '') {
      this.ensure('reasoning', index)
      this.writer.delta(text)
    }
    if (typeof signature === 'string' && signature !== '') {
      this.ensure('reasoning', index)
      this.signature += signature
    }
  }

  private isOpen(kind: OpenKind, index: unknown): boolean {
    return this.open === kind && this.openIndex === index
  }

  private ensure(kind: 'text' | 'reasoning' | 'redacted', index: unknown): void {
    if (this.isOpen(kind, index)) return
    this.closeBlock()
    this.open = kind
    this.openIndex = index
    this.writer.open(kind === 'text' ? { type: 'text' } : { type: 'reasoning', id: null, isSummary: false })
  }

  private closeBlock(): void {
    const { open, writer, itemStart, parts } = this
    if (open === 'none') return
    this.open = 'none'
    this.openIndex = null
    switch (open) {
      case 'redacted':
        writer.seal('encrypted', joinBase64(this.redacted))
        this.redacted = []
        break
      case 'reasoning':
        if (this.signature !== '') writer.seal('signature', this.signature)
        this.signature = ''
        break
      case 'server-call':
        writeServerCall(writer, itemStart, parts.join(''))
        break
      case 'server-result':
        writeServerResult(writer, itemStart, parts)
        break
      case 'image':
        writeImage(writer, itemStart, parts)
        break
      case 'text':
      case 'tool-call':
        break
      default: {
        const missed: never = open
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
    this.itemStart = {}
    this.parts = []
    writer.close()
  }
}

function kindOf(headers: Readonly<Record<string, string>>): MessageKind {
  const type = headers[':message-type']
  if (type === 'exception') return { type, name: headers[':exception-type'] ?? 'exception', message: '' }
  if (type === 'error')
    return { type, name: headers[':error-code'] ?? 'error', message: headers[':error-message'] ?? '' }
  return { type: 'event', name: headers[':event-type'] ?? '', message: '' }
}

/** A result is JSON of a tool's own, whose numbers must stay as they are: it is read once more with that care. */
function resultParts(text: string): readonly unknown[] {
  const { delta } = fieldsOf(parseFaithfulJson(text))
  return fieldsOf(delta)['toolResult'] as unknown[]
}
