import type { BlockHead } from '#ir/chat-event.ts'
import { fieldsOf } from '#ir/counts.ts'
import { AnswerEvents, newPiece, type Piece } from './answer-events.ts'
import { imageTypeOf, sourceOfUrl } from './media-type.ts'
import { type Members, PROTOCOL } from './members.ts'

/** Reasoning comes as a summary or as its own text. An item that has both is told in the form that came first. */
export type ReasoningForm = 'summary' | 'content'

/** One output item, as far as it was told. */
export interface Item {
  readonly type: string
  id: unknown
  /** Content parts of a message by their index. */
  readonly parts: Piece[]
  /** The reasoning or the call. */
  piece: Piece | null
  form: ReasoningForm | null
  /** What was told of the parts of the reasoning. */
  readonly partTexts: string[]
  lastPart: number
  isSealed: boolean
  isDone: boolean
}

/**
 * The output items of one answer. Events of a stream and the items of a response object come here in any order and as often as
 * the upstream likes: what was told before is not told again, what was not is.
 */
export class AnswerItems {
  readonly events = new AnswerEvents()
  hasCalls = false
  /** A call went on after it had to end: its arguments cannot be told any more. */
  isBroken = false
  private readonly all: Item[] = []
  private readonly byIndex = new Map<unknown, Item>()
  private openCall: Item | null = null

  /** An item begins. */
  add(index: unknown, value: unknown): void {
    const members = fieldsOf(value)
    const item = this.newItem(index, typeOf(members))
    item.id = members['id']
    if (!isCall(item.type) || !hasName(members)) return
    item.piece = newPiece(callHead(item.type, members))
    this.hasCalls = true
    // Where calls are told side by side each begins with its first word, so that the one before can end.
    if (this.openCall && !this.openCall.isDone) return
    this.openCall = item
    this.events.open(item.piece)
  }

  /** An item is complete. */
  done(index: unknown, value: unknown): void {
    this.complete(this.itemAt(index, typeOf(fieldsOf(value))), value)
  }

  /** The whole output, as a response object tells it. Hosts number and name items anew, or leave some out. */
  completeAll(output: readonly unknown[]): void {
    const left = [...this.all]
    for (const value of output) {
      const members = fieldsOf(value)
      const type = typeOf(members)
      const sameId = left.findIndex((item) => item.type === type && item.id === members['id'])
      const at = sameId >= 0 ? sameId : left.findIndex((item) => item.type === type)
      this.complete(at >= 0 ? left.splice(at, 1)[0]! : this.newItem(undefined, type), value)
    }
  }

  addText(index: unknown, part: unknown, kind: 'text' | 'refusal', text: unknown, logprobs?: unknown): void {
    const piece = this.textAt(this.itemAt(index, 'message'), part, kind)
    if (typeof text === 'string') this.events.delta(piece, text)
    if (logprobs !== undefined) this.events.logprobs(piece, logprobs)
  }

  addCitation(index: unknown, part: unknown, annotation: unknown): void {
    this.events.citation(this.textAt(this.itemAt(index, 'message'), part, 'text'), annotation)
  }

  addReasoning(index: unknown, part: unknown, form: ReasoningForm, text: unknown): void {
    if (typeof text === 'string') this.tellReasoning(this.itemAt(index, 'reasoning'), numberOf(part), form, text)
  }

  addArguments(index: unknown, type: string, text: unknown): void {
    if (typeof text === 'string') this.tellArguments(this.itemAt(index, type), text)
  }

  /** The whole text of a piece: tells what the deltas did not. */
  completeText(index: unknown, part: unknown, kind: 'text' | 'refusal', text: unknown): void {
    if (typeof text === 'string') this.restOfText(this.textAt(this.itemAt(index, 'message'), part, kind), text)
  }

  completeReasoning(index: unknown, part: unknown, form: ReasoningForm, text: unknown): void {
    if (typeof text === 'string') this.restOfReasoning(this.itemAt(index, 'reasoning'), numberOf(part), form, text)
  }

  completeArguments(index: unknown, type: string, text: unknown): void {
    if (typeof text === 'string') this.restOfArguments(this.itemAt(index, type), text)
  }

  /** A content part with its annotations and probabilities. */
  completePart(index: unknown, part: unknown, value: unknown): void {
    const { type } = fieldsOf(value)
    if (type === 'output_text' || type === 'refusal') this.messagePart(this.itemAt(index, 'message'), part, value)
  }

  private itemAt(index: unknown, type: string): Item {
    const item = this.byIndex.get(index)
    return item?.type === type ? item : this.newItem(index, type)
  }

  private newItem(index: unknown, type: string): Item {
    const item: Item = {
      type,
      id: undefined,
      parts: [],
      piece: null,
      form: null,
      partTexts: [],
      lastPart: 0,
      isSealed: false,
      isDone: false,
    }
    this.all.push(item)
    this.byIndex.set(index, item)
    return item
  }

  private textAt(item: Item, part: unknown, kind: 'text' | 'refusal'): Piece {
    const number = numberOf(part)
    const piece = item.parts[number]
    if (piece?.head.type === kind) return piece
    return (item.parts[number] = newPiece({ type: kind }))
  }

  private complete(item: Item, value: unknown): void {
    const members = fieldsOf(value)
    if (item.type === 'message') this.completeMessage(item, members)
    else if (item.type === 'reasoning') this.completeReasoningItem(item, members)
    else if (isCall(item.type) && (item.piece || hasName(members))) this.completeCall(item, members)
    else if (!item.isDone) this.events.whole(imageHead(item.type, members) ?? opaqueHead(value))
    item.isDone = true
  }

  private completeMessage(item: Item, members: Members): void {
    for (const [number, part] of listOf(members['content']).entries()) {
      const { type } = fieldsOf(part)
      if (type === 'output_text' || type === 'refusal') this.messagePart(item, number, part)
      else if (!item.isDone) this.events.whole(opaqueHead({ ...members, content: [part] }))
    }
    for (const piece of item.parts) if (piece) this.events.close(piece)
  }

  private messagePart(item: Item, number: unknown, value: unknown): void {
    const part = fieldsOf(value)
    const kind = part['type'] === 'refusal' ? 'refusal' : 'text'
    const piece = this.textAt(item, number, kind)
    const text = kind === 'refusal' ? part['refusal'] : part['text']
    if (typeof text === 'string') this.restOfText(piece, text)
    if (!piece.hasLogprobs) this.events.logprobs(piece, part['logprobs'])
    for (const annotation of listOf(part['annotations']).slice(piece.citationsCount))
      this.events.citation(piece, annotation)
  }

  private completeReasoningItem(item: Item, members: Members): void {
    item.id ??= members['id']
    const summary = listOf(members['summary']).map(partText)
    const form = item.form ?? (summary.some((text) => text !== '') ? 'summary' : 'content')
    const texts = form === 'summary' ? summary : listOf(members['content']).map(partText)
    for (const [number, text] of texts.entries()) this.restOfReasoning(item, number, form, text)
    const { encrypted_content: encrypted } = members
    if (typeof encrypted === 'string' && encrypted !== '' && !item.isSealed) {
      item.isSealed = true
      this.events.seal(this.reasoningPiece(item, 'summary'), encrypted)
    }
    if (item.piece) this.events.close(item.piece)
    // An item that tells nothing but its id still means something to the upstream that keeps it.
    else if (!item.isDone) this.events.whole(opaqueHead(members))
  }

  private completeCall(item: Item, members: Members): void {
    item.piece ??= newPiece(callHead(item.type, members))
    this.hasCalls = true
    if (item.piece.block < 0) this.events.open(item.piece)
    const text = item.type === 'function_call' ? members['arguments'] : members['input']
    // Some hosts put the object itself here.
    this.restOfArguments(item, typeof text === 'object' && text !== null ? JSON.stringify(text) : text)
    this.events.close(item.piece)
  }

  private tellReasoning(item: Item, number: number, form: ReasoningForm, text: string): void {
    if (text === '' || (item.form !== null && item.form !== form)) return
    const piece = this.reasoningPiece(item, form)
    item.form = form
    this.events.delta(piece, text, piece.text !== '' && number !== item.lastPart)
    item.lastPart = number
    item.partTexts[number] = (item.partTexts[number] ?? '') + text
  }

  private reasoningPiece(item: Item, form: ReasoningForm): Piece {
    const id = typeof item.id === 'string' ? item.id : null
    return (item.piece ??= newPiece({ type: 'reasoning', id, isSummary: form === 'summary' }))
  }

  private tellArguments(item: Item, text: string): void {
    // Without a name there is no call to tell of; the complete item has both.
    if (text === '' || item.piece === null) return
    if (item.piece.block >= 0 && !this.events.isOpen(item.piece)) {
      this.isBroken = true
      return
    }
    this.openCall = item
    this.events.delta(item.piece, text)
  }

  private restOfText(piece: Piece, text: string): void {
    this.events.delta(piece, restOf(piece.text, text))
  }

  private restOfReasoning(item: Item, number: number, form: ReasoningForm, text: string): void {
    this.tellReasoning(item, number, form, restOf(item.partTexts[number] ?? '', text))
  }

  private restOfArguments(item: Item, text: unknown): void {
    if (item.piece !== null && typeof text === 'string') this.tellArguments(item, restOf(item.piece.text, text))
  }
}

/** What of `text` was not told yet; nothing when something else was. */
const restOf = (told: string, text: string): string => (text.startsWith(told) ? text.slice(told.length) : '')

const numberOf = (index: unknown): number => (typeof index === 'number' && index >= 0 ? index : 0)

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const isCall = (type: string): boolean => type === 'function_call' || type === 'custom_tool_call'

const hasName = ({ name }: Members): boolean => typeof name === 'string' && name !== ''

function typeOf({ type }: Members): string {
  return typeof type === 'string' ? type : ''
}

function partText(part: unknown): string {
  const { text } = fieldsOf(part)
  return typeof text === 'string' ? text : ''
}

function callHead(type: string, members: Members): BlockHead {
  const { call_id: callId, name, id, namespace } = members
  return {
    type: 'tool-call',
    id: typeof callId === 'string' && callId !== '' ? callId : null,
    name: name as string,
    kind: type === 'custom_tool_call' ? 'custom' : 'function',
    ...(typeof id === 'string' ? { itemId: id } : {}),
    ...(typeof namespace === 'string' ? { namespace } : {}),
  }
}

const opaqueHead = (value: unknown): BlockHead => ({ type: 'opaque', issuer: PROTOCOL, value })

/** The image that a call to the image tool brought; null when it brought none. */
function imageHead(type: string, { result, output_format: format }: Members): BlockHead | null {
  if (type !== 'image_generation_call' || typeof result !== 'string' || result === '') return null
  const source = sourceOfUrl(result)
  const data = source.type === 'base64' ? source.data : result
  const told = source.mimeType ?? (typeof format === 'string' ? `image/${format}` : null)
  return { type: 'media', kind: 'image', mimeType: told ?? imageTypeOf(data), data }
}
