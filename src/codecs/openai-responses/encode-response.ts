import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import type { Failure } from '#codecs/codec.ts'
import { type CarriedSeal, sealEnvelope } from '#codecs/seal-envelope.ts'
import type { AnswerContext, StreamEncoder } from '#codecs/translation.ts'
import type { Seal } from '#ir/blocks.ts'
import type { BlockHead, BlockStart, ChatEvent, Finish } from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import { annotationOf } from './annotations.ts'
import { EventWriter } from './event-writer.ts'
import { answerCallIds, itemId, type ItemPrefix } from './item-ids.ts'
import { isRecord, type Members, PROTOCOL } from './members.ts'
import { CallItem, MessageItem, ReasoningItem } from './output-items.ts'
import { endedResponse, type Ending, endingOf, endingOfFailure, openResponse } from './response-object.ts'

/** A whole answer: the object that ends its stream. */
export function encodeWhole(events: readonly ChatEvent[], context: AnswerContext): unknown {
  const encoder = new ResponsesEncoder(context)
  for (const event of events) encoder.push(event)
  return encoder.endedResponse()
}

/** Writes an answer as the typed events of the Responses API, in the official order. */
export class ResponsesEncoder implements StreamEncoder {
  private readonly context: AnswerContext
  private readonly writer = new EventWriter()
  private readonly output: Members[] = []
  private isStarted = false
  /** The item that is being written. A message stays open for further texts until something else comes. */
  private current: MessageItem | ReasoningItem | CallItem | null = null
  /** Index of the block that the current item tells of; -1 for blocks that this protocol cannot tell. */
  private block = -1
  private reasoningHead: ReasoningHead | null = null
  /** Whether the client wants no reasoning to be shown. An upstream of the same protocol was told so, and does as told. */
  private readonly hidesReasoning: boolean
  /** Reasoning that is not shown, for its seal. */
  private hiddenText = ''
  private seal: Seal | null = null
  private readonly callIds: AnswerCallIds
  private told: Members = {}
  private usage: Usage | null = null
  private finish: Finish | null = null

  constructor(context: AnswerContext) {
    this.context = context
    this.hidesReasoning = context.upstream !== PROTOCOL && context.request.reasoning?.isShown === false
    this.callIds = answerCallIds(context.id)
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case 'block-delta':
        return event.index === this.block ? this.pushDelta(event.text, event.startsPart ?? false) : ''
      case 'block-start':
        return this.startBlock(event)
      case 'block-end':
        return event.index === this.block ? this.endBlock() : ''
      case 'block-seal':
        if (event.index === this.block) this.seal = event.seal
        return ''
      case 'block-citation':
        return this.pushCitation(event)
      case 'block-logprobs': {
        const part = this.partOf(event.index)
        if (part?.kind === 'text') return part.addLogprobs(event.tokens)
        this.context.losses.logprobs(0)
        return ''
      }
      case 'response-start':
        return this.start()
      case 'usage':
        this.usage = event.usage
        return ''
      case 'finish':
        if (event.candidate === 0) this.finish = event
        return ''
      case 'opaque':
        if (event.issuer === PROTOCOL && isRecord(event.value)) this.told = event.value
        else this.context.losses.opaque(event)
        return ''
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }

  end(): string {
    const ending = endingOf(this.finish)
    const closed = this.start() + this.closeMessage(ending)
    return closed + this.writer.event(`response.${ending.status}`, { response: this.responseOf(ending) })
  }

  fail(failure: Failure): string {
    const ending = endingOfFailure(failure)
    const response = this.responseOf(ending)
    return this.start() + this.writer.event('response.failed', { response, error_type: failure.code })
  }

  /** The response object that ends the answer, once all events are there. */
  endedResponse(): Members {
    const ending = endingOf(this.finish)
    this.closeMessage(ending)
    return this.responseOf(ending)
  }

  private responseOf(ending: Ending): Members {
    const { losses } = this.context
    losses.finish(this.finish, ending.incompleteReason ?? ending.status)
    losses.usage(this.usage)
    return endedResponse(this.context, this.told, ending, this.output, this.usage)
  }

  private start(): string {
    if (this.isStarted) return ''
    this.isStarted = true
    // The request that it repeats may be long: it is written once for both.
    const members = `"response":${JSON.stringify(openResponse(this.context))}`
    return this.writer.raw('response.created', members) + this.writer.raw('response.in_progress', members)
  }

  private startBlock(start: BlockStart): string {
    const { index, candidate, block } = start
    if (candidate !== 0) {
      this.context.losses.candidate(candidate)
      return ''
    }
    this.block = -1
    switch (block.type) {
      case 'text':
      case 'refusal':
        this.block = index
        return this.startPart(block.type)
      case 'reasoning':
        this.block = index
        return this.closeMessage() + this.startReasoning(block)
      case 'tool-call':
        this.block = index
        return this.closeMessage() + this.startCall(block, index)
      case 'media':
        return block.kind === 'image' ? this.closeMessage() + this.writeImage(block) : this.lose(start)
      case 'opaque':
        return block.issuer === PROTOCOL && isRecord(block.value)
          ? this.closeMessage() + this.writeOpaque(block.value)
          : this.lose(start)
      default: {
        const missed: never = block
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  private lose(start: BlockStart): string {
    this.context.losses.block(start)
    return ''
  }

  private pushDelta(text: string, startsPart: boolean): string {
    const { current } = this
    if (current instanceof MessageItem) return current.openPart!.add(text)
    if (current instanceof ReasoningItem && this.hidesReasoning) {
      this.hiddenText += text
      return ''
    }
    return current!.add(text, startsPart)
  }

  private endBlock(): string {
    const { current, seal } = this
    this.block = -1
    this.seal = null
    if (current instanceof MessageItem) {
      const ended = current.endPart()
      return seal === null ? ended : ended + this.closeMessage() + this.writeCarrier({ seal, place: 'text' })
    }
    this.current = null
    if (current instanceof ReasoningItem) {
      const ended = current.endPart()
      return ended + this.writeDone(current.item(seal && this.encryptedContent(seal)))
    }
    const ended = current!.end()
    return ended + this.writeDone(current!.item())
  }

  private startPart(kind: 'text' | 'refusal'): string {
    if (this.current instanceof MessageItem) return this.current.startPart(kind)
    const message = new MessageItem(this.writer, this.idOf('msg'), this.output.length)
    this.current = message
    return message.start() + message.startPart(kind)
  }

  private startReasoning(head: ReasoningHead): string {
    const isOwn = this.context.upstream === PROTOCOL
    const id = isOwn && head.id !== null ? head.id : this.idOf('rs')
    this.reasoningHead = head
    this.hiddenText = ''
    // Clients read summaries; the upstream's own word for its reasoning stays what it is.
    const item = new ReasoningItem(this.writer, id, this.output.length, head.isSummary || !isOwn)
    this.current = item
    return item.start()
  }

  private startCall(head: CallHead, block: number): string {
    const carrier = head.seal ? this.writeCarrier({ seal: head.seal, place: 'tool-call' }) : ''
    const isOwn = this.context.upstream === PROTOCOL
    const made = this.idOf(head.kind === 'custom' ? 'ctc' : 'fc')
    const ids = { id: isOwn ? (head.itemId ?? made) : made, callId: this.callIds.idOf(head.id, block) }
    const item = new CallItem(this.writer, head, ids, this.output.length)
    this.current = item
    return carrier + item.start()
  }

  private closeMessage(ending?: Ending): string {
    const { current } = this
    if (!(current instanceof MessageItem)) return ''
    this.current = null
    const ended = current.endPart()
    return ended + this.writeDone(current.item(ending?.status === 'incomplete' ? 'incomplete' : 'completed'))
  }

  private writeDone(item: Members): string {
    const index = this.output.push(item) - 1
    return this.writer.event('response.output_item.done', { output_index: index, item })
  }

  /** An item for a seal that has no text of its own. */
  private writeCarrier(carried: CarriedSeal): string {
    const item = new ReasoningItem(this.writer, this.idOf('rs'), this.output.length, true)
    const started = item.start()
    return started + this.writeDone(item.item(sealEnvelope([carried])))
  }

  private encryptedContent(seal: Seal): string {
    if (seal.issuer === PROTOCOL) return seal.value
    const id = this.reasoningHead?.id ?? null
    const text = this.hiddenText
    const more = { ...(text === '' ? {} : { text }), ...(id === null ? {} : { id }) }
    return sealEnvelope([{ seal, place: 'reasoning', ...more }])
  }

  private writeImage({ mimeType, data }: MediaHead): string {
    const index = this.output.length
    const id = this.idOf('ig')
    const place = { output_index: index, item_id: id }
    const added = { output_index: index, item: { id, type: 'image_generation_call', status: 'in_progress' } }
    const format = mimeType.slice(mimeType.indexOf('/') + 1)
    return (
      this.writer.event('response.output_item.added', added) +
      this.writer.event('response.image_generation_call.in_progress', place) +
      this.writer.event('response.image_generation_call.generating', place) +
      this.writer.event('response.image_generation_call.completed', place) +
      this.writeDone({ id, type: 'image_generation_call', status: 'completed', output_format: format, result: data })
    )
  }

  private writeOpaque(item: Members): string {
    const added = this.writer.event('response.output_item.added', { output_index: this.output.length, item })
    return added + this.writeDone(item)
  }

  private pushCitation({ index, citation }: Extract<ChatEvent, { readonly type: 'block-citation' }>): string {
    const part = this.partOf(index)
    const annotation = part && annotationOf(citation, part.length)
    if (this.block >= 0) this.context.losses.citation(citation, 0, index, annotation !== null)
    return part && annotation !== null ? part.addAnnotation(annotation) : ''
  }

  private partOf(index: number) {
    return index === this.block && this.current instanceof MessageItem ? this.current.openPart : null
  }

  private idOf(prefix: ItemPrefix): string {
    return itemId(prefix, this.context.id, this.output.length)
  }
}

type ReasoningHead = Extract<BlockHead, { readonly type: 'reasoning' }>
type CallHead = Extract<BlockHead, { readonly type: 'tool-call' }>
type MediaHead = Extract<BlockHead, { readonly type: 'media' }>
