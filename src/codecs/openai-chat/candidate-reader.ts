import type { BlockHead, ChatEvent } from '#ir/chat-event.ts'
import type { Citation } from '#ir/blocks.ts'
import { readFinishReason } from './finish-reasons.ts'
import { isRecord, type Members, PROTOCOL, stringOrNull } from './members.ts'
import { addDetails, ownSeal } from './reasoning-details.ts'

/** Where the candidates of one answer write their events. */
export interface AnswerEvents {
  /** Events of the frame that is read. */
  events: ChatEvent[]
  /** Blocks of the answer so far. */
  blocksCount: number
  /** What the upstream sent is no answer. */
  fail(message: string): void
}

type DeltaType = 'text' | 'refusal' | 'reasoning'

interface Call {
  /** Number of its block, -1 before it has a name. */
  block: number
  id: string | null
  readonly kind: 'function' | 'custom'
  /** Arguments that came before the name. */
  early: string
}

/** One delta of a call, whatever its form. */
export interface CallDelta {
  /** Null when the host does not count. */
  readonly index: number | null
  readonly id: string | null
  readonly kind: 'function' | 'custom'
  /** Empty when this delta does not name it. */
  readonly name: string
  readonly text: string
  /** What else the host says of the call and may want back. */
  readonly members: Members
}

const NOTHING: Members = {}
/** The number of no block. */
const NONE = -1

/** Makes blocks of what one candidate says: one after the other, each ended before the next. */
export class CandidateReader {
  hasToolCalls = false
  /** The upstream's own word for the end; null before it came. */
  raw: string | null = null
  isFinished = false
  stopSequence: string | null = null
  private readonly number: number
  private readonly answer: AnswerEvents
  private open: BlockHead['type'] | null = null
  private block = NONE
  private readonly calls = new Map<number, Call>()
  private lastCall: Call | null = null
  /** Seals that came and belong to no block yet. */
  private details: Record<string, unknown>[] = []
  private sealed: Record<string, unknown> | null = null
  private citations: Citation[] = []

  constructor(number: number, answer: AnswerEvents) {
    this.number = number
    this.answer = answer
  }

  /** More of a text; `text` is not empty. */
  addText(type: DeltaType, text: string, isSummary = false): void {
    if (this.open !== type) this.start(headOf(type, isSummary))
    this.answer.events.push({ type: 'block-delta', index: this.block, text })
  }

  /** Tokens of the last delta. Those of a text that is empty belong to nothing. */
  addLogprobs(tokens: readonly unknown[]): void {
    if (this.open === 'text' || this.open === 'reasoning' || this.open === 'refusal')
      this.answer.events.push({ type: 'block-logprobs', index: this.block, tokens })
  }

  /** A source of the text that is open, or else of the next one. */
  addCitation(citation: Citation): void {
    if (this.open === 'text') this.answer.events.push({ type: 'block-citation', index: this.block, citation })
    else this.citations.push(citation)
  }

  addDetails(entries: readonly unknown[]): void {
    addDetails(this.details, entries)
  }

  /** A member of the message that the host wants back with the reasoning. */
  addSealed(name: string, value: unknown): void {
    this.sealed ??= {}
    this.sealed[name] = value
  }

  /** A block that is complete at once. */
  addWhole(head: BlockHead): void {
    this.start(head)
    this.close()
  }

  addCall(delta: CallDelta): void {
    const call = this.callOf(delta)
    if (!call) return
    call.id ??= delta.id
    if (call.block === NONE) {
      if (delta.name === '') {
        call.early += delta.text
        return
      }
      this.startCall(call, delta)
    }
    if (delta.text === '') return
    if (call.block === this.block) this.answer.events.push({ type: 'block-delta', index: call.block, text: delta.text })
    else this.answer.fail('The upstream went on with a tool call that had ended.')
  }

  /** Ends what is open; the finish follows when the candidate's end was told, or the answer's. */
  end(isComplete: boolean): void {
    this.close()
    this.flushSeals()
    if (this.citations.length > 0) this.addWhole({ type: 'text' })
    for (const { block, early } of [...this.calls.values(), ...(this.lastCall ? [this.lastCall] : [])])
      if (block === NONE && early !== '') this.answer.fail('The upstream called a tool without a name.')
    if (!isComplete && !this.isFinished) return
    this.answer.events.push({
      type: 'finish',
      candidate: this.number,
      reason: readFinishReason(this.raw, this.hasToolCalls),
      raw: this.raw,
      stopSequence: this.stopSequence,
    })
  }

  private start(head: BlockHead): void {
    this.close()
    if (head.type !== 'reasoning') this.flushSeals()
    this.open = head.type
    this.block = this.answer.blocksCount++
    const { block: index, number: candidate } = this
    this.answer.events.push({ type: 'block-start', index, candidate, block: head })
    if (head.type !== 'text' || this.citations.length === 0) return
    for (const citation of this.citations) this.answer.events.push({ type: 'block-citation', index, citation })
    this.citations = []
  }

  private close(): void {
    if (this.open === null) return
    if (this.open === 'reasoning') this.writeSeal()
    this.answer.events.push({ type: 'block-end', index: this.block })
    this.open = null
    this.block = NONE
  }

  /** Seals without visible reasoning stand in a block of their own. */
  private flushSeals(): void {
    if (this.details.length === 0 && this.sealed === null) return
    this.open = 'reasoning'
    this.block = this.answer.blocksCount++
    const { block: index, number: candidate } = this
    this.answer.events.push({ type: 'block-start', index, candidate, block: headOf('reasoning', false) })
    this.close()
  }

  private writeSeal(): void {
    if (this.details.length === 0 && this.sealed === null) return
    const seal = ownSeal(this.details, this.sealed ?? NOTHING)
    this.answer.events.push({ type: 'block-seal', index: this.block, seal })
    this.details = []
    this.sealed = null
  }

  /** The call that a delta belongs to; null when the delta says nothing. */
  private callOf(delta: CallDelta): Call | null {
    const { index, id, name, text } = delta
    const known = index === null ? this.lastCall : (this.calls.get(index) ?? null)
    // Hosts that do not count name each new call; some count every call as the first, and only its id tells it apart.
    const isNew = index === null ? id !== null || name !== '' : known !== null && isOther(known, id, name)
    if (known && !isNew) return (this.lastCall = known)
    if (id === null && name === '' && text === '') return null
    const call: Call = { block: NONE, id: null, kind: delta.kind, early: '' }
    if (index !== null) this.calls.set(index, call)
    return (this.lastCall = call)
  }

  private startCall(call: Call, { name, members }: CallDelta): void {
    const { kind, id } = call
    const seal = members === NOTHING ? null : JSON.stringify(members)
    this.start({
      type: 'tool-call',
      id,
      name,
      kind,
      ...(seal === null ? {} : { seal: { issuer: PROTOCOL, kind: 'signature', value: seal } }),
    })
    call.block = this.block
    this.hasToolCalls = true
    if (call.early !== '') this.answer.events.push({ type: 'block-delta', index: call.block, text: call.early })
    call.early = ''
  }
}

function isOther(call: Call, id: string | null, name: string): boolean {
  return id !== null && name !== '' && call.id !== null && call.id !== id
}

const TEXT: BlockHead = { type: 'text' }
const REFUSAL: BlockHead = { type: 'refusal' }

function headOf(type: DeltaType, isSummary: boolean): BlockHead {
  if (type === 'text') return TEXT
  return type === 'refusal' ? REFUSAL : { type: 'reasoning', id: null, isSummary }
}

const CALL_MEMBERS: ReadonlySet<string> = new Set(['id', 'type', 'index', 'function', 'custom'])

/** Reads one entry of `tool_calls`; null for what is none. */
export function readCallDelta(value: unknown, isWhole: boolean): CallDelta | null {
  if (!isRecord(value)) return null
  const isCustom = isRecord(value['custom']) && (value['type'] === 'custom' || !isRecord(value['function']))
  const called = isCustom ? value['custom'] : value['function']
  if (!isRecord(called)) return null
  const { index } = value
  return {
    index: !isWhole && typeof index === 'number' ? index : null,
    id: idOf(value['id']),
    kind: isCustom ? 'custom' : 'function',
    name: stringOrNull(called['name']) ?? '',
    text: textOf(isCustom ? called['input'] : called['arguments']),
    members: membersOf(value),
  }
}

/** Reads a `function_call`, the first form of 2023: there is one, and it has no id. */
export function readFunctionCall(value: Members): CallDelta {
  return {
    index: FUNCTION_CALL_INDEX,
    id: null,
    kind: 'function',
    name: stringOrNull(value['name']) ?? '',
    text: textOf(value['arguments']),
    members: NOTHING,
  }
}

/** No host counts like this. */
const FUNCTION_CALL_INDEX = -1

/** Mistral writes the word where others write nothing. */
function idOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' && value !== 'null' ? value : null
}

/** Some hosts write the arguments as the object itself. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return isRecord(value) ? JSON.stringify(value) : ''
}

/** Only objects: what is said in a word is a trace of the host, such as its own count. */
function membersOf(call: Members): Members {
  let members: Record<string, unknown> | null = null
  for (const name in call) {
    const value = call[name]
    if (CALL_MEMBERS.has(name) || !isRecord(value)) continue
    members ??= {}
    members[name] = value
  }
  return members ?? NOTHING
}
