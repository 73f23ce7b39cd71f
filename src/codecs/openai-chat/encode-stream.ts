import type { Citation, Seal } from '#ir/blocks.ts'
import type {
  BlockDelta,
  BlockEnd,
  BlockHead,
  BlockLogprobs,
  BlockSeal,
  BlockStart,
  ChatEvent,
  Finish,
  OpaqueEvent,
} from '#ir/chat-event.ts'
import type { Usage } from '#ir/usage.ts'
import type { Failure } from '#codecs/codec.ts'
import type { AnswerContext, StreamEncoder } from '#codecs/translation.ts'
import {
  annotationOf,
  answerId,
  finishError,
  hasPlace,
  imageOf,
  isLegacyClient,
  ownBlockMembers,
  PartPlaces,
  sealedCallMembers,
  showsReasoning,
  usageOf,
} from './answer-parts.ts'
import type { AnswerCallIds } from '#codecs/answer-call-ids.ts'
import { answerCallIds } from './call-ids.ts'
import { writeFinishReason } from './finish-reasons.ts'
import { isObject, type Members, PROTOCOL } from './members.ts'
import { chatFailureEvents } from './passthrough.ts'
import { sealEntry } from './reasoning-details.ts'

/** One candidate: what the client has seen of it. */
interface Candidate {
  readonly number: number
  /** Up to the members of the delta. */
  readonly prefix: string
  readonly places: PartPlaces
  hasRole: boolean
  callsCount: number
  imagesCount: number
  annotationsCount: number
  /** Characters of its text so far. */
  textLength: number
  finish: Finish | null
}

/** A block that is open: what stands around each of its texts. */
interface Open {
  readonly candidate: Candidate
  readonly head: BlockHead
  readonly place: number
  /** Empty for a block whose deltas are not shown. */
  readonly before: string
  /** Where the same text stands a second time: what is between the two. */
  readonly between: string
  readonly after: string
  /** Where its text starts in that of the candidate. */
  readonly textStart: number
  /** All of a reasoning's text, for its seal. */
  text: string
  hasDeltas: boolean
  citations: Citation[]
}

const END = '},"finish_reason":null}]}\n\n'
const ROLE = '"role":"assistant",'
const DONE = 'data: [DONE]\n\n'

/** Writes an answer as chunks: one for each event that says something, and its end when all is settled. */
export class ChatEncoder implements StreamEncoder {
  private readonly context: AnswerContext
  private readonly head: string
  private readonly candidates = new Map<number, Candidate>()
  private readonly open = new Map<number, Open>()
  private readonly ids: AnswerCallIds
  private readonly isLegacy: boolean
  private readonly showsReasoning: boolean
  private last: Open | null = null
  private lastIndex = -1
  private usage: Usage | null = null

  constructor(context: AnswerContext) {
    this.context = context
    const { createdAt, model } = context
    const chunk = { id: answerId(context), object: 'chat.completion.chunk', created: createdAt, model }
    this.head = `data: ${JSON.stringify(chunk).slice(0, -1)},`
    this.ids = answerCallIds(context.id)
    this.isLegacy = isLegacyClient(context)
    this.showsReasoning = showsReasoning(context)
  }

  push(event: ChatEvent): string {
    switch (event.type) {
      case 'block-delta':
        return this.writeDelta(event)
      case 'block-start':
        return this.startBlock(event)
      case 'block-end':
        return this.endBlock(event)
      case 'block-seal':
        return this.writeSeal(event)
      case 'block-citation':
        this.open.get(event.index)?.citations.push(event.citation)
        return ''
      case 'block-logprobs':
        return this.writeLogprobs(event)
      case 'usage':
        this.usage = event.usage
        return ''
      case 'finish':
        this.candidateOf(event.candidate).finish = event
        return ''
      case 'opaque':
        return this.writeOpaque(event)
      case 'response-start':
        return ''
      default: {
        const missed: never = event
        throw new Error(`unknown event ${String(missed)}`)
      }
    }
  }

  end(): string {
    if (this.candidates.size === 0) this.candidateOf(0)
    let text = ''
    for (const candidate of [...this.candidates.values()].toSorted((left, right) => left.number - right.number))
      text += this.writeFinish(candidate)
    if (this.usage && this.context.showsUsage) {
      this.context.losses.usage(this.usage)
      const usage = JSON.stringify(usageOf(this.usage, this.context))
      text += `${this.head}"choices":[],"usage":${usage}}\n\n`
    }
    return text + DONE
  }

  fail(failure: Failure): string {
    return chatFailureEvents(failure)
  }

  private writeDelta({ index, text }: BlockDelta): string {
    const open = index === this.lastIndex ? this.last : (this.open.get(index) ?? null)
    if (!open) return ''
    open.hasDeltas = true
    if (open.head.type === 'reasoning') open.text += text
    else if (open.head.type === 'text') open.candidate.textLength += text.length
    if (open.before === '') return ''
    const { candidate, before, between, after } = open
    const json = JSON.stringify(text)
    const start = candidate.hasRole ? candidate.prefix : this.takeRole(candidate)
    return between === '' ? start + before + json + after : start + before + json + between + json + after
  }

  private startBlock(start: BlockStart): string {
    const { index, candidate: number, block: head } = start
    const candidate = this.candidateOf(number)
    const place = candidate.places.next(head.type)
    const around = this.aroundOf(head, candidate)
    const open: Open = {
      candidate,
      head,
      place,
      ...around,
      textStart: candidate.textLength,
      text: '',
      hasDeltas: false,
      citations: [],
    }
    this.open.set(index, open)
    this.last = open
    this.lastIndex = index
    if (head.type === 'tool-call') return this.startCall(head, index, open)
    if (!hasPlace(head)) {
      this.context.losses.block(start)
      return ''
    }
    if (head.type === 'opaque') return this.writeMembers(candidate, ownBlockMembers(head.issuer, head.value))
    if (head.type !== 'media') return ''
    if (head.kind === 'image') return this.writeMembers(candidate, { images: [imageOf(head, candidate.imagesCount++)] })
    return this.writeMembers(candidate, { audio: { data: head.data } })
  }

  /** What stands around the texts of a block. */
  private aroundOf(head: BlockHead, candidate: Candidate): Pick<Open, 'before' | 'between' | 'after'> {
    switch (head.type) {
      case 'text':
        return { before: '"content":', between: '', after: END }
      case 'refusal':
        return { before: '"refusal":', between: '', after: END }
      case 'reasoning':
        return this.showsReasoning
          ? { before: '"reasoning_content":', between: ',"reasoning":', after: END }
          : { before: '', between: '', after: '' }
      case 'tool-call': {
        if (this.isLegacy && candidate.callsCount === 0)
          return { before: '"function_call":{"arguments":', between: '', after: `}${END}` }
        const [name, member] = head.kind === 'custom' ? ['custom', 'input'] : ['function', 'arguments']
        const number = this.callNumber(candidate)
        return { before: `"tool_calls":[{"index":${number},"${name}":{"${member}":`, between: '', after: `}}]${END}` }
      }
      case 'media':
      case 'opaque':
        return { before: '', between: '', after: '' }
      default: {
        const missed: never = head
        throw new Error(`unknown block ${String(missed)}`)
      }
    }
  }

  /** A client of the first form gets its first call in that form; what is more goes into a list it may not read. */
  private callNumber({ callsCount }: Candidate): number {
    return this.isLegacy ? callsCount - 1 : callsCount
  }

  private startCall(
    head: Extract<BlockHead, { type: 'tool-call' }>,
    index: number,
    { candidate, place }: Open,
  ): string {
    const { name, kind, seal } = head
    const id = this.ids.idOf(head.id, index)
    const number = this.callNumber(candidate)
    const isFirst = candidate.callsCount++ === 0
    if (this.isLegacy && isFirst) return this.writeMembers(candidate, { function_call: { name, arguments: '' } })
    const called = kind === 'custom' ? { custom: { name, input: '' } } : { function: { name, arguments: '' } }
    return this.writeMembers(candidate, {
      tool_calls: [{ index: number, id, type: kind, ...called, ...sealedCallMembers(seal) }],
      ...(seal && seal.issuer !== PROTOCOL
        ? { reasoning_details: [sealEntry({ seal, place: 'tool-call' }, place, { id })] }
        : {}),
    })
  }

  private endBlock({ index }: BlockEnd): string {
    const open = this.open.get(index)
    this.open.delete(index)
    if (this.lastIndex === index) this.lastIndex = -1
    if (!open) return ''
    const { head, candidate, citations, textStart } = open
    // No arguments are an object without members, never an empty text.
    if (head.type === 'tool-call' && head.kind === 'function' && !open.hasDeltas)
      return `${candidate.prefix}${open.before}"{}"${open.after}`
    if (citations.length === 0) return ''
    const { textLength, annotationsCount } = candidate
    const annotations = citations
      .map((citation, at) => {
        const annotation = annotationOf(citation, textStart, textLength, annotationsCount + at)
        this.context.losses.citation(citation, candidate.number, index, annotation !== null)
        return annotation
      })
      .filter((annotation) => annotation !== null)
    candidate.annotationsCount += annotations.length
    return annotations.length === 0 ? '' : this.writeMembers(candidate, { annotations })
  }

  /** The text went out as it came: the seal carries it once more, because clients give back the seal alone. */
  private writeSeal({ index, seal }: BlockSeal): string {
    const open = this.open.get(index)
    if (!open) return ''
    return this.writeMembers(open.candidate, { reasoning_details: [this.entryOf(open, seal)] })
  }

  private entryOf({ candidate, head, place, text }: Open, seal: Seal): Members {
    if (head.type !== 'reasoning') {
      candidate.places.endText()
      return sealEntry({ seal, place: 'text' }, place)
    }
    const id = head.id === null ? {} : { id: head.id }
    return sealEntry({ seal, place: 'reasoning', ...(text === '' ? {} : { text }), ...id }, place)
  }

  private writeLogprobs({ index, tokens }: BlockLogprobs): string {
    const open = this.open.get(index)
    if (!open) return ''
    const { candidate, head } = open
    const { type } = head
    const name = type === 'reasoning' ? 'reasoning_content' : type === 'refusal' ? 'refusal' : 'content'
    const logprobs = { content: null, refusal: null, [name]: tokens }
    const start = candidate.hasRole ? candidate.prefix : this.takeRole(candidate)
    return `${start}"content":""},"logprobs":${JSON.stringify(logprobs)},"finish_reason":null}]}\n\n`
  }

  /** What only hosts of this protocol tell goes where they tell it. */
  private writeOpaque(event: OpaqueEvent): string {
    const { issuer, value } = event
    if (issuer !== PROTOCOL || !isObject(value)) {
      this.context.losses.opaque(event)
      return ''
    }
    const { choices, ...members } = value
    const told = Array.isArray(choices) && isObject(choices[0]) ? choices[0] : {}
    const { index, message, ...rest } = told
    const candidate = this.candidateOf(typeof index === 'number' ? index : 0)
    const delta = this.deltaOf(candidate, isObject(message) ? message : {})
    const choice = { index: candidate.number, delta, finish_reason: null, ...rest }
    return `${this.head}${JSON.stringify({ choices: [choice], ...members }).slice(1)}\n\n`
  }

  private writeFinish(candidate: Candidate): string {
    const { finish, number } = candidate
    const reason = finish?.reason ?? 'stop'
    const word = writeFinishReason(reason, this.isLegacy)
    this.context.losses.finish(finish, word)
    const choice = {
      index: number,
      delta: candidate.hasRole ? {} : this.deltaOf(candidate, { content: '' }),
      finish_reason: word,
      ...(this.context.isOpenRouter ? { native_finish_reason: finish?.raw ?? null } : {}),
    }
    const error = reason === 'error' ? { error: finishError(finish) } : {}
    return `${this.head}${JSON.stringify({ choices: [choice], ...error }).slice(1)}\n\n`
  }

  /** A chunk that says these members of the message; nothing when there are none. */
  private writeMembers(candidate: Candidate, members: Members): string {
    const json = JSON.stringify(members)
    if (json === '{}') return ''
    const start = candidate.hasRole ? candidate.prefix : this.takeRole(candidate)
    return `${start}${json.slice(1, -1)}${END}`
  }

  private deltaOf(candidate: Candidate, members: Members): Members {
    if (candidate.hasRole) return members
    candidate.hasRole = true
    return { role: 'assistant', ...members }
  }

  /** The first delta of a candidate says who speaks. */
  private takeRole(candidate: Candidate): string {
    candidate.hasRole = true
    return candidate.prefix + ROLE
  }

  private candidateOf(number: number): Candidate {
    const known = this.candidates.get(number)
    if (known) return known
    const candidate: Candidate = {
      number,
      prefix: `${this.head}"choices":[{"index":${number},"delta":{`,
      places: new PartPlaces(),
      hasRole: false,
      callsCount: 0,
      imagesCount: 0,
      annotationsCount: 0,
      textLength: 0,
      finish: null,
    }
    this.candidates.set(number, candidate)
    return candidate
  }
}
