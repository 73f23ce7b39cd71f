import type { Failure } from '#codecs/codec.ts'
import { failureOf } from '#codecs/failure.ts'
import type { DecodedWhole, StreamDecoder } from '#codecs/translation.ts'
import type { ChatEvent } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { type EventFields, readEvent } from '#wire/sse.ts'
import { AnswerItems } from './answer-items.ts'
import type { Members } from './members.ts'

/** A failed response is never a success, also when it does not say why. */
const UNEXPLAINED: Failure = { status: 502, code: 'upstream_error', message: 'The upstream failed.' }

const badResponse = (message: string): Failure => ({ status: 502, code: 'upstream_bad_response', message })

const FAILED: ReadonlySet<unknown> = new Set(['failed', 'cancelled'])

/** Reads a whole answer: a response object. */
export function decodeWhole(body: unknown): DecodedWhole {
  const response = fieldsOf(body)
  const { error, output, status } = response
  if (error !== undefined && error !== null) return { events: [], failure: failureOf(200, { error }) }
  if (FAILED.has(status)) return { events: [], failure: UNEXPLAINED }
  if (!Array.isArray(output)) return { events: [], failure: badResponse('The upstream sent an answer without output.') }
  const items = new AnswerItems()
  items.events.start(response)
  items.completeAll(output as unknown[])
  items.events.report(response)
  items.events.finish(typeof status === 'string' ? status : null, response['incomplete_details'], items.hasCalls)
  return { events: items.events.take(), failure: null }
}

/** Reads the typed events of a streamed answer. The type in the data decides: some hosts send no `event:` line. */
export class ResponsesDecoder implements StreamDecoder {
  failure: Failure | null = null
  private readonly items = new AnswerItems()
  private readonly fields: EventFields = { name: '', dataStart: -1, dataEnd: -1, dataText: null }

  /** The end, held back: some hosts go on after it. */
  private ending: { readonly status: string; readonly incomplete: unknown } | null = null
  private isDone = false

  get isLast(): boolean {
    return this.isDone || this.failure !== null
  }

  get complete(): boolean {
    return this.ending !== null
  }

  push(frame: Buffer): readonly ChatEvent[] {
    const { fields } = this
    readEvent(frame, fields)
    const text =
      fields.dataText ?? (fields.dataStart < 0 ? null : frame.toString('utf8', fields.dataStart, fields.dataEnd))
    if (text === null) this.readUnframed(frame)
    // Some hosts end with chat's `[DONE]`.
    else if (text === '[DONE]') this.isDone = true
    else if (text !== '') this.readData(text)
    // Arguments that cannot be told any more would make another call of this one.
    if (this.items.isBroken) this.failure ??= badResponse('The upstream went on with a tool call after its end.')
    return this.items.events.take()
  }

  end(): readonly ChatEvent[] {
    const { items, ending } = this
    items.events.closeBlock()
    if (ending) items.events.finish(ending.status, ending.incomplete, items.hasCalls)
    return items.events.take()
  }

  private readData(text: string): void {
    let data: unknown
    try {
      data = JSON.parse(text)
    } catch {
      this.failure ??= badResponse('The upstream sent an event that is not JSON.')
      return
    }
    this.readDelta(fieldsOf(data))
  }

  /** Bytes that are no event: a comment or an empty one is nothing, all else is not this protocol. */
  private readUnframed(frame: Buffer): void {
    const text = frame.toString('utf8').trim()
    if (text === '' || FIELD_OR_COMMENT.test(text)) return
    this.failure ??= badResponse('The upstream sent something that is no event stream.')
    try {
      this.failure = failureOf(200, JSON.parse(text))
    } catch {
      // It stays what it was.
    }
  }

  /** The events that most of a stream is made of; the others follow. */
  private readDelta(data: Members): void {
    const { items } = this
    const { output_index: index, delta } = data
    switch (data['type'] ?? this.fields.name) {
      case 'response.output_text.delta':
        return items.addText(index, data['content_index'], 'text', delta, data['logprobs'])
      case 'response.reasoning_summary_text.delta':
        return items.addReasoning(index, data['summary_index'], 'summary', delta)
      case 'response.reasoning_text.delta':
        return items.addReasoning(index, data['content_index'], 'content', delta)
      case 'response.function_call_arguments.delta':
        return items.addArguments(index, 'function_call', delta)
      case 'response.custom_tool_call_input.delta':
        return items.addArguments(index, 'custom_tool_call', delta)
      case 'response.refusal.delta':
        return items.addText(index, data['content_index'], 'refusal', delta)
      default:
        return this.readDone(data)
    }
  }

  private readDone(data: Members): void {
    const { items } = this
    const { output_index: index, content_index: part } = data
    switch (data['type'] ?? this.fields.name) {
      case 'response.output_text.done':
        return items.completeText(index, part, 'text', data['text'])
      case 'response.refusal.done':
        return items.completeText(index, part, 'refusal', data['refusal'])
      case 'response.reasoning_summary_text.done':
        return items.completeReasoning(index, data['summary_index'], 'summary', data['text'])
      case 'response.reasoning_text.done':
        return items.completeReasoning(index, part, 'content', data['text'])
      case 'response.function_call_arguments.done':
        return items.completeArguments(index, 'function_call', data['arguments'])
      case 'response.custom_tool_call_input.done':
        return items.completeArguments(index, 'custom_tool_call', data['input'])
      case 'response.output_text.annotation.added':
        return items.addCitation(index, part, data['annotation'])
      case 'response.content_part.done':
        return items.completePart(index, part, data['part'])
      case 'response.output_item.added':
        return items.add(index, data['item'])
      case 'response.output_item.done':
        return items.done(index, data['item'])
      default:
        return this.readLifecycle(data)
    }
  }

  private readLifecycle(data: Members): void {
    const type = String(data['type'] ?? this.fields.name)
    const response = fieldsOf(data['response'])
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        return this.items.events.start(response)
      case 'response.completed':
      case 'response.incomplete':
      case 'response.failed':
      case 'response.cancelled':
      case 'response.done':
        return this.readTerminal(type, response)
      case 'error':
        this.failure = failureOf(200, data)
        return
      default:
        // Progress of what the provider runs itself; and an error without any type.
        if (type === '' && data['error'] !== undefined && data['error'] !== null) this.failure = failureOf(200, data)
    }
  }

  private readTerminal(type: string, response: Members): void {
    const { error, output, status: told } = response
    const status = typeof told === 'string' ? told : type.slice('response.'.length)
    if (error !== undefined && error !== null) this.failure = failureOf(200, { error })
    else if (type === 'response.failed' || FAILED.has(status)) this.failure = UNEXPLAINED
    if (this.failure) return
    this.items.events.start(response)
    if (Array.isArray(output)) this.items.completeAll(output as unknown[])
    this.items.events.report(response)
    this.ending = { status: status === 'done' ? 'completed' : status, incomplete: response['incomplete_details'] }
  }
}

const FIELD_OR_COMMENT = /^(?::|event\b|id\b|retry\b)/
