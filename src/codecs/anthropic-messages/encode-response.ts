import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { Failure } from '#codecs/codec.ts'
import type { AnswerContext, StreamEncoder } from '#codecs/translation.ts'
import type { Citation, Seal } from '#ir/blocks.ts'
import type { BlockHead, BlockStart, ChatEvent, Finish } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import type { Usage } from '#ir/usage.ts'
import { brokenAnswer, errorBody } from './answer-failure.ts'
import {
  carrierOf,
  hidesReasoning,
  isRedacted,
  messageHead,
  PART_BREAK,
  redactedOf,
  signatureOf,
  UNSIGNED,
} from './answer-heads.ts'
import { readMembers } from './answer-members.ts'
import {
  CUSTOM_END,
  CUSTOM_START,
  DELTA_END,
  type DELTA_MEMBERS,
  deltaPrefix,
  DELTAS,
  eventText,
  insideString,
} from './answer-deltas.ts'
import { isObject, type Members, nativeCitation, PROTOCOL } from './members.ts'
import { writeStopReason } from './stop-reasons.ts'
import { answerToolIds } from './tool-ids.ts'
import { writeDeltaUsage, writeUsage } from './write-usage.ts'

const NOTHING: Members = {}

/** The open block of the answer, as the client sees it. */
interface Open {
  readonly head: BlockHead
  /** The event's index. */
  readonly index: number
  /** The input of a custom tool is free text, which is told as a member of an object. */
  readonly isCustom: boolean
  readonly members: Members
  /** Everything of a delta's event before its text. */
  prefix: string
  /** Whether its start was written: a block without content may turn out to be none, or another. */
  isWritten: boolean
  hasDelta: boolean
  /** Reasoning that the client does not want to see, but whose seal may sign it. */
  hidden: string
  seal: Seal | null
  /** Its own text, when it goes on in the block of the text before. */
  continued?: string
}

/**
 * Writes an answer as a Messages stream. `message_start` waits for the first content, so that it can tell the usage that came
 * before it; the start of a text or of reasoning waits for its first delta, because an encrypted one has another form.
 */
export class MessagesStreamEncoder implements StreamEncoder {
  private readonly context: AnswerContext
  private readonly isNative: boolean
  private readonly hidesReasoning: boolean
  private readonly toolIds: AnswerCallIds
  private isStarted = false
  /** The client's index of the block that was started last. */
  private index = -1
  private open: Open | null = null
  private usage: Usage | null = null
  private finish: Finish | null = null
  /** Seals of the texts before, which go out only when something else follows: clients take the last block for the answer. */
  private carriers: Members[] = []
  /** The event's index of the text that was sealed last. */
  private sealedText = -1
  /** A text that ended and may go on: one text of the model is one block for clients, who take the last for the answer. */
  private lingering: Open | null = null
  private hasToolCalls = false
  private hasRefusal = false
  /** What only this protocol knows (`answer-members.ts`). */
  private messageMembers: Members = NOTHING
  private deltaMembers: Members = NOTHING
  private blockMembers: Members = NOTHING

  constructor(context: AnswerContext) {
    this.context = context
    this.isNative = context.upstream === PROTOCOL
    this.hidesReasoning = hidesReasoning(context)
    this.toolIds = answerToolIds(context.id)
  }

  push(event: ChatEvent): string {
    const { open } = this
    switch (event.type) {
      case 'block-delta':
        return open?.index === event.index ? this.writeDelta(open, event.text, event.startsPart === true) : ''
      case 'response-start':
        return ''
      case 'block-logprobs':
        this.context.losses.logprobs(0)
        return ''
      case 'block-start':
        if (event.candidate === 0) return this.startBlock(event)
        this.context.losses.candidate(event.candidate)
        return ''
      case 'block-seal':
        if (open?.index === event.index) open.seal = event.seal
        return ''
      case 'block-citation':
        return open?.index === event.index ? this.writeCitation(open, event.citation) : ''
      case 'block-end':
        return open?.index === event.index ? this.endBlock(open) : ''
      case 'usage':
        this.usage = event.usage
        return ''
      case 'finish':
        if (event.candidate === 0) this.finish = event
        return ''
      case 'opaque':
        if (event.issuer === PROTOCOL) return this.keepMembers(event.value)
        this.context.losses.opaque(event)
        return ''
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }

  end(): string {
    const { finish, usage } = this
    const open = this.open === null ? '' : this.endBlock(this.open)
    if (this.carriers.length > 0) this.context.losses.seal(0, this.sealedText)
    this.carriers = []
    const rest = open + this.endText() + this.start()
    const { hasToolCalls, hasRefusal, isNative } = this
    const reason = writeStopReason(finish, { hasToolCalls, hasRefusal, isNative })
    if (reason === null) return rest + eventText('error', brokenAnswer(finish?.raw ?? null))
    this.context.losses.finish(finish, reason)
    const { delta, usage: usageMembers, ...members } = this.deltaMembers
    const event = {
      type: 'message_delta',
      delta: { stop_reason: reason, stop_sequence: finish?.stopSequence ?? null, ...fieldsOf(delta) },
      ...members,
      usage: writeDeltaUsage(usage, fieldsOf(usageMembers)),
    }
    return rest + eventText('message_delta', event) + eventText('message_stop', { type: 'message_stop' })
  }

  fail(failure: Failure): string {
    return eventText('error', errorBody(failure))
  }

  private start(): string {
    if (this.isStarted) return ''
    this.isStarted = true
    const { usage, ...members } = this.messageMembers
    const message = {
      ...messageHead(this.context),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      ...members,
      usage: writeUsage(this.usage, fieldsOf(usage)),
    }
    return eventText('message_start', { type: 'message_start', message })
  }

  private keepMembers(value: unknown): string {
    const kept = readMembers(value)
    switch (kept?.at) {
      case 'message':
        this.messageMembers = kept.members
        return ''
      case 'message_delta':
        this.deltaMembers = kept.members
        return ''
      case 'content_block':
        this.blockMembers = kept.members
        return ''
      case 'event':
        return this.start() + eventText(String(kept.members['type']), kept.members)
      default:
        return ''
    }
  }

  private startBlock(start: BlockStart): string {
    const { index, block } = start
    let before = this.open === null ? '' : this.endBlock(this.open)
    if (block.type !== 'text' || this.lingering?.seal) before += this.endText()
    const isCustom = block.type === 'tool-call' && block.kind === 'custom'
    const members = this.blockMembers
    const empty = { prefix: '', isWritten: false, hasDelta: false, hidden: '', seal: null }
    const open: Open = { head: block, index, isCustom, members, ...empty }
    this.open = open
    this.blockMembers = NOTHING
    switch (block.type) {
      case 'tool-call':
        return before + this.startCall(open, block)
      case 'opaque':
        if (block.issuer === PROTOCOL && isObject(block.value)) return before + this.startOpaque(open, block.value)
        this.context.losses.block(start)
        return before
      case 'refusal':
        this.hasRefusal = true
        this.context.losses.refusal(start)
        return before
      // The API has no images or sounds in an answer.
      case 'media':
        this.context.losses.block(start)
        return before
      case 'text':
      case 'reasoning':
        return before
      default: {
        const missed: never = block
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  private startCall(open: Open, head: Extract<BlockHead, { type: 'tool-call' }>): string {
    this.hasToolCalls = true
    const carrier = head.seal === undefined ? '' : this.writeWhole(carrierOf(head.seal, 'tool-call'))
    const id = this.toolIds.idOf(head.id, open.index)
    const block = { type: 'tool_use', id, name: head.name, input: {}, ...open.members }
    return carrier + this.startContent(open, block)
  }

  /** A block that the API streams in deltas is streamed again: its clients read the deltas and not the start. */
  private startOpaque(open: Open, value: Members): string {
    const { type, input, content } = value
    if (typeof type === 'string' && type.endsWith('tool_use') && isObject(input)) {
      const start = this.startContent(open, { ...value, input: {} })
      return `${start}${this.prefixOf('input_json_delta')}${JSON.stringify(JSON.stringify(input))}${DELTA_END}`
    }
    if (type === 'compaction') {
      const start = this.startContent(open, { ...value, content: null })
      return `${start}${this.prefixOf('compaction_delta')}${JSON.stringify(content ?? null)}${DELTA_END}`
    }
    return this.startContent(open, value)
  }

  /** Starts a text or reasoning at its first content; empty for what the API has no place for. */
  private startLate(open: Open): string {
    switch (open.head.type) {
      case 'text':
        if (this.lingering !== null) return this.continueText(open, this.lingering)
        return this.startContent(open, { type: 'text', text: '', ...open.members })
      case 'refusal':
        return this.startContent(open, { type: 'text', text: '', ...open.members })
      case 'reasoning':
        return this.startContent(open, { type: 'thinking', thinking: '', signature: '', ...open.members })
      default:
        return ''
    }
  }

  private continueText(open: Open, before: Open): string {
    this.lingering = null
    open.isWritten = true
    open.prefix = before.prefix
    open.continued = ''
    return ''
  }

  private writeDelta(open: Open, text: string, startsPart: boolean): string {
    let start = ''
    if (open.continued !== undefined) open.continued += text
    if (!open.isWritten) {
      if (this.hidesReasoning && open.head.type === 'reasoning') {
        open.hidden += text
        return ''
      }
      start = this.startLate(open)
      if (!open.isWritten) return ''
      if (open.continued !== undefined) open.continued += text
    }
    let more = text
    if (open.isCustom) more = (open.hasDelta ? '' : CUSTOM_START) + insideString(text)
    else if (startsPart && open.hasDelta) more = PART_BREAK + text
    open.hasDelta = true
    return start + open.prefix + JSON.stringify(more) + DELTA_END
  }

  private writeCitation(open: Open, citation: Citation): string {
    const native = nativeCitation(citation)
    if (native === null || open.head.type !== 'text') {
      this.context.losses.citation(citation, 0, open.index, false)
      return ''
    }
    const start = open.isWritten ? '' : this.startLate(open)
    return `${start}${this.prefixOf('citations_delta')}${JSON.stringify(native)}${DELTA_END}`
  }

  private endBlock(open: Open): string {
    this.open = null
    const { head, seal } = open
    switch (head.type) {
      case 'tool-call':
        return this.endCall(open)
      case 'reasoning':
        return this.endReasoning(open, head)
      case 'text': {
        const start = this.startEmpty(open)
        const carrier = seal === null ? null : carrierOf(seal, 'text', open.isWritten ? open.continued : '')
        if (carrier !== null) {
          this.carriers.push(carrier)
          this.sealedText = open.index
        }
        if (this.isNative) return start + this.stop(open) + this.endText()
        if (open.isWritten) this.lingering = open
        return start
      }
      case 'refusal':
      case 'media':
      case 'opaque':
        return this.stop(open)
      default: {
        const missed: never = head
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  /** A call without arguments still gets an object: some clients parse what the deltas said, and nothing is not JSON. */
  private endCall(open: Open): string {
    let missing = open.hasDelta ? '' : '{}'
    if (open.isCustom) missing = (open.hasDelta ? '' : CUSTOM_START) + CUSTOM_END
    const rest = missing === '' ? '' : open.prefix + JSON.stringify(missing) + DELTA_END
    return rest + this.stop(open)
  }

  private endReasoning(open: Open, head: Extract<BlockHead, { type: 'reasoning' }>): string {
    const { seal } = open
    if (seal === null) return this.startEmpty(open) + this.writeUnsigned(open) + this.stop(open)
    if (!open.isWritten && isRedacted(seal))
      return this.writeWhole({ ...redactedOf(seal, head, open.hidden), ...open.members })
    const start = open.isWritten ? '' : this.startLate(open)
    const signature = JSON.stringify(signatureOf(seal, head))
    return `${start}${this.prefixOf('signature_delta')}${signature}${DELTA_END}${this.stop(open)}`
  }

  private writeUnsigned(open: Open): string {
    if (this.isNative || !open.isWritten) return ''
    return `${this.prefixOf('signature_delta')}${JSON.stringify(UNSIGNED)}${DELTA_END}`
  }

  /** A block without content is the model's own when the model is the API's; elsewhere it says nothing. */
  private startEmpty(open: Open): string {
    return open.isWritten || !this.isNative ? '' : this.startLate(open)
  }

  private startContent(open: Open, block: Members): string {
    open.isWritten = true
    const text = this.startText(block)
    open.prefix = this.prefixOf(DELTAS[open.head.type])
    return text
  }

  private startText(block: Members): string {
    const message = this.start()
    const event = { type: 'content_block_start', index: ++this.index, content_block: block }
    return message + eventText('content_block_start', event)
  }

  private writeWhole(block: Members): string {
    return this.startText(block) + this.stopText()
  }

  private endText(): string {
    const { carriers, lingering } = this
    this.carriers = []
    this.lingering = null
    return (lingering === null ? '' : this.stopText()) + carriers.map((carrier) => this.writeWhole(carrier)).join('')
  }

  private stop(open: Open): string {
    return open.isWritten ? this.stopText() : ''
  }

  private stopText(): string {
    return eventText('content_block_stop', { type: 'content_block_stop', index: this.index })
  }

  private prefixOf(type: keyof typeof DELTA_MEMBERS): string {
    return deltaPrefix(this.index, type)
  }
}
