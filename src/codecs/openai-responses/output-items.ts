import type { BlockHead } from '#ir/chat-event.ts'
import { type EventWriter } from './event-writer.ts'
import { type Members } from './members.ts'

/** The items of the output while they are being written. Each returns events; `item` is what it became. */

/** A message: its texts and refusals are parts. */
export class MessageItem {
  private readonly writer: EventWriter
  private readonly id: string
  private readonly index: number
  private readonly parts: Members[] = []
  private part: TextPart | null = null

  constructor(writer: EventWriter, id: string, index: number) {
    this.writer = writer
    this.id = id
    this.index = index
  }

  start(): string {
    return this.writer.event('response.output_item.added', {
      output_index: this.index,
      item: { id: this.id, type: 'message', status: 'in_progress', role: 'assistant', content: [] },
    })
  }

  startPart(kind: 'text' | 'refusal'): string {
    const place = { item_id: this.id, output_index: this.index, content_index: this.parts.length }
    this.part = new TextPart(this.writer, kind, place)
    return this.part.start()
  }

  get openPart(): TextPart | null {
    return this.part
  }

  endPart(): string {
    if (!this.part) return ''
    const text = this.part.end()
    this.parts.push(this.part.members)
    this.part = null
    return text
  }

  /** The item as it stands. */
  item(status: 'completed' | 'incomplete'): Members {
    return { id: this.id, type: 'message', status, role: 'assistant', content: this.parts }
  }
}

/** A part of a message. */
export class TextPart {
  readonly write: (text: string) => string
  private text = ''
  private readonly annotations: unknown[] = []
  private readonly logprobs: unknown[] = []
  private readonly writer: EventWriter
  readonly kind: 'text' | 'refusal'
  private readonly place: Members

  constructor(writer: EventWriter, kind: 'text' | 'refusal', place: Members) {
    this.writer = writer
    this.kind = kind
    this.place = place
    this.write =
      kind === 'text'
        ? writer.deltas('response.output_text.delta', place, ',"logprobs":[]')
        : writer.deltas('response.refusal.delta', place)
  }

  get members(): Members {
    const { text, annotations, logprobs } = this
    return this.kind === 'text'
      ? { type: 'output_text', annotations, logprobs, text }
      : { type: 'refusal', refusal: text }
  }

  get length(): number {
    return this.text.length
  }

  start(): string {
    return this.writer.event('response.content_part.added', { ...this.place, part: this.members })
  }

  add(text: string): string {
    this.text += text
    return this.write(text)
  }

  /** The delta they belong to is written already: they follow in one without text. */
  addLogprobs(tokens: readonly unknown[]): string {
    this.logprobs.push(...tokens)
    return this.writer.event('response.output_text.delta', { ...this.place, delta: '', logprobs: tokens })
  }

  addAnnotation(annotation: unknown): string {
    if (this.kind !== 'text') return ''
    const number = this.annotations.push(annotation) - 1
    const members = { ...this.place, annotation_index: number, annotation }
    return this.writer.event('response.output_text.annotation.added', members)
  }

  end(): string {
    const { place, text, logprobs, writer } = this
    const done =
      this.kind === 'text'
        ? writer.event('response.output_text.done', { ...place, text, logprobs })
        : writer.event('response.refusal.done', { ...place, refusal: text })
    return done + writer.event('response.content_part.done', { ...place, part: this.members })
  }
}

/** Reasoning: parts of a summary, or its own text as content. */
export class ReasoningItem {
  private readonly writer: EventWriter
  private readonly id: string
  private readonly index: number
  private readonly isSummary: boolean
  private readonly parts: string[] = []
  private write: ((text: string) => string) | null = null

  constructor(writer: EventWriter, id: string, index: number, isSummary: boolean) {
    this.writer = writer
    this.id = id
    this.index = index
    this.isSummary = isSummary
  }

  start(): string {
    return this.writer.event('response.output_item.added', { output_index: this.index, item: this.item(null) })
  }

  add(text: string, startsPart: boolean): string {
    const begun = this.write === null || startsPart ? this.endPart() + this.startPart() : ''
    this.parts[this.parts.length - 1] += text
    return begun + this.write!(text)
  }

  endPart(): string {
    if (this.write === null) return ''
    this.write = null
    const text = this.parts.at(-1)!
    const members = { ...this.place(), text }
    const part = { ...this.place(), part: this.partMembers(text) }
    return this.isSummary
      ? this.writer.event('response.reasoning_summary_text.done', members) +
          this.writer.event('response.reasoning_summary_part.done', part)
      : this.writer.event('response.reasoning_text.done', members) +
          this.writer.event('response.content_part.done', part)
  }

  item(encryptedContent: string | null): Members {
    const { id, isSummary } = this
    const parts = this.parts.map((text) => this.partMembers(text))
    return {
      id,
      type: 'reasoning',
      summary: isSummary ? parts : [],
      ...(isSummary ? {} : { content: parts }),
      ...(encryptedContent === null ? {} : { encrypted_content: encryptedContent }),
    }
  }

  private startPart(): string {
    this.parts.push('')
    const name = this.isSummary ? 'response.reasoning_summary_text.delta' : 'response.reasoning_text.delta'
    this.write = this.writer.deltas(name, this.place())
    return this.writer.event(this.isSummary ? 'response.reasoning_summary_part.added' : 'response.content_part.added', {
      ...this.place(),
      part: this.partMembers(''),
    })
  }

  private place(): Members {
    const number = this.parts.length - 1
    const place = { item_id: this.id, output_index: this.index }
    return this.isSummary ? { ...place, summary_index: number } : { ...place, content_index: number }
  }

  private partMembers(text: string): Members {
    return { type: this.isSummary ? 'summary_text' : 'reasoning_text', text }
  }
}

type CallHead = Extract<BlockHead, { readonly type: 'tool-call' }>

/** A call of a function or a custom tool. */
export class CallItem {
  readonly write: (text: string) => string
  private text = ''
  private readonly writer: EventWriter
  private readonly head: CallHead
  private readonly id: string
  private readonly callId: string
  private readonly index: number

  constructor(
    writer: EventWriter,
    head: CallHead,
    ids: { readonly id: string; readonly callId: string },
    index: number,
  ) {
    this.writer = writer
    this.head = head
    this.id = ids.id
    this.callId = ids.callId
    this.index = index
    this.write = writer.deltas(
      head.kind === 'custom' ? 'response.custom_tool_call_input.delta' : 'response.function_call_arguments.delta',
      { item_id: this.id, output_index: index },
    )
  }

  start(): string {
    return this.writer.event('response.output_item.added', { output_index: this.index, item: this.item('in_progress') })
  }

  add(text: string): string {
    this.text += text
    return this.write(text)
  }

  end(): string {
    const place = { item_id: this.id, output_index: this.index }
    if (this.head.kind === 'custom')
      return this.writer.event('response.custom_tool_call_input.done', { ...place, input: this.text })
    // A function without arguments is called with an empty object; an empty text is no JSON.
    const filled = this.text === '' ? this.add('{}') : ''
    const { name } = this.head
    return filled + this.writer.event('response.function_call_arguments.done', { ...place, name, arguments: this.text })
  }

  item(status: 'in_progress' | 'completed' = 'completed'): Members {
    const { id, callId, text, head } = this
    const isCustom = head.kind === 'custom'
    return {
      id,
      type: isCustom ? 'custom_tool_call' : 'function_call',
      status,
      call_id: callId,
      name: head.name,
      ...(head.namespace === undefined ? {} : { namespace: head.namespace }),
      ...(isCustom ? { input: text } : { arguments: text }),
    }
  }
}
